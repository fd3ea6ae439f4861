"""What Orpheus reads: text without token names, in pieces as long as it was trained on, and sounds such as a sigh."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from wyoming_voice.errors import BadRequest

TAGS: Final = ("laugh", "chuckle", "sigh", "cough", "sniffle", "groan", "yawn", "gasp")
"""The sounds that the released models were trained to make where ``<laugh>`` and so on stands in the text."""

PIECE: Final = 220
"""Characters that are spoken in one go: about 14 s, which is what the models were trained on at most."""

_RUSSIAN: Final = {
    "сме": "laugh",
    "хихик": "chuckle",
    "вздох": "sigh",
    "вздых": "sigh",
    "кашл": "cough",
    "кашел": "cough",
    "шмыг": "sniffle",
    "стон": "groan",
    "зев": "yawn",
    "ахн": "gasp",
}
"""Beginnings of the words for the same sounds."""

# Text from outside is only text: the names of tokens would end the prompt, half characters break the tokenizer.
_DROPPED: Final = re.compile(r"<\|[^|<>]*\|>|<custom_token_\d*>|[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_ENDS: Final = (re.compile(r"[.!?…]+[\"»”)]*\s"), re.compile(r"[,;:—–]\s"), re.compile(r"\s"))
"""Where to cut, the best first: after a sentence, a clause, a word."""
_STYLE_WORD: Final = re.compile(r"\w+")


def pieces(text: str) -> Iterator[str]:
    """Yield what is spoken in one go, cut after a sentence, else a clause, else a word; silent pieces are left out."""
    rest = " ".join(_DROPPED.sub(" ", text).split())
    while rest:
        cut = len(rest) if len(rest) <= PIECE else _cut(rest[: PIECE + 1])
        piece, rest = rest[:cut].strip(), rest[cut:].lstrip()
        if any(character.isalnum() for character in piece):
            yield piece


def _cut(window: str) -> int:
    """Return where to cut a window of one character more than a piece; a piece is at least a quarter of it."""
    for end in _ENDS:
        cut = max((found.end() for found in end.finditer(window)), default=0)
        if cut > PIECE // 4:
            return cut
    return PIECE


def opening(style: str | None, styles: Mapping[str, str]) -> str:
    """Return what a style puts before the text: ``<laugh>`` for "laughing", or what ``styles`` has for it.

    Raises BadRequest for a style that is neither: it would be silently ignored.
    """
    if not style or not style.strip():
        return ""
    asked = style.strip().lower()
    if asked in styles:
        return styles[asked]
    for word in _STYLE_WORD.findall(asked):
        known = [tag for tag in TAGS if word.startswith(tag)]
        known += [tag for stem, tag in _RUSSIAN.items() if word.startswith(stem)]
        if known:
            return f"<{known[0]}>"
    raise BadRequest(f"Orpheus has no style '{style.strip()[:100]}'. It has: {', '.join((*TAGS, *styles))}.")
