"""Dates, times of day, years, and numbers with the ending of an ordinal."""

import re
from typing import Final

from wyoming_voice.text.reading import Sentence, ignoring_case

from .grammar import governed
from .lexicon import MONTH_SHORT, MONTHS, YEAR_FORMS
from .number import Case, cardinal, ordinal
from .unit import UNITS

_IS_DATE: Final = re.compile(
    r"(?:^|(?<!\w)(?:сегодня|завтра|вчера|послезавтра|позавчера|дата|число|сейчас|это|наступило|[а-я]+:)(?: —)?"
    r"|[а-я]+(?:ник|рг|да|ца|та|нье|ье),?|[—:(]) ?$",
    re.IGNORECASE,
)
_DAY_NAME: Final = re.compile(
    r"(?<!\w)(?:понедельник|вторник|среда|четверг|пятница|суббота|воскресенье),? $", re.IGNORECASE
)
_YEAR_WORDS: Final[dict[str, tuple[Case, bool]]] = {
    "год": ("n", False), "года": ("g", False), "году": ("p", False), "годом": ("i", False), "годе": ("p", False),
    "годы": ("n", True), "годов": ("g", True), "годам": ("d", True), "годами": ("i", True), "годах": ("p", True),
}  # fmt: skip


def _day_case(sentence: Sentence, start: int, end: int) -> Case:
    """«к 5 мая», «сегодня 5 мая», and without a word before: when, in the genitive."""
    wanted = governed(sentence, start, end)
    if wanted:
        return "g" if wanted == ("g", "i") else "a" if wanted[0] == "i" else wanted[0]
    left, right = sentence.left(start), sentence.text[end:].strip(' .!?»")')
    only = not left.strip() and not right
    named = _IS_DATE.search(left) if left.strip() else None
    only = only or sentence.right(end).startswith((" — ", " – "))
    return "n" if only or named or _DAY_NAME.search(left) else "g"


def _day(number: str, case: Case) -> str:
    return ordinal(int(number), "n" if case == "a" else case, "n")


def _year(text: str | None) -> str:
    return f" {ordinal(int(text), 'g')} года" if text else ""


def _numeric(match: re.Match[str], sentence: Sentence) -> str | None:
    """«01.02.2026», «2026-02-01», «1/2/2026»."""
    day, month, year = int(match["day"]), int(match["month"]), match["year"]
    if not (1 <= day <= 31 and 1 <= month <= 12 and (len(year) == 2 or 1000 <= int(year) <= 2999)):
        return None
    case = _day_case(sentence, match.start(), match.end())
    year = ("20" if int(year) < 70 else "19") + year if len(year) == 2 else year
    said = f"{_day(match['day'], case)} {MONTHS[month - 1]}{_year(year)}"
    clock = match.groupdict().get("clock")
    stop = sentence.stop(match) if match[0].endswith("г.") else ""
    return said + (" " if clock else "") + stop


def _worded(match: re.Match[str], sentence: Sentence) -> str | None:
    """«1 января 2026 года», «с 1 по 5 мая», «1–5 мая»."""
    month = match["month"].lower()
    month = MONTH_SHORT.get(month.rstrip("."), month)
    if not 1 <= int(match["day"]) <= 31 or month not in MONTHS:
        return None
    case = _day_case(sentence, match.start(), match.end())
    case = "g" if match["end"] and match["end"].endswith("го") else case
    first = ""
    if match["first"]:
        joint = match["joint"].strip()
        if joint in {"и", "или"}:
            first = f"{_day(match['first'], case)} {joint} "
        elif joint == "по" or (joint != "до" and not governed(sentence, match.start(), match.end())):
            before = "" if joint == "по" else "с "
            first, case = f"{before}{_day(match['first'], 'g')} по ", "a"
        elif joint == "до":
            first, case = f"{_day(match['first'], 'g')} до ", "g"
        else:
            first = f"{_day(match['first'], case)} — "
    year = f" {ordinal(int(match['year']), 'g')}" if match["year"] else ""
    if year and (match["g"] or match["year"]):
        year += " года"
    stop = sentence.stop(match) if match[0].endswith(".") else ""
    return f"{first}{_day(match['day'], case)} {month}{year}{stop}"


def _time(match: re.Match[str], sentence: Sentence) -> str | None:
    """«7:05», «19:30:15», in the case that the word before asks for."""
    wanted = governed(sentence, match.start(), match.end(), unit=True)
    case: Case = wanted[0] if wanted else "n"
    if case == "i" and re.search(r"(?<!\w)с $", sentence.left(match.start())):
        case = "g"
    sentence.said(match.end(), case)
    return _clock(match, case) + (sentence.stop(match) if match[0].endswith(".") else "")


def _dotted(match: re.Match[str], sentence: Sentence) -> str | None:
    """«в 12.30», where nothing is counted."""
    return _time(match, sentence) if _WHEN.search(sentence.left(match.start())) else None


_WHEN: Final = re.compile(r"(?<!\w)(?:в|к|до|с|после|около) $", re.IGNORECASE)


def _clock(match: re.Match[str], case: Case) -> str:
    parts = [(int(match["hour"]), "ч"), (int(match["minute"]), "мин")]
    if match["second"]:
        parts.append((int(match["second"]), "с"))
    elif parts[1][0] == 0:
        parts.pop()
    said = (
        f"{cardinal(number, case, UNITS[unit].gender)} {UNITS[unit].counted(number, case)}" for number, unit in parts
    )
    return " ".join(said)


