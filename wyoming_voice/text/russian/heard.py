"""Numbers that were heard in Russian, written in digits, wherever that is how people write them.

Careful: what could be a word of its own stays one. Below ten only a number of something that is counted becomes a digit
(«5 минут», not «два слова»), and bare «тысяча» or «второй» stay.
"""

import re
from dataclasses import dataclass
from typing import Final

from .numeral import Numeral, ending, numerals

_WORD: Final = re.compile(r"[^\W\d_]+")
_LONGEST: Final = 12  # words of a number
_COUNTED: Final = re.compile(
    r"(?:(?:мили|санти|кило|мега|гига|тера)?(?:метр|грамм|литр|ватт|вольт|ампер|байт|бит|герц|паскал|калори)"
    r"|час(?!т)|минут|секунд|градус|процент|рубл|копе[йе]|доллар|евро|тонн|балл)[а-яё]{0,3}|л[её]т|дн(?:я|ей|ям)"
)
_ALWAYS: Final = re.compile(r"градус[а-я]*|процент[а-я]*")
_MONTHS: Final = frozenset("января февраля марта апреля мая июня июля августа сентября октября ноября декабря".split())
_YEAR: Final = re.compile(r"год(?:а|у|ом|е|ов|ах|ы|ам)?")
_WHOLE: Final = frozenset("целых целая целой целые".split())
_PARTS: Final = {"десят": 1, "сот": 2, "тысячн": 3}
_BEFORE_TIME: Final = frozenset("в к до с после около".split())


@dataclass(frozen=True, slots=True)
class _Token:
    start: int
    end: int
    word: str
    """In small letters, with ``е`` for ``ё``."""
    numeral: Numeral | None


@dataclass(frozen=True, slots=True)
class _Number:
    first: int
    last: int
    """Of the tokens that it is made of, both included."""
    value: int
    ordinal: bool
    round: bool = False
    """It ends in millions or more."""


def written(text: str) -> str:
    """Write the numbers of a text in digits; all other words stay."""
    known = numerals()
    tokens = [
        _Token(found.start(), found.end(), word, known.get(word))
        for found in _WORD.finditer(text)
        for word in (found[0].lower().replace("ё", "е"),)
    ]
    if not any(token.numeral for token in tokens):
        return text
    parts, at, index = list[str](), 0, 0
    while index < len(tokens):
        if tokens[index].numeral is None:
            index += 1
            continue
        said, last = _Reader(text, tokens).read(index)
        if said is not None:
            start = tokens[index].start
            if index and tokens[index - 1].word == "минус" and _adjacent(text, tokens, index - 1):
                start, said = tokens[index - 1].start, f"-{said}"
            parts += (text[at:start], said)
            at = tokens[last].end
        index = last + 1
    return "".join([*parts, text[at:]])


def _adjacent(text: str, tokens: list[_Token], index: int) -> bool:
    """Tell whether nothing but a space is between a token and the next."""
    return index + 1 < len(tokens) and text[tokens[index].end : tokens[index + 1].start] in (" ", "\u00a0")


