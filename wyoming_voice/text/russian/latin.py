"""Latin letters in a Russian sentence, as a Russian speaker would say them: names from a table, others by rules."""

import re
from functools import lru_cache
from itertools import pairwise
from typing import Final

from .brand import BRANDS
from .number import whole

NAMES: Final = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        "эй би си ди и эф джи эйч ай джей кей эл эм эн оу пи кью ар эс ти ю ви дабл-ю икс уай зет".split(),
        strict=True,
    )
)
"""Names of the letters of the English alphabet."""

# In order: a longer spelling before a shorter one; "^" and "$" are the edges of the word
_SOUNDS: Final = tuple(
    (re.compile(spelling), sound)
    for spelling, sound in (
        pair.rsplit("=", 1)
        for pair in """
        ^kn=н ^wr=р ^ps=с ^x=кс ^gn=н ^wh=у tion=шен sion=жен cious=шес tious=шес ture=чер sure=жер
        ough=о augh=о eigh=эй igh=ай
        tch=ч sch=ш ch=ч sh=ш th=т ph=ф gh=г ck=к qu=кв ng=нг dge=дж oo=у ee=и ea=и ai=эй ay=ей ey=и ei=эй ie$=и ie=и
        oa=оу
        ow$=оу ow=ау ou=ау oi=ой oy=ой au=о aw=о ew=ью eu=ю ue$=ю ui=уи io=ио ia=иа
        ([bcdfghklmnpqrstvwz])a([bdfgklmnpstvz])e$=\\1эй\\2 ([bcdfghklmnpqrstvwz])i([bdfgklmnpstvz])e$=\\1ай\\2
        ([bcdfghklmnpqrstvwz])o([bdfgklmnpstvz])e$=\\1оу\\2 ([bcdfghklmnpqrstvwz])u([bdfgklmnpstvz])e$=\\1ью\\2
        ce$=с ge$=дж c(?=[eiy])=с cc=кк c=к x=кс ya=я yo=йо yu=ю ye=е y(?=[aeou])=й y$=и y=и j=дж w=в q=к h=х
        (?<=[а-яbcdfgklmnpqrstvz])e$= (?<=[aeiouаоуэию])e=э ^e=э e=е a=а b=б d=д f=ф g=г i=и k=к l=л m=м n=н o=о p=п r=р
        s=с t=т u=у v=в z=з
        """.split()
    )
)
_ACCENTS: Final = str.maketrans("áàâäãåæéèêëíìîïñóòôöõøúùûüýÿçßœ", "aaaaaaaeeeeiiiinoooooouuuuyycso")
_PARTS: Final = re.compile(r"[A-Z]{2,}(?![a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_SPEAKABLE: Final = re.compile(r"[b-df-hj-np-tv-z]{0,2}[aeiouy]", re.IGNORECASE)
LONGEST: Final = 40
"""Letters of the longest word that the rules are for; a longer one is no word, and is read in pieces."""


@lru_cache(maxsize=4096)
def say(word: str) -> str:
    """Read a word of Latin letters, digits and hyphens."""
    plain = word.translate(_ACCENTS)
    known = BRANDS.get(plain.lower())
    if known:
        return known
    pieces = [plain[at : at + LONGEST] for at in range(0, len(plain), LONGEST)]
    return "".join(_piece(piece) for piece in pieces)


def _piece(word: str) -> str:
    parts = _PARTS.findall(word)
    if len(parts) > 1 or not word.isalpha():
        return _joined(parts)
    return _part(word)


def _joined(parts: list[str]) -> str:
    said = _part(parts[0])
    for before, part in pairwise(parts):
        said += (" " if before.isdigit() or part.isdigit() else "-") + _part(part)
    return said


def _part(part: str) -> str:
    if part.isdigit():
        return whole(part)
    known = BRANDS.get(part.lower())
    if known:
        return known
    if len(part) == 1 or (part.isupper() and (len(part) <= 3 or not _SPEAKABLE.match(part)) and len(part) <= 6):
        return spell(part)
    return sound(part)


def spell(letters: str) -> str:
    """«ю-эс-би»."""
    return "-".join(NAMES.get(char, "") for char in letters.lower()).strip("-")


def sound(word: str) -> str:
    """Read an unknown word by its spelling, much as English is."""
    said = word.lower()
    for spelling, sounds in _SOUNDS:
        said = spelling.sub(sounds, said)
    return re.sub("[^а-яё]", "", said) or spell(word)
