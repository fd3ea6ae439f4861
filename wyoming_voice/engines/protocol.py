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
class Reference:
    """A recording of a voice to be cloned."""

    path: str
    """A mono FLAC or WAV file that this process can read; what is computed of it is kept by its content."""
    text: str | None = None
    """What it says, where that is known."""


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
    references: tuple[Reference, ...] = ()
    """Recordings of the voice to speak with (only for engines that can clone)."""
    description: str | None = None
    """The voice to speak with, in words (only for engines that can design one)."""
    seed: int | None = None
    """The same segment and seed give the same audio, for engines that draw lots; None: any."""


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
    prefix: str = ""
    """What was recognised of a shorter recording with the same beginning: a head start for engines that can use one."""
    word_times: bool = False
    """The times of words are asked for, where that costs extra."""


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
    """Text to speech.

    An engine whose spec gives its worker several seats computes several segments in one batch: so many of its iterators
    are open at once, all in the worker's thread. Each is asked for one step a round, those that are new first. The one
    that is asked computes a step of every iterator that has none ready, and the others find theirs. Any of them may be
    left out of rounds (its listener is behind), closed, or fail, and the others go on.
    """

    def synthesize(self, segment: Segment) -> Iterator[AudioChunk]:
        """Yield 16-bit mono audio of one sample rate as it is made; closing the iterator cancels within one step.

        Nothing to say (empty, punctuation, emoji) yields nothing. Raises VoiceError for what the user can mend.
        """
        ...


class AsrEngine(Protocol):
    """Speech to text."""

    def transcribe(self, piece: Piece) -> Iterator[Heard]:
        """Yield the transcript as it is recognised; the texts, joined, are the transcript. Silence yields nothing.

        An engine that is slow to begin yields some without text meanwhile: cancel there, and know that it is alive.

        Closing the iterator cancels within one step. Raises VoiceError for what the user can mend.
        """
        ...


class TextEngine(Protocol):
    """Text to text: a step before speech that needs a model of its own, such as stress marks."""

    def rewrite(self, text: str, language: str | None) -> str:
        """Return the text changed; what it cannot change comes back as it was."""
        ...


Engine = TtsEngine | AsrEngine | TextEngine
