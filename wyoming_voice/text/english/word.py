"""Abbreviations, initialisms, Roman numerals, addresses, foreign letters and signs in an English sentence."""

import re
from typing import Final

from wyoming_voice.text.reading import Sentence, alternatives, rule
from wyoming_voice.text.roman import ROMAN, roman

from . import code
from .lexicon import ABBREVIATIONS, CYRILLIC, MONTHS, NUMBERED, PARTS, RANKED, SAID, SPELLED
from .number import cardinal, ordinal
from .unit import UNITS

_LAST_WORD: Final = re.compile(r"([A-Za-z]+) $")
_VOWEL: Final = re.compile("[AEIOUY]")


def abbreviation(match: re.Match[str], sentence: Sentence) -> str | None:
    said = ABBREVIATIONS.get(match[0]) or ABBREVIATIONS.get(match[0].lower())
    if said is None or match[0] == "Vs" or (match[0] in {"Sun.", "Sat.", "Wed.", "Mon."} and sentence.stop(match)):
        return None
    return (said[0].upper() + said[1:] if match[0][0].isupper() else said) + sentence.stop(match)


def _numbered(match: re.Match[str], _sentence: Sentence) -> str:
    said = NUMBERED[match[1].lower()]
    return (said.capitalize() if match[1][0].isupper() else said) + " "


def _saint(match: re.Match[str], sentence: Sentence) -> str:
    """Read "St. John" is a saint, "Main St." a street; "Dr. Smith", "Ocean Dr."."""
    before = re.search(r"[A-Z0-9][\w'’]* $", sentence.left(match.start()))
    following = re.match(r" [A-Z][a-z]", sentence.text[match.end() : match.end() + 3])
    person, road = ("Saint", "Street") if match[1] == "St" else ("Doctor", "Drive")
    is_road = not following or (
        before is not None
        and not re.search(r"(?:^|\.) ?\w+ $|(?:The|In|At|On|To|And|With) $", sentence.left(match.start()))
    )
    return (road if is_road and before else person) + sentence.stop(match)


def _initialism(match: re.Match[str], sentence: Sentence) -> str | None:
    """Read "USB" is spelled, "NASA" is a word; a shout is neither."""
    word, plural = match["word"], match["plural"] or ""
    if len(word) < 2 or word in {"OK", "CM"} or (sentence.shouted and _VOWEL.search(word)):
        return None
    if word not in SPELLED and _VOWEL.search(word.replace("Y", "")):
        return None
    if word in SPELLED or len(word) <= 5:
        return " ".join(word) + plural
    return None


def _roman(match: re.Match[str], sentence: Sentence) -> str | None:
    """Read "Louis XIV" is "the fourteenth", "Chapter IV" is "four"."""
    text = match["roman"]
    number = roman(text)
    before = _LAST_WORD.search(sentence.left(match.start()))
    if number is None or before is None:
        return None
    name = before[1].lower()
    if name in RANKED and before[1][0].isupper() and number <= 40:
        return f"the {ordinal(number)}"
    known = name in PARTS or (len(text) > 1 and before[1][0].isupper() and text in _USUAL)
    return cardinal(number) if known else None


_USUAL: Final = frozenset("II III IV VI VII VIII IX XI XII XIII XIV XV XVI XVII XVIII XIX XX".split())


def _century(match: re.Match[str], _sentence: Sentence) -> str | None:
    number = roman(match["roman"])
    return ordinal(number) if number else None


def _cyrillic(match: re.Match[str], sentence: Sentence) -> str | None:
    """Write Cyrillic words in Latin letters, where the engine cannot read them."""
    if "cyrillic" in sentence.reads:
        return None
    word = match[0]
    said = "".join(CYRILLIC.get(char, "") for char in word.lower())
    return (said.capitalize() if word[0].isupper() else said) or None


