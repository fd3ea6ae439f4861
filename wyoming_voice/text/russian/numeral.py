"""Russian numerals in all their cases: what each word is worth. Made of stems, no dictionary is loaded."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

Kind = Literal["unit", "teen", "ten", "hundred", "scale"]


@dataclass(frozen=True, slots=True)
class Numeral:
    """A word of a number."""

    value: int
    kind: Kind
    ordinal: bool = False


_CARDINALS: Final = """
0 ноль ноля нолю нолём ноле нуль нуля нулю нулём нуле
1 один одна одно одного одной одному одну одним одном
2 два две двух двум двумя
3 три трёх трём тремя
4 четыре четырёх четырём четырьмя
5 пять пяти пятью
6 шесть шести шестью
7 семь семи семью
8 восемь восьми восемью восьмью
9 девять девяти девятью
40 сорок сорока
90 девяносто девяноста
100 сто ста
200 двести двухсот двумстам двумястами двухстах
300 триста трёхсот трёмстам тремястами трёхстах
400 четыреста четырёхсот четырёмстам четырьмястами четырёхстах
1000 тысяча тысячи тысяче тысячу тысячей тысячью тысяч тысячам тысячами тысячах
1000000 миллион миллиона миллиону миллионом миллионе миллионы миллионов миллионам миллионами миллионах
1000000000 миллиард миллиарда миллиарду миллиардом миллиарде миллиарды миллиардов миллиардам миллиардами миллиардах
"""
_SOFT: Final = {
    10: "десят", 11: "одиннадцат", 12: "двенадцат", 13: "тринадцат", 14: "четырнадцат", 15: "пятнадцат",
    16: "шестнадцат", 17: "семнадцат", 18: "восемнадцат", 19: "девятнадцат", 20: "двадцат", 30: "тридцат",
}  # fmt: skip
_TENS: Final = {50: ("пять", "пяти", "пятью"), 60: ("шесть", "шести", "шестью"), 70: ("семь", "семи", "семью"),
                80: ("восемь", "восьми", "восемью")}  # fmt: skip
_HUNDREDS: Final = {500: ("пять", "пяти", "пятью"), 600: ("шесть", "шести", "шестью"), 700: ("семь", "семи", "семью"),
                    800: ("восемь", "восьми", "восемью"), 900: ("девять", "девяти", "девятью")}  # fmt: skip
_ORDINALS: Final = {
    1: "перв", 2: "втор", 4: "четвёрт", 5: "пят", 6: "шест", 7: "седьм", 8: "восьм", 9: "девят",
    40: "сороков", 50: "пятидесят", 60: "шестидесят", 70: "семидесят", 80: "восьмидесят", 90: "девяност",
    100: "сот", 200: "двухсот", 300: "трёхсот", 400: "четырёхсот", 500: "пятисот", 600: "шестисот", 700: "семисот",
    800: "восьмисот", 900: "девятисот", 1000: "тысячн", 2000: "двухтысячн", **_SOFT,
}  # fmt: skip
_ENDINGS: Final = "ый ой ого ому ым ом ая ую ое ые ых ыми".split()
_THIRD: Final = "третий третьего третьему третьим третьем третья третьей третью третье третьи третьих третьими".split()


@cache
def numerals() -> dict[str, Numeral]:
    """Return all words of numbers, in small letters and with ``е`` for ``ё``."""
    cardinals = {word.replace("ё", "е"): Numeral(value, kind_of(value)) for value, word in _cardinals()}
    ordinals = {word.replace("ё", "е"): Numeral(value, kind_of(value), ordinal=True) for value, word in _ordinals()}
    return ordinals | cardinals


def _cardinals() -> Iterator[tuple[int, str]]:
    for line in _CARDINALS.strip().split("\n"):
        first, *words = line.split()
        yield from ((int(first), word) for word in words)
    for value, stem in _SOFT.items():
        yield from ((value, stem + end) for end in ("ь", "и", "ью"))
    for value, (plain, oblique, instrumental) in _TENS.items():
        yield from ((value, word) for word in (f"{plain}десят", f"{oblique}десяти", f"{instrumental}десятью"))
    for value, (plain, oblique, instrumental) in _HUNDREDS.items():
        forms = (f"{plain}сот", f"{oblique}сот", f"{oblique}стам", f"{instrumental}стами", f"{oblique}стах")
        yield from ((value, word) for word in forms)


def _ordinals() -> Iterator[tuple[int, str]]:
    yield from ((value, stem + end) for value, stem in _ORDINALS.items() for end in _ENDINGS)
    yield from ((3, word) for word in _THIRD)


def kind_of(value: int) -> Kind:
    """Tell what part of a number has this value."""
    if value < 10:
        return "unit"
    if value < 20:
        return "teen"
    return "ten" if value < 100 else "hundred" if value < 1000 else "scale"


def ending(word: str) -> str:
    """Return what is written after the digits of an ordinal: «21-го»; after a vowel one letter, else two."""
    return word[-1] if word[-2] in "аеёиоуыэюяй" or word[-2:] in ("ья", "ье", "ью", "ьи") else word[-2:]
