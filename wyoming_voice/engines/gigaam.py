"""GigaAM (https://github.com/salute-developers/GigaAM): Russian, with punctuation where the model has it."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wyoming_voice.errors import BadRequest, EngineUnavailable

from . import gigaam_files
from .gate import Speech, SpeechGate
from .gigaam_onnx import OnnxGigaAM
from .gigaam_tokens import Recogniser, Token, words
from .gigaam_torch import TorchGigaAM
from .protocol import HEARD_RATE, Heard, Options, Piece

LONGEST: Final = 25 * HEARD_RATE
"""Samples that a model hears at once: the package refuses more (``LONGFORM_THRESHOLD``)."""
_LEAST, _MOST = 20, 22
"""Seconds: what is longer is cut into parts of 20 s on average, or less, and 22 s at most, so that a cut has room."""
_QUIET: Final = HEARD_RATE * 3 // 20
"""Samples whose energy is compared: 150 ms, as the server does where it cuts (``listening.py``)."""
_HOP: Final = HEARD_RATE // 100


class GigaAM:
    """A model of GigaAM. A piece is one step, which cannot be cancelled inside: 25 s of speech take a few seconds.

    Options: ``model`` (a full name of ``gigaam_files.MODELS``, or the path of its folder or checkpoint; v3_e2e_rnnt),
    ``backend`` (``onnx`` or ``torch``; the faster of those whose files are here), ``device`` (cpu, cuda:0, auto; with
    onnx also tensorrt:0), ``quantization`` (onnx: ``int8`` where the folder has such graphs).
    """

    def __init__(self, options: Options) -> None:
        """Load the model; raise EngineUnavailable where there is none or it does not load."""
        if missing := gigaam_files.missing(options):
            raise EngineUnavailable(missing)
        self._gate = SpeechGate()
        self._model = _load(options)

    def transcribe(self, piece: Piece) -> Iterator[Heard]:
        """Yield the text, normally at once, with its words; raise BadRequest for languages other than Russian."""
        if piece.language is not None and piece.language.lower().partition("-")[0] != "ru":
            raise BadRequest(
                f"GigaAM hears Russian only, not {piece.language}. Choose another engine for this language, "
                "for example faster-whisper."
            )
        speech = self._gate.speech(piece.samples)
        if speech is None:
            return
        parts = list(cut(speech.samples))
        space, begin = "", 0.0
        for samples, tokens in zip(parts, self._tokens(parts), strict=True):
            heard = words(tokens, partial(_moment, speech, begin))
            begin += len(samples) / HEARD_RATE
            if heard:
                text = space + " ".join(word.text for word in heard)
                yield Heard(text, heard[0].start, heard[-1].end, language="ru", words=heard)
                space = " "

    def _tokens(self, parts: Sequence[NDArray[np.float32]]) -> Iterator[Sequence[Token]]:
        for first in range(0, len(parts), self._model.batch):
            yield from self._model.recognise(parts[first : first + self._model.batch])


def _moment(speech: Speech, begin: float, seconds: float) -> float:
    return speech.moment(begin + seconds)


def _load(options: Options) -> Recogniser:
    backend, folder, name = (
        gigaam_files.backend(options),
        gigaam_files.folder(options),
        gigaam_files.model_name(options),
    )
    if backend == "torch":
        return TorchGigaAM(folder / f"{name}.ckpt", options)
    quantization = options.get("quantization")
    return OnnxGigaAM(folder, name, str(options.get("device") or "cpu"), str(quantization) if quantization else None)


def cut(samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Cut what is longer than LONGEST, shape (n,), in the middle of quiet moments; joined, the parts are the whole."""
    rest = samples
    while len(rest) > (LONGEST if rest is samples else _MOST * HEARD_RATE):
        even = len(rest) / (len(rest) // (_LEAST * HEARD_RATE) + 1)
        spare = min(_MOST * HEARD_RATE - even, even / 3)
        first, last = round(even - spare), round(even + spare)
        power = np.concatenate(([0.0], np.cumsum(rest[first:last].astype(np.float64) ** 2)))
        energy = (power[_QUIET:] - power[:-_QUIET])[::_HOP]
        middle = first + int(np.argmin(energy)) * _HOP + _QUIET // 2
        yield rest[:middle]
        rest = rest[middle:]
    yield rest
