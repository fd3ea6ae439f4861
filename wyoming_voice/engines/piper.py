"""Piper: neural voices that are fast on a CPU, a file each (https://github.com/OHF-Voice/piper1-gpl)."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from wyoming.audio import AudioChunk

from wyoming_voice.errors import EngineUnavailable, UnknownVoice

from .path import short
from .protocol import Options, Segment
from .voices import piper, piper_folder, piper_missing

if TYPE_CHECKING:
    from piper import PiperVoice

# Piper takes [[phonemes]] as its own alphabet, and half characters as an error; text from outside is only text.
_DROPPED = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+|\[\[|\]\]")


class Piper:
    """Speaks with the voices of a folder; each is loaded when it is first asked for, and kept.

    Options: ``folder`` of ``NAME.onnx`` and ``NAME.onnx.json`` (``piper`` below the server's ``data_dir``), ``cuda``.
    """

    def __init__(self, options: Options) -> None:
        try:
            self._piper: ModuleType = importlib.import_module("piper")
        except ImportError as error:
            raise EngineUnavailable(f"Piper is not installed ({error}). Run: ./run.sh engines install piper") from error
        folder = piper_folder(options)
        if missing := piper_missing(options):
            raise EngineUnavailable(missing)
        assert folder is not None, "piper_missing has seen it"
        self._folder = folder
        self._cuda = bool(options.get("cuda"))
        self._known = {voice.voice for voice in piper(options)}
        self._phonemes = short(Path(str(self._piper.__file__)).parent / "espeak-ng-data")
        self._loaded: dict[str, PiperVoice] = {}

    def synthesize(self, segment: Segment) -> Iterator[AudioChunk]:
        """Yield a chunk for each sentence, of the voice's sample rate: closing ends after the sentence under way.

        Raises UnknownVoice, also for a speaker, and EngineUnavailable where a voice's file is broken. The pitch is not
        Piper's to change.
        """
        voice = self._load(segment.voice)
        speaker = self._speaker(voice, segment)
        text = _DROPPED.sub(" ", segment.text)
        if not any(character.isalnum() for character in text):
            return
        settings = self._piper.SynthesisConfig(
            speaker_id=speaker, length_scale=voice.config.length_scale / segment.speed
        )
        for chunk in voice.synthesize(text, settings):
            yield AudioChunk(rate=chunk.sample_rate, width=2, channels=1, audio=chunk.audio_int16_bytes)

    def _load(self, name: str) -> "PiperVoice":
        if name not in self._known:
            raise UnknownVoice(
                f"Piper has no voice {name!r} in {self._folder}. It has: {', '.join(sorted(self._known))}."
            )
        if name not in self._loaded:
            path = self._folder / f"{name}.onnx"
            try:
                self._loaded[name] = self._piper.PiperVoice.load(
                    path, use_cuda=self._cuda, espeak_data_dir=self._phonemes, download_dir=self._folder
                )
            except _broken() as error:
                raise EngineUnavailable(f"Piper cannot load {path} ({error}). Download the voice again.") from error
        return self._loaded[name]

    def _speaker(self, voice: "PiperVoice", segment: Segment) -> int | None:
        if segment.speaker is None:
            return None
        known = voice.config.speaker_id_map
        if segment.speaker not in known:
            names = f"It has: {', '.join(list(known)[:10])}." if known else "It has only one."
            raise UnknownVoice(f"The voice {segment.voice!r} has no speaker {segment.speaker!r}. {names}")
        return int(known[segment.speaker])


def _broken() -> tuple[type[Exception], ...]:
    """Return what a damaged voice raises; onnxruntime's errors have no ancestor of their own."""
    native = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    damaged = (native.Fail, native.InvalidArgument, native.InvalidGraph, native.InvalidProtobuf, native.NoSuchFile)
    return (OSError, ValueError, KeyError, TypeError, *damaged)
