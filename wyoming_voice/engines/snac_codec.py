"""The audio codec SNAC (https://github.com/hubertsiuzdak/snac) at 24 kHz, decoded in windows that join inaudibly."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from snac import SNAC
from torch.nn.utils import parametrize

from .orpheus_tokens import PLACES, SAMPLES, Frame

Samples = NDArray[np.float32]
"""Shape (n,), 24 kHz mono, -1.0 … 1.0."""
Decode = Callable[[Sequence[Frame], int], Samples]

_LEVELS: Final = ((0,), (1, 4), (2, 3, 5, 6))
"""Which places of a frame the codec's three codebooks are, in order of time."""
_LEFT, _RIGHT = 3, 2
"""Frames of context. The decoder hears 2.5 to each side; measured with full-size random weights, the largest error is
4e-7 of the peak with 3 to the right, 3e-4 with 2 and 2e-2 with 1. To the left they cost no time before the first sound.
"""
_PERIOD: Final = 128  # frames, 11 s, after which the noise begins again: too long, and too soft, to be noticed


class SnacCodec:
    """SNAC on one device, in float32. A frame's samples do not depend on which others it is decoded with, but for 3e-4.

    SNAC adds noise as it decodes, drawn anew each time. Here the noise is fixed and has its place in time, so that
    windows agree with each other and the same codes are the same sound.
    """

    def __init__(self, folder: Path, device: str) -> None:
        """Load ``config.json`` and ``pytorch_model.bin``; raises what torch and SNAC do for others."""
        self._device = torch.device(device)
        self._model = SNAC.from_pretrained(str(folder)).eval().to(self._device)
        self._first, self._frames = 0, 0
        for module in list(self._model.modules()):
            if parametrize.is_parametrized(module, "weight"):  # else every call computes its weights again
                parametrize.remove_parametrizations(module, "weight")
        blocks = [block for block in self._model.decoder.modules() if type(block).__name__ == "NoiseBlock"]
        self._noise: list[Any] = [None] * len(blocks)
        for index, block in enumerate(blocks):
            block.forward = partial(self._add_noise, index, block.linear)

    def encode(self, samples: Samples) -> tuple[Frame, ...]:
        """Return the frames of a recording; the last is filled up with silence."""
        with torch.inference_mode():
            codes = self._model.encode(torch.from_numpy(samples).to(self._device)[None, None])
        levels = [level[0].view(-1, len(places)).tolist() for level, places in zip(codes, _LEVELS, strict=True)]
        found = []
        for parts in zip(*levels, strict=True):
            frame = [0] * PLACES
            for places, part in zip(_LEVELS, parts, strict=True):
                for place, code in zip(places, part, strict=True):
                    frame[place] = code
            found.append(tuple(frame))
        return tuple(found)

    def decode(self, frames: Sequence[Frame], first: int = 0) -> Samples:
        """Return ``SAMPLES`` for each frame; ``first`` is the place of the first one in its stream."""
        self._first, self._frames = first, len(frames)
        table = torch.tensor(frames, device=self._device)
        with torch.inference_mode():
            audio = self._model.decode([table[:, list(places)].reshape(1, -1) for places in _LEVELS])
            samples: Samples = audio[0, 0].cpu().numpy()
        return samples

    def _add_noise(self, index: int, linear: Callable[[Any], Any], signal: Any) -> Any:
        """Do what SNAC's NoiseBlock does, with the noise of this place; ``signal``: shape (1, channels, n)."""
        length = signal.shape[-1]
        per_frame = length // self._frames
        if self._noise[index] is None:
            generator = torch.Generator().manual_seed(index)
            self._noise[index] = torch.randn(_PERIOD * per_frame, generator=generator).to(signal)
        noise = self._noise[index]
        places = torch.arange(length, device=self._device) + self._first * per_frame
        return signal + noise[places % len(noise)] * linear(signal)


class WindowDecoder:
    """Frames in, samples out as soon as their context is there; joined, they are those of decoding all at once.

    The first sound comes with the third frame. Packets grow from one frame to ``largest``, each of twice as many as
    before: where decoding costs much, more frames at a time share the context.
    """

    def __init__(self, decode: Decode, largest: int) -> None:
        self._decode = decode
        self._largest = largest
        self._wanted = 1
        self._frames: list[Frame] = []
        self._done = 0

    def feed(self, frame: Frame) -> Samples | None:
        """Take the next frame; returns a packet when there is one."""
        self._frames.append(frame)
        ready = len(self._frames) - self._done - _RIGHT
        return self._take(ready) if ready >= self._wanted else None

    def finish(self) -> Samples | None:
        """Return what is left."""
        left = len(self._frames) - self._done
        return self._take(left) if left else None

    def _take(self, count: int) -> Samples:
        first = max(0, self._done - _LEFT)
        window = self._frames[first : self._done + count + _RIGHT]
        skipped = (self._done - first) * SAMPLES
        samples = self._decode(window, first)[skipped : skipped + count * SAMPLES]
        self._done += count
        self._wanted = min(2 * self._wanted, self._largest)
        return samples
