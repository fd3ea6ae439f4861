"""Moonshine (https://github.com/moonshine-ai/moonshine): English, its model in the wheel of its Python package."""

import ctypes
import weakref
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wyoming_voice.errors import BadRequest, EngineUnavailable, Internal

from .gate import SpeechGate
from .protocol import HEARD_RATE, Heard, Options, Piece

# Its own voice activity detection and speaker labels cost time and, measured, words: the gate does that job.
_SETTINGS: Final = {"vad_threshold": "0", "identify_speakers": "false"}
_PEAK: Final = 0.95
"""It hears loud speech better: of recorded words at -40 dBFS 6 % are wrong as they are, 2.5 % made as loud as this."""


class Moonshine:
    """The tiny English model. A piece is one step that cannot be cancelled inside: 25 s of speech take about 2 s."""

    def __init__(self, _options: Options) -> None:
        """Load the model that the package carries, through the package's own declarations of its C interface.

        The package's ``Transcriber`` turns audio into Python lists, there and back; here the buffer is handed over.
        """
        try:
            from moonshine_voice import moonshine_api as api  # noqa: PLC0415 (a worker's library)
            from moonshine_voice.utils import get_model_path  # noqa: PLC0415
        except ImportError as error:
            raise EngineUnavailable(
                f"Moonshine does not load ({error}). Run: ./run.sh engines install moonshine"
            ) from error
        self._gate = SpeechGate()
        self._transcript = api.TranscriptC
        try:
            self._library = api._MoonshineLib().lib  # noqa: SLF001 (its one way in; the release is pinned)
        except api.MoonshineError as error:
            raise EngineUnavailable(f"Moonshine does not run on this machine: {error}") from error
        settings, count, _alive = api.moonshine_options_array(_SETTINGS)
        folder = str(get_model_path("tiny-en")).encode()
        self._handle: int = self._library.moonshine_load_transcriber_from_files(
            folder, api.ModelArch.TINY.value, settings, count, api.MOONSHINE_HEADER_VERSION
        )
        if self._handle < 0:
            raise EngineUnavailable(
                "Moonshine does not load its model: releases other than moonshine-voice 0.0.55 carry none. "
                "Run: ./run.sh engines install moonshine"
            )
        weakref.finalize(self, self._library.moonshine_free_transcriber, self._handle)
        # Each of its tensors is malloc's own; glibc keeps what is freed of them, 100 MB more after each 25 s of speech.
        # Given back, the worker stays at 210 MB, plus what the library does leak: 48 kB for each second heard.
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)

    def transcribe(self, piece: Piece) -> Iterator[Heard]:
        """Yield the text, normally at once; raise BadRequest for languages other than English."""
        if piece.language is not None and piece.language.lower().partition("-")[0] != "en":
            raise BadRequest(
                f"Moonshine hears English only, not {piece.language}. Choose another engine for this language, "
                "for example faster-whisper."
            )
        speech = self._gate.speech(piece.samples)
        if speech is None:
            return
        space = ""
        loud = speech.samples * np.float32(_PEAK / np.abs(speech.samples).max())  # speech is never all zeros
        for text, start, duration in self._lines(loud):
            yield Heard(space + text, speech.moment(start), speech.moment(start + duration), language="en")
            space = " "

    def _lines(self, samples: NDArray[np.float32]) -> list[tuple[str, float, float]]:
        """Text, start and duration in seconds of each line, copied out of the library's memory."""
        transcript = ctypes.POINTER(self._transcript)()
        failed = self._library.moonshine_transcribe_without_streaming(
            self._handle,
            samples.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
            len(samples),
            HEARD_RATE,
            0,
            ctypes.byref(transcript),
        )
        if failed:  # the library has written why to stderr
            raise Internal(f"Moonshine could not transcribe this recording (its error {failed}).")
        lines = transcript.contents.lines[: transcript.contents.line_count]
        heard = [
            (ctypes.string_at(line.text).decode(errors="replace").strip(), line.start_time, line.duration)
            for line in lines
            if line.text
        ]
        if self._trim is not None:
            self._trim(0)
        return [line for line in heard if line[0]]
