"""What is read sign by sign in a Russian sentence: addresses, phone numbers, versions, names of entities and models."""

import re
from typing import Final

from wyoming_voice.text.entity import DOMAINS, ENTITY, HOST, MAIL
from wyoming_voice.text.reading import Sentence, rule

from . import latin
from .brand import BRANDS, PHRASES
from .lexicon import HOUSE, LETTERS
from .number import cardinal, digits, whole

_SIGNS: Final = {
    ".": "точка",
    "@": "собака",
    "-": "дефис",
    "_": "подчёркивание",
    "+": "плюс",
    "/": "слэш",
    ":": "двоеточие",
    "%": "процент",
}
_PIECES: Final = re.compile(r"[A-Za-z]+|\d+|[А-Яа-яЁё]+|[.@_+/:%-]")


def _spelled(text: str) -> str:
    """Read an address with its signs."""
    said = []
    for piece in _PIECES.findall(text):
        if piece in _SIGNS:
            said.append(_SIGNS[piece])
        elif piece.isdigit():
            said.append(whole(piece))
        else:
            said.append(latin.say(piece) if piece.isascii() else piece)
    return " ".join(said)


def _mail(match: re.Match[str], _sentence: Sentence) -> str:
    return _spelled(match[0])


def _host(match: re.Match[str], _sentence: Sentence) -> str | None:
    if match["port"]:
        return f"{_spelled(match['host'])} порт {cardinal(int(match['port']))}"
    return _spelled(match[0])


def _entity(match: re.Match[str], _sentence: Sentence) -> str | None:
    """``sensor.kitchen_temperature``."""
    if match["domain"] not in DOMAINS and "_" not in match[0]:
        return None
    pieces = re.findall(r"[A-Za-z]+|\d+", match[0])
    domain = BRANDS.get(match["domain"].replace("_", " "))
    if domain:
        pieces = re.findall(r"[A-Za-z]+|\d+", match["object"])
    said = [whole(piece) if piece.isdigit() else latin.say(piece) for piece in pieces]
    return " ".join([domain, *said] if domain else said)


def _address(match: re.Match[str], _sentence: Sentence) -> str | None:
    """«192.168.1.1:8123»."""
    parts = match["ip"].split(".")
    if any(int(part) > 255 for part in parts):
        return None
    said = " точка ".join(whole(part) for part in parts)
    if match["mask"]:
        said += f" слэш {whole(match['mask'])}"
    return said + (f" порт {whole(match['port'])}" if match["port"] else "")


def _mac(match: re.Match[str], _sentence: Sentence) -> str:
    pairs = re.split("[:-]", match[0])
    return ", ".join(" ".join(digits(char) if char.isdigit() else latin.spell(char) for char in pair) for pair in pairs)


def _phone(match: re.Match[str], _sentence: Sentence) -> str:
    """«+7 (916) 123-45-67»: by groups, as they are written down."""
    groups = [match["area"], match["one"], match["two"], match["three"]]
    country = "плюс семь" if match["country"].startswith("+") else "восемь"
    return ", ".join([country, *(whole(group) for group in groups)])


def _short_phone(match: re.Match[str], _sentence: Sentence) -> str:
    return ", ".join(whole(group) for group in re.findall(r"\d+", match[0]))


def _foreign_phone(match: re.Match[str], _sentence: Sentence) -> str:
    return "плюс " + ", ".join(whole(group) for group in re.findall(r"\d+", match[0]))


def _version(match: re.Match[str], _sentence: Sentence) -> str:
    """«2.4.1»."""
    return " точка ".join(whole(part) for part in match["version"].split("."))


_VERSION_BEFORE: Final = re.compile(
    r"(?:верси[а-яё]+|релиз[а-я]*|прошивк[а-я]+|обновлени[а-я]+|python|android|ios|firmware|v|bluetooth|usb"
    r"|wi-fi|hdmi|zigbee|linux|ubuntu|home assistant) ?$",
    re.IGNORECASE,
)


def _labelled(match: re.Match[str], sentence: Sentence) -> str | None:
    """«версия 2.4», «Python 3.12»."""
    if not _VERSION_BEFORE.search(sentence.left(match.start())):
        return None
    return _version(match, sentence)


def _is_russian(match: re.Match[str], sentence: Sentence) -> bool:
    """Whether a name has a Russian reading, and is not one word of an English phrase."""
    before = _WORD_BEFORE.search(sentence.left(match.start()))
    after = _WORD_AFTER.match(sentence.right(match.end()))
    names = [match[0], *(word[1] for word in (before, after) if word)]
    return sentence.has_cyrillic and all(name.lower() in BRANDS for name in names)


_WORD_BEFORE: Final = re.compile(r"([A-Za-z][\w'’-]*) $")
_WORD_AFTER: Final = re.compile(r" ([A-Za-z][\w'’-]*)")


