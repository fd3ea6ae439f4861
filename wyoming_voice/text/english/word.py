"""Abbreviations, initialisms, Roman numerals, addresses, foreign letters and signs in an English sentence."""

import re
from typing import Final

from wyoming_voice.text.entity import DOMAINS, ENTITY, HOST, MAIL
from wyoming_voice.text.reading import Reader, Rule, Sentence
from wyoming_voice.text.roman import ROMAN, roman

from .lexicon import ABBREVIATIONS, CYRILLIC, MONTHS, NUMBERED, PARTS, RANKED, SAID, SPELLED
from .number import cardinal, digits, ordinal, whole, year
from .unit import UNITS

_SIGN_NAMES: Final = {".": "dot", "@": "at", "-": "dash", "_": "underscore", "+": "plus", "/": "slash", ":": "colon"}
_PIECES: Final = re.compile(r"[^\W\d_]+|\d+|[.@_+/:-]")
_LAST_WORD: Final = re.compile(r"([A-Za-z]+) $")
_VOWEL: Final = re.compile("[AEIOUY]")


def _spelled(text: str) -> str:
    """Read an address with its signs."""
    pieces = _PIECES.findall(text)
    return " ".join(
        _SIGN_NAMES.get(piece) or (whole(piece) if piece.isdigit() else _letters(piece)) for piece in pieces
    )


def _letters(word: str) -> str:
    return (
        " ".join(word.upper())
        if word.isascii()
        and (word.upper() in SPELLED or (len(word) > 1 and not _VOWEL.search(word.upper())))
        and word != "lan"
        else word
    )


def _mail(match: re.Match[str], _sentence: Sentence) -> str:
    return _spelled(match[0])


def _host(match: re.Match[str], _sentence: Sentence) -> str:
    host = match["host"]
    said = _spelled(host.removeprefix("www."))
    said = ("W W W dot " if host.startswith("www.") else "") + said
    return said + (f" port {cardinal(int(match['port']))}" if match["port"] else "")


def _entity(match: re.Match[str], _sentence: Sentence) -> str | None:
    """``sensor.kitchen_temperature``."""
    if match["domain"] not in DOMAINS and "_" not in match[0]:
        return None
    pieces = re.findall(r"[a-z]+|\d+", match[0])
    return " ".join(whole(piece) if piece.isdigit() else _letters(piece) for piece in pieces)


def _address(match: re.Match[str], _sentence: Sentence) -> str | None:
    """Read "192.168.1.1:8123": digit by digit."""
    if any(int(part) > 255 for part in match["ip"].split(".")):
        return None
    said = " dot ".join(digits(part) for part in match["ip"].split("."))
    said += f" slash {cardinal(int(match['mask']))}" if match["mask"] else ""
    return said + (f" port {cardinal(int(match['port']))}" if match["port"] else "")


def _phone(match: re.Match[str], _sentence: Sentence) -> str:
    """Read "+1 (555) 123-4567": digit by digit, in groups."""
    groups = re.findall(r"\d+", match[0])
    return ("plus " if match[0].startswith("+") else "") + ", ".join(digits(group) for group in groups)


def _version(match: re.Match[str], _sentence: Sentence) -> str:
    """Read "2.4.1"."""
    return " point ".join(
        whole(part) if part == "0" or part[0] != "0" else digits(part) for part in match[1].split(".")
    )


def _release(match: re.Match[str], sentence: Sentence) -> str:
    return f"version {_version(match, sentence)}"


def _mac(match: re.Match[str], _sentence: Sentence) -> str:
    pairs = re.split("[:-]", match[0].upper())
    return ", ".join(" ".join(digits(char) if char.isdigit() else char for char in pair) for pair in pairs)


def _mixed(match: re.Match[str], _sentence: Sentence) -> str:
    """Read "5G", "4K", "E27", "T-34"."""
    if known := SAID.get(match[0]):
        return known
    pieces = re.findall(r"[A-Za-z]+|\d+", match[0])
    return " ".join(
        year(int(piece)) if piece == "1080" else whole(piece) if piece.isdigit() else _part(piece) for piece in pieces
    )


def _part(piece: str) -> str:
    return " ".join(piece.upper()) if len(piece) == 1 or (piece.isupper() and len(piece) <= 3) else piece


def _known(match: re.Match[str], _sentence: Sentence) -> str | None:
    return SAID.get(match[0])


