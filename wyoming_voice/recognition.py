"""One request to transcribe: audio in pieces to an engine's turns, what it hears back with the recording's times."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from . import client
from .config import Settings
from .engines.protocol import Heard
from .errors import WorkerLost
from .listening import HEARD, Cut, Cutter
from .metrics import Metrics
from .pool import Pool, Ticket
from .voices import Catalogue

T = TypeVar("T")

TRIES: Final = 2
"""A lost worker's request is tried again while nothing of it was sent."""
_SPACELESS: Final = frozenset({"zh", "ja", "th", "yue", "lo", "km", "my"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """One request to transcribe: audio that may still be arriving, and what to expect."""

    audio: AsyncIterator[bytes]
    """16 kHz mono 16 bit, cut anywhere."""
    language: str | None = None
    model: str | None = None
    prompt: str | None = None
    terms: tuple[str, ...] = ()
    word_times: bool = False
    """The times of words are wanted, where an engine has to work for them."""


class Recognition:
    """Recognises one recording."""

    def __init__(self, settings: Settings, pool: Pool, catalogue: Catalogue, metrics: Metrics) -> None:
        self._settings = settings
        self._pool = pool
        self._catalogue = catalogue
        self._metrics = metrics

    async def hear(self, listening: Listening) -> AsyncGenerator[Heard, None]:
        """Yield the transcript in pieces, their times counted from the beginning of the recording."""
        with self._metrics.observe("asr") as seen:
            model, language = self._catalogue.model(listening.model, listening.language)
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
        for attempt in range(1, TRIES + 1):
            said = False
            try:
                async with (
                    ticket.turn() as worker,
                    client.transcribe(
                        worker.uri,
                        pcm,
                        step_timeout,
                        language=language,
                        prompt=listening.prompt,
                        terms=listening.terms,
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


def _placed(heard: Heard, space: str, start: float) -> Heard:
    words = tuple(replace(word, start=word.start + start, end=word.end + start) for word in heard.words)
    text = space + heard.text.lstrip() if space else heard.text
    return replace(heard, text=text, start=heard.start + start, end=heard.end + start, words=words)
