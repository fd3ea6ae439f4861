"""Dates and times of day."""

import re
from typing import Final

from wyoming_voice.text.reading import Sentence, ignoring_case

from .lexicon import MONTH_NAMES, MONTHS
from .number import cardinal, ordinal, year

_MARK: Final = re.compile(r"([ap])\.? ?m\b", re.IGNORECASE)


def _date(month: int, day: int, years: str | None) -> str | None:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return f"{MONTHS[month - 1]} {ordinal(day)}{_year(years)}"


def _year(years: str | None) -> str:
    if not years:
        return ""
    full = years if len(years) == 4 else ("20" if int(years) < 70 else "19") + years
    return f", {year(int(full))}"


def _iso(match: re.Match[str], _sentence: Sentence) -> str | None:
    spoken = _date(int(match["month"]), int(match["day"]), match["year"])
    return spoken and spoken + (" " if match["clock"] else "")


def _slashed(match: re.Match[str], sentence: Sentence) -> str | None:
    """Read "1/2/2026": the month first, but in British English and where it can only be the day."""
    first, second = int(match[1]), int(match[2])
    day_first = first > 12 or (sentence.region not in {"", "us"} and second <= 12)
    return _date(*((second, first) if day_first else (first, second)), match[3])


def _dotted(match: re.Match[str], _sentence: Sentence) -> str | None:
    """Read "01.02.2026": nobody writes the month first with full stops."""
    return _date(int(match[2]), int(match[1]), match[3])


def _worded(match: re.Match[str], sentence: Sentence) -> str | None:
    """Read "Jan 5, 2026", "5 January 2026", "July 4th", "May 5-7"."""
    month = MONTH_NAMES[match["month"].lower().rstrip(".")]
    day = int(match["day"])
    if not 1 <= day <= 31:
        return None
    last = f" to {ordinal(int(match['last']))}" if match["last"] else ""
    years = f"{_year(match['year'])}"
    stop = sentence.stop(match) if match[0].endswith(".") else ""
    if match.re is _DAY_FIRST:
        return (
            f"{'' if _THE.search(sentence.left(match.start())) else 'the '}{ordinal(day)}{last} of {month}{years}{stop}"
        )
    return f"{month} {ordinal(day)}{last}{years}{stop}"


_THE: Final = re.compile(r"(?<!\w)(?:the|this|every|each) $", re.IGNORECASE)


def _month_year(match: re.Match[str], _sentence: Sentence) -> str:
    """Read "Jan 2026"."""
    return f"{MONTH_NAMES[match['month'].lower().rstrip('.')]} {year(int(match['year']))}"


def _time(match: re.Match[str], sentence: Sentence) -> str | None:
    """Read "7:05", "19:30:15", "7:30 pm"."""
    hour, minute = int(match["hour"]), int(match["minute"])
    mark = _half(match["half"])
    if match["second"]:
        seconds = "second" if match["second"] == "01" else "seconds"
        spoken = f"{cardinal(hour)} {_minutes(minute)} and {cardinal(int(match['second']))} {seconds}"
    elif minute == 0:
        spoken = (
            cardinal(hour) if mark else f"{cardinal(hour)} o'clock" if 1 <= hour <= 12 else f"{cardinal(hour)} hundred"
        )
        spoken = "midnight" if hour == 0 and not mark else spoken
    else:
        spoken = f"{cardinal(hour) if hour or mark else 'zero'} {_minutes(minute)}"
    return spoken + mark + (sentence.stop(match) if match[0].endswith(".") else "")


def _minutes(minute: int) -> str:
    return "hundred" if minute == 0 else f"oh {cardinal(minute)}" if minute < 10 else cardinal(minute)


def _half(text: str | None) -> str:
    found = _MARK.match(text.strip()) if text else None
    return f" {found[1].upper()} M" if found else ""


def _hour(match: re.Match[str], sentence: Sentence) -> str | None:
    """Read "7 pm", "5-7 pm"."""
    if not 1 <= int(match["hour"]) <= 12:
        return None
    first = f"{cardinal(int(match['first']))} to " if match["first"] else ""
    return f"{first}{cardinal(int(match['hour']))}{_half(match['half'])}" + (
        sentence.stop(match) if match[0].endswith(".") else ""
    )


def _span(match: re.Match[str], sentence: Sentence) -> str | None:
    """Read "10:00-12:00"."""
    sides = [_TIME.match(match[name]) for name in ("one", "two")]
    said = [_time(side, sentence) for side in sides if side]
    return f"{said[0]} to {said[1]}"


def _score(match: re.Match[str], _sentence: Sentence) -> str:
    """Read "3:2", "16:9"."""
    return f"{cardinal(int(match[1]))} to {cardinal(int(match[2]))}"


_NAMES: Final = "|".join(sorted(MONTH_NAMES, key=lambda name: -len(name)))
_MONTH: Final = rf"(?P<month>(?:{_NAMES})(?!\w)\.?)"
_DAY: Final = (
    r"(?P<day>\d{1,2})(?:st|nd|rd|th)?(?:(?: ?[-–—] ?| to )(?P<last>\d{1,2})(?:st|nd|rd|th)?)?(?![\d:]|[.,]\d|%)"
)
_HALF: Final = r"(?P<half> ?[ap]\.? ?m\b\.?)"
_CLOCK: Final = r"(?:[01]?\d|2[0-4]):[0-5]\d(?: ?[ap]\.?m(?!\w)\.?)?"
_TIME: Final = re.compile(rf"(?P<hour>\d{{1,2}}):(?P<minute>\d\d)(?::(?P<second>\d\d))?{_HALF}?", re.IGNORECASE)
_DAY_FIRST: Final = re.compile(rf"{_DAY} (?:of )?{_MONTH}(?:,? (?P<year>\d{{4}})(?!\d))?", re.IGNORECASE)
DATES: Final = (
    ignoring_case(r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?![\d-])(?P<clock>T(?=\d))?", _iso),
    ignoring_case(r"(\d{1,2})/(\d{1,2})/(\d{4}|\d\d)(?![\d/])", _slashed),
    ignoring_case(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?![\d.]\d|\d)", _dotted),
    ignoring_case(_DAY_FIRST, _worded),
    ignoring_case(rf"(?P<one>{_CLOCK}) ?[-–—] ?(?P<two>{_CLOCK})(?![\d:])", _span),
    ignoring_case(rf"(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?"
          rf"(?![\d:]\d|\d){_HALF}?", _time),
    ignoring_case(rf"(?:(?P<first>\d{{1,2}}) ?[-–—] ?)?(?P<hour>\d{{1,2}}){_HALF}", _hour),
    ignoring_case(r"(\d{1,2}):(\d{1,2})(?![\d:])", _score),
)  # fmt: skip
MONTHS_FIRST: Final = (
    ignoring_case(rf"{_MONTH} {_DAY}(?:,? (?P<year>\d{{4}})(?!\d))?(?! ?(?:%|am|pm|people|minutes|hours))", _worded),
    ignoring_case(rf"{_MONTH},? (?P<year>[12]\d{{3}})(?!\d)", _month_year),
)
