"""Long recordings in pieces that an engine takes at once, cut where nobody speaks."""

import math
from dataclasses import dataclass

import numpy as np

from wyoming_voice.audio import PcmFormat

HEARD = PcmFormat(rate=16_000, width=2, channels=1)
"""What every ASR engine hears, and so what is cut here."""

_HOP = HEARD.rate // 100
"""Samples between two places looked at: 10 ms."""
_HOPS = 15
"""Places over whose sound the energy is compared: 150 ms, longer than a stop consonant's closure, shorter than a pause.
"""
_QUIET = _HOPS * _HOP


@dataclass(frozen=True, slots=True)
class Cut:
    """A piece of a recording and where it begins."""

    pcm: bytes
    """16 kHz mono, 16 bit."""
    start_seconds: float
    """From the beginning of the recording."""


def loudness(pcm: bytes) -> float:
    """Return the level of a recording in dBFS: its root mean square, full scale being 0; -inf for digital silence."""
    samples = np.frombuffer(pcm, "<i2")
    # einsum widens them bit by bit. A wide copy of a whole piece is megabytes of fresh memory, which took up to 20 ms.
    energy = int(np.einsum("i,i", samples, samples, dtype=np.int64))
    return 10 * math.log10(energy / len(samples) / 2**30) if energy else -math.inf


class Cutter:
    """A recording of any length in pieces of ``min_seconds`` to ``max_seconds``; joined, they are the recording.

    A piece ends in the middle of the quietest 150 ms of the last third that it may fill, the latest where several are
    as quiet. Only a recording shorter than ``min_seconds`` gives a piece shorter than that. Holds at most one piece.
    """

    def __init__(self, max_seconds: float = 22.0, min_seconds: float = 1.0) -> None:
        self._longest = round(max_seconds * HEARD.rate)
        self._first = max(self._longest * 2 // 3, round(min_seconds * HEARD.rate))
        # A cut comes only once there is more than the longest piece, so this leaves the rest min_seconds or more.
        self._last = self._longest - round(min_seconds * HEARD.rate)
        assert self._last - self._first >= _QUIET, "a third of max_seconds must leave room for min_seconds and a pause"
        self._held = bytearray()
        self._given = 0
        """Bytes of the pieces so far."""

    @property
    def held(self) -> bytes:
        """What no piece has been made of yet."""
        return bytes(self._held)

    def feed(self, pcm: bytes) -> list[Cut]:
        """Take some more, cut anywhere, and give the pieces that are complete."""
        cuts = []
        rest = memoryview(pcm)
        enough = self._longest * HEARD.width + 1
        while rest:
            room = enough - len(self._held)
            self._held += rest[:room]
            rest = rest[room:]
            if len(self._held) == enough:
                cuts.append(self._cut(self._quietest() * HEARD.width))
        return cuts

    def finish(self) -> list[Cut]:
        """Give the last piece; no piece at all for a recording without audio."""
        return [self._cut(len(self._held))] if self._held else []

    def _cut(self, size: int) -> Cut:
        with memoryview(self._held) as held:
            cut = Cut(bytes(held[:size]), self._given / HEARD.byte_rate)
        del self._held[:size]
        self._given += size
        return cut

    def _quietest(self) -> int:
        """Find the sample to cut before."""
        window = np.frombuffer(self._held, "<i2", count=self._last - self._first, offset=self._first * HEARD.width)
        hops = window[: len(window) // _HOP * _HOP].reshape(-1, _HOP)
        # Whole numbers, so that equal silences are equal: 2**30 · 400,000 samples is far below 2**63.
        power = np.concatenate(([0], np.cumsum(np.einsum("ij,ij->i", hops, hops, dtype=np.int64))))
        energy = power[_HOPS:] - power[:-_HOPS]
        latest = len(energy) - 1 - int(np.argmin(energy[::-1]))
        return self._first + latest * _HOP + _QUIET // 2
