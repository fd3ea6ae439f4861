"""Roman numerals."""

import re
from typing import Final

ROMAN: Final = r"[IVXLCDMХІ]{1,12}"
"""What may be one; Cyrillic «Х» and «І» are often typed for the Latin letters."""

_VALUES: Final = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_WELL_FORMED: Final = re.compile(r"(?=.)M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")


def roman(text: str) -> int | None:
    """Return the number, or None where this is no Roman numeral."""
    if not _WELL_FORMED.fullmatch(text):
        return None
    values = [_VALUES[char] for char in text]
    return sum(-one if one < following else one for one, following in zip(values, [*values[1:], 0], strict=True))
