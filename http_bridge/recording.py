"""An uploaded recording to a transcript."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO

from aiohttp import web

from wyoming_voice.codec import decode
from wyoming_voice.engines.protocol import Heard
from wyoming_voice.listening import HEARD
from wyoming_voice.speech import Listening
from wyoming_voice.stream import in_thread

from .bridge import bridge_of


@dataclass(frozen=True, slots=True)
class Expected:
    """What a client says of a recording."""

    language: str | None = None
    model: str | None = None
    prompt: str | None = None
    terms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Transcription:
    """A whole transcript."""

    pieces: tuple[Heard, ...]
    seconds: float
    """Length of the recording."""
    language: str | None

    @property
    def text(self) -> str:
        """The transcript as one text."""
        return "".join(piece.text for piece in self.pieces).strip()


class Clock:
    """How much of a recording has been decoded so far."""

    def __init__(self) -> None:
        self.seconds = 0.0

    async def count(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Pass audio on, and count it."""
        async for pcm in audio:
            self.seconds += len(pcm) / HEARD.byte_rate
            yield pcm


@asynccontextmanager
async def recognising(
    request: web.Request, file: BinaryIO, expected: Expected, clock: Clock
) -> AsyncIterator[AsyncIterator[Heard]]:
    """Recognise a recording while it is decoded beside the event loop; leaving the block cancels the rest."""
    bridge = bridge_of(request)
    bridge.admit()
    most = bridge.settings.limits.recording
    async with aclosing(in_thread(decode(file, HEARD, max_seconds=most))) as audio:
        listening = Listening(
            audio=clock.count(audio),
            language=expected.language,
            model=expected.model,
            prompt=expected.prompt,
            terms=expected.terms,
        )
        async with bridge.app.speech.transcribe(listening) as pieces:
            yield pieces


async def recognise(request: web.Request, file: BinaryIO, expected: Expected) -> Transcription:
    """Recognise a whole recording."""
    clock = Clock()
    async with recognising(request, file, expected, clock) as pieces:
        heard = tuple([piece async for piece in pieces])
    spoken = next((piece.language for piece in heard if piece.language), expected.language)
    return Transcription(heard, clock.seconds, spoken)
