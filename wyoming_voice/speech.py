"""The application's core: speak and listen. Every front door calls these two, and differs only in spelling."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from wyoming.audio import AudioChunk

from . import client
from .activity import Activity
from .channel import Channel
from .config import Settings
from .engines.protocol import Heard, Reference, Segment
from .errors import WorkerLost
from .llm import Llm
from .metrics import Metrics, Observation
from .output import Output
from .polish import Finish, Polish
from .pool import Pool, Ticket
from .recognition import TRIES, Listening, Recognition
from .steps import Prepared, Retold, Steps, Wanted, limited, once, split
from .stream import entered_in_thread
from .text.ssml import strip_ssml
from .voices import Catalogue, Voice, VoiceChoice, matches

__all__ = ["Finish", "Listening", "Speech", "Utterance", "Wanted", "once"]  # all that a front door needs

_ALONE: Final = Wanted(llm=False, stress=False)
_LONG: Final = 8192  # characters of SSML: a millisecond or two
_LONGER: Final = 204
"""How many times as long as a text its language model's words may be at most (``llm_reply.py``)."""


Held = Callable[[Sequence[Reference]], AbstractContextManager[tuple[Reference, ...]]]
"""Keeps the recordings of a voice that could be removed while it speaks."""


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
    seed: int | None = None
    """For engines that draw lots: the same request with the same seed sounds the same."""
    wanted: Wanted = field(default_factory=Wanted)
    """Which of the optional steps before speech."""
    told: Callable[[str], None] | None = None
    """Called with each segment's text as its engine gets it."""


