"""English numerals, by num2words without its commas; the "and" of British English where the region asks for it."""

from functools import cache, lru_cache
from typing import Any, Final

LARGEST: Final = 10**15
"""Longer numbers are read digit by digit."""

_DIGITS: Final = "zero one two three four five six seven eight nine".split()


@cache
def _converter() -> Any:
    from num2words.lang_EN import Num2Word_EN  # noqa: PLC0415 - 60 ms, which the server's start need not wait for

    return Num2Word_EN()


@lru_cache(maxsize=4096)
def cardinal(number: int, *, british: bool = False) -> str:
    """Read "two thousand twenty-six"."""
    if number >= LARGEST:
        return digits(str(number))
    words: str = _converter().to_cardinal(number).replace(",", "")
    return words if british else words.replace(" and ", " ")


@lru_cache(maxsize=4096)
def ordinal(number: int) -> str:
    """Read "twenty-first"."""
    words: str = _converter().to_ordinal(number).replace(",", "").replace(" and ", " ")
    return words.removeprefix("one ") if words in {"one hundredth", "one thousandth"} else words


def year(number: int) -> str:
    """Read "twenty twenty-six", "nineteen oh five", "two thousand nine"."""
    high, low = divmod(number, 100)
    if not 1010 <= number <= 2999 or 2000 <= number <= 2009 or (low == 0 and high % 10 == 0):
        return cardinal(number)
    if low == 0:
        return f"{cardinal(high)} hundred"
    return f"{cardinal(high)} {'oh ' if low < 10 else ''}{cardinal(low)}"


def digits(text: str) -> str:
    """Read digit by digit."""
    return " ".join(_DIGITS[int(char)] for char in text)


def whole(text: str, *, british: bool = False) -> str:
    """Read digits as a number; one that begins with a zero or is very long, digit by digit."""
    if len(text) > 15 or (len(text) > 1 and text[0] == "0"):
        return digits(text)
    return cardinal(int(text), british=british)


def decimal(before: str, after: str) -> str:
    """Read "three point one four"."""
    return f"{whole(before)} point {digits(after)}"


def fraction(above: int, below: int) -> str:
    """Read "one half", "three quarters", "two fifths"."""
    special = {2: ("half", "halves"), 4: ("quarter", "quarters")}
    one, many = special.get(below, (ordinal(below), ordinal(below) + "s"))
    return f"{cardinal(above)} {one if above == 1 else many}"


def decade(words: str) -> str:
    """Return the plural: "nineties", "nineteen hundreds"."""
    return words[:-1] + "ies" if words.endswith("y") else words + "s"
