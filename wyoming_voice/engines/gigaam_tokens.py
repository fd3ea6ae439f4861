"""What GigaAM's backends say: tokens with times, and the words that they make."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from .protocol import Word

FRAME: Final = 0.04
"""Seconds of sound that the encoder makes one frame of, in every model: a hop of 10 ms, four at a time."""


@dataclass(frozen=True, slots=True)
class Token:
    """A letter, or a piece of a word with punctuation; a space begins a word."""

    text: str
    start: float
    """Seconds from the first sample to the beginning of the frame that it was heard in."""
    log_probability: float
    """Of this token in its frame, 0 or less."""


class Recogniser(Protocol):
    """A loaded model."""

    batch: int
    """Pieces that are best recognised at once."""

    def recognise(self, pieces: Sequence[NDArray[np.float32]]) -> Iterator[Sequence[Token]]:
        """Yield the tokens of each piece, shape (n,), 16 kHz, at most 25 s."""
        ...


def words(tokens: Sequence[Token], moment: Callable[[float], float]) -> tuple[Word, ...]:
    """Join tokens to words; ``moment`` turns seconds from the first sample into those that are reported.

    A word begins with the frame of its first token and ends with that of its last one; its confidence is the geometric
    mean of its tokens'.
    """
    return tuple(_word(group, moment) for group in _groups(tokens))


def _groups(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Part tokens where a space is; a space alone belongs to no word, and an unknown piece (``<unk>``) to nothing."""
    group: list[Token] = []
    for token in tokens:
        if token.text.startswith(" ") and group:
            yield group
            group = []
        if token.text.strip() and token.text != "<unk>":
            group.append(token)
    if group:
        yield group


def _word(tokens: Sequence[Token], moment: Callable[[float], float]) -> Word:
    mean = math.fsum(token.log_probability for token in tokens) / len(tokens)
    return Word(
        text="".join(token.text for token in tokens).strip(),
        start=moment(tokens[0].start),
        end=moment(tokens[-1].start + FRAME),
        confidence=round(min(math.exp(mean), 1.0), 3),
    )