class _Reader:
    """Reads one number, from its first token on."""

    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text = text
        self._tokens = tokens

    def read(self, index: int) -> tuple[str | None, int]:
        """Return what is written for the numbers that begin here (None: the words stay), and their last token."""
        run = [self._number(index)]
        while len(run) < _LONGEST and self._is_numeral(run[-1].last + 1, run[-1].last):
            run.append(self._number(run[-1].last + 1))
        first = run[0]
        fraction = self._fraction(first)
        if fraction is not None:
            return fraction
        if len(run) >= 2 and (time := self._time(index, run)) is not None:
            return time
        if len(run) >= 3 and not any(number.ordinal for number in run):
            return " ".join(str(number.value) for number in run), run[-1].last
        return self._alone(first), first.last

    def _word(self, index: int) -> str:
        """Return the word after a token, "" where something else comes first."""
        return self._tokens[index + 1].word if _adjacent(self._text, self._tokens, index) else ""

    def _is_numeral(self, index: int, before: int) -> bool:
        return _adjacent(self._text, self._tokens, before) and self._tokens[index].numeral is not None

    def _number(self, index: int) -> _Number:
        """Read the longest number that begins with a numeral."""
        total = group = 0
        at, scale, part, ordinal, last_scale = index, 10**12, 1000, False, 0
        while at - index < _LONGEST and (at == index or self._is_numeral(at, at - 1)):
            numeral = self._tokens[at].numeral
            assert numeral is not None, "it was looked at"
            value, last_scale = numeral.value, 0
            if numeral.kind == "scale":
                if value >= scale or (numeral.ordinal and value == 2000 and at != index):
                    break
                total, group, scale, part = total + (group or 1) * value, 0, value, 1000
                last_scale = value
            else:
                if not _fits(numeral, part) or (value == 0 and at != index):
                    break
                group += value
                part = {"hundred": 100, "ten": 10, "teen": 0, "unit": 0}[numeral.kind]
            at += 1
            if numeral.ordinal or (value == 0 and numeral.kind == "unit"):
                ordinal = numeral.ordinal
                break
        return _Number(index, at - 1, total + group, ordinal, last_scale >= 10**6 and at - 1 > index)

    def _fraction(self, whole: _Number) -> tuple[str, int] | None:
        """Read «двадцать одна целая пять десятых» and «двадцать два с половиной»."""
        after = self._word(whole.last)
        if whole.ordinal:
            return None
        if after in ("с", "со") and self._word(whole.last + 1) == "половиной":
            return f"{whole.value},5", whole.last + 2
        if after not in _WHOLE:
            return None
        at = whole.last + 2 + (self._word(whole.last + 1) == "и")
        if not self._is_numeral(at, at - 1):
            return None
        over = self._number(at)
        name = self._tokens[over.last].word if over.ordinal and over.last > at else self._word(over.last)
        end = over.last if over.ordinal and over.last > at else over.last + 1
        digits = next((count for stem, count in _PARTS.items() if name.startswith(stem)), 0)
        value = self._number_before(at, end)
        if not digits or value is None or value >= 10**digits:
            return None
        return f"{whole.value},{value:0{digits}}", end

    def _number_before(self, first: int, end: int) -> int | None:
        """Return the number that the tokens from first up to the denominator are."""
        values = [token.numeral for token in self._tokens[first:end]]
        if not values or any(one is None or one.ordinal or one.kind == "scale" for one in values):
            return None
        return sum(one.value for one in values if one is not None)

    def _time(self, index: int, run: list[_Number]) -> tuple[str, int] | None:
        """Read «в семь тридцать» and «в семь ноль пять»."""
        if not index or self._tokens[index - 1].word not in _BEFORE_TIME or run[0].value > 23 or run[0].ordinal:
            return None
        rest = run[1:]
        if rest[0].value == 0 and len(rest) > 1 and rest[1].value < 10:
            minutes, last, count = rest[1].value, rest[1], 2
        else:
            minutes, last, count = rest[0].value, rest[0], 1
        fits = len(rest) == count and not last.ordinal and (10 <= minutes < 60 or count == 2)
        return (f"{run[0].value}:{minutes:02}", last.last) if fits and not self._counts(last.last) else None

    def _counts(self, index: int) -> bool:
        return _COUNTED.fullmatch(self._word(index)) is not None

    def _alone(self, number: _Number) -> str | None:
        after, last = self._word(number.last), self._tokens[number.last].word
        if number.ordinal:
            return self._ordinal(number, after, last)
        single = number.first == number.last
        if number.round:
            name = self._text[self._tokens[number.last].start : self._tokens[number.last].end]
            scale = numerals()[last].value
            return f"{number.value // scale} {name}" if number.value % scale == 0 else str(number.value)
        if single and number.value >= 1000:
            return None
        if single and number.value == 1:
            return "1" if _ALWAYS.fullmatch(after) else None
        if single and (number.value < 10 or last == "сорока"):
            minus = number.first > 0 and self._tokens[number.first - 1].word == "минус"
            return str(number.value) if minus or self._counts(number.last) else None
        return str(number.value)

    def _ordinal(self, number: _Number, after: str, last: str) -> str | None:
        if after in _MONTHS and 0 < number.value < 32:
            return str(number.value)
        if number.value >= 1000 and _YEAR.fullmatch(after):
            return str(number.value)
        if number.first and last in ("десятых", "сотых", "десятая", "сотая", "тысячных", "тысячная"):
            return None  # what is left of a fraction
        # «сотый», «тысячный» and all below ten are words of their own
        if number.value < 10 or (number.first == number.last and number.value >= 100):
            return None
        return f"{number.value}-{ending(last)}"


def _fits(numeral: Numeral, part: int) -> bool:
    """Tell whether a numeral can follow in a number whose rest is below ``part``."""
    if numeral.kind == "teen":
        return part >= 100
    return {"hundred": 1000, "ten": 100, "unit": 10}[numeral.kind] <= part
