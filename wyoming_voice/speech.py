"""The application's core: speak and listen. Every front door calls these two, and differs only in spelling."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from wyoming.audio import AudioChunk

from . import client
from .audio import Converter, PcmFormat
from .channel import Channel
from .config import Settings
from .engines.protocol import Heard, Segment
from .errors import TooLarge, WorkerLost
from .listening import HEARD, Cut, Cutter
from .metrics import Metrics, Observation
from .pool import Pool, Ticket
from .text.clean import Cleaner
from .text.normalize import normalize, warm
from .text.script import language_of
from .text.split import SentenceSplitter
from .text.ssml import check_ssml, strip_ssml
from .voices import Catalogue, Voice, VoiceChoice, matches

T = TypeVar("T")

_SPACELESS: Final = frozenset({"zh", "ja", "th", "yue", "lo", "km", "my"})
_SLICE: Final = 4000  # characters that are cleaned and split before the event loop has its turn again
_TRIES: Final = 2  # a lost worker's request is tried again while nothing of it was sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One request to speak: text that may still be arriving, the voice, and how."""

    text: AsyncIterator[str]
    voice: VoiceChoice = field(default_factory=VoiceChoice)
    style: str | None = None
    speed: float = 1.0
    pitch: float = 1.0
    ssml: bool = False
    """The text is one SSML document."""
    rate: int | None = None
    """Sample rate in Hz; None: the voice's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """One request to transcribe: audio that may still be arriving, and what to expect."""

    audio: AsyncIterator[bytes]
    """16 kHz mono 16 bit, cut anywhere."""
    language: str | None = None
    model: str | None = None
    prompt: str | None = None
    terms: tuple[str, ...] = ()


class Speech:
    """Speaks and listens with the engines of a pool, by the catalogue of the moment."""

    def __init__(self, settings: Settings, pool: Pool, catalogue: Callable[[], Catalogue], metrics: Metrics) -> None:
        self._settings = settings
        self._pool = pool
        self._catalogue = catalogue
        self._metrics = metrics
        self._warm: set[str] = set()  # languages whose normaliser is loaded

    @asynccontextmanager
    async def synthesize(self, utterance: Utterance) -> AsyncIterator[AsyncIterator[AudioChunk]]:
        """Speak: 16-bit mono chunks of one rate, from the first complete sentence on while more text arrives.

        Leaving the block cancels the rest. The iterator raises UnknownVoice, TooLarge, Busy, EngineUnavailable,
        WorkerLost and whatever the text's iterator raises. Audio is made ahead of the reader by at most
        ``limits.audio_ahead`` bytes, so that a slow reader does not keep an engine from others.
        """
        audio: Channel[AudioChunk] = Channel(self._settings.limits.audio_ahead, _size)
        task = asyncio.create_task(self._fill(utterance, audio), name="utterance")
        try:
            yield audio
        finally:
            task.cancel()
            await asyncio.wait([task])

    @asynccontextmanager
    async def transcribe(self, listening: Listening) -> AsyncIterator[AsyncIterator[Heard]]:
        """Listen: the transcript in pieces as it is recognised, their times counted from the beginning.

        Leaving the block cancels the rest. The iterator raises UnknownEngine, BadRequest, EngineUnavailable, Busy,
        WorkerLost and whatever the audio's iterator raises.
        """
        async with aclosing(self._hear(listening)) as heard:
            yield heard

    async def spoken(self, text: str, choice: VoiceChoice) -> str:
        """Return what of a text would be spoken: its sentences, spelled out for the voice. Raises UnknownVoice."""
        catalogue = self._catalogue()
        said: list[str] = []
        voice: Voice | None = None
        async with aclosing(split(once(text), len(text))) as sentences:
            async for sentence in sentences:
                if voice is None:
                    voice, _ = catalogue.voice(choice, sentence)
                asked = _spoken(voice, choice.language)
                said.append(await self._spelled_out(sentence, asked, voice, catalogue.reads(voice.engine)))
                await asyncio.sleep(0)
        return " ".join(said)

    async def warm(self) -> None:
        """Load what the user's languages are spelled out with, so that the first request does not wait for it."""
        for language in self._settings.languages:
            await self._load(language)

    async def _load(self, language: str) -> None:
        if self._settings.text.normalize and language not in self._warm:
            await asyncio.to_thread(warm, language)
            self._warm.add(language)

    async def _fill(self, utterance: Utterance, audio: Channel[AudioChunk]) -> None:
        try:
            with self._metrics.observe("tts") as seen:
                await self._speak(utterance, audio, seen)
        except Exception as error:  # noqa: BLE001 - not swallowed: the reader of the audio raises it
            audio.close(error)
        else:
            audio.close()

    async def _speak(self, utterance: Utterance, audio: Channel[AudioChunk], seen: Observation) -> None:
        whole = await self._document(utterance) if utterance.ssml else None
        text = utterance.text if whole is None else once(strip_ssml(whole))
        catalogue = self._catalogue()
        if utterance.voice.name or utterance.voice.language:
            catalogue.voice(utterance.voice)  # a wrong name is told before the text has come
        async with aclosing(split(text, self._settings.limits.text)) as sentences:
            first = await anext(sentences, None)
            if first is None:
                return
            voice, speaker = catalogue.voice(utterance.voice, first)
            seen.engine, seen.voice = voice.engine, voice.name
            segment = Segment(
                text=first,
                voice=voice.voice,
                language=_spoken(voice, utterance.voice.language),
                speaker=speaker,
                style=utterance.style,
                speed=utterance.speed,
                pitch=utterance.pitch,
            )
            self._metrics.tell(seen, first)
            with self._pool.ticket(voice.engine) as ticket:
                output = _Output(audio, utterance.rate, self._settings.limits.audio_ahead, seen)
                if whole is not None and voice.ssml:
                    await self._say(ticket, replace(segment, text=whole, ssml=True), output)
                else:
                    reads = catalogue.reads(voice.engine)
                    said = await self._spelled_out(first, segment.language, voice, reads)
                    await self._say(ticket, replace(segment, text=said), output)
                    async for sentence in sentences:
                        self._metrics.tell(seen, sentence)
                        said = await self._spelled_out(sentence, segment.language, voice, reads)
                        await self._say(ticket, replace(segment, text=said), output)
                await output.finish()

    async def _spelled_out(self, sentence: str, asked: str | None, voice: Voice, reads: frozenset[str]) -> str:
        """Spell out what is not words, in the language that is asked for, else the sentence's own, else the voice's."""
        if not self._settings.text.normalize or not voice.languages:
            return sentence
        language = asked or language_of(sentence, voice.languages) or voice.languages[0]
        await self._load(language)
        return normalize(sentence, language, reads)

    async def _document(self, utterance: Utterance) -> str:
        parts = [part async for part in _limited(utterance.text, self._settings.limits.text)]
        document = "".join(parts)
        check_ssml(document)
        return document

    async def _say(self, ticket: Ticket, segment: Segment, output: "_Output") -> None:
        step_timeout = self._settings.engine(ticket.engine).step_timeout
        for attempt in range(1, _TRIES + 1):
            said = False
            await output.ready()
            try:
                async with (
                    ticket.turn() as worker,
                    client.synthesize(worker.uri, segment, step_timeout) as chunks,
                    aclosing(chunks),
                ):
                    async for chunk in chunks:
                        said = True
                        await output.put(chunk)
            except WorkerLost:
                if said or attempt == _TRIES:
                    raise
            else:
                return

    async def _hear(self, listening: Listening) -> AsyncGenerator[Heard, None]:
        with self._metrics.observe("asr") as seen:
            model, language = self._catalogue().model(listening.model, listening.language)
            seen.engine, seen.voice = model.engine, language
            async with aclosing(_cuts(listening.audio)) as cuts:
                first = await anext(cuts, None)
                if first is None:
                    return
                with self._pool.ticket(model.engine) as ticket:  # only now: what is on its way takes nobody's place
                    space = ""
                    async for cut in _chain(first, cuts):
                        seen.audio += len(cut.pcm) / HEARD.byte_rate
                        async with aclosing(self._recognise(ticket, cut.pcm, language, listening)) as pieces:
                            async for heard in pieces:
                                seen.progress()
                                self._metrics.tell(seen, heard.text)
                                yield _placed(heard, space, cut.start_seconds)
                                space = ""
                        if seen.first is not None and language.partition("-")[0] not in _SPACELESS:
                            space = " "  # between what was heard before and what comes now

    async def _recognise(
        self, ticket: Ticket, pcm: bytes, language: str, listening: Listening
    ) -> AsyncGenerator[Heard, None]:
        step_timeout = self._settings.engine(ticket.engine).step_timeout
        for attempt in range(1, _TRIES + 1):
            said = False
            try:
                async with (
                    ticket.turn() as worker,
                    client.transcribe(
                        worker.uri, pcm, step_timeout, language=language, prompt=listening.prompt, terms=listening.terms
                    ) as pieces,
                    aclosing(pieces),
                ):
                    async for heard in pieces:
                        said = True
                        yield heard
            except WorkerLost:
                if said or attempt == _TRIES:
                    raise
            else:
                return


