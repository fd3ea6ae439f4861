"""Numbers with what they count: units, money, ranges, fractions, ordinals."""

import re
from typing import Final

from wyoming_voice.text.reading import SPACE, Sentence, rule

from .lexicon import VULGAR
from .number import cardinal, decade, decimal, fraction, ordinal, whole, year
from .unit import CURRENCY, SCALES, SMALL, SYMBOL, UNITS

NUMBER: Final = (
    r"(?:[1-9]\d{0,2}(?:,\d{3}){1,5}(?![\d]|,\d)|[1-9]\d{0,2}(?:[ \u00a0\u202f]\d{3}){1,5}"
    r"(?!\d)|\d++)?(?:(?<=\d)\.\d++(?!\.?\d)|(?<=\d)|(?<![\d.])\.\d++(?!\.?\d))"
)
SIGN: Final = r"[+\-−–±]"
_SIGNS: Final = {"+": "plus ", "-": "minus ", "−": "minus ", "–": "minus ", "±": "plus or minus "}
_SCALE: Final = r"(?:thousand|million|billion|trillion|mn|bn|[kKMBT])(?![^\W_])"
_DASH: Final = r" ?[-–—−] ?"


def parts(text: str) -> tuple[str, str]:
    """Take a number apart: digits before and after the decimal point."""
    before, _, after = re.sub(rf",|{SPACE}", "", text).partition(".")
    return before or "0", after


def said(text: str, sentence: Sentence) -> str:
    """Read a number that stands for itself."""
    before, after = parts(text)
    return decimal(before, after) if after else whole(before, british=sentence.region == "gb")


def _sign(match: re.Match[str], sentence: Sentence) -> str:
    """Read the sign: a minus only where it cannot be a hyphen."""
    sign, at = match["sign"], match.start()
    if not sign or (sign in "-–" and at and sentence.text[at - 1].isalnum()):
        return ""
    return _SIGNS[sign]


def _one(text: str) -> bool:
    before, after = parts(text)
    return before == "1" and not after


def _unit(match: re.Match[str], sentence: Sentence) -> str:
    """Read "−5 °C", "21.5 °C", "5 ft"; before a noun with a hyphen the unit is singular: "5-inch"."""
    one, many = UNITS[re.sub(r"(?<=fl)(?=oz)", " ", match["unit"])]
    number = match["number"]
    attributive = _ARTICLE.search(sentence.left(match.start())) and re.match(" [a-z]", sentence.right(match.end()))
    single = _one(number) or match["joint"] == "-" or attributive
    scale = f" {SCALES[match['scale']]}" if match["scale"] else ""
    name = one if single and not scale else many
    return f"{_sign(match, sentence)}{said(number, sentence)}{scale} {name}{sentence.stop(match)}"


_ARTICLE: Final = re.compile(r"(?<!\w)(?:a|an|my|this|each|every|per|one) $", re.IGNORECASE)


def _height(match: re.Match[str], _sentence: Sentence) -> str:
    """6'2"."""
    return f"{cardinal(int(match[1]))} feet {cardinal(int(match[2]))}"


def _money(match: re.Match[str], sentence: Sentence) -> str:
    """Read "$5.99", "€1.5 million", "£1"."""
    return _sign(match, sentence) + _amount(match["number"], match["unit"], match["scale"], sentence)


def _amount(number: str, unit: str, scale: str | None, sentence: Sentence) -> str:
    one, many = UNITS[unit]
    before, after = parts(number)
    if scale:
        return f"{said(number, sentence)} {SCALES[scale]} {many}"
    if len(after) == 2 and unit in SMALL:
        cents = int(after)
        whole_part = f"{whole(before)} {one if before == '1' else many}" if int(before) or not cents else ""
        small = SMALL[unit][cents != 1]
        rest = f"{cardinal(cents)} {small}" if cents else ""
        return " and ".join(part for part in (whole_part, rest) if part)
    return f"{said(number, sentence)} {one if _one(number) else many}"


def _money_range(match: re.Match[str], sentence: Sentence) -> str:
    """Read "$5-10", "$5–$10"."""
    return f"{said(match['low'], sentence)} to {_amount(match['number'], match['unit'], match['scale'], sentence)}"


