"""Which of the user's languages a text is written in, by its letters alone."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import regex

LOOKED_AT: Final = 1_000
"""Characters at the beginning of a text that are enough to tell its language."""
_OVER_LATIN: Final = 3
"""How many Latin letters one letter of another script weighs."""

# ISO 15924 codes and the languages (ISO 639) written in them; all others use Latin letters
_SCRIPTS = {
    "Cyrl": "ru uk be bg sr mk kk ky tg mn tt ba cv ce os sah udm ab av",
    "Grek": "el",
    "Arab": "ar fa ur ps ckb ug sd ks",
    "Hebr": "he iw yi",
    "Hani": "zh yue cmn wuu nan ja",
    "Kana": "ja",
    "Hang": "ko",
    "Deva": "hi mr ne sa mai bho",
    "Beng": "bn as",
    "Guru": "pa",
    "Gujr": "gu",
    "Orya": "or",
    "Taml": "ta",
    "Telu": "te",
    "Knda": "kn",
    "Mlym": "ml",
    "Sinh": "si",
    "Geor": "ka",
    "Armn": "hy",
    "Thai": "th",
    "Laoo": "lo",
    "Khmr": "km",
    "Mymr": "my",
    "Ethi": "am ti",
    "Tibt": "bo dz",
    "Latn": "sr uz az kk",  # which are written in both
}
_SUBTAGS = {"Hans": ("Hani",), "Hant": ("Hani",), "Jpan": ("Hani", "Kana"), "Kore": ("Hang",), "Hira": ("Kana",)}
_PROPERTIES = {
    "Kana": r"\p{Hiragana}\p{Katakana}ー",
    "Hani": r"\p{Han}",
    **{
        code: rf"\p{{Script={code}}}"
        for code in _SCRIPTS
        if code not in {"Kana", "Hani"}
    },
}  # fmt: skip
_LETTER = regex.compile("(?V1)" + "|".join(f"(?P<{code}>[[{chars}]&&\\p{{L}}])" for code, chars in _PROPERTIES.items()))

_AZ = "abcdefghijklmnopqrstuvwxyz"
_RU = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"
_ARABIC = "ءآأؤإئابةتثجحخدذرزسشصضطظعغـفقكلمنهوىي"
# The letters of languages that share a script: what is not among them speaks against the language
_ALPHABETS = {
    "ru": _RU,
    "uk": "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",
    "be": "абвгдеёжзійклмнопрстуўфхцчшыьэюя",
    "bg": "абвгдежзийклмнопрстуфхцчшщъьюя",
    "sr": "абвгдђежзијклљмнњопрстћуфхцчџш" + _AZ + "čćđšž",
    "mk": "абвгдѓежзѕијклљмнњопрстќуфхцчџш",
    "kk": _RU + "әғқңөұүһі" + _AZ,
    "de": _AZ + "äöüß",
    "fr": _AZ + "àâæçéèêëîïôœùûüÿ",
    "es": _AZ + "áéíñóúü",
    "pt": _AZ + "àáâãçéêíóôõúü",
    "it": _AZ + "àèéìíîòóùú",
    "ca": _AZ + "àçèéíïòóúü",
    "nl": _AZ + "áèéêëíïóöúü",
    "pl": _AZ + "ąćęłńóśźż",
    "cs": _AZ + "áčďéěíňóřšťúůýž",
    "sk": _AZ + "áäčďéíĺľňóôŕšťúýž",
    "hu": _AZ + "áéíóöőúüű",
    "ro": _AZ + "ăâîșțşţ",
    "tr": _AZ + "çğıöşü",
    "sv": _AZ + "åäöé",
    "fi": _AZ + "äöå",
    "da": _AZ + "æøåé",
    "nb": _AZ + "æøåéòô",
    "no": _AZ + "æøåéòô",
    "ar": _ARABIC,
    "fa": "ءآأؤئابتثجحخدذرزسشصضطظعغفقلمنهوپچژگکی",
    "ur": "ءآأؤئابتثجحخدذرزسشصضطظعغفقلمنوپچژگکیٹڈڑںھہۂےۓ",
}


def language_of(text: str, languages: Sequence[str]) -> str | None:
    """Tell which of ``languages`` (BCP 47, in order of preference) a text is in; None: no letters, or none of these.

    Most letters say the script, a Latin one counting a third: names of brands stand in texts of every script («Включи
    Netflix»), seldom the other way round. Among languages of that script the one with the fewest letters foreign to it,
    then the first. Looks at the first :data:`LOOKED_AT` characters.
    """
    letters = [(found.lastgroup, found[0]) for found in _LETTER.finditer(text[:LOOKED_AT].lower())]
    scripts = Counter(code for code, _ in letters)
    if scripts["Kana"]:  # Japanese has both; Chinese has none of these
        scripts["Kana"] += scripts.pop("Hani", 0)
    ranked = [(code, language) for language in languages for code in _scripts_of(language) if scripts[code]]
    scripts = Counter({code: count if code == "Latn" else count * _OVER_LATIN for code, count in scripts.items()})
    most = max(scripts.values(), default=0)
    candidates = [language for code, language in ranked if scripts[code] == most]
    counts = Counter(char for _, char in letters)
    return min(candidates, key=lambda language: _foreign(counts, language), default=None)


@lru_cache(maxsize=256)
def _scripts_of(language: str) -> tuple[str, ...]:
    """Codes of the scripts that a language, or its tag's own subtag, is written in."""
    first, *rest = language.replace("_", "-").split("-")
    subtag = next((part.title() for part in rest if len(part) == 4 and part.isalpha()), None)
    if subtag is not None:
        return _SUBTAGS.get(subtag, (subtag,))
    return tuple(code for code, known in _SCRIPTS.items() if first.lower() in known.split()) or ("Latn",)


def _foreign(counts: Counter[str], language: str) -> int:
    alphabet = _ALPHABETS.get(language.replace("_", "-").split("-")[0].lower(), _AZ + _RU)
    return sum(count for char, count in counts.items() if char not in alphabet)
