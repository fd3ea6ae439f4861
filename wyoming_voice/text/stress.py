"""Stress marks in Russian text: ``+`` before a vowel, U+0301 after it, and the marks that a user wrote.

Between the steps a mark is U+0301, which the normaliser leaves alone (it would read ``+`` as «плюс»). The stress engine
speaks ``+``; a voice gets what it understands. Pure functions.
"""

import re
from typing import Final, Literal

Mark = Literal["+", "\u0301"]

ACUTE: Final = "\u0301"
_VOWEL: Final = "аеёиоуыэюяіїєАЕЁИОУЫЭЮЯІЇЄ"
_LETTER: Final = "а-яёіїєґ"
_BY_HAND: Final = re.compile(
    rf"(?<![\w+])(?:\+[{_VOWEL}](?![\w+])|(?=[{_LETTER}+]*[{_LETTER}]{{2}})[{_LETTER}+]*\+[{_VOWEL}][{_LETTER}+]*)",
    re.IGNORECASE,
)
"""A marked word; of those as short as a sum («х+у») only what begins with its mark («+я»)."""
_PLUS: Final = re.compile(rf"\+([{_VOWEL}])")
_AFTER: Final = re.compile(rf"([{_VOWEL}]){ACUTE}")
_WORD: Final = re.compile(r"[\w+]+")


def protect(text: str) -> str:
    """Turn ``+`` marks that a user wrote («зам+ок», «+озеро») into U+0301; a sum («2+2», «А+О», «C++») stays."""
    return _BY_HAND.sub(lambda word: _PLUS.sub(rf"\1{ACUTE}", word[0]), text)


def marked(text: str) -> str:
    """Turn U+0301 after a vowel into ``+`` before it, as the stress engine reads and writes it."""
    return _AFTER.sub(r"+\1", text)


def bare(text: str) -> str:
    """Take the marks off."""
    return _PLUS.sub(r"\1", text).replace(ACUTE, "")


def spell(text: str, mark: Mark | None) -> str:
    """Write ``+`` marks as a voice understands them; None: it understands none."""
    if mark == "+":
        return text
    return _PLUS.sub(rf"\1{ACUTE}", text) if mark == ACUTE else bare(text)


def merge(sentence: str, rewritten: str) -> str:
    """Take over what a stress engine made of a sentence, as far as the words are the same; both with ``+`` marks.

    Only marks may be new, and ``ё`` for ``е``. A word that had a mark keeps it; a sentence that has other words now
    keeps all its own.
    """
    words, spaces = _WORD.findall(rewritten), _WORD.split(rewritten)
    if spaces != _WORD.split(sentence):
        return sentence
    own = _WORD.findall(sentence)
    if any(_letters(mine) != _letters(its) for mine, its in zip(own, words, strict=True)):
        return sentence
    chosen = [mine if _PLUS.search(mine) else its for mine, its in zip(own, words, strict=True)]
    parts = [part for pair in zip(spaces, [*chosen, ""], strict=True) for part in pair]
    return "".join(parts)


def _letters(word: str) -> str:
    return _PLUS.sub(r"\1", word).replace("ё", "е").replace("Ё", "Е")
