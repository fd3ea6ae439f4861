"""A GPU to try code on where there is none: what it forbids is forbidden here, and its graphs are replayed exactly.

Tensors say that they are on ``cuda`` and lie on the CPU, where all is computed. As on a GPU: tensors of two devices do
not meet in one operation; what is captured is not done then, but whenever it is replayed, with the tensors and the
numbers of the capture; a capture fails at what waits for the GPU, at memory of the host and at chance; a stream, and so
a capture, is of the one device that is current; and what graphs of one pool return lasts until the next is replayed.
"""

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Self
from unittest.mock import patch

import torch
from torch.nn.attention import SDPBackend
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map_only

aten = torch.ops.aten
_GUARDS = "_ZN3c104impl26device_guard_impl_registryE"
CPU = torch.device("cpu")
_COPIES = (aten._to_copy.default, aten.copy_.default)  # from one device to another
_ASKING = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
_INDEXED = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default)


class OnGpu(torch.Tensor):  # type: ignore[misc]  # torch is not where mypy runs
    """A tensor of a device that is not there."""

    host: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, real: torch.Tensor, device: torch.device) -> Self:
        made: Self = torch.Tensor._make_wrapper_subclass(
            cls,
            real.shape,
            strides=real.stride(),
            storage_offset=real.storage_offset(),
            dtype=real.dtype,
            device=device,
        )
        made.host = real
        return made

    def tolist(self) -> Any:  # torch's own is not for subclasses
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, *_rest: object) -> Any:
        raise AssertionError(f"{func} outside of the pretended GPU's block")


@dataclass(frozen=True)
class Launch:
    """An operation that was captured."""

    func: Any
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    made: Sequence[torch.Tensor]
    """What it wrote to when it was captured, and writes to again."""


@dataclass(eq=False)
class Graph:
    """In place of ``torch.cuda.CUDAGraph``."""

    gpu: "PretendedCuda"
    device: torch.device
    pool: object = None
    launches: list[Launch] = field(default_factory=list)
    memory: dict[int, torch.Tensor] = field(default_factory=dict)
    """What was allocated in the capture, by the address."""
    before: dict[int, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)
    """What operations of the capture write to that was there before, and what it held."""
    holds: bool = True
    """Whether its memory has what it computed."""

    def replay(self) -> None:
        self.gpu.replays += 1
        for other in self.gpu.graphs:
            if other is not self and other.pool is self.pool:
                other.spoil()
        self.holds = True
        with _disable_current_modes(), torch.inference_mode():
            for launch in self.launches:
                for old, new in zip(launch.made, tree_leaves(launch.func(*launch.args, **launch.kwargs)), strict=True):
                    if _address(old) != _address(new):
                        old.copy_(new)

    def note(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> None:
        """Take an operation that was just done, on and into real tensors."""
        kept_args, kept_kwargs = (tree_map_only(torch.Tensor, lambda one: one, part) for part in (args, kwargs))
        made = [one for one in tree_leaves(result) if isinstance(one, torch.Tensor)]
        seen = {_address(one) for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)}
        for one in made:
            if _address(one) not in seen:
                self.memory[_address(one)] = one
        if made and not (func.is_view and all(_address(one) in seen for one in made)):
            self.launches.append(Launch(func, kept_args, kept_kwargs, made))

    def keep(self, written: torch.Tensor) -> None:
        """Remember what a tensor holds that an operation of the capture is about to write to."""
        if (address := _address(written)) not in self.memory and address not in self.before:
            whole = torch.empty(0, dtype=torch.uint8).set_(written.untyped_storage())
            self.before[address] = whole, whole.clone()

    def end(self) -> None:
        """Undo what was done, since on a GPU it would not have been."""
        for whole, held in self.before.values():
            whole.copy_(held)
        self.before.clear()
        self.spoil()

    def spoil(self) -> None:
        """Write nonsense where others may have written."""
        if self.holds:
            for one in self.memory.values():
                one.fill_(_nonsense(one.dtype))
        self.holds = False


