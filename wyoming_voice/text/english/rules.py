"""The English rules in the order in which they are tried."""

import re
from typing import Final

from wyoming_voice.text.reading import Sentence, read

from . import code, date, quantity, word

_BEGINS: Final = re.compile(
    r"""
    (?P<number>(?<![^\W_])[0-9A-Fa-f]{2}(?=[:-][0-9A-Fa-f]{2}[:-])
        |(?<![\w.])[+\-−–±]?(?:(?:US\$|[$€£₽¥₸₴₿₺₹])\ ?)?\.?\d++|(?:US\$|[$€£₽¥₸₴₿₺₹])\ ?\d++
        |['’(]?\d++|[½⅓⅔¼¾⅕⅖⅗⅘⅙⅛⅜⅝⅞])
    |(?P<latin>(?<![^\W_])[A-Za-z]++)
    |(?P<cyrillic>[А-Яа-яЁё]++)
    |(?P<sign>[&№\#%$€£¥₽°+=~≈§×÷±<>≤≥≠∞√²³]|(?<=[\d)]\ )[/*](?=\ [\d(]))
    """,
    re.VERBOSE,
)
_RULES: Final = {
    "number": (
        *date.DATES, word.ALWAYS, *code.CODES, *code.MODELS, *quantity.FRACTIONS,
        *quantity.QUANTITIES, *code.MIXED, *quantity.LEFT,
    ),
    "latin": (*word.UNIT_WORDS, *date.MONTHS_FIRST, *word.LATIN),
    "cyrillic": word.CYRILLIC_WORDS,
    "sign": word.SIGNS,
}  # fmt: skip


def english(sentence: Sentence) -> str:
    """Read an English sentence."""
    return read(sentence, _BEGINS, _RULES)
