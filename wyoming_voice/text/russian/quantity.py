"""Numbers with what they count: units, money, nouns; in the case, gender and number that the sentence needs."""

import re
from dataclasses import dataclass
from typing import Final

from wyoming_voice.text.reading import SPACE, Sentence, rule

from .grammar import NEXT_WORD, agreement, forms, governed, lemmas
from .lexicon import HOUSE, NUMBERED, RANKED, VULGAR
from .number import LARGEST, Case, Gender, cardinal, decimal, form, fraction, ordinal, whole
from .unit import PREFIXED, SCALE, SCALES, SMALL, SYMBOL, UNITS, Noun

NUMBER: Final = (
    rf"(?:[1-9]\d{{0,2}}(?:{SPACE}\d{{3}}){{1,4}}(?!\d|{SPACE}\d)|[1-9]\d{{0,2}}(?:[.,]\d{{3}}){{2,4}}(?!\d|[.,]\d)"
    r"|[1-9]\d{0,2}(?:(?:,\d{3}){1,4}(?=\.\d\d?(?![.,]?\d))|(?:\.\d{3}){1,4}(?=,\d\d?(?![.,]?\d)))"  # 1,000.25
    r"|\d++)(?:[.,]\d++(?![.,]?\d))?"
)
SIGN: Final = r"[+\-−–±]"
_SIGNS: Final = {"+": "плюс ", "-": "минус ", "−": "минус ", "–": "минус ", "±": "плюс-минус "}
_DASH: Final = r"(?: ?(?:[-–—]|\.\.\.?|…) ?|−)"
_CURRENCY: Final = "[" + re.escape("".join(sorted(PREFIXED))) + "]"


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is written: digits before and after the decimal mark."""

    before: str
    after: str = ""

    @property
    def value(self) -> int:
        return int(self.before) if len(self.before) <= 15 else LARGEST

    def words(self, case: Case, noun: Noun | None = None) -> str:
        """Return the numeral before a unit."""
        if self.is_half and noun is not None and case in "na":
            return "полторы" if noun.gender == "f" else "полтора"
        if self.after:
            return decimal(self.before, self.after, case)
        return whole(self.before, case, noun.gender if noun else "m")

    @property
    def is_half(self) -> bool:
        return self.before == "1" and self.after == "5"

    def counted(self, noun: Noun, case: Case) -> str:
        """Return the unit behind the number."""
        return noun.part() if self.after else noun.counted(self.value % 1000 + 1000, case)


def parse(text: str) -> Number:
    """Take a number apart: «1 000 000», «21,5», «3.14»; a mark that comes twice, or before another, is no point."""
    compact = re.sub(SPACE, "", text)
    *before, after = re.split("[.,]", compact)
    marks = re.findall("[.,]", compact)
    if not marks or marks[-1] in marks[:-1]:
        return Number("".join((*before, after)))
    return Number("".join(before), after)


def _sign(match: re.Match[str], sentence: Sentence) -> str:
    """Read the sign: a minus only where it cannot be a hyphen."""
    sign = match["sign"]
    at = match.start()
    if not sign or (sign in "-–" and at and sentence.text[at - 1].isalnum()):
        return ""
    return _SIGNS[sign]


def _case(sentence: Sentence, match: re.Match[str]) -> Case:
    wanted = governed(sentence, match.start(), match.end(), unit=True)
    return wanted[0] if wanted else "n"


def _unit(match: re.Match[str], sentence: Sentence) -> str:
    """«−5 °C», «5 тыс. руб.», «1,5 млн»."""
    number, case = parse(match["number"]), _case(sentence, match)
    sentence.said(match.end(), case)
    said = _sign(match, sentence) + _scaled(number, match["scale"], match["unit"], case)
    return said + sentence.stop(match)


def _scaled(number: Number, scale: str | None, unit: str | None, case: Case) -> str:
    noun = None if unit is None else _noun(unit)
    if scale is None:
        assert noun is not None, "the pattern asks for one of them"
        if unit in SMALL and 1 <= len(number.after) <= 2 and not number.is_half:
            small = UNITS[SMALL[unit]]
            cents = Number(number.after.ljust(2, "0").lstrip("0") or "0")
            rest = "" if cents.before == "0" else f" {cents.words(case, small)} {cents.counted(small, case)}"
            number = Number(number.before)
            return f"{number.words(case, noun)} {number.counted(noun, case)}{rest}"
        return f"{number.words(case, noun)} {number.counted(noun, case)}"
    power = SCALES[scale][1]
    said = f"{number.words(case, power)} {number.counted(power, case)}"
    return said if noun is None else f"{said} {noun.declined('g', plural=True)}"


def _noun(symbol: str) -> Noun:
    return UNITS[symbol.replace(" ", "")]


def _prefixed(match: re.Match[str], sentence: Sentence) -> str:
    """«$5», «€1,5 млн», «$1,000»: who writes the sign before it writes thousands so, too."""
    case = _case(sentence, match)
    sentence.said(match.end(), case)
    thousands = match["scale"] is None and re.fullmatch(r"[1-9]\d{0,2},\d{3}", match["number"])
    number = parse(match["number"].replace(",", "") if thousands else match["number"])
    return _sign(match, sentence) + _scaled(number, match["scale"], match["unit"], case) + sentence.stop(match)


def _range(match: re.Match[str], sentence: Sentence) -> str | None:
    """«10–15 минут», «5–7 °C»: both numbers in the case of the second."""
    low, high = parse(match["low"]), parse(match["number"])
    if re.search(r"\d - \d", match[0]) and "=" in sentence.right(match.end()):
        return f"{low.words('n')} минус {high.words('n')}"
    measured = match["unit"] is not None or match["scale"] is not None
    wanted = governed(sentence, match.start(), match.end(), unit=measured)
    if measured:
        case: Case = wanted[0] if wanted else "n"
        noun = _noun(match["unit"]) if match["unit"] and not match["scale"] else None
        noun = SCALES[match["scale"]][1] if match["scale"] else noun
        assert noun is not None, "it is measured in something"
        second = _scaled(high, match["scale"], match["unit"], case)
        first, last = low.words(case, noun), high.words(case, noun)
    else:
        plain = _plain(high, sentence, match.end(), wanted)
        case, second, last = plain.case, plain.words, plain.words
        first = decimal(low.before, low.after, case) if low.after else whole(low.before, case, plain.gender)
    sentence.said(match.end(), case)
    minus, plus = _sign(match, sentence), _SIGNS[match["above"]] if match["above"] else ""
    dash = " — " if minus or plus or " " in first or " " in last else "-"
    return f"{minus}{first}{dash}{plus}{second}{sentence.stop(match)}"


@dataclass(frozen=True, slots=True)
class _Plain:
    words: str
    case: Case
    gender: Gender = "m"


def _plain(number: Number, sentence: Sentence, end: int, wanted: tuple[Case, ...]) -> _Plain:
    """Read a number before a noun that is written out, or before none."""
    case: Case = wanted[0] if wanted else "n"
    if number.after:
        noun = agreement(sentence, 2, end, ()) if number.is_half else None
        if noun is not None and case in "na" and not noun.plural:
            return _Plain("полторы" if noun.gender == "f" else "полтора", case)
        return _Plain(decimal(number.before, number.after, case), case)
    if numbered := _numbered(number, sentence, end, wanted):
        return numbered
    found = agreement(sentence, number.value % 10**6 or 10**6, end, wanted)
    if found is None:
        return _Plain(whole(number.before, case), case)
    words = whole(number.before, found.case, found.gender, animate=found.animate)
    return _Plain(words, found.case, found.gender)


def _numbered(number: Number, sentence: Sentence, end: int, wanted: tuple[Case, ...]) -> _Plain | None:
    """«на 5 этаже», «2 этаж»: an ordinal, since the noun is in no form that a cardinal takes."""
    word = NEXT_WORD.match(sentence.text, end)
    if word is None or number.value > 3000 or number.value == 0:
        return None
    known = [one for one in forms(word[1]) if not one.adjective and not one.plural]
    if not known:
        return None
    lemma = next((lemma for lemma in lemmas(word[1]) if lemma in NUMBERED), None)
    if lemma is None:
        return None
    gender = NUMBERED[lemma]
    cases = [one.case for one in known]
    kind = form(number.value)
    case = next((case for case in (*wanted, "n") if case in cases), cases[0])
    if (kind == 2 and "g" in cases and case != "p" and "g" not in wanted) or (kind == 1 and lemma not in RANKED):
        return None  # «2 этажа», «в 21 комнате»
    return _Plain(ordinal(number.value, case, gender), case, gender)


def _bare(match: re.Match[str], sentence: Sentence) -> str:
    """«2 яблока», «к 5»."""
    number = parse(match["number"])
    plain = _plain(number, sentence, match.end(), governed(sentence, match.start(), match.end()))
    sentence.said(match.end(), plain.case)
    return _sign(match, sentence) + plain.words


def _fraction(match: re.Match[str], sentence: Sentence) -> str | None:
    """«1/2», «2 3/4», and «дробь» after a house or a number."""
    above, below = int(match["above"]), int(match["below"])
    case = _case(sentence, match)
    if HOUSE.search(sentence.left(match.start())) and not match["whole"]:
        return f"{cardinal(above)} дробь {cardinal(below)}"
    if match["unit"] and match["unit"].startswith("мм") and above >= 20:  # blood pressure
        return f"{cardinal(above)} на {cardinal(below)} {_noun(match['unit']).counted(below)}{sentence.stop(match)}"
    if above == below >= 10:
        return f"{cardinal(above)} на {cardinal(below)}"
    if not 1 < below <= 1000 or above == 0 or (above > below and not (below < 10 and above <= 20)):
        return f"{whole(match['above'])} дробь {whole(match['below'])}"
    sentence.said(match.end(), case)
    said = fraction(above, below, case)
    if match["whole"]:
        before = int(match["whole"])
        said = f"{cardinal(before, case, 'f')} {'целая' if form(before) == 1 and case == 'n' else 'целых'} {said}"
    return said + (f" {_noun(match['unit']).part()}" if match["unit"] else "") + sentence.stop(match)


def _vulgar(match: re.Match[str], sentence: Sentence) -> str:
    """«½ чашки», «2½»."""
    above, below = VULGAR[match["vulgar"]]
    said = fraction(above, below, _case(sentence, match))
    return f"{whole(match['whole'])} и {said}" if match["whole"] else said


def _product(match: re.Match[str], sentence: Sentence) -> str:
    """«10×15 см», «1920x1080»."""
    parts = [match[name] for name in ("one", "two", "three") if match[name]]
    spoken = [parse(part).words("n") for part in parts]
    unit = f" {parse(parts[-1]).counted(_noun(match['unit']), 'n')}" if match["unit"] else ""
    return " на ".join(spoken) + unit + sentence.stop(match)


def _left(match: re.Match[str], _sentence: Sentence) -> str:
    digits = re.search(r"\d+", match[0])
    assert digits is not None, "the pattern ends with digits"
    before = match[0][: digits.start()]
    return _SIGNS.get(before, before) + whole(digits[0])


_NUM: Final = rf"(?P<number>{NUMBER})"
_SIGNED: Final = rf"(?P<sign>{SIGN})?"


PRODUCTS: Final = (
    rule(rf"(?P<one>{NUMBER}) ?[xх×*] ?(?P<two>{NUMBER})(?: ?[xх×*] ?(?P<three>{NUMBER}))?(?:{SPACE}?"
        rf"(?P<unit>{SYMBOL}))?"
          r"(?![^\W_])", _product),
)  # fmt: skip
FRACTIONS: Final = (
    rule(rf"(?:(?P<whole>\d{{1,6}})[ ]?)?(?P<vulgar>[{''.join(VULGAR)}])", _vulgar),
    rule(rf"(?:(?P<whole>\d{{1,3}}) )?(?P<above>\d{{1,3}})[/⁄](?P<below>\d{{1,4}})(?![\d/.,]\d|\d)"
        rf"(?:{SPACE}(?P<unit>{SYMBOL}))?",
          _fraction),
)  # fmt: skip
QUANTITIES: Final = (
    rule(rf"{_SIGNED}(?P<unit>{_CURRENCY}) ?{_NUM}(?: ?(?P<scale>{SCALE}))?", _prefixed),
    rule(rf"{_SIGNED}(?P<low>{NUMBER}){_DASH}(?P<above>{SIGN})?{_NUM}(?: ?(?P<scale>{SCALE}))?(?:{SPACE}?"
        rf"(?P<unit>{SYMBOL}))?(?![^\W_]|-?\d)", _range),
    rule(rf"{_SIGNED}{_NUM}(?: ?(?P<scale>{SCALE}))?{SPACE}?(?P<unit>{SYMBOL})", _unit),
    rule(rf"{_SIGNED}{_NUM} ?(?P<scale>{SCALE})(?P<unit>(?!))?", _unit),
    rule(rf"{_SIGNED}{_NUM}(?![^\W_²³])", _bare),
)  # fmt: skip
LEFT: Final = (rule(r"[^\w½⅓⅔¼¾⅕⅖⅗⅘⅙⅛⅜⅝⅞]{0,4}\d++", _left),)
"""Digits that no other rule reads, glued to letters."""
