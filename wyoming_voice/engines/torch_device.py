"""Where a torch model runs, in which numbers, and with which attention: one rule for every engine on torch."""

import importlib.metadata
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wyoming_voice.errors import EngineUnavailable

from .protocol import Options

if TYPE_CHECKING:
    import torch

_LOGGER = logging.getLogger(__name__)

_DTYPES: Final = ("auto", "float32", "bfloat16", "float16")
_ATTENTION: Final = ("flash_attention_2", "sdpa", "eager")


@dataclass(frozen=True, slots=True)
class Placement:
    """A device and the numbers that are used there."""

    device: "torch.device"
    dtype: "torch.dtype"
    attention: str
    """``flash_attention_2``, ``sdpa`` or ``eager``, as transformers calls them."""

    @property
    def on_gpu(self) -> bool:
        """Whether it is a GPU of CUDA (or ROCm, which torch calls the same)."""
        return str(self.device.type) == "cuda"


def place(options: Options) -> Placement:
    """Choose by the options ``device`` (cpu, cuda, cuda:0, auto), ``dtype`` and ``attn_implementation``.

    A CPU computes in float32 whatever is asked for: half precision there is slower, some of it a hundred times. A GPU
    uses bfloat16, or float16 where it has none. Raises EngineUnavailable for a device that is not there.
    """
    import torch  # noqa: PLC0415 - only a worker of an engine on torch has it

    device = _device(str(options.get("device") or "cpu"))
    asked = str(options.get("dtype") or "auto").removeprefix("torch.")
    if asked not in _DTYPES:
        raise EngineUnavailable(f"There is no dtype {asked!r}. Set it to one of: {', '.join(_DTYPES)}.")
    if device.type == "cpu":
        if asked not in ("auto", "float32"):
            _LOGGER.info("dtype %s is not used on a CPU, where it is slower: float32", asked)
        dtype = torch.float32
    elif asked == "auto":
        dtype = torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    else:
        dtype = getattr(torch, asked)
    return Placement(device, dtype, _attention(options, device, dtype))


def _device(name: str) -> "torch.device":
    import torch  # noqa: PLC0415

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise EngineUnavailable(f"There is no device {name!r}. Set it to cpu, cuda or cuda:0.") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise EngineUnavailable(
            f"torch {torch.__version__} sees no GPU {name}. Set device: cpu, or install the engine again on a machine "
            "whose driver works (nvidia-smi shows it)."
        )
    return device


def _attention(options: Options, device: "torch.device", dtype: "torch.dtype") -> str:
    """Return the attention that is asked for if it can be had, else ``sdpa``, which every torch has."""
    import torch  # noqa: PLC0415

    asked = str(options.get("attn_implementation") or "sdpa")
    if asked not in _ATTENTION:
        raise EngineUnavailable(
            f"There is no attn_implementation {asked!r}. Set it to one of: {', '.join(_ATTENTION)}."
        )
    if asked != "flash_attention_2":
        return asked
    if device.type != "cuda":
        lacking = "it needs a GPU"
    elif dtype == torch.float32:
        lacking = "it needs bfloat16 or float16"
    elif not _is_installed("flash-attn"):
        lacking = "the package flash-attn is not installed (docs/flash_attention.md)"
    else:
        return asked
    _LOGGER.warning("flash_attention_2 is not used: %s. sdpa is used instead", lacking)
    return "sdpa"


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
