"""What becomes of a transcript after recognition: expected names, a language model's corrections, numbers in digits.

Each step is off unless config.yml or the request wants it, and none stands in the way: what fails leaves the text as it
was.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from .config import Settings
from .llm import Llm, Turn
from .text.inverse import digits
from .text.piece import Pieces
from .text.script import language_of
from .text.terms import correct

_AT_ONCE: Final = 800
"""Characters of a transcript that a language model is given at once: its answer has to fit into ``max_tokens``."""
_TURNS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """Which of the steps after recognition a request wants; None: as config.yml says."""

    correct_terms: bool | None = None
    llm: bool | None = None
    digits: bool | None = None


class Polish:
    """The steps, in their order."""

    def __init__(self, settings: Settings, llm: Llm) -> None:
        self._settings = settings
        self._llm = llm

    async def apply(
        self, text: str, language: str | None, finish: Finish, *, prompt: str | None = None, terms: Sequence[str] = ()
    ) -> str:
        """Return a transcript as it is to be read; ``language`` None: by its letters."""
        hearing, model = self._settings.listening, self._settings.text.llm
        languages = self._settings.languages
        tag = language or language_of(text, languages) or languages[0]
        terms = (*terms, *hearing.terms)
        if terms and _wanted(finish.correct_terms, hearing.correct_terms):
            text = await asyncio.to_thread(correct, text, terms, tag)
        if _wanted(finish.llm, model.use_llm_stt):
            text = await self._mended(text, tag, prompt or "", terms)
        if _wanted(finish.digits, hearing.digits):
            text = await asyncio.to_thread(digits, text, tag)
        return text

    async def _mended(self, text: str, language: str, context: str, terms: Sequence[str]) -> str:
        before: list[Turn] = []
        parts: list[str] = []
        for space, passage in _passages(text):
            reply = None
            if any(map(str.isalnum, passage)):
                reply = await self._llm.reply(
                    "stt", language, passage, before=before[-_TURNS:], context=context, terms=terms
                )
            if reply is not None:
                before.append((passage, reply))
            parts += (space, passage if reply is None else reply)
        return "".join(parts)


def _wanted(asked: bool | None, by_config: bool) -> bool:
    return by_config if asked is None else asked


def _passages(text: str) -> Iterator[tuple[str, str]]:
    """Yield pairs of white space and a passage of whole sentences; joined, they are the text."""
    pieces = Pieces()
    before, passage = "", ""
    for space, sentence in [*pieces.feed(text), *pieces.finish()]:
        if passage and len(passage) + len(space) + len(sentence) > _AT_ONCE:
            yield before, passage
            before, passage = space, sentence
        elif passage:
            passage += space + sentence
        else:
            before, passage = before + space, sentence
    yield before, passage
