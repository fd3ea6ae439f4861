"""An uploaded recording to a transcript."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from aiohttp import web

from wyoming_voice.codec import decode
from wyoming_voice.engines.protocol import Heard
from wyoming_voice.listening import HEARD
from wyoming_voice.recognition import joined
from wyoming_voice.speech import Finish, Listening, once
from wyoming_voice.stream import in_thread
from wyoming_voice.voices import matches

from .bridge import Bridge, bridge_of


@dataclass(frozen=True, slots=True)
class Expected:
    """What a client says of a recording."""

    language: str | None = None
    """None: see :func:`settled`."""
    model: str | None = None
    prompt: str | None = None
    terms: tuple[str, ...] = ()
    finish: Finish = field(default_factory=Finish)
    word_times: bool = False
    """The times of words are wanted, where an engine has to work for them."""

    def listening(self, audio: AsyncIterator[bytes]) -> Listening:
        """Make the request of it."""
        return Listening(
            audio=audio,
            language=self.language,
            model=self.model,
            prompt=self.prompt,
            terms=self.terms,
            finish=self.finish,
            word_times=self.word_times,
        )


@dataclass(frozen=True, slots=True)
class Transcription:
    """A whole transcript."""

    pieces: tuple[Heard, ...]
    seconds: float
    """Length of the recording."""
    language: str | None
    text: str
    """The transcript as one text, after the steps that follow recognition."""

    @property
    def raw(self) -> str:
        """The transcript as it was recognised."""
        return transcript_of(self.pieces)


def transcript_of(pieces: Iterable[Heard]) -> str:
    """Return a transcript as one text."""
    return "".join(piece.text for piece in pieces).strip()


def settled(request: web.Request, expected: Expected) -> Expected:
    """Fill in what a client does not say, as most of OpenAI's and Deepgram's do not: what language is spoken.

    It is taken to be the first of the user's languages that an installed engine hears, or that the named one does; an
    engine that can tell is left to tell (``auto``). The reply says which it was. It stays None where nothing hears any.
    """
    catalogue = bridge_of(request).app.voices.catalogue
    model = None if expected.model == catalogue.settings.server.name else expected.model
    ears = [known for known in catalogue.models if known.missing is None and model in (None, known.name)]
    heard = [language for known in ears for language in known.languages]
    likely = next((own for own in catalogue.settings.languages if any(matches(one, own) for one in heard)), None)
    if expected.language is None and likely is not None:
        first = next(known for known in ears if any(matches(one, likely) for one in known.languages))
        likely = "auto" if first.hears_any else likely
    return replace(expected, model=model, language=expected.language or likely)


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
    expected = settled(request, expected)
    async with (
        aclosing(in_thread(decode(file, HEARD, max_seconds=most))) as audio,
        bridge.app.speech.transcribe(expected.listening(clock.count(audio))) as pieces,
    ):
        yield pieces


async def recognise(request: web.Request, file: BinaryIO, expected: Expected) -> Transcription:
    """Recognise a whole recording."""
    expected = settled(request, expected)
    clock = Clock()
    async with recognising(request, file, expected, clock) as pieces:
        heard = tuple(joined([piece async for piece in pieces]))
    spoken = next((piece.language for piece in heard if piece.language), expected.language)
    return Transcription(heard, clock.seconds, spoken, await polished(bridge_of(request), heard, expected))


async def polished(bridge: Bridge, pieces: Sequence[Heard], expected: Expected) -> str:
    """Return a transcript as one text, after the steps that follow recognition."""
    raw = transcript_of(pieces)
    spoken = next((piece.language for piece in pieces if piece.language), None)
    return await bridge.app.speech.polish(raw, expected.listening(once(b"")), spoken) if raw else raw
