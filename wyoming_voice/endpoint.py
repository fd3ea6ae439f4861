"""Where speech begins and ends in a stream of sound, without I/O: judged chunks in, pieces to recognise out."""

from dataclasses import dataclass, field
from typing import Final

from .listening import HEARD, Cutter

# Silero's own (VADIterator): as speech counts what is at the threshold, and what has begun goes on a little below it;
# after a pause it begins again at the threshold only.
BEGINS: Final = 0.5
GOES_ON: Final = 0.35
# Measured for the gate (engines/gate.py): words of 0.14 s hold 3 chunks in a row, noise, tones and knocks never 2.
_RUN: Final = 3


@dataclass(frozen=True, slots=True)
class EndpointRules:
    """When speech has ended."""

    trailing: float = 0.5
    """Seconds of silence that end an utterance."""
    padding: float = 0.3
    """Seconds of its surroundings that an utterance keeps on both sides."""
    longest: float = 20.0
    """Seconds after which a piece is cut off where it is quietest, while the utterance goes on."""
    quiet: float | None = None
    """Seconds of silence after which a Quiet is wanted; None: not at all."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Somebody has begun to speak."""

    start: float
    """Seconds from the beginning of the stream, as all times here."""


@dataclass(frozen=True, slots=True)
class SpeechPiece:
    """A piece of an utterance, ready to be recognised."""

    pcm: bytes
    """16 kHz mono, 16 bit."""
    start: float
    """Of the first sample, which is before the first word."""
    end: float
    """Of the speech."""
    last: bool
    """Whether the utterance ends with it."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nobody has spoken for so long as EndpointRules.quiet."""

    end: float
    """Of the speech before."""


Event = SpeechStarted | SpeechPiece | Quiet


@dataclass(slots=True)
class _Utterance:
    """Speech under way."""

    cutter: Cutter
    start: float
    """Of the first sample that the cutter still has or will give next."""
    end: float
    """Of the last chunk that was speech."""
    tail: bytearray = field(default_factory=bytearray)
    """The silence since then, in case it goes on."""


class Endpointer:
    """Follows one stream. It holds one piece and a second or so of silence, whatever the stream's length."""

    def __init__(self, rules: EndpointRules) -> None:
        self._rules = rules
        self._padding = _size(rules.padding)
        self._trailing = _size(rules.trailing)
        self._heard = 0
        self._run = 0
        self._before = bytearray()
        self._utterance: _Utterance | None = None
        self._spoken: float | None = None
        """End of the speech that no Quiet has followed yet."""

    @property
    def now(self) -> float:
        """Seconds of the stream so far."""
        return self._heard / HEARD.byte_rate

    @property
    def growing(self) -> SpeechPiece | None:
        """What of the utterance under way is not given out yet; None: nobody speaks."""
        utterance = self._utterance
        if utterance is None:
            return None
        pcm = utterance.cutter.held + bytes(utterance.tail)
        return SpeechPiece(pcm, utterance.start, utterance.end, last=False)

    def feed(self, chunk: bytes, score: float) -> list[Event]:
        """Take the next chunk and how likely it is speech."""
        self._heard += len(chunk)
        if self._utterance is None:
            return self._wait(chunk, score)
        return self._follow(self._utterance, chunk, score)

    def finish(self) -> list[Event]:
        """End the utterance under way, if there is one, here and now; the stream may go on."""
        utterance, self._utterance = self._utterance, None
        self._run = 0
        if utterance is None:
            return []
        kept = min(len(utterance.tail), self._padding)
        pieces = self._cut(utterance, bytes(utterance.tail[:kept]))
        for cut in utterance.cutter.finish():
            pieces.append(SpeechPiece(cut.pcm, utterance.start, utterance.end, last=True))
        self._before = bytearray(utterance.tail[kept:][-self._padding :])
        self._spoken = utterance.end
        return list(pieces)

    def _wait(self, chunk: bytes, score: float) -> list[Event]:
        self._run = self._run + 1 if score >= BEGINS else 0
        self._before += chunk
        del self._before[: max(0, len(self._before) - self._padding - _RUN * len(chunk))]
        if self._run < _RUN:
            return self._quiet()
        start = max(0.0, self.now - _RUN * len(chunk) / HEARD.byte_rate)
        begin = self.now - len(self._before) / HEARD.byte_rate
        self._utterance = _Utterance(Cutter(self._rules.longest), begin, self.now)
        self._run, self._spoken = 0, None
        held, self._before = bytes(self._before), bytearray()
        return [SpeechStarted(start), *self._cut(self._utterance, held)]

    def _follow(self, utterance: _Utterance, chunk: bytes, score: float) -> list[Event]:
        if score >= (BEGINS if utterance.tail else GOES_ON):
            utterance.end = self.now
            held = bytes(utterance.tail) + chunk
            utterance.tail.clear()
            return list(self._cut(utterance, held))
        utterance.tail += chunk
        return self.finish() if len(utterance.tail) >= self._trailing else []

    def _cut(self, utterance: _Utterance, pcm: bytes) -> list[SpeechPiece]:
        pieces = []
        for cut in utterance.cutter.feed(pcm):
            end = utterance.start + len(cut.pcm) / HEARD.byte_rate
            pieces.append(SpeechPiece(cut.pcm, utterance.start, end, last=False))
            utterance.start = end
        return pieces

    def _quiet(self) -> list[Event]:
        if self._spoken is None or self._rules.quiet is None or self.now - self._spoken < self._rules.quiet:
            return []
        end, self._spoken = self._spoken, None
        return [Quiet(end)]


def _size(seconds: float) -> int:
    return round(seconds * HEARD.rate) * HEARD.frame_size
