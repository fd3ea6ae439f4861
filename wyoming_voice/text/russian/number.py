"""Russian numerals in every case and gender, by num2words, whose slips with millions and the accusative are mended."""

from functools import cache, lru_cache
from typing import Any, Final, Literal

Case = Literal["n", "g", "d", "a", "i", "p"]
"""Nominative, genitive, dative, accusative, instrumental, prepositional, as num2words calls them."""
Gender = Literal["m", "f", "n"]

LARGEST: Final = 10**15
"""Longer numbers are read digit by digit."""

_ZERO: Final[dict[Case, str]] = {"n": "ноль", "g": "нуля", "d": "нулю", "a": "ноль", "i": "нулём", "p": "нуле"}
_DIGITS: Final = "ноль один два три четыре пять шесть семь восемь девять".split()
_PARTS: Final = ("", "десят", "сот", "тысячн")  # of a decimal with one, two, three digits
_PART_ENDS: Final = {"n": "ых", "g": "ых", "d": "ым", "a": "ых", "i": "ыми", "p": "ых"}
_ONE_ENDS: Final = {"n": "ая", "g": "ой", "d": "ой", "a": "ую", "i": "ой", "p": "ой"}


@cache
def _converter() -> Any:
    from num2words.lang_RU import Num2Word_RU  # noqa: PLC0415 - 60 ms, which the server's start need not wait for

    return Num2Word_RU()


@lru_cache(maxsize=4096)
def cardinal(number: int, case: Case = "n", gender: Gender = "m", *, animate: bool = False) -> str:
    """«пять», «двух», «двадцатью одной»; «тысяча», not «одна тысяча»."""
    if number >= LARGEST:
        return digits(str(number))
    high, low = divmod(number, 1_000_000)
    parts = []
    if high:  # the gender is that of «миллион» there
        parts.append(_converter().to_cardinal(high * 1_000_000, case=case, gender="m", animate=False))
    if low or not high:
        living = animate and number < 1000 and (number < 5 or form(number) == 1)  # «двадцать два друга» is not
        if not number:
            return _ZERO[case]
        parts.append(_thousand(_converter().to_cardinal(low, case=case, gender=gender, animate=living)))
    return " ".join(parts)


def _thousand(words: str) -> str:
    for ones in ("одна тысяча", "одной тысячи", "одной тысяче", "одну тысячу", "одной тысячей"):
        if words.startswith(ones):
            return words.partition(" ")[2]
    return words


@lru_cache(maxsize=4096)
def ordinal(number: int, case: Case = "n", gender: Gender = "m", *, plural: bool = False, animate: bool = False) -> str:
    """«пятый», «двадцать первого», «девяностые»."""
    words: str = _converter().to_ordinal(number, case=case, gender=gender, plural=plural, animate=animate)
    return _thousand(words)


def digits(text: str) -> str:
    """Read digit by digit."""
    return " ".join(_DIGITS[int(char)] for char in text)


def whole(text: str, case: Case = "n", gender: Gender = "m", *, animate: bool = False) -> str:
    """Read digits as a number, the zeros before it one by one: «ноль ноль семь»."""
    zeros = len(text) - len(text.lstrip("0")) if len(text) > 1 else 0
    if zeros == len(text) or len(text) > 15:
        return digits(text)
    words = cardinal(int(text), case, gender, animate=animate)
    return " ".join(["ноль"] * zeros + [words])


def decimal(before: str, after: str, case: Case = "n") -> str:
    """«двадцать одна целая пять десятых»; with more than three places «три запятая один четыре…»."""
    if len(after) > 3 or len(before) > 15:
        return f"{whole(before)} запятая {digits(after)}"
    parts = _PARTS[len(after)]
    return (
        f"{cardinal(int(before), case, 'f')} цел{_part_end(int(before), case)} "
        f"{cardinal(int(after), case, 'f')} {parts}{_part_end(int(after), case)}"
    )


def _part_end(number: int, case: Case) -> str:
    return _ONE_ENDS[case] if form(number) == 1 else _PART_ENDS[case]


def fraction(above: int, below: int, case: Case = "n") -> str:
    """«одна вторая», «трёх четвёртых»."""
    one = form(above) == 1
    part = ordinal(below, case, "f") if one else ordinal(below, "g" if case in "na" else case, "f", plural=True)
    return f"{cardinal(above, case, 'f')} {part}"


def joined(number: int) -> str | None:
    """Return the first part of a word: «пяти» in «пятидневный»; None where it is not written so."""
    if not 1 <= number < 1000:
        return None
    if number in {1, 90, 100}:
        return {1: "одно", 90: "девяносто", 100: "сто"}[number]
    words = cardinal(number, "g").split()
    return "".join("одно" if word == "одного" else word for word in words)


def form(number: int) -> Literal[1, 2, 5]:
    """Which form of a noun a number takes: 1 час, 2 часа, 5 часов."""
    if number % 10 == 1 and number % 100 != 11:
        return 1
    return 2 if 2 <= number % 10 <= 4 and not 12 <= number % 100 <= 14 else 5
