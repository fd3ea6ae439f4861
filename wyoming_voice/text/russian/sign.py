"""Signs that stand for words in a Russian sentence, and units without a number."""

import re
from typing import Final

from wyoming_voice.text.reading import Sentence, rule

from .unit import UNITS


def _numero(match: re.Match[str], sentence: Sentence) -> str | None:
    """«№ 5», «№№ 1, 2»."""
    if not _NUMBERED.match(sentence.text, match.end()):
        return None
    left, right = sentence.left(match.start())[-1:], sentence.right(match.end())[:1]
    return ("номера" if right == "№" else "номер" if left != "№" else "") + (" " if right.isalnum() else "")


def _sign(match: re.Match[str], sentence: Sentence) -> str | None:
    """«&», «=» and other signs that stand for a word."""
    char, left, right = match[0], sentence.left(match.start())[-1:], sentence.right(match.end())[:1]
    words = _SIGN_WORDS[char]
    if char in "~≈±<>≤≥" and not re.match(r" ?[+\-−]?\d", sentence.text[match.end() : match.end() + 4]):
        return None
    if char in "+−=<>" and not (left.isspace() or left.isalnum() or left == ")"):
        return None
    if char == "+" and not (right.isspace() or right.isalnum()):
        return f"{' ' if left.isalnum() else ''}{words}"
    before = " " if left and not left.isspace() else ""
    after = " " if right and not right.isspace() else ""
    return before + words + after


_NUMBERED: Final = re.compile(r" ?(?:\d|№|[А-ЯA-Z]{1,3}[-\d])")
_SIGN_WORDS: Final = {
    "&": "и", "+": "плюс", "−": "минус", "=": "равно", "~": "примерно", "≈": "примерно", "§": "параграф", "×": "на",
    "÷": "разделить на", "±": "плюс-минус", "<": "меньше", ">": "больше", "≤": "не больше", "≥": "не меньше",
    "≠": "не равно", "∞": "бесконечность", "√": "корень из",
}  # fmt: skip


def _power(match: re.Match[str], _sentence: Sentence) -> str:
    return {"²": " в квадрате", "³": " в кубе"}[match[0]]


def _operator(match: re.Match[str], _sentence: Sentence) -> str:
    return {"/": "разделить на", "*": "умножить на"}[match[0]]


def _lone_unit(match: re.Match[str], sentence: Sentence) -> str:
    """«в км/ч»."""
    inside = re.search(r"(?<!\w)(?:в|во) $", sentence.left(match.start()), re.IGNORECASE)
    return UNITS[match[0]].declined("p" if inside else "g", plural=True)


_LONE: Final = """км/ч м/с кВт·ч кВт Вт·ч Мбит/с Гбит/с МБ/с мкг/м³ мг/м³ ГБ МБ ТБ кг мм см км Вт гПа ГГц МГц кГц Гц дБ
    kWh kW km/h m/s Mbit/s Mbps Gbit/s hPa kPa GHz MHz Hz dB ppm lx °C °F""".split()
LONE_UNITS: Final = "|".join(sorted(map(re.escape, _LONE), key=len, reverse=True))
UNIT_WORDS: Final = (rule(rf"(?:{LONE_UNITS})(?![^\W_]|[/·])", _lone_unit),)
SIGNS: Final = (
    rule("[²³]", _power),
    rule("[/*]", _operator),
    rule("°[CF](?!\\w)", _lone_unit),
    rule("[№#]", _numero),
    rule("[%₽$€°](?![^\\W_])", _lone_unit),
    rule("[&+−=~≈§×÷±<>≤≥≠∞√]", _sign),
)
