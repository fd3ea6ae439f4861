"""What a worker asks of an engine: one method, and iterators that can be closed.

An engine is a class in a module of its own, named in ``table.py`` (or by an entry point of the group
``wyoming_voice.engines``). Its module imports heavy libraries inside ``__init__``, which loads the model and raises
:class:`wyoming_voice.errors.EngineUnavailable` with what to do when it cannot. One worker calls it from one thread.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from wyoming.audio import AudioChunk

Options = Mapping[str, object]
"""An engine's own settings, in config.yml under ``engines: NAME: options:``; its constructor's only argument."""

HEARD_RATE = 16_000
"""Hertz of what an engine hears: every ASR engine gets 16 kHz mono."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The piece of an utterance that an engine gets at once, normally a sentence."""

    text: str
    voice: str
    """The engine's own name of the voice."""
    language: str | None = None
    """BCP 47, lower-case language first (``ru``, ``en-us``); None: the voice's own."""
    speaker: str | None = None
    style: str | None = None
    """How to say it, in words, for engines that take an instruction."""
    speed: float = 1.0
    """1.0 is the voice's own speed, 2.0 twice as fast."""
    pitch: float = 1.0
    """1.0 is the voice's own pitch, 2.0 an octave higher."""
    ssml: bool = False
    """``text`` is SSML (only for engines whose spec says they understand it)."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The piece of a recording that an engine gets at once: at most about 25 seconds."""

    samples: NDArray[np.float32]
    """Shape (n,), 16 kHz mono, -1.0 … 1.0."""
    language: str | None = None
    """BCP 47; None: the engine's guess."""
    prompt: str | None = None
    """What was said before, or what it is about, for engines that take it."""
    terms: tuple[str, ...] = ()
    """Names and words to expect, the most important first."""


@dataclass(frozen=True, slots=True)
class Word:
    """A recognised word and when it was said."""

    text: str
    start: float
    """Seconds from the beginning of the piece."""
    end: float
    confidence: float | None = None
    """0 … 1; None: the engine does not say."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Some more of a transcript: append-only text, as a ``transcript-chunk`` carries it."""

    text: str
    start: float = 0.0
    """Seconds from the beginning of the piece."""
    end: float = 0.0
    language: str | None = None
    words: tuple[Word, ...] = ()


class TtsEngine(Protocol):
    """Text to speech."""

    def synthesize(self, segment: Segment) -> Iterator[AudioChunk]:
        """Yield 16-bit mono audio of one sample rate as it is made; closing the iterator cancels within one step.

        Nothing to say (empty, punctuation, emoji) yields nothing. Raises VoiceError for what the user can mend.
        """
        ...


class AsrEngine(Protocol):
    """Speech to text."""

    def transcribe(self, piece: Piece) -> Iterator[Heard]:
        """Yield the transcript as it is recognised; the texts, joined, are the transcript. Silence yields nothing.

        Closing the iterator cancels within one step. Raises VoiceError for what the user can mend.
        """
        ...


Engine = TtsEngine | AsrEngine
