"""What a recording must be to clone a voice from: one person's speech of five to fifteen seconds, loud and whole.

Cheap signal measures in numpy alone, so that the server can ask them of an upload and an engine of a file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
_NOTES: Final = 0.5  # the share of voiced frames whose pitch stands still: tunes have 0.9, speech 0.27 at most
_STILL: Final = 0.006  # octaves in 30 ms
_PHRASE: Final = 8  # frames of the shortest phrase that counts
_APART: Final = (0.75, 1.75)  # octaves between two groups of phrases that are two people; more is a mistaken octave
_TIGHT: Final = 0.25  # octaves that the phrases of one person stray
# From some phrase on another voice. One person stays below at least one of these: none of 300 recordings of 14 voices
# goes over all, nor do 108 joined from two texts of one voice; of 100 joined from a man's and a woman's 66 do.
_SHIFT: Final = 0.4  # octaves
_SHIFTED: Final = 2.0  # of what the phrases stray on either side
_TIMBRE: Final = 3.2  # of what the frames' cepstra stray on either side (Mahalanobis)


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
    if np.count_nonzero(voiced) * _HOP < _VOICED or loud - quiet < _LIVELY or _standing(pitch) > _NOTES:
        raise BadRequest(
            "No speech was found in the reference recording. Record one person who speaks clearly, without music."
        )
    if _two_people(pitch) or _another(samples, rate, pitch):
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
    lag = lag + _between(correlation, lag)
    voiced = (best > _PERIODIC) & (level > np.quantile(level, 0.9) - 20)
    return np.where(voiced, rate / lag, 0.0), level


def _autocorrelation(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    size = frames.shape[1]
    spectrum = np.fft.rfft(frames, 2 * size, axis=1)
    return np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :size]


def _between(correlation: NDArray[np.float64], lag: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how far the tops of peaks lie from the samples beside them, -0.5 … 0.5: those of parabolas."""
    before, top, after = (correlation[np.arange(len(lag)), lag + step] for step in (-1, 0, 1))
    return np.clip((before - after) / np.minimum(2 * (before - 2 * top + after), -1e-9), -0.5, 0.5)


def _standing(pitch: NDArray[np.float64]) -> float:
    """Return the share of voiced frames whose pitch is that of 30 ms before, as a note's is and a vowel's is not."""
    voiced = (pitch[3:] > 0) & (pitch[:-3] > 0)
    change = np.log2(pitch[3:][voiced] / pitch[:-3][voiced])
    return float(np.mean(np.abs(change) < _STILL)) if len(change) else 0.0


@dataclass(frozen=True, slots=True)
class _Phrase:
    """Voiced frames without a gap."""

    start: int
    end: int
    height: float
    """Octaves."""

    @property
    def size(self) -> int:
        return self.end - self.start


def _phrases(pitch: NDArray[np.float64]) -> list[_Phrase]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], pitch > 0, [0]]).astype(np.int8)))
    pairs = [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]
    long = [(start, end) for start, end in pairs if end - start >= _PHRASE]
    return [_Phrase(start, end, float(np.log2(np.median(pitch[start:end])))) for start, end in long]


def _mean(phrases: Sequence[_Phrase]) -> tuple[float, float]:
    """Return the height of phrases, and how much they stray."""
    heights, sizes = np.array([phrase.height for phrase in phrases]), [phrase.size for phrase in phrases]
    mean = np.average(heights, weights=sizes)
    return float(mean), float(np.average((heights - mean) ** 2, weights=sizes) ** 0.5)


def _is_part(some: Sequence[_Phrase], all_of_them: Sequence[_Phrase]) -> bool:
    """Tell whether phrases are a quarter of the speech at least, and leave as much."""
    return 0.25 < sum(phrase.size for phrase in some) / sum(phrase.size for phrase in all_of_them) < 0.75


def _two_people(pitch: NDArray[np.float64]) -> bool:
    """Tell whether the phrases fall into two tight groups of pitch that lie far apart."""
    phrases = sorted(_phrases(pitch), key=lambda phrase: phrase.height)
    if len(phrases) < 4:
        return False
    cut = int(np.argmax(np.diff([phrase.height for phrase in phrases]))) + 1
    (low, strays), (high, strays_too) = _mean(phrases[:cut]), _mean(phrases[cut:])
    tight = strays < _TIGHT and strays_too < _TIGHT
    return _is_part(phrases[:cut], phrases) and tight and _APART[0] < high - low < _APART[1]


def _another(samples: NDArray[np.float32], rate: int, pitch: NDArray[np.float64]) -> bool:
    """Tell whether from some phrase on somebody else speaks: of another pitch, and of another timbre."""
    phrases = _phrases(pitch)
    timbre = None
    for cut in range(2, len(phrases) - 1):
        before, after = phrases[:cut], phrases[cut:]
        (one, strays), (other, strays_too) = _mean(before), _mean(after)
        spread = 0.05 + ((strays**2 + strays_too**2) / 2) ** 0.5
        if not _is_part(before, phrases) or abs(one - other) < max(_SHIFT, _SHIFTED * spread):
            continue
        if timbre is None:
            timbre = _cepstra(samples, rate)
        parts = [np.concatenate([timbre[phrase.start : phrase.end] for phrase in some]) for some in (before, after)]
        if _distance(*parts) > _TIMBRE:
            return True
    return False


def _cepstra(samples: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """Return 12 cepstral coefficients of mel bands from 100 to 3,800 Hz, without loudness, of each frame of _pitch."""
    size, bands = int(rate * _FRAME), 24
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[:: int(rate * _HOP)] * np.hanning(size)
    hertz = np.fft.rfftfreq(2 * size, 1 / rate)
    lowest, highest = 2595 * np.log10(1 + np.array([100, 3800]) / 700)
    edges = 700 * (10 ** (np.linspace(lowest, highest, bands + 2) / 2595) - 1)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    filters = np.clip(np.minimum((hertz - low) / (middle - low), (high - hertz) / (high - middle)), 0, None)
    power = np.abs(np.fft.rfft(frames, 2 * size)) ** 2
    cosines = np.cos(np.pi * np.outer(np.arange(1, 13), (np.arange(bands) + 0.5) / bands))
    return np.asarray(np.log(power @ filters.T + 1e-9) @ cosines.T)


def _distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return how far apart the means of two sets of vectors lie, for how much each strays (Mahalanobis)."""
    apart = one.mean(axis=0) - other.mean(axis=0)
    strays = sum((part - part.mean(axis=0)).T @ (part - part.mean(axis=0)) for part in (one, other))
    within = strays / (len(one) + len(other) - 2) + 0.05 * np.eye(len(apart))
    return float(np.sqrt(apart @ np.linalg.solve(within, apart)))
