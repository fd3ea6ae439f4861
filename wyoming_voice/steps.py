"""The steps from a text to what an engine gets: clean sentences while it arrives, spelled out, with stress marks."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final, TypeVar

from .config import Settings
from .errors import TooLarge
from .pool import Pool
from .text.clean import Cleaner
from .text.normalize import normalize, warm
from .text.script import language_of
from .text.split import SentenceSplitter
from .voices import Voice

T = TypeVar("T")

_SLICE: Final = 4000  # characters that are cleaned and split before the event loop has its turn again


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


async def split(text: AsyncIterator[str], limit: int) -> AsyncGenerator[str, None]:
    """Cut a text into its sentences, without marks, while it arrives; raises TooLarge beyond ``limit`` characters."""
    cleaner, splitter = Cleaner(), SentenceSplitter()
    async with aclosing(limited(text, limit)) as parts:
        async for part in parts:
            for start in range(0, len(part), _SLICE):
                for sentence in splitter.feed(cleaner.feed(part[start : start + _SLICE])):
                    yield sentence
                if len(part) > _SLICE:
                    await asyncio.sleep(0)
    for sentence in splitter.feed(cleaner.finish()) + splitter.finish():
        yield sentence


class Steps:
    """What becomes of a sentence before an engine gets it, by what the voice can read."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self._settings = settings
        self._pool = pool
        self._warm: set[str] = set()  # languages whose normaliser is loaded

    async def warm(self) -> None:
        """Load what the user's languages are spelled out with, so that the first request does not wait for it."""
        for language in self._settings.languages:
            await self._load(language)

    async def apply(self, sentence: str, asked: str | None, voice: Voice) -> str:
        """Spell out what is not words, in the language that is asked for, else the sentence's own, else the voice's."""
        if not voice.languages:
            return sentence
        language = asked or language_of(sentence, voice.languages) or voice.languages[0]
        if self._settings.text.normalize:
            await self._load(language)
            sentence = normalize(sentence, language, voice.reads)
        return sentence

    async def _load(self, language: str) -> None:
        if self._settings.text.normalize and language not in self._warm:
            await asyncio.to_thread(warm, language)
            self._warm.add(language)
