"""Dates, times of day, years, and numbers with the ending of an ordinal."""

import re
from typing import Final

from wyoming_voice.text.reading import Reader, Rule, Sentence

from .grammar import NEXT_WORD, Form, forms, governed
from .lexicon import MONTH_SHORT, MONTHS
from .number import Case, Gender, cardinal, joined, ordinal
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
_YEAR_FORMS: Final[dict[Case, tuple[str, str]]] = {
    "n": ("год", "годы"), "g": ("года", "годов"), "d": ("году", "годам"), "a": ("год", "годы"),
    "i": ("годом", "годами"), "p": ("году", "годах"),
}  # fmt: skip
_ENDINGS: Final[tuple[tuple[Case, Gender, bool], ...]] = (
    ("n", "m", False), ("g", "m", False), ("d", "m", False), ("i", "m", False), ("p", "m", False), ("n", "f", False),
    ("g", "f", False), ("a", "f", False), ("n", "n", False), ("n", "m", True), ("g", "m", True), ("d", "m", True),
    ("p", "m", True), ("i", "m", True),
)  # fmt: skip
_CARDINAL_ENDINGS: Final[dict[str, Case]] = {
    "ти": "g", "ми": "i", "мя": "i", "ех": "g", "ёх": "g", "ух": "g", "ем": "d", "ём": "d", "ум": "d", "ю": "i",
    "ью": "i", "и": "g", "ка": "g",
}  # fmt: skip


def _day_case(sentence: Sentence, start: int, end: int) -> Case:
    """«к 5 мая», «сегодня 5 мая», and without a word before: when, in the genitive."""
    wanted = governed(sentence, start, end)
    if wanted:
        return "g" if wanted == ("g", "i") else "a" if wanted[0] == "i" else wanted[0]
    left, right = sentence.left(start), sentence.text[end:].strip(' .!?»")')
    only = not left.strip() and not right
    named = _IS_DATE.search(left) if left.strip() else None
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
        word = _YEAR_FORMS[case][plural]
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


def _ordinal(match: re.Match[str], sentence: Sentence) -> str | None:
    """«21-й», «20-го», «90-е», «5-ти»."""
    number, ending = int(match["number"]), match["ending"].lower()
    possible = [
        (case, gender, plural)
        for case, gender, plural in _ENDINGS
        if ordinal(number, case, gender, plural=plural).endswith(ending)
    ]
    many = any(one.plural for one in _nouns(sentence, match.end()))
    if ending in _CARDINAL_ENDINGS and (
        not possible or ending in {"ти", "ми", "ух", "ех", "ёх"} or (ending == "ю" and many)
    ):
        words = cardinal(number, _CARDINAL_ENDINGS[ending])
        return words if words.endswith(ending) else None
    if not possible:
        return None
    case, gender, plural = _chosen(possible, sentence, match)
    years = f" {_YEAR_FORMS[case][1]}{sentence.stop(match)}" if match["years"] else ""
    sentence.said(match.end(), case)
    first = match["first"]
    said = ordinal(number, case, gender, plural=plural)
    return (f"{ordinal(int(first), case, gender, plural=plural)} — {said}" if first else said) + years


def _chosen(
    possible: list[tuple[Case, Gender, bool]], sentence: Sentence, match: re.Match[str]
) -> tuple[Case, Gender, bool]:
    """Choose by the noun after it, then by the word before it."""
    wanted = governed(sentence, match.start(), match.end())
    for noun in sorted(_nouns(sentence, match.end()), key=lambda one: one.case not in wanted):
        for case, gender, plural in possible:
            same = gender == noun.gender or plural or (gender == "m" and noun.gender == "n" and case not in "na")
            if (
                noun.plural == plural
                and same
                and (noun.case == case or (gender == "f" and case == "g" and noun.case in "dip"))
            ):
                return case, gender, plural
    tens = [one for one in possible if one[2]] if int(match["number"]) % 10 == 0 and int(match["number"]) >= 20 else []
    return next(
        (one for one in (*tens, *possible) if one[0] in wanted or (one[0] == "n" and "a" in wanted)),
        (tens or possible)[0],
    )


def _nouns(sentence: Sentence, at: int) -> tuple[Form, ...]:
    word = NEXT_WORD.match(sentence.text, at)
    return forms(word[1]) if word else ()


