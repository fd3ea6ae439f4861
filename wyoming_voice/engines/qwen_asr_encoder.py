"""Qwen3-ASR's audio encoder with its attention windows, each of which is computed once.

On sdpa and eager the package never makes the mask of its 8 s windows (https://github.com/QwenLM/Qwen3-ASR/issues/213),
so every moment attends to all others, for which the model was not trained: long recordings lose words. With the mask a
window depends on nothing after it, and stays as it is while a recording grows.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from .protocol import HEARD_RATE

if TYPE_CHECKING:
    from torch import Tensor

_KEPT: Final = 32
"""Windows that are remembered: 256 s of sound, 14 MB in the larger model."""


def restore_windows(tower: Any) -> None:
    """Give each layer of an audio tower the mask that keeps attention within its window."""

    def masked(_layer: Any, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        hidden, ends = given
        return given, {**named, "attention_mask": tower._prepare_attention_mask(hidden, ends)}  # noqa: SLF001 (its own, forgotten)

    for layer in tower.layers:
        layer.register_forward_pre_hook(masked, with_kwargs=True)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a recording as the model hears it."""

    key: bytes
    """The same for the same sound."""
    embeddings: "Tensor"
    """Shape (tokens, width): 13 for each second."""


class Encoder:
    """Turns samples into windows."""

    def __init__(self, features: Any, tower: Any) -> None:
        """Take a Whisper feature extractor, and an audio tower whose windows are restored."""
        self._features = features
        self._tower = tower
        self._whole = int(tower.n_window_infer)  # frames of 10 ms
        self._chunk = 2 * int(tower.n_window)  # frames that the convolutions see at once
        self._kept: OrderedDict[bytes, Window] = OrderedDict()

    def encode(self, samples: NDArray[np.float32]) -> Iterator[Window]:
        """Encode a recording, shape (n,), 16 kHz; whole windows that were heard before are not computed again."""
        mel = self._features(samples, sampling_rate=HEARD_RATE, return_tensors="pt", padding=True, truncation=False)
        frames = mel["input_features"][0]
        for number, part in enumerate(frames.split(self._whole, dim=-1)):
            yield self._window(part, number)

    def _window(self, frames: "Tensor", number: int) -> Window:
        # What is compared is what the model gets. The features are clipped at 80 dB below the loudest moment of all the
        # recording, so a louder moment changes the windows before it too.
        key = hashlib.blake2b(frames.contiguous().numpy().tobytes(), digest_size=16).digest()
        window = self._kept.get(key)
        if window is None:
            window = Window(key, self._compute(frames, alone=number == 0))
        if frames.shape[-1] == self._whole:
            self._kept[key] = window
            self._kept.move_to_end(key)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return window

    def _compute(self, frames: "Tensor", *, alone: bool) -> "Tensor":
        import torch  # noqa: PLC0415

        with torch.inference_mode():
            frames = frames.to(self._tower.device, self._tower.dtype)
            lengths = [frames.shape[-1]]
            if not alone and lengths[0] < self._chunk:
                # The convolutions pad the last second of a recording as long as the seconds before it: give it one.
                frames = torch.cat([frames.new_zeros(frames.shape[0], self._chunk), frames], dim=-1)
                lengths = [self._chunk, *lengths]
            heard: Tensor = self._tower(frames, feature_lens=torch.tensor(lengths, device=frames.device))[0]
            return heard[_halved(self._chunk, 3) :] if len(lengths) > 1 else heard


def _halved(frames: int, times: int) -> int:
    """How many steps a convolution of stride 2 after the other leaves."""
    for _ in range(times):
        frames = (frames + 1) // 2
    return frames