def _sign(match: re.Match[str], sentence: Sentence) -> str | None:
    """Read "&", "#5", "=" and other signs that stand for a word."""
    char, left, right = match[0], sentence.left(match.start())[-1:], sentence.right(match.end())[:1]
    if char in "#№":
        return "number " if right.isdigit() else None
    if char in "~≈±<>≤≥" and not re.match(r" ?[+\-−$€£]?\d", sentence.text[match.end() : match.end() + 4]):
        return None
    if char in "+=" and not (
        (left.isspace() or left.isalnum() or left == ")") and (right.isspace() or right.isalnum() or not right)
    ):
        return None
    if char in "$€£¥₽" and right.isalnum():
        return None
    before = " " if left and not left.isspace() else ""
    after = " " if right and not right.isspace() and (right.isalnum() or right in "$€£(") else ""
    return before + _SIGN_WORDS[char] + after


_SIGN_WORDS: Final = {
    "&": "and", "+": "plus", "=": "equals", "~": "about", "≈": "about", "§": "section", "×": "times", "÷": "divided by",
    "±": "plus or minus", "<": "less than", ">": "more than", "≤": "at most", "≥": "at least", "≠": "does not equal",
    "∞": "infinity", "√": "square root of", "%": "percent", "°": "degrees", "$": "dollars", "€": "euros", "£": "pounds",
    "¥": "yen", "₽": "rubles",
}  # fmt: skip


def _power(match: re.Match[str], _sentence: Sentence) -> str:
    return {"²": " squared", "³": " cubed"}[match[0]]


def _operator(match: re.Match[str], _sentence: Sentence) -> str:
    return {"/": "divided by", "*": "times"}[match[0]]


def _lone_unit(match: re.Match[str], _sentence: Sentence) -> str:
    return UNITS[match[0]][1]


def _names(match: re.Match[str], _sentence: Sentence) -> str:
    """Read "Mon-Fri", "Jan–Mar"."""
    return f"{_PERIODS[match[1]]} to {_PERIODS[match[2]]}"


_PERIODS: Final = {day[:3]: day for day in "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()} | {
    month[:3]: month for month in MONTHS
}
LATIN: Final = (
    code.MAIL_RULE,
    rule(rf"(?:{alternatives(SAID)})(?![^\W_])", code.known),
    *code.NAMES,
    rule(rf"({alternatives(NUMBERED)}) ?(?=\d)", _numbered, re.IGNORECASE),
    rule(r"(St|Dr)\.(?!\w)", _saint),
    rule(rf"(?:{alternatives(ABBREVIATIONS)})(?!\w)", abbreviation, re.IGNORECASE),
    rule(rf"(?P<roman>{ROMAN}) ?(?=century|centuries)", _century),
    rule(rf"(?P<roman>{ROMAN})(?![^\W_]|['’-])", _roman),
    code.MODEL,
    rule(r"(?P<word>[A-Z]{2,6})(?P<plural>s|'s|’s)?(?![^\W_])", _initialism),
)
ALWAYS: Final = rule(r"24/7(?!\w)", abbreviation)
CYRILLIC_WORDS: Final = (rule(r"[А-Яа-яЁё]++", _cyrillic),)
_LONE: Final = """
    kWh MWh Wh kW km/h m/s Mbit/s Mbps Gbit/s Gbps kbps MB/s GB/s hPa kPa mAh GHz MHz kHz Hz dB dBm ppm lx GB MB TB
""".split()
_LONE_UNITS: Final = "|".join(sorted(map(re.escape, _LONE), key=len, reverse=True))
UNIT_WORDS: Final = (
    rule(rf"(?:{_LONE_UNITS})(?![^\W_]|[/·])", _lone_unit),
    rule(rf"({'|'.join(_PERIODS)})\.? ?[-–—] ?({'|'.join(_PERIODS)})(?!\w)\.?", _names),
)
SIGNS: Final = (
    rule("[²³]", _power),
    rule("[/*]", _operator),
    rule("°[CF](?!\\w)", _lone_unit),
    rule(r"[&№#%$€£¥₽°+=~≈§×÷±<>≤≥≠∞√]", _sign),
)
