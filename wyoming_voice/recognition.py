"""One request to transcribe: audio in pieces to an engine's turns, what it hears back with the recording's times.

A pause in speech that arrives as it is spoken may be its end: if nobody else wants the device, what was heard so far is
recognised at once. If the speech goes on that result is dropped; if nothing but silence follows, the transcript is
there when the audio ends.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field, replace
from typing import Final

from . import client
from .activity import Activity
from .channel import Channel
from .config import Settings
from .engines.protocol import Heard
from .errors import EngineUnavailable, VoiceError, WorkerLost
from .listening import HEARD, Cut, Cutter, loudness
from .metrics import Metrics, Observation
from .pause import Pause
from .polish import Finish
from .pool import Pool, Ticket
from .voices import Catalogue

_LOGGER = logging.getLogger(__name__)

TRIES: Final = 2
"""A lost worker's request is tried again while nothing of it was sent."""
_SPACELESS: Final = frozenset({"zh", "ja", "th", "yue", "lo", "km", "my"})
_BEHIND: Final = 3 * HEARD.byte_rate
"""Bytes that wait to be judged when what tells speech from silence is too slow: more than comes early of any stream."""
_LATE: Final = HEARD.byte_rate // 2
"""Bytes that wait to be judged when all has come: with more of them, recognising the whole takes no longer."""
_AHEAD: Final = 0.25
"""Seconds of silence after which speech may be over: shorter than any that ends a command, longer than a stop
consonant's closure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """One request to transcribe: audio that may still be arriving, and what to expect."""

    audio: AsyncIterator[bytes]
    """16 kHz mono 16 bit, cut anywhere."""
    language: str | None = None
    """``auto``: whatever is spoken, by an engine that can tell."""
    model: str | None = None
    prompt: str | None = None
    terms: tuple[str, ...] = ()
    word_times: bool = False
    """The times of words are wanted, where an engine has to work for them."""
    live: bool = False
    """The audio arrives while it is spoken."""
    trailing: float | None = None
    """Seconds of silence after speech that end the request, where it is live; None: the end of the audio does."""
    finish: Finish = field(default_factory=Finish)
    """Which of the steps after recognition; :meth:`Speech.polish` takes them."""
    prefix: str = ""
    """What was recognised of a shorter recording with the same beginning, for engines that go on from it."""


@dataclass(frozen=True, slots=True)
class _Ahead:
    """A recognition of what was heard at a pause."""

    size: int
    """Bytes of the piece that it is of."""
    task: "asyncio.Task[list[Heard]]"

    async def drop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])

    async def result(self) -> list[Heard] | None:
        """Wait for it; None: it failed, and the recognition proper will say why if that is still so."""
        try:
            return await self.task
        except VoiceError:
            return None


class Recognition:
    """Recognises recordings with one catalogue; an instance for each request."""

    def __init__(
        self, settings: Settings, pool: Pool, catalogue: Catalogue, metrics: Metrics, activity: Activity
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._catalogue = catalogue
        self._metrics = metrics
        self._activity = activity
        self._ahead: _Ahead | None = None
        self._prefix = ""  # what was recognised of the beginning of the piece under way
        self._space = ""

    async def hear(self, listening: Listening) -> AsyncGenerator[Heard, None]:
        """Yield the transcript in pieces, their times counted from the beginning of the recording."""
        with self._metrics.observe("asr") as seen:
            model, language = self._catalogue.model(listening.model, listening.language)
            seen.engine, seen.voice = model.engine, language or "auto"
            listening = replace(listening, language=language)
            self._prefix = listening.prefix
            async with AsyncExitStack() as stack:
                pause = await self._pauses(listening, stack)
                stack.push_async_callback(self._drop_ahead)
                cutter, ticket = Cutter(), None
                async with aclosing(self._cuts(listening, cutter, pause, model.engine)) as cuts:
                    async for cut in cuts:
                        # Only now: what is on its way takes nobody's place.
                        ticket = ticket or stack.enter_context(self._pool.ticket(model.engine))
                        async with aclosing(self._piece(ticket, cut, listening, pause, seen)) as pieces:
                            async for heard in pieces:
                                yield heard

    async def _pauses(self, listening: Listening, stack: AsyncExitStack) -> Pause | None:
        if not listening.live or (listening.trailing is None and not self._settings.listening.ahead):
            return None
        if listening.trailing is None and not self._activity.make_ready():
            return None
        try:
            return Pause(await stack.enter_async_context(self._activity.stream()))
        except EngineUnavailable as error:
            if listening.trailing is not None:
                raise  # nobody would tell when the speech is over
            _LOGGER.debug("No recognising ahead: %s", error.text)
            return None

    async def _cuts(
        self, listening: Listening, cutter: Cutter, pause: Pause | None, engine: str
    ) -> AsyncGenerator[Cut, None]:
        """Yield the pieces of a recording as it arrives, and look ahead at its pauses."""
        async for pcm in listening.audio:
            for cut in cutter.feed(pcm):
                await self._drop_ahead()
                self._prefix = ""  # it may be of more than this piece
                yield cut
            if pause is None:
                continue
            await self._follow(listening, pause, pcm)
            if isinstance(listening.audio, Channel) and listening.audio.held:
                continue  # more is here already: this is not the present
            if listening.trailing is not None and pause.over(listening.trailing):
                if pause.nobody:
                    return  # what was heard is no speech
                break
            if self._settings.listening.ahead:
                await self._look_ahead(listening, cutter, pause, engine)
        for cut in cutter.finish():
            yield cut

    async def _follow(self, listening: Listening, pause: Pause, pcm: bytes) -> None:
        """Tell speech from silence; a request that can do without never waits for a detector that is late or lost."""
        if listening.trailing is not None:
            await pause.follow(pcm)
            return
        if isinstance(listening.audio, Channel):
            held = listening.audio.held
            all_here = listening.audio.closed and (self._ahead is None or held > _LATE)
            if all_here or held > _BEHIND:
                pause.give_up()
        if not pause.judged:
            return
        try:
            async with asyncio.timeout(_AHEAD):  # one that is later than the pause it is to find is of no use
                await pause.follow(pcm)
        except TimeoutError:
            _LOGGER.debug("No recognising ahead: what tells speech from silence is late")
            pause.give_up()
        except WorkerLost as error:
            _LOGGER.debug("No recognising ahead: %s", error.text)
            pause.give_up()

    async def _look_ahead(self, listening: Listening, cutter: Cutter, pause: Pause, engine: str) -> None:
        ahead = self._ahead
        state = self._pool.states().get(engine)  # None: gone from the configuration while this was said
        if ahead is not None and (not pause.after_speech or state is None or state.waiting):
            if ahead.task.done() and not ahead.task.cancelled() and ahead.task.exception() is None:
                self._prefix = "".join(heard.text for heard in ahead.task.result())
            await self._drop_ahead()
        elif ahead is None and pause.after_speech >= _AHEAD and self._idle(engine):
            pcm = cutter.held
            task = asyncio.create_task(self._whole(engine, pcm, listening), name="recognise ahead")
            self._ahead = _Ahead(len(pcm), task)

    def _idle(self, engine: str) -> bool:
        """Tell whether nobody computes or waits on the device of an engine."""
        device = self._settings.engine(engine).device
        states = self._pool.states()
        return not any(
            state.busy or state.waiting
            for name, state in states.items()
            if self._settings.engine(name).device == device
        )

    async def _whole(self, engine: str, pcm: bytes, listening: Listening) -> list[Heard]:
        if self._silent(pcm):
            return []
        with self._pool.ticket(engine) as ticket:
            async with aclosing(self._recognise(ticket, pcm, listening)) as pieces:
                return [heard async for heard in pieces]

    async def _drop_ahead(self) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            await ahead.drop()

    async def _piece(
        self, ticket: Ticket, cut: Cut, listening: Listening, pause: Pause | None, seen: Observation
    ) -> AsyncGenerator[Heard, None]:
        """Yield what one piece says."""
        seen.audio += len(cut.pcm) / HEARD.byte_rate
        known = None
        if self._ahead is not None and pause is not None and pause.after_speech and len(cut.pcm) >= self._ahead.size:
            known = await self._ahead.result()
            self._ahead = None
        else:
            await self._drop_ahead()  # it would only keep the engine from the whole
        said = False
        async with aclosing(_given(known) if known is not None else self._hear(ticket, cut.pcm, listening)) as pieces:
            async for heard in pieces:
                said = True
                seen.progress()
                self._metrics.tell(seen, heard.text)
                yield _placed(heard, self._space if heard.text else "", cut.start_seconds)
                self._space = "" if heard.text else self._space
        if said and (listening.language or "").partition("-")[0] not in _SPACELESS:
            self._space = " "  # between what was heard before and what comes now

    async def _hear(self, ticket: Ticket, pcm: bytes, listening: Listening) -> AsyncGenerator[Heard, None]:
        if not self._silent(pcm):
            async with aclosing(self._recognise(ticket, pcm, listening)) as pieces:
                async for heard in pieces:
                    yield heard

    def _silent(self, pcm: bytes) -> bool:
        least = self._settings.listening.silence_db
        return least is not None and loudness(pcm) < least

    async def _recognise(self, ticket: Ticket, pcm: bytes, listening: Listening) -> AsyncGenerator[Heard, None]:
        step_timeout = self._settings.engine(ticket.engine).step_timeout
        for attempt in range(1, TRIES + 1):
            said = False
            try:
                async with (
                    ticket.turn() as worker,
                    client.transcribe(
                        worker.uri,
                        pcm,
                        step_timeout,
                        language=listening.language,
                        prompt=listening.prompt,
                        terms=(*listening.terms, *self._settings.listening.terms),
                        prefix=self._prefix,
                        word_times=listening.word_times,
                    ) as pieces,
                    aclosing(pieces),
                ):
                    async for heard in pieces:
                        said = True
                        yield heard
            except WorkerLost:
                if said or attempt == TRIES:
                    raise
            else:
                return


async def _given(known: list[Heard]) -> AsyncGenerator[Heard, None]:
    for heard in known:
        yield heard


def joined(pieces: Iterable[Heard]) -> list[Heard]:
    """Join what came bit by bit but has one place in time, as an engine says it that tells no times of its tokens."""
    whole: list[Heard] = []
    for heard in pieces:
        last = whole[-1] if whole else None
        if last is not None and (not heard.text or (last.start, last.end) == (heard.start, heard.end)):
            whole[-1] = replace(last, text=last.text + heard.text, words=last.words + heard.words)
        else:
            whole.append(heard)
    return whole


def _placed(heard: Heard, space: str, start: float) -> Heard:
    words = tuple(replace(word, start=word.start + start, end=word.end + start) for word in heard.words)
    text = space + heard.text.lstrip() if space else heard.text
    return replace(heard, text=text, start=heard.start + start, end=heard.end + start, words=words)