def _nonsense(kind: torch.dtype) -> float:
    if kind == torch.bool:
        return 1
    return torch.nan if kind.is_floating_point else float(torch.iinfo(kind).min)


@contextmanager
def pretended_cuda(count: int = 1) -> Iterator["PretendedCuda"]:
    """Have GPUs for the length of a block, in this thread. Name them with their number: ``cuda:0``."""
    gpu = PretendedCuda()
    stand_in: dict[str, Any] = {
        "_lazy_init": lambda: None,
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "is_bf16_supported": lambda **_: True,
        "device_count": lambda: count,
        "current_device": lambda: gpu.device.index,
        "mem_get_info": lambda *_: (2**36, 2**36),
        "get_device_properties": lambda *_: SimpleNamespace(total_memory=2**36, major=9, minor=0),
        "get_device_capability": lambda *_: (9, 0),
        "synchronize": lambda *_: gpu.waits.append("synchronize"),
        "empty_cache": lambda: None,
        "device": gpu.current,
        "Stream": lambda *_: SimpleNamespace(wait_stream=lambda _: None),
        "current_stream": lambda *_: SimpleNamespace(wait_stream=lambda _: None),
        "stream": lambda _: ExitStack(),
        "graph_pool_handle": object,
        "CUDAGraph": lambda: Graph(gpu, gpu.device),
        "graph": gpu.capture,
    }
    overwrite, only_lift = (
        torch.__future__.set_overwrite_module_params_on_conversion,
        torch._C._set_only_lift_cpu_tensors,
    )
    _have_guard()
    with ExitStack() as stack:
        for name, what in stand_in.items():
            stack.enter_context(patch.object(torch.cuda, name, what))
        stack.enter_context(patch.object(torch, "Generator", Generator))
        overwrite(True)  # in place, a parameter would lose its class
        stack.callback(overwrite, False)
        only_lift(True)  # torch.tensor(…, device="cuda:0") copies where we see it
        stack.callback(only_lift, False)
        stack.enter_context(gpu)
        yield gpu