def _range(match: re.Match[str], sentence: Sentence) -> str | None:
    """Read "5-7 minutes", "10–15 °C", "1914–1918"."""
    low, high = match["low"], match["number"]
    if re.search(r"\d - \d", match[0]) and "=" in sentence.right(match.end()):
        return f"{said(low, sentence)} minus {said(high, sentence)}"
    minus = _sign(match, sentence)
    above = _SIGNS[match["above"]] if match["above"] else ""
    if match["unit"]:
        name = UNITS[match["unit"]][1]
        return f"{minus}{said(low, sentence)} to {above}{said(high, sentence)} {name}{sentence.stop(match)}"
    if re.fullmatch(r"[12]\d{3}", low) and re.fullmatch(r"(?:[12]\d)?\d\d", high):
        last = high if len(high) == 4 else low[:2] + high
        return f"{year(int(low))} to {year(int(last))}"
    return f"{minus}{said(low, sentence)} to {above}{said(high, sentence)}"


_YEAR_BEFORE: Final = re.compile(
    r"(?<!\w)(?:[Ii]n|[Ss]ince|by|from|until|till|of|year|years|before|after|around|circa|during|early|late"
    r"|mid|to|and|spring|summer"
    r"|autumn|fall|winter|copyright|©|[A-Z][a-z]+uary|March|April|May|June|July|August|[A-Z][a-z]+ber"
    r"|[A-Z][a-z]{2}\.?),? \(?$|\($",
)
_COUNTED: Final = re.compile(
    r" (?:(?!was |is |has )[a-z]+s|people|men|women|children|percent|of|more|less|fewer|times|watt|square"
    r"|cubic|or more)(?!\w)| ?[%°$€£]"
)
_DETERMINED: Final = re.compile(r"(?<!\w)(?:the|a|an|this|my|our|their|his|her) $", re.IGNORECASE)


def _bare(match: re.Match[str], sentence: Sentence) -> str:
    """Read a number alone, which is a year where it may be one and nothing is counted."""
    number = match["number"]
    sign = _sign(match, sentence)
    if not sign and re.fullmatch(r"1\d{3}|20\d\d", number) and not _COUNTED.match(sentence.right(match.end())):
        left = sentence.left(match.start())
        if int(number) >= 1900 or _YEAR_BEFORE.search(left) or _DETERMINED.search(left):
            return year(int(number))
    return sign + said(number, sentence)


def _ordinal(match: re.Match[str], _sentence: Sentence) -> str:
    return ordinal(int(match[1]))


def _decade(match: re.Match[str], _sentence: Sentence) -> str | None:
    """Read "1990s", "'90s", "the 80s"."""
    digits = match[1]
    number = int(digits)
    if len(digits) == 4:
        if number == 2000:
            return "two thousands"
        high, low = divmod(number, 100)
        return f"{cardinal(high)} {decade(cardinal(low)) if low else 'hundreds'}"
    return decade(cardinal(number)) if 20 <= number <= 90 else None


_SLASH: Final = re.compile(r"(?:apartment|apt\.?|unit|room|house|number|no\.?|#|model|type) ?$", re.IGNORECASE)


def _fraction(match: re.Match[str], sentence: Sentence) -> str | None:
    """Read "1/2", "2 3/4"; "24/7" is none."""
    above, below = int(match["above"]), int(match["below"])
    if match["unit"] and match["unit"] == "mmHg":  # blood pressure
        return f"{cardinal(above)} over {cardinal(below)} {UNITS['mmHg'][1]}"
    if above == below >= 10:
        return f"{cardinal(above)} {cardinal(below)}"
    improper = above > below and not (below < 10 and above <= 20)
    if _SLASH.search(sentence.left(match.start())) or not 1 < below <= 1000 or above == 0 or improper:
        return f"{cardinal(above)} slash {cardinal(below)}"
    spoken = fraction(above, below)
    if match["whole"]:
        spoken = f"{cardinal(int(match['whole']))} and {'a' + spoken.removeprefix('one') if above == 1 else spoken}"
    return spoken + (f" {UNITS[match['unit']][1]}" if match["unit"] else "")


