"""What happens in a session of listening, before a dialect spells it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from wyoming_voice.endpoint import Quiet, SpeechStarted
from wyoming_voice.engines.protocol import Heard


@dataclass(frozen=True, slots=True)
class Told:
    """A transcript of a piece, its times counted from the beginning of the stream."""

    pieces: tuple[Heard, ...]
    start: float
    end: float
    final: bool
    last: bool = False
    """Whether the utterance ends with it."""
    finalized: bool = False
    """Whether it came because the client wanted it now."""
    polished: str | None = None
    """After the steps that follow recognition; None: it has not been through them."""

    @property
    def raw(self) -> str:
        """The transcript as it was recognised."""
        return "".join(piece.text for piece in self.pieces).strip()

    @property
    def text(self) -> str:
        """The transcript as one text."""
        return self.raw if self.polished is None else self.polished


@dataclass(frozen=True, slots=True)
class Finalized:
    """All that was said before Finalize has been transcribed."""

    now: float
    """Seconds of the stream so far."""
    answered: bool
    """Whether a Told came because of it."""


@dataclass(frozen=True, slots=True)
class Done:
    """The stream has ended and all of it has been transcribed."""

    seconds: float
    """Of the stream."""


Said = SpeechStarted | Told | Quiet | Finalized | Done
Spelling = Callable[[Said], Iterable[Mapping[str, object]]]
"""Makes the messages of what happened; none where a dialect, or its client, wants none."""
