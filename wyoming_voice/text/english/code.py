"""What is read sign by sign in an English sentence: addresses, phone numbers, versions, entities and models."""

import re
from typing import Final

from wyoming_voice.text.entity import DOMAINS, ENTITY, HOST, MAIL
from wyoming_voice.text.reading import Sentence, rule

from .lexicon import SAID, SPELLED
from .number import cardinal, digits, whole, year

_SIGN_NAMES: Final = {".": "dot", "@": "at", "-": "dash", "_": "underscore", "+": "plus", "/": "slash", ":": "colon"}
_VOWEL: Final = re.compile("[AEIOUY]")
_PIECES: Final = re.compile(r"[^\W\d_]+|\d+|[.@_+/:-]")


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


def known(match: re.Match[str], _sentence: Sentence) -> str | None:
    return SAID.get(match[0])


_LETTERED: Final = re.compile(
    r"(?:apartment|apt\.?|room|suite|unit|gate|seat|row|platform|flat|number|no\.?|#) ?$", re.IGNORECASE
)


def _lettered(match: re.Match[str], sentence: Sentence) -> str | None:
    """Read "Room 5A"."""
    return f"{whole(match[1])} {match[2].upper()}" if _LETTERED.search(sentence.left(match.start())) else None


MAIL_RULE: Final = rule(MAIL, _mail)
_MAC: Final = rule(r"[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}(?![\w:])", _mac)
CODES: Final = (
    rule(r"(?P<ip>\d{1,3}(?:\.\d{1,3}){3})(?![\d.]\d|\d)(?:/(?P<mask>\d{1,2}))?(?::(?P<port>\d{1,5}))?"
        r"(?!\d)", _address),
    _MAC,
    rule(r"\+\d{1,3}(?:[ -]?\(?\d{2,4}\)?){2,5}(?![\d-]\d|\d)", _phone),
    rule(r"(?:1[ -])?\(?\d{3}\)?[ -]\d{3}-\d{4}(?![\d-]\d|\d)", _phone),
    rule(r"\d{3}-\d{4}(?![\d-]\d|\d)", _phone),
    rule(r"(\d{1,6}(?:\.\d{1,6}){2,5})(?![\d.]\d|\d)", _version),
    MAIL_RULE,
)  # fmt: skip
MODELS: Final = (
    rule(r"(\d{1,4})-?([A-Za-z])(?!\w)", _lettered),
    rule(r"\d{1,4}[BKDGPp](?![^\W_])", _mixed),
)
MIXED: Final = (rule(r"\d{1,6}-?[A-Za-z][A-Za-z0-9]{0,20}(?!\w)", _mixed),)
NAMES: Final = (
    rule(ENTITY, _entity),
    rule(HOST, _host, re.IGNORECASE),
    _MAC,
    rule(r"v\.? ?(\d{1,5}(?:\.\d{1,5}){1,5})(?!\w)", _release, re.IGNORECASE),
)
MODEL: Final = rule(r"[A-Za-z]{1,12}-?\d[A-Za-z0-9]{0,12}(?![^\W²³])", _mixed)
