"""Cloned voices: what a Base model takes from recordings, computed once and kept on disk by their content.

A recording becomes codes (a frame of 16 every 80 ms) and an embedding of its speaker. With its text known the model
continues it (in-context learning, the closest likeness); without, the embedding alone has to do.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
import soxr
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from wyoming_voice.errors import BadRequest

from .kept import keep
from .protocol import Reference
from .qwen_codec import Codec, CodecStream
from .qwen_sound import RATE
from .reference import check_reference, is_lent

_MOST: Final = 375  # frames of recordings to continue: 30 s
_KEPT: Final = 16  # voices in memory, some 10 MB each: mostly what the decoder looks back on


@dataclass(frozen=True, slots=True)
class Likeness:
    """What the model takes from one recording."""

    codes: torch.Tensor
    """Shape (frames, 16)."""
    embedding: torch.Tensor
    """Of the speaker, shape (width,)."""


@dataclass(frozen=True, slots=True)
class ClonedVoice:
    """A voice to speak with, out of one recording or several."""

    embedding: torch.Tensor
    """The mean over all recordings."""
    codes: torch.Tensor | None
    """Of the recordings whose text is known, one after the other; None: there are none."""
    text: str | None
    decoded: CodecStream
    """A codec that has decoded ``codes``: speech continues the recording. Branch it."""


class Cloner:
    """Makes voices of recordings with a loaded Base model; each recording is looked at once."""

    def __init__(self, package: Any, codec: Codec, weights: Path, cache: Path) -> None:
        """``package`` is a Qwen3TTSModel; ``cache`` the folder to keep what was computed in."""
        self._package = package
        self._codec = codec
        self._cache = cache
        self._model = _identity(weights)
        self._voices: OrderedDict[object, ClonedVoice] = OrderedDict()

    def voice(self, references: Sequence[Reference]) -> Generator[None, None, ClonedVoice]:
        """Return the voice of recordings; raises BadRequest for one that cannot be read or used.

        Of several the first that come to 30 s are continued, and all of them are averaged into the embedding. Yields
        after each one that had to be computed, which takes a CPU seconds: cancel there.
        """
        paths = [Path(reference.path).expanduser() for reference in references]
        hashes = [self._hash(path) for path in paths]
        texts = [(reference.text or "").strip() for reference in references]
        key = (*zip(hashes, texts, strict=True),)
        if key not in self._voices:
            likenesses = []
            for path, known in zip(paths, hashes, strict=True):
                likenesses.append(self._likeness(path, known))
                yield
            self._voices[key] = self._joined(likenesses, texts)
            if len(self._voices) > _KEPT:
                self._voices.popitem(last=False)
        self._voices.move_to_end(key)
        return self._voices[key]

    def _joined(self, likenesses: Sequence[Likeness], texts: Sequence[str]) -> ClonedVoice:
        embedding = torch.stack([likeness.embedding for likeness in likenesses]).mean(0)
        continued, frames = [], 0
        for likeness, text in zip(likenesses, texts, strict=True):
            if text and frames + len(likeness.codes) <= _MOST:
                continued.append((likeness.codes, text))
                frames += len(likeness.codes)
        decoded = self._codec.stream()
        if not continued:
            return ClonedVoice(embedding, None, None, decoded)
        codes = torch.cat([codes for codes, _ in continued])
        decoded.push(codes)
        return ClonedVoice(embedding, codes, " ".join(text for _, text in continued), decoded)

    def _hash(self, path: Path) -> str:
        try:
            return hashlib.sha256(path.read_bytes() + self._model).hexdigest()
        except OSError as error:
            raise BadRequest(f"The reference recording {path} cannot be read: {error.strerror}.") from error

    def _likeness(self, path: Path, key: str) -> Likeness:
        found = self._read(key)
        if found is None:
            found = self._listen(path)
            if not is_lent(path) and path.exists():  # else the voice was removed meanwhile
                self._write(key, found)
        return found

    def _listen(self, path: Path) -> Likeness:
        samples = _samples(path)
        with torch.inference_mode():
            (codes,) = self._package.model.speech_tokenizer.encode(samples, sr=RATE).audio_codes
            embedding = self._package.model.extract_speaker_embedding(audio=samples, sr=RATE)
        return Likeness(codes.clone(), embedding.clone())

    def _read(self, key: str) -> Likeness | None:
        """Read what was computed before; None when there is nothing, or nothing whole."""
        try:
            kept = load_file(self._cache / f"{key}.safetensors", device=str(self._package.device))
            return Likeness(kept["codes"].long(), kept["embedding"].to(self._package.model.dtype))
        except (OSError, SafetensorError, KeyError):
            return None

    def _write(self, key: str, likeness: Likeness) -> None:
        tensors = {"codes": likeness.codes.short().cpu().contiguous(), "embedding": likeness.embedding.float().cpu()}
        keep(self._cache / f"{key}.safetensors", save(tensors))


def _identity(weights: Path) -> bytes:
    """Tell models apart by their settings and the size of their weights: a hash of gigabytes would take a minute."""
    sizes = [f"{path.relative_to(weights)} {path.stat().st_size}" for path in sorted(weights.rglob("*.safetensors"))]
    return (weights / "config.json").read_bytes() + "\n".join(sizes).encode()


def _samples(path: Path) -> NDArray[np.float32]:
    """Read a recording as 24 kHz mono, shape (n,); raises BadRequest for one that cannot be read or used."""
    try:
        read, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise BadRequest(
            f"The reference recording {Path(path).name} is no audio that can be read: {error.error_string} "
            "Save it as WAV or FLAC."
        ) from error
    samples: NDArray[np.float32] = read.mean(axis=1)
    check_reference(samples, rate)
    return samples if rate == RATE else np.asarray(soxr.resample(samples, rate, RATE), np.float32)
