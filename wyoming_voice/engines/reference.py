"""What a recording must be to clone a voice from: one person's speech of five to fifteen seconds, loud and whole.

Cheap signal measures in numpy alone, so that the server can ask them of an upload and an engine of a file.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wyoming_voice.errors import BadRequest

SHORTEST, LONGEST = 5.0, 15.0
"""Seconds: less has too few of a voice's sounds, more makes every request slower and clones no better."""

_QUIET: Final = 0.01  # of full scale, the loudest hundredth: -40 dBFS
_FLAT: Final = 0.0005  # the share of samples that lie in flat tops; a clean recording has none
_CROWDED: Final = 0.06  # the share above 0.7 of the peak; clean speech has at most 0.01, and converting hides flat tops
_VOICED: Final = 1.2  # seconds that sound like a voice's vowels
_LIVELY: Final = 12.0  # decibels between the loud and the quiet tenth of the frames: syllables and pauses
_FRAME, _HOP = 0.04, 0.01  # seconds
_PITCH: Final = (60.0, 450.0)  # hertz of a voice
_PERIODIC: Final = 0.6  # of the normalised autocorrelation, for a frame to be voiced
_APART: Final = 0.75  # octaves between two groups of phrases that are two people
_TIGHT: Final = 0.25  # octaves that the phrases of one person stray


LENT: Final = ".request-"
"""What folders begin with whose recordings came with one request: nothing of them outlives it on the disk."""


def is_lent(path: str | Path) -> bool:
    """Tell whether a recording is there for one request only, and what is computed of it is not to be kept."""
    return Path(path).parent.name.startswith(LENT)


def check_reference(samples: NDArray[np.float32], rate: int) -> None:
    """Raise BadRequest with a sentence on what is wrong with a recording, shape (n,), mono, -1.0 … 1.0.

    Length, loudness, clipping and the presence of speech are measured; two people are noticed where their pitches lie
    far apart.
    """
    if samples.ndim != 1:
        raise BadRequest("The reference recording must be mono: one channel, one microphone.")
    seconds = len(samples) / rate
    if not SHORTEST <= seconds <= LONGEST:
        verb = "Record some more." if seconds < SHORTEST else "Cut it at a pause."
        wanted = f"it takes {SHORTEST:.0f} to {LONGEST:.0f} s of speech"
        raise BadRequest(f"The reference recording is {seconds:.1f} s long; {wanted}. {verb}")
    if not np.isfinite(samples).all():
        raise BadRequest("The reference recording holds values that are no numbers. Export it again.")
    peak = float(np.quantile(np.abs(samples), 0.99))
    if peak < _QUIET:
        raise BadRequest("The reference recording is silent, or nearly. Record it closer to the microphone.")
    _check_speech(samples, rate)
    if _flat(samples) > _FLAT or _crowded(samples) > _CROWDED:
        raise BadRequest("The reference recording is clipped (too loud for the recorder). Record it more softly.")


def _flat(samples: NDArray[np.float32]) -> float:
    """Return the share of samples that lie within a flat top or bottom: three or more in a row, at the extreme."""
    extreme = np.abs(samples) > 0.97 * np.abs(samples).max()
    still = np.abs(np.diff(samples)) < 0.0002 * np.abs(samples).max()
    pairs = still & extreme[1:] & extreme[:-1]
    return float(np.count_nonzero(pairs[1:] & pairs[:-1]) / len(samples))


def _crowded(samples: NDArray[np.float32]) -> float:
    """Return the share of samples near the peak: clipping leaves it high even where a conversion rounds the tops."""
    size = np.abs(samples)
    return float(np.mean(size > 0.7 * np.quantile(size, 0.9999)))


def _check_speech(samples: NDArray[np.float32], rate: int) -> None:
    pitch, level = _pitch(samples, rate)
    voiced = pitch > 0
    loud, quiet = np.quantile(level, 0.9), np.quantile(level, 0.1)
    if np.count_nonzero(voiced) * _HOP < _VOICED or loud - quiet < _LIVELY:
        raise BadRequest(
            "No speech was found in the reference recording. Record one person who speaks clearly, without music."
        )
    if _two_people(pitch):
        raise BadRequest("The reference recording seems to have two people in it. Record one person alone.")


def _pitch(samples: NDArray[np.float32], rate: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the pitch (hertz, 0 where unvoiced) and the level (decibels) of each frame of 40 ms, every 10 ms.

    The peak of the normalised autocorrelation (Boersma 1993: divided by that of the window); the shortest lag whose
    peak comes near the highest, so that an octave too low is rare.
    """
    size, hop = int(rate * _FRAME), int(rate * _HOP)
    window = np.hanning(size)
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), size)[::hop]
    frames = frames - frames.mean(axis=1, keepdims=True)
    level = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-10)
    correlation = _autocorrelation(frames * window) / np.maximum(_autocorrelation(window[None]), 1e-9)
    correlation /= np.maximum(correlation[:, :1], 1e-12)
    first, last = int(rate / _PITCH[1]), int(rate / _PITCH[0])
    wanted = correlation[:, first:last]
    best = wanted.max(axis=1)
    lag = np.argmax(wanted > 0.85 * best[:, None], axis=1)
    # From the first lag that comes near on to the top of its peak.
    rising = np.diff(wanted, axis=1, append=-np.inf) <= 0
    after = np.arange(wanted.shape[1]) >= lag[:, None]
    lag = np.argmax(rising & after, axis=1) + first
    voiced = (best > _PERIODIC) & (level > np.quantile(level, 0.9) - 20)
    return np.where(voiced, rate / lag, 0.0), level


def _autocorrelation(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    size = frames.shape[1]
    spectrum = np.fft.rfft(frames, 2 * size, axis=1)
    return np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :size]


def _two_people(pitch: NDArray[np.float64]) -> bool:
    """Tell whether the phrases fall into two tight groups of pitch that lie far apart, each a quarter of the speech."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], pitch > 0, [0]]).astype(np.int8)))
    runs = [pitch[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True) if end - start >= 8]
    if len(runs) < 4:
        return False
    order = sorted((float(np.log2(np.median(run))), len(run)) for run in runs)
    heights, sizes = np.array([height for height, _ in order]), np.array([size for _, size in order])
    cut = int(np.argmax(np.diff(heights))) + 1
    low, high = heights[:cut], heights[cut:]
    share = sizes[:cut].sum() / sizes.sum()
    apart = np.average(high, weights=sizes[cut:]) - np.average(low, weights=sizes[:cut])
    return bool(0.25 < share < 0.75 and apart > _APART and low.std() < _TIGHT and high.std() < _TIGHT)
