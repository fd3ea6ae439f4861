"""eSpeak NG: small, instant and in every language, by ctypes on the library that ``espeakng_loader`` brings.

Its API: https://github.com/espeak-ng/espeak-ng/blob/master/src/include/espeak-ng/speak_lib.h.
"""

import ctypes
import math
import os
import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from wyoming.audio import AudioChunk

from wyoming_voice.errors import Busy, EngineUnavailable, UnknownVoice

from .callback import Play, stream
from .espeak_files import EspeakFile, espeak_files, espeak_folder
from .path import short
from .protocol import Options, Segment
from .ssml import clean

_RETRIEVAL: Final = 2  # AUDIO_OUTPUT_SYNCHRONOUS: espeak_Synth returns when all is said
_DONT_EXIT: Final = 0x8000  # espeakINITIALIZE_DONT_EXIT: missing data is an error, not the end of the process
_UTF8, _SSML, _ENDPAUSE = 1, 0x10, 0x1000
_RATE, _VOLUME, _PITCH = 1, 2, 3  # espeak_PARAMETER
_BUFFER_MS: Final = 120
"""Audio per callback: handing it over adds a fifth to a sentence's 2.5 ms; with espeak's own 60 ms, two fifths."""
_LONGEST_WORD: Final = 60
"""Characters; longer ones are spoken in parts, since espeak 1.52 crashes on a Hindi word of 850."""

_SynthCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_UriCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p)
_SPEAKING = threading.Lock()

# To espeak a control character begins a command (^A changes its parameters) and NUL ends the text.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
# Stress marks, which it reads aloud: a plus before a Cyrillic vowel, and an acute that no letter has taken in.
_STRESS = re.compile("\\+(?=[аеёиоуыэюяіїєАЕЁИОУЫЭЮЯІЇЄ])|\u0301")
_LONG = re.compile(rf"(\S{{{_LONGEST_WORD}}})(?=\S)")


def _plain(text: str) -> str:
    """Text that espeak speaks and does not obey. It takes ``[[phonemes]]`` only if asked to, so brackets are safe."""
    return _LONG.sub(r"\1 ", _STRESS.sub("", _CONTROL.sub(" ", unicodedata.normalize("NFC", text))))


def _sayable(text: str) -> bool:
    """Whether there is a letter or a digit; espeak would name an emoji or say nothing."""
    return any(character.isalnum() for character in text)


class _Library:
    """The native library, initialised; ``voice`` is the one that it has loaded."""

    def __init__(self, folder: Path) -> None:
        try:
            self.native = ctypes.CDLL(str(next(folder.glob("libespeak-ng.*"))))
            data = os.fsencode(short(folder / "espeak-ng-data"))
        except (OSError, StopIteration) as error:
            raise EngineUnavailable(
                f"eSpeak NG does not load from {folder} ({error}). Run: ./run.sh engines install espeak"
            ) from error
        self.native.espeak_SetSynthCallback.restype = self.native.espeak_SetUriCallback.restype = None
        self.native.espeak_Synth.argtypes = (
            *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint),
            *(ctypes.c_void_p, ctypes.c_void_p),
        )
        self.hertz: int = self.native.espeak_Initialize(_RETRIEVAL, _BUFFER_MS, data, _DONT_EXIT)
        if self.hertz <= 0:
            raise EngineUnavailable(f"eSpeak NG finds no data in {folder}. Run: ./run.sh engines install espeak")
        self.voice = b""

    def load(self, voice: bytes) -> None:
        """Make ``voice`` (``zle/ru+f2``) the one that speaks; 2 ms, most of it the Russian dictionary, if it is not."""
        if voice == self.voice:
            return
        if self.native.espeak_SetVoiceByName(voice) != 0:
            raise EngineUnavailable("eSpeak NG cannot load this voice. Run: ./run.sh engines install espeak")
        self.voice = voice


_library = cache(_Library)
"""Once per process: espeak's state is global."""


