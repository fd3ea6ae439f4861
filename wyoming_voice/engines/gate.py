"""The gate before speech recognition: silence and noise never reach a model that would invent words for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .protocol import HEARD_RATE
from .silero_vad import CHUNK, SileroVad, VadStream

PADDING: Final = HEARD_RATE // 2
"""Samples around speech: recognisers mistake words at the very edge ("yes" becomes "yeah, yeah")."""
# Measured: words of 0.14 s and speech at -35 dBFS hold 3 chunks or more in a row at 0.5; noise, tones, chords, hum,
# knocks and beeps never hold 2, but single chunks of chords reach 0.58.
THRESHOLD: Final = 0.5
RUN: Final = 3
_BLOCK: Final = 256
"""Chunks that are judged at once, some megabytes of memory."""


@dataclass(frozen=True, slots=True)
class Speech:
    """The part of a piece in which somebody speaks, from the first word to the last, ready for a model."""

    samples: NDArray[np.float32]
    """Shape (n,), 16 kHz, within -1.0 … 1.0, contiguous; PADDING samples of surroundings or silence on both sides."""
    start: float
    """Seconds from the beginning of the piece to the first sample; negative where silence was put before it."""

    def moment(self, seconds: float) -> float:
        """Turn seconds from the first sample into seconds from the beginning of the piece, the padding left out."""
        end = (len(self.samples) - PADDING) / HEARD_RATE
        return round(float(self.start + min(max(seconds, PADDING / HEARD_RATE), end)), 3)


class SpeechGate:
    """Silero voice activity detection before an engine that listens; one thread at a time."""

    def __init__(self) -> None:
        """Load the model that the package carries; raise EngineUnavailable when it is not installed."""
        self._detector = SileroVad()

    def speech(self, samples: NDArray[np.float32]) -> Speech | None:
        """Cut off what comes before and after speech; None: nobody speaks. Pauses stay: recognisers like them whole."""
        samples = np.clip(samples, -1.0, 1.0).astype(np.float32, copy=False)
        speaks = [score >= THRESHOLD for score in self._scores(samples)]
        runs = [index for index in range(len(speaks) - RUN + 1) if all(speaks[index : index + RUN])]
        if not runs:
            return None
        start, end = runs[0] * CHUNK - PADDING, (runs[-1] + RUN) * CHUNK + PADDING
        inside = samples[max(start, 0) : end]
        before = max(-start, 0)
        return Speech(np.pad(inside, (before, end - start - before - len(inside))), start / HEARD_RATE)

    def _scores(self, samples: NDArray[np.float32]) -> Iterator[float]:
        chunks = np.pad(samples, (0, -len(samples) % CHUNK)).reshape(-1, CHUNK)
        stream = VadStream()
        for start in range(0, len(chunks), _BLOCK):
            yield from self._detector.judge([(stream, chunks[start : start + _BLOCK])])[0].tolist()
