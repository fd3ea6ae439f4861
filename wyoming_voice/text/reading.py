"""A sentence read from left to right: at each digit, sign or word that may need it, the first rule that applies.

A rule is a pattern and what it is read as. Every pattern has an end in sight (bounded repeats, or runs that are not
given back), and what no rule reads is passed over as a whole, so the work is linear in the length of the sentence.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

LEFT: Final = 60
RIGHT: Final = 80
"""Characters on each side that a rule may look at."""

SPACE: Final = "[ \u00a0\u202f\u2009]"

_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_CYRILLIC: Final = re.compile("[а-яё]", re.IGNORECASE)
_AFTER_NUMBER: Final = re.compile(r"(?:,|,? (?:и|или|and|or)| ?[-–—])? $|[-–—]$")
_SENTENCE_END: Final = re.compile(r"[\s\"'»”’)\]]*$")


@dataclass(slots=True)
class Sentence:
    """The sentence that is being read, and what the last number was read as."""

    text: str
    reads: frozenset[str] = frozenset()
    """Foreign letters that the engine reads as speakers would: ``latin``, ``cyrillic``."""
    region: str = ""
    """The tag's second part, ``gb`` in ``en-gb``."""
    number_end: int = -1
    number_case: str = ""
    has_cyrillic: bool = False
    shouted: bool = False
    """No letter is small, so that capitals tell nothing."""

    def __post_init__(self) -> None:
        self.has_cyrillic = _CYRILLIC.search(self.text) is not None
        self.shouted = self.text.upper() == self.text and len(_WORD.findall(self.text[:RIGHT])) > 1

    def left(self, at: int) -> str:
        return self.text[max(0, at - LEFT) : at]

    def right(self, at: int) -> str:
        return self.text[at : at + RIGHT]

    def inherited(self, at: int) -> str:
        """Return the case of the number before, where this one continues it: «между 5 и 7»; "" where none does."""
        between = self.text[self.number_end : at] if 0 <= self.number_end <= at <= self.number_end + 8 else ""
        return self.number_case if _AFTER_NUMBER.fullmatch(between) else ""

    def said(self, end: int, case: str) -> None:
        """Remember the number that ends here, and its case."""
        self.number_end, self.number_case = end, case

    def stop(self, match: re.Match[str]) -> str:
        """Return the full stop of an abbreviation that ends the sentence too, or "" where it was only its own."""
        ends = match[0].endswith(".") and _SENTENCE_END.match(self.text, match.end())
        return "." if ends else ""


Reader = Callable[[re.Match[str], Sentence], str | None]
"""What a match is read as; None: not by this rule."""
Rule = tuple[re.Pattern[str], Reader]


def rule(pattern: str, reader: Reader, flags: int = 0) -> Rule:
    """Make a rule; ``flags`` are those of ``re``."""
    return re.compile(pattern, flags), reader


def ignoring_case(pattern: str | re.Pattern[str], reader: Reader) -> Rule:
    """Make a rule for which capitals do not matter."""
    return re.compile(pattern, re.IGNORECASE) if isinstance(pattern, str) else pattern, reader


def alternatives(words: Iterable[str]) -> str:
    """Return a pattern for any of these, the longest first; a space in them may be left out."""
    return "|".join(re.escape(word).replace(r"\ ", " ?") for word in sorted(words, key=lambda one: (-len(one), one)))


def read(sentence: Sentence, begins: re.Pattern[str], rules: Mapping[str, Sequence[Rule]]) -> str:
    """Read a sentence; ``begins`` finds where something may need it, its groups are named after the rules to try.

    A match of ``begins`` is as long as what is passed over when no rule applies.
    """
    text, at, out = sentence.text, 0, [""]
    for _ in range(len(text) + 1):
        found = begins.search(text, at)
        if found is None:
            break
        start = found.start()
        if start > at:
            out.append(text[at:start])
        assert found.lastgroup is not None, "every alternative has a name"
        for pattern, reader in rules[found.lastgroup]:
            match = pattern.match(text, start)
            if match is not None and match.end() > start and (words := reader(match, sentence)) is not None:
                out.append(_apart(text, match, words, out[-1]))
                at = match.end()
                break
        else:
            at = found.end()
            out.append(text[start:at])
    out.append(text[at:])
    return "".join(out)


def _apart(text: str, match: re.Match[str], words: str, before: str) -> str:
    """Set words apart from letters and digits that touch them."""
    start, end = match.span()
    first = " " if start and _joins(words[:1]) and _joins(text[start - 1]) and not before.endswith(" ") else ""
    last = " " if end < len(text) and _joins(words[-1:]) and _joins(text[end]) else ""
    return first + words + last


def _joins(char: str) -> bool:
    """Whether it is of a word or a number; «²» is neither."""
    return char.isalpha() or char.isdecimal()