class Speech:
    """Speaks and listens with the engines of a pool, by the catalogue of the moment."""

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        catalogue: Callable[[], Catalogue],
        metrics: Metrics,
        activity: Activity,
        *,
        llm: Llm,
        held: Held,
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._catalogue = catalogue
        self._metrics = metrics
        self._activity = activity
        self._held = held
        self._polish = Polish(settings, llm)
        self._steps = Steps(settings, pool, catalogue, llm)

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
        recognition = Recognition(self._settings, self._pool, self._catalogue(), self._metrics, self._activity)
        async with aclosing(recognition.hear(listening)) as heard:
            yield heard

    async def polish(self, text: str, listening: Listening, language: str | None = None) -> str:
        """Return a whole transcript after the steps that the request wants; ``language`` is what was recognised."""
        asked = None if listening.language == "auto" else listening.language
        return await self._polish.apply(
            text, language or asked, listening.finish, prompt=listening.prompt, terms=listening.terms
        )

    async def spoken(self, text: str, choice: VoiceChoice) -> str:
        """Return what of a text would be spoken: its sentences, spelled out for the voice. Raises UnknownVoice.

        Without the steps that ask a model: stress marks and a language model's words are known once they are spoken.
        """
        catalogue = self._catalogue()
        utterance = Utterance(text=once(text), voice=choice, wanted=_ALONE)
        async with aclosing(self.rehearse(utterance, lambda first: catalogue.voice(choice, first)[0])) as segments:
            return " ".join([segment.spoken async for segment in segments])

    async def rehearse(
        self, utterance: Utterance, find: Callable[[str], Voice], retold: Retold | None = None
    ) -> AsyncGenerator[Prepared, None]:
        """Take a text through all steps before speech; ``find`` chooses the voice by the first sentence."""
        voice: Voice | None = None
        async with aclosing(self._sentences(utterance.text, utterance, retold)) as sentences:
            async for sentence in sentences:
                voice = voice or find(sentence)
                yield await self._steps.apply(
                    sentence, _spoken(voice, utterance.voice.language), voice, utterance.wanted
                )
                await asyncio.sleep(0)

    async def warm(self) -> None:
        """Load what the first request would wait for: what texts are spelled out with, what hears pauses."""
        await self._steps.warm()
        await self._activity.warm()

    async def _fill(self, utterance: Utterance, audio: Channel[AudioChunk]) -> None:
        try:
            with self._metrics.observe("tts") as seen:
                await self._speak(utterance, audio, seen)
        except Exception as error:  # noqa: BLE001 - not swallowed: the reader of the audio raises it
            audio.close(error)
        else:
            audio.close()

    async def _speak(self, utterance: Utterance, audio: Channel[AudioChunk], seen: Observation) -> None:
        whole, text = await self._document(utterance) if utterance.ssml else (None, utterance.text)
        catalogue = self._catalogue()
        if not utterance.voice.open:
            catalogue.voice(utterance.voice)  # a wrong name is told before the text has come
        async with aclosing(self._sentences(text, utterance)) as sentences:
            first = await anext(sentences, None)
            if first is None:
                return
            voice, speaker = catalogue.voice(utterance.voice, first)
            seen.engine, seen.voice = voice.engine, voice.name
            async with AsyncExitStack() as stack:
                ticket = stack.enter_context(self._pool.ticket(voice.engine))
                voice = await stack.enter_async_context(self._kept(voice, utterance.voice))
                segment = _segment(utterance, voice, speaker)
                output = Output(
                    audio,
                    utterance.rate,
                    self._settings.limits.audio_ahead,
                    seen,
                    speed=1.0 if "speed" in voice.paces else utterance.speed,
                    pitch=1.0 if "pitch" in voice.paces else utterance.pitch,
                )
                if whole is not None and voice.ssml:
                    self._metrics.tell(seen, first)
                    await self._say(ticket, replace(segment, text=whole, ssml=True), output)
                else:
                    async for sentence in _after(first, sentences):
                        self._metrics.tell(seen, sentence)
                        said = (await self._steps.apply(sentence, segment.language, voice, utterance.wanted)).spoken
                        if utterance.told is not None:
                            utterance.told(said)
                        await self._say(ticket, replace(segment, text=said), output)
                await output.finish()

    @asynccontextmanager
    async def _kept(self, voice: Voice, choice: VoiceChoice) -> AsyncIterator[Voice]:
        """Have a voice of the library finish what it begins to say, although somebody removes it."""
        if choice.references or not voice.references:
            yield voice
            return
        async with entered_in_thread(self._held(voice.references)) as references:
            yield replace(voice, references=references)

    def _sentences(
        self, text: AsyncIterator[str], utterance: Utterance, told: Retold | None = None
    ) -> AsyncGenerator[str, None]:
        limit = self._settings.limits.text
        if utterance.ssml or not self._steps.retells(utterance.wanted):
            return split(text, limit)
        retold = self._steps.retold(limited(text, limit), utterance.voice.language, told)
        return split(retold, _LONGER * limit + _LONGER)

    async def _document(self, utterance: Utterance) -> tuple[str, AsyncIterator[str]]:
        """Read an SSML document to its end; returns it, and the text in it."""
        parts = [part async for part in limited(utterance.text, self._settings.limits.text)]
        document = "".join(parts)
        if len(document) > _LONG:
            return document, once(await asyncio.to_thread(strip_ssml, document))
        return document, once(strip_ssml(document))

    async def _say(self, ticket: Ticket, segment: Segment, output: Output) -> None:
        step_timeout = self._settings.engine(ticket.engine).step_timeout
        for attempt in range(1, TRIES + 1):
            said = False
            await output.ready()
            try:
                async with (
                    ticket.turn() as worker,
                    client.synthesize(worker.uri, segment, step_timeout) as chunks,
                    aclosing(chunks),
                ):
                    async for chunk in chunks:
                        if chunk.audio:  # an empty one says that the engine is at work
                            said = True
                            await output.put(chunk)
            except WorkerLost:
                if said or attempt == TRIES:
                    raise
            else:
                return


def _segment(utterance: Utterance, voice: Voice, speaker: str | None) -> Segment:
    """Build what all segments of an utterance have in common."""
    return Segment(
        text="",
        voice=voice.voice,
        language=_spoken(voice, utterance.voice.language),
        speaker=speaker,
        style=utterance.style,
        speed=utterance.speed if "speed" in voice.paces else 1.0,
        pitch=utterance.pitch if "pitch" in voice.paces else 1.0,
        references=voice.references,
        description=voice.design,
        seed=voice.seed if utterance.seed is None else utterance.seed,
    )


def _spoken(voice: Voice, asked: str | None) -> str | None:
    """Tell the engine the language that was asked for, where the voice speaks it."""
    return asked if asked and any(matches(known, asked) for known in voice.languages) else None


async def _after(first: str, sentences: AsyncIterator[str]) -> AsyncGenerator[str, None]:
    yield first
    async for sentence in sentences:
        yield sentence


def _size(chunk: AudioChunk) -> int:
    return len(chunk.audio)
