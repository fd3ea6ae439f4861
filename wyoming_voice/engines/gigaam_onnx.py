"""GigaAM in ONNX Runtime, by onnx-asr (https://github.com/istupakov/onnx-asr): v2, v3, v3 with punctuation."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wyoming_voice.errors import EngineUnavailable

from .gigaam_tokens import Token
from .protocol import HEARD_RATE

_PROVIDERS: Final = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    # It builds its engines when it is first started, which takes minutes: asked for by name only.
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
}


class OnnxGigaAM:
    """A model that onnx-asr has loaded.

    One piece at a time: upstream's export traces a graph with one, which leaves the attention's mask out, so that the
    padding of a shorter piece would be listened to.
    """

    batch = 1

    def __init__(self, folder: Path, name: str, device: str, quantization: str | None) -> None:
        """Load the graphs; raise EngineUnavailable when they or the device do not work."""
        try:
            import onnx_asr  # noqa: PLC0415 (a worker's library)
            import onnxruntime  # noqa: PLC0415
        except ImportError as error:
            raise EngineUnavailable(
                f"onnx-asr does not load ({error}). Run: ./run.sh engines install gigaam"
            ) from error
        providers = _providers(device, onnxruntime.get_available_providers())
        settings = onnxruntime.SessionOptions()
        # Threads that spin while they wait take a quarter more processor time, and other workers need it.
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        failures = (onnx_asr.utils.ModelLoadingError, OSError, ValueError, RuntimeError, *_onnxruntime_errors())
        try:
            model = onnx_asr.load_model(
                f"gigaam-{name.replace('_', '-')}",
                folder,
                quantization=quantization,
                sess_options=settings,
                providers=providers,
            )
        except failures as error:
            raise EngineUnavailable(f"GigaAM cannot load {name} in {folder} on {device}: {error}") from error
        self._model = model.with_timestamps()

    def recognise(self, pieces: Sequence[NDArray[np.float32]]) -> Iterator[Sequence[Token]]:
        """Recognise one piece after the other."""
        for samples in pieces:
            result = self._model.recognize(samples, sample_rate=HEARD_RATE)
            yield [
                Token(*parts)
                for parts in zip(result.tokens or (), result.timestamps or (), result.logprobs or (), strict=True)
            ]


def _providers(device: str, available: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """Name what ONNX Runtime may compute with on a device such as ``cuda:1``."""
    kind, _, index = device.partition(":")
    if kind == "auto":
        kind = "cuda" if _PROVIDERS["cuda"][0] in available else "cpu"
    wanted = _PROVIDERS.get(kind)
    if wanted is None or wanted[0] not in available:
        raise EngineUnavailable(
            f"ONNX Runtime in GigaAM's environment cannot compute on {device}: it has {', '.join(available)}. "
            "Set engines: gigaam: device: cpu, or install onnxruntime-gpu there instead of onnxruntime."
        )
    return [
        (provider, {} if provider == "CPUExecutionProvider" else {"device_id": index or "0"})
        for provider in wanted
        if provider in available
    ]


def _onnxruntime_errors() -> tuple[type[Exception], ...]:
    """Collect its exceptions, which have no common ancestor of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415

    return (state.Fail, state.InvalidGraph, state.InvalidProtobuf, state.InvalidArgument, state.NoSuchFile)
