"""The Russian rules in the order in which they are tried."""

import re
from typing import Final

from wyoming_voice.text.reading import Sentence, alternatives, read

from . import code, date, grammar, ordinal, quantity, roman, sign, word
from .abbreviation import PHRASES, PLACES, WORDS

_DOTTED: Final = alternatives({*PHRASES, *WORDS, *PLACES}).replace(" ?", r"\ ?")
_BEGINS: Final = re.compile(
    rf"""
    (?P<number>(?<![^\W_])[0-9A-Fa-f]{{2}}(?=[:-][0-9A-Fa-f]{{2}}[:-])
        |(?<!\w)[+\-−–±]?(?:[$€£₽¥₸₴₿₺₾]\ ?)?\d++|[$€£¥₸₴₿₺₾]\ ?\d++|\d++|[½⅓⅔¼¾⅕⅖⅗⅘⅙⅛⅜⅝⅞])
    |(?P<latin>[A-Za-zÀ-ÖØ-öø-ÿ]++)
    |(?P<word>(?<![\w.-])(?i:{_DOTTED}|(?:пн|вт|ср|чт|пт|сб|вс)\.?\ ?[-–—])(?<=[.\w–—-])
        |(?<!\w)[А-ЯЁ]{{2,6}}(?![А-ЯЁа-яё])|(?<!\w)вв?\.|(?<!\w)(?:{sign.LONE_UNITS})(?![^\W_]|[/·])|(?<!\w)[ХІ]{{1,3}}(?!\w))
    |(?P<sign>[&№\#%₽$€°+−=~≈§×÷±<>≤≥≠∞√²³]|(?<=[\d)]\ )[/*](?=\ [\d(]))
    """,
    re.VERBOSE,
)
_RULES: Final = {
    "number": (
        *date.DATES, *code.CODES, *date.TIMES, *date.YEARS, *code.MODELS,
        *quantity.PRODUCTS, *quantity.FRACTIONS, *ordinal.ORDINALS,
        *quantity.QUANTITIES, *code.MIXED, *quantity.LEFT,
    ),
    "latin": (*sign.UNIT_WORDS, *roman.ROMANS, *code.LATIN),
    "word": word.WORD_RULES,
    "sign": sign.SIGNS,
}  # fmt: skip


def russian(sentence: Sentence) -> str:
    """Read a Russian sentence."""
    return read(sentence, _BEGINS, _RULES)


warm = grammar.warm
