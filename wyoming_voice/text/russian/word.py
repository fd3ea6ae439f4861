"""Abbreviations, initialisms, Roman numerals and signs in a Russian sentence."""

import re
from typing import Final

from wyoming_voice.text.reading import Sentence, alternatives, rule

from . import roman, sign
from .abbreviation import CAPITAL_AFTER, NUMBER_AFTER, PHRASES, PLACES, WORDS, place
from .lexicon import CASES_AFTER, LETTERS, SPELLED

_PREPOSITION: Final = re.compile(r"(?:^|[^\w-])([а-я]+) $", re.IGNORECASE)
_LAST_WORD: Final = re.compile(r"([А-ЯЁа-яё]+)[ \u00a0]$")
_VOWEL: Final = re.compile("[АЕЁИОУЫЭЮЯ]")


def _cased(source: str, words: str) -> str:
    return words[0].upper() + words[1:] if source[0].isupper() else words


def _phrase(match: re.Match[str], sentence: Sentence) -> str | None:
    """«т. е.», «и т. д.»"""
    if not match[0][1:].islower():
        return None  # «И. О. Иванов»
    key = re.sub(r"(?<=\.)(?=\w)", " ", match[0].lower())
    said = PHRASES.get(key)
    return None if said is None else _cased(match[0], said) + sentence.stop(match)


def _word(match: re.Match[str], sentence: Sentence) -> str | None:
    """«напр.», «кол-во»."""
    said = WORDS.get(match[0].lower())
    if said is None or (match[0].lower() == "вс." and not sentence.stop(match)):
        return None
    return _cased(match[0], said) + sentence.stop(match)


def _place(match: re.Match[str], sentence: Sentence) -> str | None:
    """«на ул. Ленина», «г. Москва», «кв. 17»."""
    key = match["place"].lower()
    if len(key) == 2 and match["place"] != key:
        return None  # «А. С. Пушкин»
    after = sentence.text[match.end() : match.end() + 2]
    named, numbered = after[:1].isupper() or after[:1] in '«"', after[:1].isdigit()
    if key in CAPITAL_AFTER and not named and not (key in NUMBER_AFTER and numbered):
        return None
    if key in NUMBER_AFTER and not numbered and not (key in CAPITAL_AFTER and named):
        return None
    if key == "г." and sentence.left(match.start()).rstrip().endswith(tuple("0123456789")):
        return None
    word, kind = PLACES[key]
    if named:
        word, kind = {"с.": ("село", "село"), "д.": ("деревня", "fя")}.get(key, (word, kind))
    elif key == "с.":
        word, kind = "страница", "улица"
    before = _PREPOSITION.search(sentence.left(match.start()))
    case = CASES_AFTER.get(before[1].lower(), "n") if before else "n"
    if sentence.left(match.start()).lower().endswith("см. "):
        case = "a"
    gap = match["gap"] or (" " if after[:1].isalnum() else sentence.stop(match))
    return _cased(match[0], place(word, kind, case)) + gap


def _days(match: re.Match[str], sentence: Sentence) -> str:
    """«пн–пт»."""
    first, last = (_DAYS[match[name].lower()] for name in ("one", "two"))
    return f"с {first[1]} по {first_accusative(last)}{sentence.stop(match)}"


_DAYS: Final = {
    "пн": ("понедельник", "понедельника"), "вт": ("вторник", "вторника"), "ср": ("среда", "среды"),
    "чт": ("четверг", "четверга"), "пт": ("пятница", "пятницы"), "сб": ("суббота", "субботы"),
    "вс": ("воскресенье", "воскресенья"),
}  # fmt: skip


def first_accusative(day: tuple[str, str]) -> str:
    """«по пятницу»."""
    return day[0][:-1] + "у" if day[0].endswith("а") else day[0]


def _initialism(match: re.Match[str], sentence: Sentence) -> str | None:
    """«ГИБДД» is spelled, «НАТО» is a word; a shout is neither."""
    word = match["word"]
    said = SPELLED.get(word)
    if said is None and len(word) <= 6 and not _VOWEL.search(word):
        said = spell(word)
    if said is None or (len(word) > 1 and sentence.shouted and _VOWEL.search(word)):
        return None
    return said


def spell(word: str) -> str:
    """Read letter by letter: «эм-че-эс»."""
    names = ["эл" if char == "л" else LETTERS[char] for char in word.lower()]
    return "-".join(names)


_ENDS: Final = r"(?!\w|-\w)"


WORD_RULES: Final = (
    rule(rf"(?:{alternatives([*PHRASES])}){_ENDS}", _phrase, re.IGNORECASE),
    rule(r"(?P<one>пн|вт|ср|чт|пт|сб|вс)\.? ?[-–—] ?(?P<two>пн|вт|ср|чт|пт|сб|вс)(?!\w)\.?", _days, re.IGNORECASE),
    *sign.UNIT_WORDS,
    roman.CENTURY_MARK,
    rule(rf"(?P<place>{alternatives([*PLACES])})(?!\w*-\w)(?P<gap> ?)", _place, re.IGNORECASE),
    rule(rf"(?:{alternatives([*WORDS])}){_ENDS}", _word, re.IGNORECASE),
    roman.TENS,
    rule(r"(?P<word>[А-ЯЁ]{2,6})(?![А-ЯЁа-яё]|-[а-яё])", _initialism),
)  # fmt: skip