class Espeak:
    """Speaks with espeak.

    Options: ``rate`` in words per minute (175), ``pitch`` 0 … 100 (50), ``volume`` in percent (100), ``variant``, the
    speaker if none is asked for (``f2``, ``whisper``). espeak's state is the process's: instances share it, and one of
    them speaks at a time.
    """

    def __init__(self, options: Options) -> None:
        folder = espeak_folder()
        if folder is None:
            raise EngineUnavailable("eSpeak NG is not installed. Run: ./run.sh engines install espeak")
        self._rate = _number(options, "rate", 175, 80, 450)
        self._pitch = _number(options, "pitch", 50, 0, 100)
        self._volume = _number(options, "volume", 100, 0, 200)
        self._library = _library(folder)
        self._files = espeak_files(folder)
        self._variants = {path.name for path in (folder / "espeak-ng-data" / "voices" / "!v").iterdir()}
        self._variant = str(options.get("variant") or "")
        if self._variant and self._variant not in self._variants:
            raise EngineUnavailable(
                f"eSpeak NG has no variant {self._variant!r}: mend engines: espeak: options: variant."
            )
        self._play: Play = lambda _pcm: False
        # Kept, since the library calls them as long as it lives.
        self._heard = _SynthCallback(self._on_audio)
        self._refused = _UriCallback(lambda _kind, _uri, _from: 1)

    def synthesize(self, segment: Segment) -> Iterator[AudioChunk]:
        """Yield 22,050 Hz audio as espeak makes it. Raises UnknownVoice, and BadRequest for broken SSML."""
        voice = self._named(segment)
        text, spoken = clean(segment.text, _plain) if segment.ssml else (_plain(segment.text),) * 2
        if not _sayable(spoken):
            return
        encoded = text.encode("utf-8", "ignore")
        flags = _UTF8 | _ENDPAUSE | (_SSML if segment.ssml else 0)

        def call(play: Play) -> None:
            self._play = play
            self._library.native.espeak_Synth(encoded, len(encoded) + 1, 0, 0, 0, flags, None, None)

        if not _SPEAKING.acquire(blocking=False):
            raise Busy("eSpeak NG already speaks in this process, and can only say one thing at a time.")
        try:
            self._set(voice, segment)
            for pcm in stream(call, ahead=self._library.hertz * 2):
                yield AudioChunk(rate=self._library.hertz, width=2, channels=1, audio=pcm)
        finally:
            _SPEAKING.release()

    def _named(self, segment: Segment) -> bytes:
        file: EspeakFile | None = self._files.get(segment.voice.lower())
        if file is None:
            raise UnknownVoice(
                f"eSpeak NG has no voice {segment.voice!r}: its voices are languages, such as ru or en-us."
            )
        variant = segment.speaker or self._variant
        if variant and variant not in self._variants:
            raise UnknownVoice(f"eSpeak NG has no speaker {variant!r}: try f2, m3 or whisper.")
        return f"{file.path}+{variant}".encode() if variant else file.path.encode()

    def _set(self, voice: bytes, segment: Segment) -> None:
        self._library.load(voice)
        library = self._library.native
        library.espeak_SetSynthCallback(self._heard)
        library.espeak_SetUriCallback(self._refused)
        library.espeak_SetParameter(_RATE, max(80, round(self._rate * segment.speed)), 0)
        # Its pitch 0, 50 and 100 are an octave apart (pitch_adjust_tab)
        octaves = math.log2(segment.pitch) if segment.pitch > 0 else -1.0
        library.espeak_SetParameter(_PITCH, min(100, max(0, round(self._pitch + 50 * octaves))), 0)
        library.espeak_SetParameter(_VOLUME, self._volume, 0)

    def _on_audio(self, samples: int | None, count: int, _events: int | None) -> int:
        return 0 if not samples or count <= 0 or self._play(ctypes.string_at(samples, 2 * count)) else 1


def _number(options: Options, name: str, default: int, low: int, high: int) -> int:
    value = options.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise EngineUnavailable(
            f"engines: espeak: options: {name} must be a number from {low} to {high}, not {value!r}."
        )
    return round(value)
