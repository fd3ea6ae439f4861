"""The Wyoming front door: what a peer may ask.

Facts about its clients, Home Assistant first, are in ``docs/protocol.md``.
"""

from collections.abc import Callable, Sequence

from wyoming.event import Event

from wyoming_voice import fields
from wyoming_voice.connection import Connection, Job
from wyoming_voice.errors import BadRequest, UnknownEngine
from wyoming_voice.speech import Speech

from .wyoming_hear import Hearing
from .wyoming_speak import Speaking


class WyomingSession:
    """What one peer may ask for."""

    def __init__(
        self,
        speech: Callable[[], Speech],
        info: Callable[[], bytes],
        name: str,
        text: int,
        audio: float,
        *,
        endpointing: bool = False,
    ) -> None:
        self._speech = speech
        self._endpointing = endpointing
        self._info = info
        self._name = name
        self._most_text = text
        self._most_audio = audio

    def begin(self, event: Event, connection: Connection) -> Job | Sequence[Event] | bytes:
        """Begin a request, or answer at once."""
        match event.type:
            case "describe":
                return self._info()
            case "select-program":
                return self._select(fields.text(event.data, "name"))
            case "synthesize" | "synthesize-start":
                return Speaking(event, connection, self._speech(), self._most_text)
            case "transcribe" | "audio-start":
                return Hearing(event, connection, self._speech(), self._most_audio, endpointing=self._endpointing)
            case "synthesize-chunk" | "synthesize-stop":
                raise BadRequest(f"'{event.type}' without a 'synthesize-start' before it.")
            case "audio-chunk" | "audio-stop":
                raise BadRequest(f"'{event.type}' without an 'audio-start' before it.")
        return []  # events of other services: Wyoming asks servers to drop what they do not know

    def _select(self, name: str) -> Sequence[Event]:
        if name != self._name:
            raise UnknownEngine(f"There is no program '{name}'; the only one is '{self._name}'.")
        return []
