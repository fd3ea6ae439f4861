"""Names and terms that a recogniser nearly wrote: taken for what they were meant to be, where that is safe.

A word is only replaced where it is no ordinary word of the language (in pymorphy3's dictionary for Russian, in
pyspellchecker's for English), begins with the same sound as the term, is a letter or two away from it by ear, and no
other term is as near. A term in Latin letters is compared by how a Russian speaker says it:
«спотифай» becomes «Spotify».
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any, Final

from rapidfuzz.distance import OSA

from .normalize import normalize

_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)?")
_LONGEST: Final = 40  # letters of a term
_MOST_WORDS: Final = 4
_MOST_TERMS: Final = 1000
_JOINED: Final = 5  # letters of ordinary words that together are a term by ear: «вай фай»
_ENDING: Final = 3  # letters in which forms of a Russian word differ

_RUSSIAN: Final = str.maketrans("оеэяыйбвгдзжъь", "аииаиипфктсш  ")
_ENGLISH: Final = tuple(
    pair.split("=") for pair in "ph=f ck=k qu=kv wh=v gh=g kn=n wr=r ee=i ea=i oo=u ou=u".split()
)  # fmt: skip
_ENGLISH_LETTERS: Final = str.maketrans("cqwyzxd", "kkvisst")


@dataclass(frozen=True, slots=True)
class _Term:
    text: str
    words: int
    sounds: tuple[str, ...]
    """By ear, as it is written and as it is said."""


@dataclass(frozen=True, slots=True)
class _Found:
    score: float
    text: str
    words: int


def correct(text: str, terms: Iterable[str], language: str) -> str:
    """Replace what is nearly one of the terms; text in a language without a dictionary only gets their spelling."""
    first = language.lower().replace("_", "-").partition("-")[0]
    known = _terms(tuple(dict.fromkeys(terms))[:_MOST_TERMS], first)
    words = list(_WORD.finditer(text))
    parts, at, index = list[str](), 0, 0
    while index < len(words):
        found = _best(text, words, index, known, first)
        if found is None:
            index += 1
            continue
        parts += (text[at : words[index].start()], found.text)
        index += found.words
        at = words[index - 1].end()
    return "".join([*parts, text[at:]])


def _best(
    text: str, words: Sequence["re.Match[str]"], index: int, terms: Sequence[_Term], language: str
) -> _Found | None:
    """Find the one term that begins with this word, if it is clear which."""
    best: dict[str, _Found] = {}
    for count in range(1, min(_MOST_WORDS, len(words) - index) + 1):
        window = words[index : index + count]
        if any(text[a.end() : b.start()] not in (" ", "-", "\u00a0") for a, b in pairwise(window)):
            break
        ordinary = all(_ordinary(word[0].lower(), language) for word in window)
        if ordinary and count == 1:
            continue
        said = " ".join(word[0] for word in window)
        if len(said) > _LONGEST + count:
            break
        sound = by_ear(said, language)
        for term in terms:
            if abs(term.words - count) > 1:
                continue
            score = _score(said, sound, term, language, exact=ordinary)
            if score > best.get(term.text, _Found(0.0, "", 0)).score:
                best[term.text] = _Found(score, term.text, count)
    ranked = sorted(best.values(), key=lambda found: -found.score)
    if not ranked or (len(ranked) > 1 and ranked[1].score == ranked[0].score):
        return None
    return ranked[0]


def _score(said: str, sound: str, term: _Term, language: str, *, exact: bool) -> float:
    """Tell how near a term is, 0 … 1; 0: too far."""
    if said.casefold() == term.text.casefold():
        return 1.0
    best = 0.0
    for meant in term.sounds:
        if not sound or not meant or sound[0] != meant[0]:
            continue
        allowed = 0 if exact or len(meant) < 4 else 1 if len(meant) < 8 else 2
        distance = OSA.distance(sound, meant, score_cutoff=allowed)
        if distance > allowed or (exact and len(meant) < _JOINED):
            continue
        best = max(best, 0.99 - distance / max(len(sound), len(meant)))
    return 0.0 if best and language == "ru" and _is_form(said, term.text) else best


def _is_form(said: str, term: str) -> bool:
    """Tell whether one may be the other in another case: «Умку» is no mistake for «Умка»."""
    said, term = said.casefold().replace("ё", "е"), term.casefold().replace("ё", "е")
    same = next((n for n, (a, b) in enumerate(zip(said, term, strict=False)) if a != b), min(len(said), len(term)))
    return same >= 3 and max(len(said), len(term)) - same <= _ENDING and same >= min(len(said), len(term)) - 1


@lru_cache(maxsize=64)
def _terms(terms: tuple[str, ...], language: str) -> tuple[_Term, ...]:
    found = []
    for term in terms:
        words = _WORD.findall(term)
        if words and len(term) <= _LONGEST and len(words) < _MOST_WORDS:
            sounds = dict.fromkeys(by_ear(form, language) for form in (term, normalize(term, language)))
            found.append(_Term(term, len(words), tuple(sounds)))
    return tuple(found)


def by_ear(text: str, language: str) -> str:
    """Fold letters that sound alike: unstressed vowels, voiced consonants, doubled letters."""
    letters = "".join(char for char in text.casefold().replace("ё", "е") if char.isalnum())
    if language == "ru":
        letters = letters.replace("тся", "ца").replace("ться", "ца").translate(_RUSSIAN).replace(" ", "")
    elif language == "en":
        for spelled, sound in _ENGLISH:
            letters = letters.replace(spelled, sound)
        letters = letters.translate(_ENGLISH_LETTERS)
    return re.sub(r"(.)\1+", r"\1", letters)


@lru_cache(maxsize=8192)
def _ordinary(word: str, language: str) -> bool:
    """Tell whether a word is in the dictionary; a number is, too."""
    if word.isdecimal():
        return True
    if language == "ru":
        return bool(_russian().word_is_known(word))
    if language == "en":
        return word.partition("'")[0] in _english() or word.partition("’")[0] in _english()
    return True  # no dictionary: nothing is known to be a mistake


@cache
def _russian() -> Any:
    from .russian.grammar import analyzer  # noqa: PLC0415 - 0.2 s and 30 MB, only for those who want terms corrected

    return analyzer()


@cache
def _english() -> Any:
    from spellchecker import SpellChecker  # noqa: PLC0415 - 0.15 s and 20 MB, the same

    return SpellChecker(language="en")