def _latin(match: re.Match[str], sentence: Sentence) -> str | None:
    """Read Latin words; unknown ones stay as they are for an engine that can read them."""
    word = match[0]
    if word.lower().replace(" ", "") in _FORMULAS and word[-1].isdigit():
        return BRANDS[word.lower()].replace("-", " ")
    if "latin" in sentence.reads and not re.search(r"\d", word) and not _is_russian(match, sentence):
        return None
    return latin.say(word)


_FORMULAS: Final = frozenset(name for name in BRANDS if name[-1].isdigit())


def _release(match: re.Match[str], _sentence: Sentence) -> str:
    """«v2.4.1»."""
    return "версия " + " точка ".join(whole(part) for part in match[1].split("."))


def _mixed(match: re.Match[str], _sentence: Sentence) -> str | None:
    """«5G», «4K», «T-34», «E27»."""
    said = []
    for piece in re.findall(r"[A-Za-z]+|\d+|[А-Яа-яЁё]+", match[0]):
        if piece.isdigit():
            said.append(whole(piece))
        elif piece.isascii():
            said.append(_MODEL.get(piece, latin.say(piece)))
        else:
            said.append(piece)
    return " ".join(said)


_MODEL: Final = {"K": "ка", "D": "дэ", "x": "икс"}


CODES: Final = (
    rule(r"(?P<ip>\d{1,3}(?:\.\d{1,3}){3})(?![\d.]\d|\d)(?:/(?P<mask>\d{1,2}))?(?::(?P<port>\d{1,5}))?"
        r"(?!\d)", _address),
    rule(r"[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}(?![\w:])", _mac),
    rule(r"(?P<country>\+7|8)[ -]?\(?(?P<area>\d{3})\)?[ -]?(?P<one>\d{3})[ -]?(?P<two>\d\d)[ -]?"
        r"(?P<three>\d\d)(?![\d-]\d|\d)", _phone),
    rule(r"\+\d{1,3}(?:[ -]\(?\d{2,4}\)?){2,5}(?![\d-]\d|\d)", _foreign_phone),
    rule(r"\d{3}-\d\d-\d\d(?![\d-]\d|\d)", _short_phone),
    rule(r"(?![1-9]\d{0,2}(?:\.\d{3}){2,}(?![\d.]\d))(?P<version>\d{1,6}(?:\.\d{1,6}){2,5})(?![\d.]\d|\d)", _version),
    rule(r"(?P<version>\d{1,4}\.\d{1,4})(?![\d.]\d|\d)", _labelled),
    rule(MAIL, _mail),
)  # fmt: skip
_LETTERED: Final = re.compile(
    rf"{HOUSE.pattern}|(?:поезд|рейс|автобус|маршрут|школ|кабинет|аудитори|класс|корпус|строени|подъезд)[а-я]* ?$",
    re.IGNORECASE,
)


def _lettered(match: re.Match[str], sentence: Sentence) -> str | None:
    """«дом 5А», «5 А класс»."""
    if not (_LETTERED.search(sentence.left(match.start())) or sentence.right(match.end()).startswith(" класс")):
        return None
    return f"{whole(match[1])} {LETTERS[match[2].lower()]}"


MODELS: Final = (
    rule(r"(\d{1,4})[ -]?[«\"]?([А-ЕЖЗИКЛМа-ежзиклм])[»\"]?(?!\w)", _lettered),
    rule(r"\d{1,4}[KDGP](?![^\W_])", _mixed),
)
MIXED: Final = (
    rule(r"\d{1,6}-?[A-Za-z][A-Za-z0-9]{0,20}(?!\w)", _mixed),
    rule(r"\d{1,6}[А-Яа-яЁё](?!\w)", _mixed),
)
LATIN: Final = (
    rule(MAIL, _mail),
    rule(ENTITY, _entity),
    rule(HOST, _host, re.IGNORECASE),
    rule(r"[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}(?![\w:])", _mac),
    rule(r"v\.? ?(\d{1,5}(?:\.\d{1,5}){1,5})(?!\w)", _release, re.IGNORECASE),
    rule(rf"(?:{'|'.join(re.escape(phrase) for phrase in PHRASES)})(?![^\W_])", _latin, re.IGNORECASE),
    rule(r"Dr\.", lambda _match, _sentence: "доктор"),
    rule(r"(?:PM ?2\.5|C\+\+|C#)(?![^\W_])", _latin, re.IGNORECASE),
    rule(r"[A-Za-zÀ-ÖØ-öø-ÿ][A-Za-zÀ-ÖØ-öø-ÿ0-9]*+(?:['’-][A-Za-zÀ-ÖØ-öø-ÿ0-9]++){0,3}", _latin),
)  # fmt: skip
