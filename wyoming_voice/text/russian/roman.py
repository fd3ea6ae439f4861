"""Roman numerals in a Russian sentence: centuries, monarchs, chapters."""

import re
from typing import Final, cast

from wyoming_voice.text.reading import Sentence, rule
from wyoming_voice.text.roman import ROMAN, roman

from .grammar import NEXT_WORD, forms, governed, lemmas
from .lexicon import CASES_AFTER, ROMAN_AFTER
from .number import Case, Gender, ordinal

_PREPOSITION: Final = re.compile(r"(?:^|[^\w-])([а-я]+) $", re.IGNORECASE)
_LAST_WORD: Final = re.compile(r"([А-ЯЁа-яё]+)[ \u00a0]$")


def _roman(match: re.Match[str], sentence: Sentence) -> str | None:
    """«XXI век», «глава IV», «Пётр I», «II мировая»."""
    text = match["roman"].replace("Х", "X").replace("І", "I").replace("М", "M").replace("С", "C")
    number = roman(text)
    if number is None:
        return None
    century = _CENTURY.match(sentence.text, match.end())
    if century:
        return _century(number, match, century, sentence)
    before = _LAST_WORD.search(sentence.left(match.start()))
    named = before is not None and (before[1][0].isupper() or lemma_gender(before[1]) is not None)
    if before is not None and named and (len(text) > 1 or text in "IVX") and before[1].lower() not in CASES_AFTER:
        return _after(number, before[1], sentence, match)
    following = NEXT_WORD.match(sentence.text, match.end())
    if following and (len(text) > 1 or text in "IVX"):
        return _before(number, following[1], sentence, match)
    return None


def lemma_gender(word: str) -> Gender | None:
    return next((ROMAN_AFTER[lemma] for lemma in lemmas(word) if lemma in ROMAN_AFTER), None)


def _after(number: int, word: str, sentence: Sentence, match: re.Match[str]) -> str | None:
    """«Екатерины II», «главе IV»: as the word before."""
    known = [one for one in forms(word) if not one.plural and not one.adjective]
    gender = lemma_gender(word)
    if gender is None and not any(one.animate for one in known) and number > 40:
        return None
    if not known:
        return ordinal(number)
    at = match.start() - len(word) - 1
    wanted = governed(sentence, at, at)
    order: list[Case] = [*wanted, "n"]
    best = next((one for case in order for one in known if one.case == case), known[0])
    return ordinal(number, best.case, gender or best.gender, animate=best.animate)


def _before(number: int, word: str, sentence: Sentence, match: re.Match[str]) -> str | None:
    """«II мировая», «на IV этаже»."""
    known = forms(word)
    if not known:
        return None
    wanted = governed(sentence, match.start(), match.end())
    best = next((one for case in (*wanted, "n") for one in known if one.case == case), known[0])
    return ordinal(number, best.case, best.gender, plural=best.plural, animate=best.animate)


_CENTURY: Final = re.compile(r" ?(?P<word>век(?:а|у|ом|е|ов|ам|ами|ах)?|вв\.|в\.|столети[а-я]+|тысячелети[а-я]+)(?!\w)")
_CENTURY_CASES: Final[dict[str, Case]] = {
    "": "n",
    "а": "g",
    "у": "d",
    "ом": "i",
    "е": "p",
    "ов": "g",
    "ам": "d",
    "ами": "i",
    "ах": "p",
}


def _century_case(left: str) -> Case:
    """Return the case of «в.» after a number: of the preposition, else «начало XX в.» and alone «XX в.»."""
    before = _PREPOSITION.search(left)
    if before and before[1].lower() in CASES_AFTER:
        return CASES_AFTER[before[1].lower()]
    return "g" if before or left.endswith(("г. ", "год ", "годы ")) else "n"


def _century(number: int, match: re.Match[str], century: re.Match[str], sentence: Sentence) -> str:
    word = century["word"]
    if word.startswith("век"):
        case, gender = _CENTURY_CASES[word[3:]], "m"
    elif word in {"в.", "вв."}:
        case, gender = _century_case(sentence.left(match.start())), "m"
    else:
        known = [one for one in forms(word) if not one.plural] or [*forms(word)]
        wanted = governed(sentence, match.start(), match.end())
        case = next((one.case for want in wanted for one in known if one.case == want), known[0].case if known else "n")
        gender = "n"
    return ordinal(number, case, cast("Gender", gender))


def _centuries(match: re.Match[str], sentence: Sentence) -> str | None:
    """«XIX–XX веков»."""
    first, last = roman(match["first"].replace("Х", "X")), roman(match["roman"].replace("Х", "X"))
    century = _CENTURY.match(sentence.text, match.end())
    if first is None or last is None or century is None:
        return None
    said = _century(last, match, century, sentence)
    case = "n" if century["word"] == "века" else _CENTURY_CASES.get(century["word"][3:], "n")
    if "." in century["word"]:
        case = _century_case(sentence.left(match.start()))
    if century["word"] == "века":
        said = ordinal(last)
    return f"{ordinal(first, case)} — {said}"


def _century_mark(match: re.Match[str], sentence: Sentence) -> str | None:
    """«в.» after a Roman numeral: «века»."""
    left = sentence.left(match.start())
    found = re.search(r"(?<!\w)(?:[IVXХLCDM]{1,8} ?[-–—] ?)?[IVXХLCDM]{1,8} ?$", left)
    if not found:
        return None
    plural, case = match[0] == "вв.", _century_case(left[: found.start()])
    said = {
        "n": ("век", "века"),
        "g": ("века", "веков"),
        "d": ("веку", "векам"),
        "a": ("век", "века"),
        "i": ("веком", "веками"),
        "p": ("веке", "веках"),
    }
    return said[case][plural] + sentence.stop(match)


ROMANS: Final = (
    rule(rf"(?P<first>{ROMAN}) ?[-–—] ?(?P<roman>{ROMAN})(?![^\W_])", _centuries),
    rule(rf"(?P<roman>{ROMAN})(?![^\W_])", _roman),
)

CENTURY_MARK: Final = rule(r"вв?\.", _century_mark)
TENS: Final = rule(r"(?P<roman>[XХ]{1,3})(?![^\W_])", _roman)
"""Of letters that may be Cyrillic."""