def _span(match: re.Match[str], sentence: Sentence) -> str | None:
    """«08:00–20:00»."""
    one, two = (_TIME.match(match[name]) for name in ("one", "two"))
    if one is None or two is None:
        return None
    since = "" if re.search(r"(?<!\w)с $", sentence.left(match.start()), re.IGNORECASE) else "с "
    return f"{since}{_clock(one, 'g')} до {_clock(two, 'g')}"


def _score(match: re.Match[str], sentence: Sentence) -> str:
    """«счёт 3:2», «16:9»."""
    ratio = re.search(r"(?:соотношен|пропорц|масштаб)[а-я]* (?:сторон )?$", sentence.left(match.start()))
    joint = " к " if ratio else " на " if match[0] in {"16:9", "4:3", "21:9", "16:10"} else " "
    return f"{cardinal(int(match[1]))}{joint}{cardinal(int(match[2]), 'd' if ratio else 'n')}"


def _years(match: re.Match[str], sentence: Sentence) -> str:
    """«в 2026 году», «2020 г.», «1941–1945 гг.», «с 2020 по 2026 год»."""
    word = match["word"].lower()
    wanted = governed(sentence, match.start(), match.end(), unit=True)
    plural = word in {"гг", "гг."} or (word in _YEAR_WORDS and _YEAR_WORDS[word][1])
    if word in _YEAR_WORDS:
        case, _ = _YEAR_WORDS[word]
        case = "d" if word == "году" and wanted and wanted[0] == "d" else case
        case = "a" if word in {"год", "годы"} and wanted and wanted[0] == "a" else case
    else:
        case = (
            "n"
            if not wanted
            else "p"
            if wanted[:2] == ("a", "p") and _IN.search(sentence.left(match.start()))
            else wanted[0]
        )
        case = "g" if wanted == ("i", "g") else case
        word = YEAR_FORMS[case][plural]
    first = ""
    if match["first"]:
        by = match["joint"].strip()
        first = f"{ordinal(int(match['first']), 'g' if by in {'по', 'до'} else case)} "
        first += f"{by} " if by in {"по", "до", "и", "или"} else "— "
    last = match["year"]
    if match["first"] and len(last) == 2:
        last = match["first"][:2] + last
    stop = sentence.stop(match) if match[0].endswith(".") else ""
    return f"{first}{ordinal(int(last), case)} {word}{stop}"


_IN: Final = re.compile(r"(?<!\w)(?:в|во|о|об) $", re.IGNORECASE)


_MONTH: Final = rf"(?P<month>{'|'.join(MONTHS)}|(?:{'|'.join(MONTH_SHORT)})\.?)(?!\w)"
_G: Final = r"(?: ?(?:(?P<g>года|году|г\.|г)(?!\w)))?"
_END: Final = r"(?:го|е|ого|ое|му|ому|м)"
_JOINT: Final = r"(?P<joint> ?[-–—] ?| по | до | и | или )"
DATES: Final = (
    ignoring_case(rf"(?P<day>\d{{1,2}})\.(?P<month>\d{{1,2}})\.(?P<year>\d{{4}}|(?<=\d\d\.\d\d\.)\d\d)(?![\d.]\d"
        rf"|\d){_G}", _numeric),
    ignoring_case(rf"(?P<day>\d{{1,2}})/(?P<month>\d{{1,2}})/(?P<year>\d{{4}})(?![\d/]){_G}", _numeric),
    ignoring_case(r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?![\d-])(?P<clock>T(?=\d))?", _numeric),
    ignoring_case(rf"(?:(?P<first>\d{{1,2}})(?:-?{_END})?{_JOINT})?(?P<day>\d{{1,2}})(?:-?(?P<end>{_END}))? {_MONTH}"
          rf"(?:,? (?P<year>\d{{4}})(?!\d){_G})?", _worded),
)  # fmt: skip
_CLOCK: Final = r"(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d)?"
_TIME: Final = re.compile(r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?")
TIMES: Final = (
    ignoring_case(rf"(?P<one>{_CLOCK}) ?[-–—] ?(?P<two>{_CLOCK})(?![\d:])", _span),
    ignoring_case(
        r"(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?![\d:]\d|\d)(?: ?ч(?:\.|(?!\w)))?",
        _time,
    ),
    ignoring_case(
        r"(?P<hour>[01]?\d|2[0-3])\.(?P<minute>[0-5]\d)(?P<second>(?!))?(?=$|[,;!?)]|\.(?:\s|$)| (?:часов"
        r"|утра|дня|вечера|ночи))"
        r"(?: часов)?",
        _dotted,
    ),
    ignoring_case(r"(\d{1,2}):(\d{1,2})(?![\d:])", _score),
)
YEARS: Final = (
    ignoring_case(rf"(?:(?P<first>\d{{4}}){_JOINT})?(?P<year>\d{{4}}|(?<=\d\d[-–—])\d\d|\d{{1,4}}(?= ?г(?:\."
        rf"|од[а-я]*)? (?:до )?н\. ?э)) ?"
          r"(?P<word>год(?:а|у|ом|е|ы|ов|ам|ами|ах)?|гг\.|г\.|гг|г)(?!\w)", _years),
    ignoring_case(r"(?P<first>(?!))?(?P<joint>(?!))?(?P<year>\d{1,3}) (?P<word>году|годом|годе)(?!\w)", _years),
)  # fmt: skip
