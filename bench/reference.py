"""Where somebody speaks in a clean recording, by its energy alone: what detectors are measured against."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .recording import RATE

Samples = NDArray[np.float64]
Frames = NDArray[np.bool_]

FRAME: Final = RATE // 100
"""Samples of a frame: 10 ms."""
_SMOOTH: Final = 3  # frames that a level is the mean of
_BELOW_SPEECH: Final = 25.0  # dB: quieter than the loud parts by so much is no speech …
_ABOVE_FLOOR: Final = 10.0  # … nor is what stands out of the recording's own noise by less
_CLOSURE: Final = 20  # frames: a shorter gap is a consonant's, or a breath, and part of the speech
_CLICK: Final = 12  # frames: a shorter run alone is a click, or somebody's chair
_EDGE: Final = 6  # frames on both sides of where speech begins and ends: its first and last sounds are soft


def samples_of(pcm: bytes) -> Samples:
    """Turn 16 bit into -1.0 … 1.0."""
    return np.frombuffer(pcm, "<i2").astype(np.float64) / 32768


def pcm_of(samples: Samples) -> bytes:
    """Turn -1.0 … 1.0 into 16 bit, cut off where it is louder."""
    return (np.clip(samples, -1.0, 32767 / 32768) * 32768).astype("<i2").tobytes()


@dataclass(frozen=True, slots=True)
class Reference:
    """The frames of a recording."""

    speech: Frames
    certain: Frames
    """Those that are not at an edge, where nobody could say exactly."""

    @property
    def end(self) -> int:
        """The frame after the last that is speech."""
        return int(np.flatnonzero(self.speech)[-1]) + 1


def reference(samples: Samples) -> Reference:
    """Tell for each whole frame whether it is speech."""
    level = _levels(samples)
    loud, floor = np.quantile(level, 0.95), np.quantile(level, 0.05)
    frames: Frames = level > max(loud - _BELOW_SPEECH, floor + _ABOVE_FLOOR)
    frames = _flip(_flip(frames, _CLOSURE, of=False), _CLICK, of=True)
    edges = np.flatnonzero(np.diff(frames))
    certain = np.ones_like(frames)
    for edge in edges:
        certain[max(0, edge + 1 - _EDGE) : edge + 1 + _EDGE] = False
    return Reference(frames, certain)


def _flip(frames: Frames, shorter: int, *, of: bool) -> Frames:
    """Turn runs of this kind into the other where they are shorter; a gap at the beginning or the end is no gap."""
    flipped = frames.copy()
    edges = np.concatenate(([0], np.flatnonzero(np.diff(frames)) + 1, [len(frames)]))
    for start, end in pairwise(edges):
        inside = start > 0 and end < len(frames)
        if frames[start] == of and end - start < shorter and (of or inside):
            flipped[start:end] = not of
    return flipped


def _levels(samples: Samples) -> NDArray[np.float64]:
    """dBFS of each frame and its neighbours."""
    power = (samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME) ** 2).mean(axis=1)
    smooth = np.convolve(power, np.ones(_SMOOTH) / _SMOOTH, mode="same")
    levels: NDArray[np.float64] = 10 * np.log10(smooth + 1e-12)
    return levels