class _Output:
    """An utterance's audio on its way out: one format from the first chunk to the last."""

    def __init__(self, audio: Channel[AudioChunk], rate: int | None, limit: int, seen: Observation) -> None:
        self._seen = seen
        self._audio = audio
        self._rate = rate
        self._low = limit // 4
        self._source: PcmFormat | None = None
        self._target: PcmFormat | None = None
        self._converter: Converter | None = None

    async def ready(self) -> None:
        """Wait until the reader has caught up, so that a slow one waits outside of a turn."""
        await self._audio.wait_below(self._low)

    async def put(self, chunk: AudioChunk) -> None:
        source = PcmFormat(chunk.rate, chunk.width, chunk.channels)
        if source != self._source:
            await self._flush()
            self._source = source
            self._target = self._target or PcmFormat(self._rate or source.rate, 2, 1)
            self._converter = None if source == self._target else Converter(source, self._target)
        await self._send(chunk.audio if self._converter is None else self._converter.feed(chunk.audio))

    async def finish(self) -> None:
        await self._flush()

    async def _flush(self) -> None:
        if self._converter is not None:
            await self._send(self._converter.finish())
            self._converter = None
            self._source = None

    async def _send(self, pcm: bytes) -> None:
        if pcm:
            assert self._target is not None, "a format comes with the first chunk"
            self._seen.progress(len(pcm) / self._target.byte_rate)
            await self._audio.put(AudioChunk(self._target.rate, self._target.width, self._target.channels, pcm))