class PretendedCuda(TorchDispatchMode):  # type: ignore[misc]
    """Does what is asked of a GPU; counts what makes the CPU wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []
        """What waited for a GPU: a value or a shape was asked for, or memory was copied from or to one."""
        self.launched = 0
        """Operations outside of graphs."""
        self.replays = 0
        self.graphs: list[Graph] = []
        self.device = torch.device("cuda", 0)
        self._capturing: Graph | None = None

    @contextmanager
    def current(self, device: int) -> Iterator[None]:
        """In place of ``torch.cuda.device``."""
        before, self.device = self.device, torch.device("cuda", device)
        try:
            yield
        finally:
            self.device = before

    @contextmanager
    def capture(self, graph: Graph, pool: object = None) -> Iterator[None]:
        """In place of ``torch.cuda.graph``."""
        graph.pool, graph.device, self._capturing = pool, self.device, graph
        try:
            yield
        finally:
            self._capturing = None
            graph.end()
        self.graphs.append(graph)

    def _whole(self, device: torch.device) -> torch.device:
        return self.device if device.type == "cuda" and device.index is None else device

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        with self:  # without gradients some operations come whole
            if (parts := func.decompose(*args, **kwargs)) is not NotImplemented:
                return parts
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
        device = self._device(func, args, given, kwargs)
        places = {device, *(one.device for one in given)}
        graph = self._capturing if self._capturing and self._capturing.device in places else None
        if device != CPU or any(one.device != CPU for one in given):
            self._look(func, args, kwargs, given, device)
        if func is aten._fused_sdp_choice.default:
            return SDPBackend.MATH.value  # the only one that is made of other operations
        wrappers = {id(one.host): one for one in given if isinstance(one, OnGpu)}
        reals = tree_map_only(OnGpu, lambda one: one.host, (args, kwargs))
        real_args, real_kwargs = tree_map_only(torch.device, lambda _: CPU, reals)
        if graph is not None:
            for argument, value in zip(func._schema.arguments, real_args, strict=False):
                if argument.alias_info is not None and argument.alias_info.is_write:
                    for one in tree_leaves(value):
                        graph.keep(one)
        result = func(*real_args, **real_kwargs)
        if graph is not None:
            graph.note(func, real_args, real_kwargs, result)
        if device == CPU:
            return result
        self.launched += graph is None and not func.is_view
        with torch.inference_mode(mode=False):  # torch makes views of parameters, which it cannot of what else is
            return tree_map_only(
                torch.Tensor, lambda one: wrappers[id(one)] if id(one) in wrappers else OnGpu(one, device), result
            )

    def _device(self, func: Any, args: Any, given: Sequence[torch.Tensor], kwargs: Mapping[str, Any]) -> torch.device:
        """Tell where the result is."""
        if kwargs.get("device") is not None:
            return self._whole(torch.device(kwargs["device"]))
        if func in _INDEXED or func is aten.copy_.default:
            return args[0].device
        return next((one.device for one in given if one.device != CPU), CPU)

    def _look(self, func: Any, args: Any, kwargs: Any, given: Sequence[torch.Tensor], device: torch.device) -> None:
        """Raise for what a GPU cannot do, and count what waits for it."""
        copied = func in _COPIES and device != given[-1].device
        masks = func in _INDEXED and any(one is not None and one.dtype in (torch.bool, torch.uint8) for one in args[1])
        hosted = func in _INDEXED and any(one is not None and one.device == CPU for one in args[1])
        if func not in _COPIES:
            strange = [one for one in given if one.device != device and (one.dim() or func is aten.cat.default)]
            if strange and not (hosted and len(strange) <= len(args[1])):
                places = [f"{tuple(one.shape)} on {one.device}" for one in given]
                raise RuntimeError(f"Expected all tensors to be on the same device: {func} of {', '.join(places)}")
        if (
            copied
            and CPU in (device, given[-1].device)
            and func is aten.copy_.default
            and not given[-1].dim()
            and given[-1].device == CPU
        ):
            copied = False  # a number of the host is written by a kernel
        random = torch.Tag.nondeterministic_seeded in func.tags
        if random and (drawn := kwargs.get("generator")) is not None and drawn._cdata not in Generator.on_gpu:
            raise RuntimeError(f"Expected a 'cuda' device type for generator but found 'cpu': {func}")
        asked = func not in _INDEXED and not _ASKING.isdisjoint(func.tags)
        waits = copied or masks or hosted or asked
        if waits:
            self.waits.append(str(func))
        if self._capturing is not None and (waits or random):
            raise RuntimeError(f"operation not permitted when stream is capturing: {func}")


class Generator(torch.Generator):  # type: ignore[misc]
    """In place of ``torch.Generator``: one of a GPU lies on the CPU as well."""

    on_gpu: ClassVar[dict[int, torch.Generator]] = {}
    """By its address: its class is lost on the way through torch, and no other may take its place."""

    def __new__(cls, device: Any = "cpu") -> Self:
        made: Self = super().__new__(cls)
        if torch.device(device).type == "cuda":
            cls.on_gpu[made._cdata] = made
        return made


def why_not() -> str | None:
    """Say why there can be no pretended GPU here; None: there can be one."""
    if torch.backends.cuda.is_built():
        return "this torch is made for real GPUs"
    library = Path(torch.__file__).parent / "lib" / "libc10.so"
    if not library.exists() or not hasattr(ctypes.CDLL(str(library)), _GUARDS):
        return f"{library.name} of torch {torch.__version__} has no {_GUARDS}"
    return None


def _have_guard() -> None:
    """Have torch switch to a GPU's device as it switches to the CPU: by doing nothing. Built for a CPU it refuses."""
    library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libc10.so"))
    guards = (ctypes.c_void_p * 2).in_dll(library, _GUARDS)  # of the CPU, of CUDA
    guards[1] = guards[1] or guards[0]


def _address(tensor: torch.Tensor) -> int:
    address: int = tensor.untyped_storage().data_ptr()
    return address
