"""Numbers with an ending, and those that begin a word: «21-й», «90-е годы», «5-дневный»."""

import re
from typing import Final

from wyoming_voice.text.reading import Sentence, ignoring_case

from .grammar import NEXT_WORD, Form, forms, governed
from .lexicon import YEAR_FORMS
from .number import Case, Gender, cardinal, joined, ordinal

_ENDINGS: Final[tuple[tuple[Case, Gender, bool], ...]] = (
    ("n", "m", False), ("g", "m", False), ("d", "m", False), ("i", "m", False), ("p", "m", False), ("n", "f", False),
    ("g", "f", False), ("a", "f", False), ("n", "n", False), ("n", "m", True), ("g", "m", True), ("d", "m", True),
    ("p", "m", True), ("i", "m", True),
)  # fmt: skip
_CARDINAL_ENDINGS: Final[dict[str, Case]] = {
    "ти": "g", "ми": "i", "мя": "i", "ех": "g", "ёх": "g", "ух": "g", "ем": "d", "ём": "d", "ум": "d", "ю": "i",
    "ью": "i", "и": "g", "ка": "g",
}  # fmt: skip


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
    years = f" {YEAR_FORMS[case][1]}{sentence.stop(match)}" if match["years"] else ""
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


ORDINALS: Final = (
    ignoring_case(r"(?:(?P<first>\d{1,4})(?:-?(?:й|я|е|го|х))? ?[-–—] ?)?(?P<number>\d{1,6})[-‑–]?(?P<ending>ый|ий"
        r"|ой|й|ая|яя|я|ое|ее|е|ого|его|го|ому|ему|му|ым|им|ом|ем|м|ую|юю|ю|ые|ых|их|х|ыми|ими|ми|мя|ти|ех"
        r"|ёх|ём|ух|ум|ью|ка|и)(?!\w|-\w)(?P<years> ?гг\.)?",
          _ordinal),
    ignoring_case(r"(?P<number>\d{1,3})(?P<percent> ?%)?"
          r"[-‑–](?P<rest>[а-яё]{4,40}|(?<=%-)[а-яё]{1,10})(?!\w)", _compound),
)  # fmt: skip