async def _limited(text: AsyncIterator[str], limit: int) -> AsyncGenerator[str, None]:
    length = 0
    async for part in text:
        length += len(part)
        if length > limit:
            raise TooLarge(f"A text may have {limit} characters (limits.text).")
        yield part


async def split(text: AsyncIterator[str], limit: int) -> AsyncGenerator[str, None]:
    """Cut a text into its sentences, without marks, while it arrives; raises TooLarge beyond ``limit`` characters."""
    cleaner, splitter = Cleaner(), SentenceSplitter()
    async for part in _limited(text, limit):
        for start in range(0, len(part), _SLICE):
            for sentence in splitter.feed(cleaner.feed(part[start : start + _SLICE])):
                yield sentence
            if len(part) > _SLICE:
                await asyncio.sleep(0)
    for sentence in splitter.feed(cleaner.finish()) + splitter.finish():
        yield sentence


async def _cuts(audio: AsyncIterator[bytes]) -> AsyncGenerator[Cut, None]:
    cutter = Cutter()
    async for pcm in audio:
        for cut in cutter.feed(pcm):
            yield cut
    for cut in cutter.finish():
        yield cut


async def _chain(first: T, rest: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    yield first
    async for item in rest:
        yield item


async def once(text: str) -> AsyncGenerator[str, None]:
    """Make a text that is all there into one that arrives."""
    yield text


def _placed(heard: Heard, space: str, start: float) -> Heard:
    words = tuple(replace(word, start=word.start + start, end=word.end + start) for word in heard.words)
    text = space + heard.text.lstrip() if space else heard.text
    return replace(heard, text=text, start=heard.start + start, end=heard.end + start, words=words)


def _spoken(voice: Voice, asked: str | None) -> str | None:
    """Tell the engine the language that was asked for, where the voice speaks it."""
    return asked if asked and any(matches(known, asked) for known in voice.languages) else None


def _size(chunk: AudioChunk) -> int:
    return len(chunk.audio)
