"""Sound that has what speech has (syllables, pauses, a voice's pitch) for tests that need no recording."""

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray


def humming(seconds: float, *, rate: int = 24_000, pitch: float = 120.0) -> NDArray[np.float32]:
    """Hum syllables, three a second, with a pause after each fifth; shape (n,), peak 0.5."""
    time = np.arange(int(seconds * rate)) / rate
    glide = pitch * (1 + 0.1 * np.sin(2 * np.pi * 0.4 * time))
    phase = 2 * np.pi * np.cumsum(glide) / rate
    buzz = np.sum([np.sin(harmonic * phase) / harmonic for harmonic in range(1, 12)], axis=0)
    syllable = np.clip(np.sin(2 * np.pi * 3 * time), 0, 1) ** 0.5 * (np.floor(3 * time) % 6 < 5)
    noise = np.random.default_rng(0).standard_normal(len(time)) * 0.002
    hummed = buzz * syllable + noise
    return np.asarray(0.5 * hummed / np.abs(hummed).max(), np.float32)


def hum(path: Path, seconds: float = 6.0, *, rate: int = 24_000, pitch: float = 120.0) -> str:
    """Write a recording of humming; returns its path."""
    soundfile.write(path, humming(seconds, rate=rate, pitch=pitch), rate)
    return str(path)
