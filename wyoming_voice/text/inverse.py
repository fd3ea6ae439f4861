"""Numbers that were heard as words, written in digits: «двадцать пять градусов», "twenty-one point five degrees".

Looked at: text2num 3 is exact and quick for English and others, but has no Russian; its last release with Russian (2.5)
knows numerals in the nominative only and makes «20 первого мая» of the 21st. damga brings 128 MB of transducers;
nemo_text_processing needs pynini. So English is text2num with what it leaves open, and Russian is our own.
"""

import re
from typing import Final

_DIGITS: Final = 10
"""Below this a number that stands alone stays a word, unless something is measured by it."""
_ARTICLE: Final = re.compile(r"\ba(?= (?:hundred|thousand|million|billion)\b)", re.IGNORECASE)
_YEAR: Final = re.compile(r"(?<![\d.,:-])(1[1-9]|20) (\d\d)(?![\d.,:]?\d|%| (?:percent|degrees|minutes|hours))")
_YEAR_BEFORE: Final = re.compile(
    r"\b(?:in|since|until|from|by|of|year|before|after|january|february|march|april|may|june|july|august|september"
    r"|october|november|december|\d(?:st|nd|rd|th),?) $",
    re.IGNORECASE,
)
_TIME: Final = re.compile(
    r"(?P<before>\b(?:at|by|until|till|before|after|from|for) )?(?<![\d.,:])"
    r"(?P<hours>\d|1\d|2[0-3]) (?P<minutes>[1-5]\d)"
    r"(?!\d|[.,:]\d| (?:percent|degrees|minutes|hours|seconds|dollars))(?P<half> ?[ap]\.? ?m\b)?"
)
_SMALL: Final = re.compile(
    r"\b(zero|one|two|three|four|five|six|seven|eight|nine)(?= (?:percent|degrees?|minutes?|hours?|seconds?|o['’]clock"
    r"|a\.?m\b|p\.?m\b|meters?|metres?|kilomet(?:er|re)s?|miles?|grams?|kilograms?|kilos?|lit(?:er|re)s?|watts?|dollars?"
    r"|euros?|pounds?)\b)",
    re.IGNORECASE,
)
_MINUS: Final = re.compile(r"\bminus (?=\d)", re.IGNORECASE)
_VALUES: Final = {
    word: str(value)
    for value, word in enumerate("zero one two three four five six seven eight nine".split())
}  # fmt: skip


def digits(text: str, language: str) -> str:
    """Write the numbers of a transcript in digits; text in a language without rules comes back as it is."""
    first = language.lower().replace("_", "-").partition("-")[0]
    if first == "ru":
        from .russian.heard import written  # noqa: PLC0415 - a server that hears no Russian needs no Russian numerals

        return written(text)
    return _english(text) if first == "en" else text


def _english(text: str) -> str:
    from text_to_num import alpha2digit  # noqa: PLC0415 - only for those who want digits

    found = alpha2digit(_ARTICLE.sub("one", text), "en", threshold=_DIGITS - 1)
    found = _SMALL.sub(lambda small: _VALUES[small[1].lower()], found)
    found = _TIME.sub(_time, found)
    found = _YEAR.sub(lambda year: _year(year, found), found)
    return _MINUS.sub("-", found)


def _time(time: re.Match[str]) -> str:
    if time["before"] is None and time["half"] is None:
        return time[0]
    return f"{time['before'] or ''}{time['hours']}:{time['minutes']}{time['half'] or ''}"


def _year(year: re.Match[str], text: str) -> str:
    return year[1] + year[2] if _YEAR_BEFORE.search(text[max(0, year.start() - 16) : year.start()]) else year[0]
