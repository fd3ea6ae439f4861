"""µ-law and A-law (ITU-T G.711), the 8-bit sound of telephones: a table each way, since Python 3.13 has no audioop."""

from functools import cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Law = Literal["mulaw", "alaw"]
WAV_TAG: Final[dict[Law, int]] = {"alaw": 6, "mulaw": 7}
"""What a WAV file calls them."""


def compand(pcm: bytes, law: Law) -> bytes:
    """Encode whole 16-bit samples, little endian, as one byte each, the nearest that there is."""
    codes, borders = _encoder(law)
    return codes[np.searchsorted(borders, np.frombuffer(pcm, "<i2"))].tobytes()


def expand(sound: bytes, law: Law) -> bytes:
    """Decode to 16-bit samples, little endian."""
    return _levels(law)[np.frombuffer(sound, np.uint8)].tobytes()


@cache
def _levels(law: Law) -> NDArray[np.int16]:
    """Compute the sample of each of the 256 codes."""
    codes = np.arange(256)
    if law == "mulaw":
        codes = ~codes & 0xFF
        size = ((((codes & 0x0F) << 3) + 0x84) << ((codes & 0x70) >> 4)) - 0x84
        return np.where(codes & 0x80, -size, size).astype("<i2")
    codes ^= 0x55
    exponent, mantissa = (codes & 0x70) >> 4, (codes & 0x0F) << 4
    size = np.where(exponent == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(codes & 0x80, size, -size).astype("<i2")


@cache
def _encoder(law: Law) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Compute the codes in order of their samples, and the borders between them."""
    levels = _levels(law)
    codes = np.argsort(levels, kind="stable").astype(np.uint8)
    ordered = levels[codes].astype(np.float64)
    return codes, (ordered[1:] + ordered[:-1]) / 2