def _abbreviation(match: re.Match[str], sentence: Sentence) -> str | None:
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
_LETTERED: Final = re.compile(
    r"(?:apartment|apt\.?|room|suite|unit|gate|seat|row|platform|flat|number|no\.?|#) ?$", re.IGNORECASE
)


def _lettered(match: re.Match[str], sentence: Sentence) -> str | None:
    """Read "Room 5A"."""
    return f"{whole(match[1])} {match[2].upper()}" if _LETTERED.search(sentence.left(match.start())) else None


def _rule(pattern: str, reader: Reader, flags: int = 0) -> Rule:
    return re.compile(pattern, flags), reader


def _alternatives(words: "list[str]") -> str:
    return "|".join(re.escape(word).replace(r"\ ", " ?") for word in sorted(words, key=lambda one: (-len(one), one)))


CODES: Final = (
    _rule(r"(?P<ip>\d{1,3}(?:\.\d{1,3}){3})(?![\d.]\d|\d)(?:/(?P<mask>\d{1,2}))?(?::(?P<port>\d{1,5}))?"
        r"(?!\d)", _address),
    _rule(r"[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}(?![\w:])", _mac),
    _rule(r"\+\d{1,3}(?:[ -]?\(?\d{2,4}\)?){2,5}(?![\d-]\d|\d)", _phone),
    _rule(r"(?:1[ -])?\(?\d{3}\)?[ -]\d{3}-\d{4}(?![\d-]\d|\d)", _phone),
    _rule(r"\d{3}-\d{4}(?![\d-]\d|\d)", _phone),
    _rule(r"(\d{1,6}(?:\.\d{1,6}){2,5})(?![\d.]\d|\d)", _version),
    _rule(MAIL, _mail),
    _rule(r"24/7(?!\w)", _abbreviation),
)  # fmt: skip
MODELS: Final = (
    _rule(r"(\d{1,4})-?([A-Za-z])(?!\w)", _lettered),
    _rule(r"\d{1,4}[BKDGPp](?![^\W_])", _mixed),
)
MIXED: Final = (_rule(r"\d{1,6}-?[A-Za-z][A-Za-z0-9]{0,20}(?!\w)", _mixed),)
LATIN: Final = (
    _rule(MAIL, _mail),
    _rule(rf"(?:{_alternatives([*SAID])})(?![^\W_])", _known),
    _rule(ENTITY, _entity),
    _rule(HOST, _host, re.IGNORECASE),
    _rule(r"[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}(?![\w:])", _mac),
    _rule(r"v\.? ?(\d{1,5}(?:\.\d{1,5}){1,5})(?!\w)", _release, re.IGNORECASE),
    _rule(rf"({_alternatives([*NUMBERED])}) ?(?=\d)", _numbered, re.IGNORECASE),
    _rule(r"(St|Dr)\.(?!\w)", _saint),
    _rule(rf"(?:{_alternatives([*ABBREVIATIONS])})(?!\w)", _abbreviation, re.IGNORECASE),
    _rule(rf"(?P<roman>{ROMAN}) ?(?=century|centuries)", _century),
    _rule(rf"(?P<roman>{ROMAN})(?![^\W_]|['’-])", _roman),
    _rule(r"[A-Za-z]{1,12}-?\d[A-Za-z0-9]{0,12}(?![^\W²³])", _mixed),
    _rule(r"(?P<word>[A-Z]{2,6})(?P<plural>s|'s|’s)?(?![^\W_])", _initialism),
)  # fmt: skip
CYRILLIC_WORDS: Final = (_rule(r"[А-Яа-яЁё]++", _cyrillic),)
_LONE: Final = """
    kWh MWh Wh kW km/h m/s Mbit/s Mbps Gbit/s Gbps kbps MB/s GB/s hPa kPa mAh GHz MHz kHz Hz dB dBm ppm lx GB MB TB
""".split()
_LONE_UNITS: Final = "|".join(sorted(map(re.escape, _LONE), key=len, reverse=True))
UNIT_WORDS: Final = (
    _rule(rf"(?:{_LONE_UNITS})(?![^\W_]|[/·])", _lone_unit),
    _rule(rf"({'|'.join(_PERIODS)})\.? ?[-–—] ?({'|'.join(_PERIODS)})(?!\w)\.?", _names),
)
SIGNS: Final = (
    _rule("[²³]", _power),
    _rule("[/*]", _operator),
    _rule("°[CF](?!\\w)", _lone_unit),
    _rule(r"[&№#%$€£¥₽°+=~≈§×÷±<>≤≥≠∞√]", _sign),
)
