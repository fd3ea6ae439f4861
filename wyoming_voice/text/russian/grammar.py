"""Which case a sentence puts a number in: by the word before it, and by the form of the noun after it (pymorphy3)."""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final, cast

from wyoming_voice.text.reading import Sentence

from .lexicon import COUNTED, GOVERNORS
from .number import Case, Gender, form

_BEFORE: Final = re.compile(r"(?:^|(?<=[^\w-]))([а-яё]+)[ \u00a0]$", re.IGNORECASE)
_SKIPPED: Final = re.compile(
    r"(?<![\w-])(?:примерно|приблизительно|ровно|почти|около|всего|минус|плюс|не|как минимум) $|[~≈+\-−–] ?$"
)
NEXT_WORD: Final = re.compile(r"[ \u00a0\u202f]([А-ЯЁ]?[а-яё]+(?:-[а-яё]+)?)(?![\w.]\w|-)")
_COMPARED: Final = re.compile(r"[<>≤≥] ?$")
_FROM_TO: Final = re.compile(r"[^.!?;]{0,40}?(?<!\w)(?:до|по) [+\-−–]?\d")
_CHANGES: Final = re.compile(
    r"(?:начин|начал|увелич|сниз|снижа|вырос|выраст|раст[её]т|упал|упад|падает|подня|подним|опуст|опуск"
    r"|измен|перей|переш"
    r"|переклю|повыс|пониз|уменьш|старт|сдвин|перен)[а-яё]*(?: [а-яё]+)? (?:с|со) $",
    re.IGNORECASE,
)
_CASES: Final[dict[str, Case]] = {
    "nomn": "n", "gent": "g", "gen2": "g", "datv": "d", "accs": "a", "ablt": "i", "loct": "p", "loc2": "p"
}  # fmt: skip
_GENDERS: Final[dict[str, Gender]] = {"masc": "m", "femn": "f", "neut": "n"}


@dataclass(frozen=True, slots=True)
class Form:
    """What a word can be: a noun or an adjective, in a case, number and gender."""

    adjective: bool
    case: Case
    plural: bool
    gender: Gender
    animate: bool
    score: float


@cache
def analyzer() -> Any:
    """Return the dictionary of Russian words."""
    import pymorphy3  # noqa: PLC0415 - 0.2 s and 30 MB, which only a number before a word needs

    return pymorphy3.MorphAnalyzer(lang="ru")


@lru_cache(maxsize=4096)
def forms(word: str) -> tuple[Form, ...]:
    """Return the forms that a word can be of, the likeliest first; none: it is no noun and no adjective."""
    found = []
    parses = analyzer().parse(word.lower())
    # «в», «и» and «мой» are nouns too, in a dictionary
    if parses and parses[0].tag.POS in {"PREP", "CONJ", "PRCL", "NPRO", "VERB", "INFN", "GRND", "ADVB", "PRED", "INTJ"}:
        return ()
    for parse in parses:
        tag = parse.tag
        if tag.POS in {"NOUN", "ADJF", "PRTF"} and tag.case in _CASES:
            found.append(
                Form(
                    adjective=tag.POS != "NOUN",
                    case=_CASES[tag.case],
                    plural=tag.number == "plur",
                    gender=_GENDERS.get(tag.gender, "m"),
                    animate=tag.animacy == "anim",
                    score=parse.score,
                )
            )
    return tuple(found)


def governed(sentence: Sentence, start: int, end: int, *, unit: bool = False) -> tuple[Case, ...]:
    """Cases that the words before a number (from ``start`` to ``end``) put it in, the likeliest first; none: free.

    ``unit``: a unit follows whose own form says nothing, so that one case has to be chosen.
    """
    if inherited := sentence.inherited(start):
        return (cast("Case", inherited),)
    left = sentence.left(start)
    for _ in range(3):
        skipped = _SKIPPED.search(left)
        if skipped is None or skipped[0].strip() == "около":
            break
        if skipped[0].startswith("не") and left.endswith(("не ", "Не ")) and skipped.start():
            break
        left = left[: skipped.start()]
    if _COMPARED.search(left) or left.endswith(("ок. ", "Ок. ")):
        return ("g",)
    before = _BEFORE.search(left)
    if before is None:
        return ()
    word = before[1].lower()
    if word in {"с", "со"}:
        source = _CHANGES.search(left) or _FROM_TO.match(sentence.right(end))
        return ("g", "i") if source or not unit else ("i", "g")
    return GOVERNORS.get(word, ())


@lru_cache(maxsize=4096)
def lemmas(word: str) -> tuple[str, ...]:
    """Return the words that this can be a form of."""
    return tuple(parse.normal_form for parse in analyzer().parse(word.lower()))


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a numeral agrees with the noun after it."""

    case: Case
    gender: Gender
    animate: bool
    word: str
    """The noun."""
    plural: bool


def agreement(sentence: Sentence, number: int, end: int, wanted: tuple[Case, ...]) -> Agreement | None:
    """Find the noun after a number, past at most two adjectives, and how the numeral agrees with it."""
    at = end
    last: tuple[str, tuple[Form, ...]] | None = None
    for _ in range(3):
        word = NEXT_WORD.match(sentence.text, at)
        if word is None:
            break
        known = forms(word[1])
        if not known:
            break
        at = word.end()
        last = word[1].lower(), known
        if not known[0].adjective:
            break
    return None if last is None else _agree(number, last[0], last[1], wanted)


def _agree(number: int, word: str, known: tuple[Form, ...], wanted: tuple[Case, ...]) -> Agreement | None:
    """Choose the case that both the noun's form and the words before allow."""
    if word in COUNTED:
        known = tuple(Form(False, case, True, "m", False, 1.0) for case in COUNTED[word])
    possible: list[tuple[Case, Form]] = []
    for noun in known:
        possible += [(case, noun) for case in _numeral_cases(number, noun)]
    if not possible:
        return None
    order = [*wanted, *(case for case in ("n", "a") if case not in wanted)]
    for wish in order:
        for case, noun in possible:
            if case == wish:
                return Agreement(case, noun.gender, noun.animate, word, noun.plural)
    case, noun = possible[0]
    return Agreement(case, noun.gender, noun.animate, word, noun.plural)


def _numeral_cases(number: int, noun: Form) -> tuple[Case, ...]:
    """Cases that a numeral can be in before a noun of this form."""
    if form(number) == 1:
        return () if noun.plural else (noun.case,)
    if not noun.plural:
        return ("n", "a") if form(number) == 2 and noun.case == "g" else ()
    if noun.case in "dip":
        return (noun.case,)
    if noun.case == "g":
        return ("g",) if form(number) == 2 and not noun.adjective else ("n", "a", "g")
    return ("n", "a") if noun.adjective and form(number) == 2 else ()


def warm() -> None:
    """Load the dictionary."""
    analyzer()
