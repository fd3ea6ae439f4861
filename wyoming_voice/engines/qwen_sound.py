"""From a model's samples to audio that can leave: long silence waits, and sound begins and ends without a click."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from wyoming.audio import AudioChunk

RATE: Final = 24_000
FRAME: Final = 1920
"""Samples of a frame: 80 ms."""
NOTHING: Final[NDArray[np.float32]] = np.zeros(0, np.float32)

_RISE, _FALL = 120, 240  # samples over which sound begins and ends: 5 and 10 ms


class Outlet:
    """Lets samples out in order; the last 10 ms wait until it is known whether they are the last."""

    def __init__(self) -> None:
        self._begun = False
        self._held = NOTHING  # silence, which goes out when sound follows
        self._last = NOTHING

    def take(self, samples: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
        """Take samples of which so many frames may go out, now and with what was held before; returns what goes out."""
        if not frames:
            self._held = np.concatenate([self._held, samples])
            return NOTHING
        free = np.concatenate([self._held, samples[: frames * FRAME]])
        self._held = samples[frames * FRAME :]
        if not self._begun:
            self._begun = True
            free[:_RISE] *= np.linspace(0, 1, _RISE, dtype=np.float32)
        free = np.concatenate([self._last, free])
        self._last = free[-_FALL:]
        return free[:-_FALL]

    def end(self) -> NDArray[np.float32]:
        """Return the last samples, fading; silence that is still held is dropped."""
        return self._last * np.linspace(1, 0, len(self._last), dtype=np.float32)


def chunk(samples: NDArray[np.float32]) -> AudioChunk:
    """Make 16-bit audio of samples from -1.0 to 1.0."""
    pcm = (samples * 32767).round().astype("<i2").tobytes()
    return AudioChunk(rate=RATE, width=2, channels=1, audio=pcm)