def _compound(match: re.Match[str], _sentence: Sentence) -> str | None:
    """«5-дневный», «100%-ный»."""
    number = joined(int(match["number"]))
    if number is None:
        return None
    rest = match["rest"].lower()
    if match["percent"] and not rest.startswith("н"):
        return f"{number}процентн{_PERCENT_ENDS[rest]}" if rest in _PERCENT_ENDS else None
    return number + ("процент" + rest if match["percent"] else rest)


_PERCENT_ENDS: Final = {
    "й": "ый", "я": "ая", "е": "ое", "го": "ого", "му": "ому", "м": "ом", "ю": "ую", "х": "ых", "ми": "ыми", "ой": "ой",
    "ый": "ый", "ая": "ая", "ое": "ое", "ого": "ого", "ом": "ом", "ую": "ую", "ые": "ые", "ых": "ых",
}  # fmt: skip


def _rule(pattern: str, reader: Reader) -> Rule:
    return re.compile(pattern, re.IGNORECASE), reader


_MONTH: Final = rf"(?P<month>{'|'.join(MONTHS)}|(?:{'|'.join(MONTH_SHORT)})\.?)(?!\w)"
_G: Final = r"(?: ?(?:(?P<g>года|году|г\.|г)(?!\w)))?"
_END: Final = r"(?:го|е|ого|ое|му|ому|м)"
_JOINT: Final = r"(?P<joint> ?[-–—] ?| по | до | и | или )"
DATES: Final = (
    _rule(rf"(?P<day>\d{{1,2}})\.(?P<month>\d{{1,2}})\.(?P<year>\d{{4}}|(?<=\d\d\.\d\d\.)\d\d)(?![\d.]\d"
        rf"|\d){_G}", _numeric),
    _rule(rf"(?P<day>\d{{1,2}})/(?P<month>\d{{1,2}})/(?P<year>\d{{4}})(?![\d/]){_G}", _numeric),
    _rule(r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?![\d-])(?P<clock>T(?=\d))?", _numeric),
    _rule(rf"(?:(?P<first>\d{{1,2}})(?:-?{_END})?{_JOINT})?(?P<day>\d{{1,2}})(?:-?(?P<end>{_END}))? {_MONTH}"
          rf"(?:,? (?P<year>\d{{4}})(?!\d){_G})?", _worded),
)  # fmt: skip
_CLOCK: Final = r"(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d)?"
_TIME: Final = re.compile(r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?")
TIMES: Final = (
    _rule(rf"(?P<one>{_CLOCK}) ?[-–—] ?(?P<two>{_CLOCK})(?![\d:])", _span),
    _rule(
        r"(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?![\d:]\d|\d)(?: ?ч(?:\.|(?!\w)))?",
        _time,
    ),
    _rule(r"(\d{1,2}):(\d{1,2})(?![\d:])", _score),
)
YEARS: Final = (
    _rule(rf"(?:(?P<first>\d{{4}}){_JOINT})?(?P<year>\d{{4}}|(?<=\d\d[-–—])\d\d|\d{{1,4}}(?= ?г(?:\."
        rf"|од[а-я]*)? (?:до )?н\. ?э)) ?"
          r"(?P<word>год(?:а|у|ом|е|ы|ов|ам|ами|ах)?|гг\.|г\.|гг|г)(?!\w)", _years),
    _rule(r"(?P<first>(?!))?(?P<joint>(?!))?(?P<year>\d{1,3}) (?P<word>году|годом|годе)(?!\w)", _years),
)  # fmt: skip
ORDINALS: Final = (
    _rule(r"(?:(?P<first>\d{1,4})(?:-?(?:й|я|е|го|х))? ?[-–—] ?)?(?P<number>\d{1,6})[-‑–]?(?P<ending>ый|ий"
        r"|ой|й|ая|яя|я|ое|ее|е|ого|его|го|ому|ему|му|ым|им|ом|ем|м|ую|юю|ю|ые|ых|их|х|ыми|ими|ми|мя|ти|ех"
        r"|ёх|ём|ух|ум|ью|ка|и)(?!\w|-\w)(?P<years> ?гг\.)?",
          _ordinal),
    _rule(r"(?P<number>\d{1,3})(?P<percent> ?%)?[-‑–](?P<rest>[а-яё]{4,40}|(?<=%-)[а-яё]{1,10})(?!\w)", _compound),
)  # fmt: skip
