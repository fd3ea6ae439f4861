"""The steps from a text to what an engine gets: clean sentences while it arrives, spelled out, with stress marks."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Final, TypeVar

from .config import Settings
from .errors import TooLarge
from .llm import Llm, Turn
from .pool import Pool
from .stress import Stress, has_stress
from .text.clean import Cleaner
from .text.normalize import normalize, warm
from .text.piece import Pieces
from .text.script import language_of
from .text.split import SentenceSplitter
from .text.stress import protect
from .voices import Catalogue, Voice

T = TypeVar("T")

_SLICE: Final = 1000  # characters that are cleaned and split before the event loop has its turn again
_TURNS: Final = 4  # sentences before that the language model sees


async def once(whole: T) -> AsyncGenerator[T, None]:
    """Make a text (or a recording) that is all there into one that arrives."""
    yield whole


async def limited(text: AsyncIterator[str], limit: int) -> AsyncGenerator[str, None]:
    """Pass a text on; raises TooLarge beyond ``limit`` characters."""
    length = 0
    async for part in text:
        length += len(part)
        if length > limit:
            raise TooLarge(f"A text may have {limit} characters (limits.text).")
        yield part


async def sliced(text: AsyncIterator[str]) -> AsyncGenerator[str, None]:
    """Pass a text on in parts that take next to no time; the event loop has its turn after each :data:`_SLICE`."""
    passed = 0
    async with AsyncExitStack() as stack:
        if isinstance(text, AsyncGenerator):
            await stack.enter_async_context(aclosing(text))
        async for part in text:
            for start in range(0, len(part), _SLICE):
                cut = part[start : start + _SLICE]
                yield cut
                passed += len(cut)
                if passed >= _SLICE:
                    passed = 0
                    await asyncio.sleep(0)


async def split(text: AsyncIterator[str], limit: int) -> AsyncGenerator[str, None]:
    """Cut a text into its sentences, without marks, while it arrives; raises TooLarge beyond ``limit`` characters."""
    cleaner, splitter = Cleaner(), SentenceSplitter()
    async with aclosing(sliced(limited(text, limit))) as parts:
        async for part in parts:
            for sentence in splitter.feed(cleaner.feed(part)):
                yield sentence
    for sentence in splitter.feed(cleaner.finish()) + splitter.finish():
        yield sentence


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of the optional steps a request wants; None: as config.yml says."""

    llm: bool | None = None
    stress: bool | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A segment after each step before speech; a step that is off leaves it as it was."""

    voice: Voice
    clean: str
    """A sentence without marks of Markdown, emoji and addresses."""
    normalized: str
    """Numbers and the like as words; stress marks that a user wrote are U+0301."""
    spoken: str
    """As the voice's engine gets it, with stress marks as it understands them."""


Retold = Callable[[str, str], None]
"""Told a sentence as it was written, and the language model's words for it."""


class Steps:
    """What becomes of a text before an engine gets it, by what the voice can read."""

    def __init__(self, settings: Settings, pool: Pool, catalogue: Callable[[], Catalogue], llm: Llm) -> None:
        self._settings = settings
        self._llm = llm
        self._stress = Stress(settings, pool, catalogue)
        self._warm: set[str] = set()  # languages whose normaliser is loaded

    async def warm(self) -> None:
        """Load what the user's languages are spelled out with, so that the first request does not wait for it."""
        for language in self._settings.languages:
            await self._load(language)
        self._stress.warm()
        if self._settings.text.llm.use_llm_tts or self._settings.text.llm.use_llm_stt:
            await self._llm.warm()

    def retells(self, wanted: Wanted) -> bool:
        """Tell whether the language model rewrites the text."""
        return self._settings.text.llm.use_llm_tts if wanted.llm is None else wanted.llm

    async def retold(
        self, text: AsyncIterator[str], language: str | None, told: Retold | None = None
    ) -> AsyncGenerator[str, None]:
        """Have the language model rewrite a text, one sentence after another, while it arrives.

        The model sees the sentences before and what it made of them. A sentence that it makes nothing useful of comes
        as it was, so none is lost and none is said twice. What it did rewrite is a paragraph of its own: its sentence
        is over, and is spoken before the next one is asked for.
        """
        pieces, before = Pieces(), deque[Turn](maxlen=_TURNS)
        async with aclosing(sliced(text)) as parts:
            async for part in parts:
                for space, sentence in pieces.feed(part):
                    yield space + await self._retell(sentence, language, before, told)
        for space, sentence in pieces.finish():
            yield space + await self._retell(sentence, language, before, told)

    async def _retell(self, sentence: str, language: str | None, before: deque[Turn], told: Retold | None) -> str:
        if not any(map(str.isalnum, sentence)):
            return sentence
        languages = self._settings.languages
        tag = language or language_of(sentence, languages) or languages[0]
        reply = await self._llm.reply("tts", tag, sentence, before=tuple(before))
        if told is not None:
            told(sentence, reply or sentence)
        if reply is None:
            return sentence
        before.append((sentence, reply))
        return f"{reply}\n\n"

    async def apply(self, sentence: str, asked: str | None, voice: Voice, wanted: Wanted) -> Prepared:
        """Spell out what is not words, in the language that is asked for, else the sentence's own, else the voice's.

        Stressed vowels are marked as the voice understands it; marks that a user wrote are kept, or dropped for a
        voice that understands none.
        """
        if not voice.languages:
            return Prepared(voice, sentence, sentence, sentence)
        language = asked or language_of(sentence, voice.languages) or voice.languages[0]
        stressed = has_stress(language)
        words = protect(sentence) if stressed else sentence
        if self._settings.text.normalize:
            await self._load(language)
            words = normalize(words, language, voice.reads)
        spoken = await self._stress.mark(words, language, voice, wanted.stress) if stressed else words
        return Prepared(voice, sentence, words, spoken)

    async def _load(self, language: str) -> None:
        if self._settings.text.normalize and language not in self._warm:
            await asyncio.to_thread(warm, language)
            self._warm.add(language)