def _vulgar(match: re.Match[str], _sentence: Sentence) -> str:
    """Read "½ cup", "2½ cups"."""
    above, below = VULGAR[match["vulgar"]]
    spoken = fraction(above, below)
    if not match["whole"]:
        return spoken
    return f"{whole(match['whole'])} and {'a' + spoken.removeprefix('one') if above == 1 else spoken}"


def _product(match: re.Match[str], sentence: Sentence) -> str:
    """Read "10x15 cm", "1920×1080"."""
    sides = [match[name] for name in ("one", "two", "three") if match[name]]
    pixels = not match["unit"] and all(re.fullmatch(r"[12]\d{3}|\d{3}", side) for side in sides)
    spoken = [year(int(side)) if pixels and len(side) == 4 else said(side, sentence) for side in sides]
    unit = f" {UNITS[match['unit']][1]}" if match["unit"] else ""
    by = " times " if match["sign"] in {" × ", " * "} and not match["unit"] else " by "
    return by.join(spoken) + unit + sentence.stop(match)


def _times(match: re.Match[str], sentence: Sentence) -> str:
    """Read "2x faster"."""
    return f"{said(match['number'], sentence)} times" if match["number"] != "1" else "once"


def _left(match: re.Match[str], _sentence: Sentence) -> str:
    digits = re.search(r"\d+", match[0])
    assert digits is not None, "the pattern ends with digits"
    before = match[0][: digits.start()]
    return _SIGNS.get(before, before) + whole(digits[0])


_NUM: Final = rf"(?P<number>{NUMBER})"
_SIGNED: Final = rf"(?P<sign>{SIGN})?"
FRACTIONS: Final = (
    rule(rf"(?:(?P<whole>\d{{1,6}}) ?)?(?P<vulgar>[{''.join(VULGAR)}])", _vulgar),
    rule(rf"(?:(?P<whole>\d{{1,3}}) )?(?P<above>\d{{1,3}})[/⁄](?P<below>\d{{1,4}})(?![\d/]|[.,]\d)"
        rf"(?:{SPACE}?(?P<unit>{SYMBOL}))?",
          _fraction),
)  # fmt: skip
QUANTITIES: Final = (
    rule(r"(\d)['’′] ?(\d{1,2})(?:[\"”″]|'')(?!\w)", _height),
    rule(rf"(?P<one>{NUMBER})(?P<sign> ?[x×*] ?)(?P<two>{NUMBER})(?: ?[x×*] ?(?P<three>{NUMBER}))?"
        rf"(?:{SPACE}?(?P<unit>{SYMBOL}))?(?![^\W_])",
          _product),
    rule(r"(\d{1,9})(?:st|nd|rd|th)(?!\w)", _ordinal, re.IGNORECASE),
    rule(r"['’]?(\d{4}|\d0)['’]?s(?!\w)", _decade),
    rule(rf"(?P<unit>{CURRENCY})(?P<low>{NUMBER}){_DASH}(?:{CURRENCY})?{_NUM}(?: ?(?P<scale>{_SCALE}))?"
        rf"(?![^\W_])", _money_range),
    rule(rf"{_SIGNED}(?P<unit>{CURRENCY}) ?{_NUM}(?: ?(?P<scale>{_SCALE}))?", _money),
    rule(rf"{_SIGNED}(?P<low>{NUMBER}){_DASH}(?P<above>{SIGN})?{_NUM}(?:{SPACE}?(?P<unit>{SYMBOL}))?"
        rf"(?![^\W_]|[-–]\d)", _range),
    rule(rf"{_SIGNED}{_NUM}(?: (?P<scale>thousand|million|billion|trillion))?(?P<joint>{SPACE}|-)?"
        rf"(?P<unit>{SYMBOL})", _unit),
    rule(rf"(?P<number>{NUMBER})x(?!\w)", _times),
    rule(rf"{_SIGNED}{_NUM}(?![^\W_²³])", _bare),
)  # fmt: skip
LEFT: Final = (rule(r"[^\w½⅓⅔¼¾⅕⅖⅗⅘⅙⅛⅜⅝⅞]{0,4}\d++", _left),)
"""Digits that no other rule reads, glued to letters."""
