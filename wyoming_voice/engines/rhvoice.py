"""RHVoice: good Russian and English voices that stream, by ctypes on the library that a distribution brings.

Its API: https://github.com/RHVoice/RHVoice/blob/master/src/include/RHVoice.h, the same from 1.2 to 1.8.
"""

import ctypes
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wyoming.audio import AudioChunk

from wyoming_voice.errors import EngineUnavailable, Internal, UnknownVoice

from .callback import Play, stream
from .protocol import Options, Segment
from .ssml import clean
from .voices import EngineVoice, rhvoice, rhvoice_folder, rhvoice_library, rhvoice_missing

_TEXT, _SSML = 0, 1  # RHVoice_message_type
_DONT_CLIP_RATE: Final = 1  # RHVoice_synth_flag: take any speed, not only what the voice's settings allow
# RHVoice 1.8 crashes on a marked sentence or paragraph, or a gap between two, with only a break in it. Lines will do.
_SENTENCE = re.compile(r"</?[ps]>")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")

_SetRate = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
_PlaySpeech = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p)


class _InitParams(ctypes.Structure):
    _fields_ = (
        ("data_path", ctypes.c_char_p),
        ("config_path", ctypes.c_char_p),
        ("resource_paths", ctypes.POINTER(ctypes.c_char_p)),
        ("set_sample_rate", _SetRate),
        ("play_speech", _PlaySpeech),
        ("unused_callbacks", ctypes.c_void_p * 7),
        ("options", ctypes.c_uint),
    )


class _SynthParams(ctypes.Structure):
    _fields_ = (
        ("voice_profile", ctypes.c_char_p),
        *((f"absolute_{name}", ctypes.c_double) for name in ("rate", "pitch", "volume")),
        *((f"relative_{name}", ctypes.c_double) for name in ("rate", "pitch", "volume")),
        ("punctuation_mode", ctypes.c_int),
        ("punctuation_list", ctypes.c_char_p),
        ("capitals_mode", ctypes.c_int),
        ("flags", ctypes.c_int),
    )


def _plain(text: str) -> str:
    return _CONTROL.sub(" ", text)


class RHVoice:
    """Speaks with RHVoice.

    Options: ``voices``, the names of those to use (the freely licensed ones), ``folder`` of ``voices`` and
    ``languages``, ``library``, the path of ``libRHVoice.so``.
    """

    def __init__(self, options: Options) -> None:
        if missing := rhvoice_missing(options):
            raise EngineUnavailable(missing)
        path = rhvoice_library(options)
        assert path is not None, "rhvoice_missing has found it"
        try:
            self._native = ctypes.CDLL(path)
        except OSError as error:
            raise EngineUnavailable(
                f"RHVoice does not load ({error}). Run: ./run.sh engines install rhvoice"
            ) from error
        self._declare()
        self._voices: dict[str, EngineVoice] = {voice.voice.lower(): voice for voice in rhvoice(options)}
        self._play: Play = lambda _pcm: False
        self._hertz = 0
        # Kept, since the library calls them as long as it lives.
        self._callbacks = (_SetRate(self._on_rate), _PlaySpeech(self._on_speech))
        self._engine = ctypes.c_void_p(self._new_engine(rhvoice_folder(options)))
        if not self._engine:
            raise EngineUnavailable(
                f"RHVoice cannot read its voices in {rhvoice_folder(options)}. Run: ./run.sh engines install rhvoice"
            )

    def synthesize(self, segment: Segment) -> Iterator[AudioChunk]:
        """Yield audio as RHVoice makes it, 24,000 Hz. Raises UnknownVoice, and BadRequest for broken SSML."""
        voice = self._voices.get(segment.voice.lower())
        if voice is None:
            names = ", ".join(voice.voice for voice in self._voices.values())
            raise UnknownVoice(f"RHVoice has no voice {segment.voice!r} here. It has: {names}.")
        text, spoken = clean(segment.text, _plain) if segment.ssml else (_plain(segment.text),) * 2
        if not any(character.isalnum() for character in spoken):
            return
        encoded = (_SENTENCE.sub("\n", text) if segment.ssml else text).encode("utf-8", "ignore")
        params = _SynthParams(
            voice_profile=voice.voice.encode(),
            relative_rate=segment.speed,
            relative_pitch=segment.pitch,
            relative_volume=1.0,
            flags=_DONT_CLIP_RATE,
        )

        def call(play: Play) -> None:
            self._play, self._hertz = play, 0
            kind = _SSML if segment.ssml else _TEXT
            message = self._native.RHVoice_new_message(
                self._engine, encoded, len(encoded), kind, ctypes.byref(params), None
            )
            if not message:
                raise Internal("RHVoice did not take this text.")
            try:
                self._native.RHVoice_speak(message)
            finally:
                self._native.RHVoice_delete_message(message)

        for pcm in stream(call, ahead=24_000):
            yield AudioChunk(rate=self._hertz, width=2, channels=1, audio=pcm)

    def _declare(self) -> None:
        native, pointer = self._native, ctypes.c_void_p
        native.RHVoice_new_tts_engine.restype = native.RHVoice_new_message.restype = pointer
        native.RHVoice_new_tts_engine.argtypes = (ctypes.POINTER(_InitParams),)
        native.RHVoice_new_message.argtypes = (
            *(pointer, ctypes.c_char_p, ctypes.c_uint, ctypes.c_int, ctypes.POINTER(_SynthParams), pointer),
        )
        native.RHVoice_speak.argtypes = native.RHVoice_delete_message.argtypes = (pointer,)
        native.RHVoice_delete_message.restype = None

    def _new_engine(self, folder: Path) -> int | None:
        # Only the voices asked for, so that loading is quick and SSML cannot choose another: hence no data_path.
        stems = [voice.name.removeprefix("rhvoice-") for voice in self._voices.values()]
        paths = [*(folder / "languages").iterdir(), *(folder / "voices" / stem for stem in stems)]
        resources = (ctypes.c_char_p * (len(paths) + 1))(*(os.fsencode(path) for path in paths), None)
        params = _InitParams(
            data_path=os.devnull.encode(),
            config_path=b"/etc/RHVoice",
            resource_paths=resources,
            set_sample_rate=self._callbacks[0],
            play_speech=self._callbacks[1],
        )
        engine: int | None = self._native.RHVoice_new_tts_engine(ctypes.byref(params))
        return engine

    def _on_rate(self, hertz: int, _user: int | None) -> int:
        # A stream has one rate: a voice of another one, which SSML might ask for, ends it.
        same = self._hertz in (0, hertz)
        self._hertz = hertz if same else self._hertz
        return int(same)

    def _on_speech(self, samples: int, count: int, _user: int | None) -> int:
        return int(self._play(ctypes.string_at(samples, 2 * count)))
