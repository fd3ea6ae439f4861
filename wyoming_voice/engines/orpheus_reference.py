"""Recordings to clone, as Orpheus gets them: codes, computed once and kept by the recording's content."""

import hashlib
import io
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr

from wyoming_voice.errors import BadRequest

from .kept import keep
from .orpheus_tokens import CODES, PLACES, RATE, Example, Frame
from .protocol import Reference
from .reference import check_reference, is_lent
from .snac_codec import Samples

_KEPT: Final = 64
"""Recordings whose codes stay in memory: a few kB each."""


class ReferenceCodes:
    """Encodes recordings, and remembers them in memory and, where there is a folder, on disk."""

    def __init__(self, encode: Callable[[Samples], tuple[Frame, ...]], codec: str, folder: Path | None) -> None:
        """``codec`` tells the codes of one codec from those of another."""
        self._encode = encode
        self._codec = codec.encode()
        self._folder = folder
        self._known: OrderedDict[str, tuple[Frame, ...]] = OrderedDict()

    def example(self, reference: Reference) -> Example:
        """Return a recording with what it says; raises BadRequest where either is missing."""
        if not (reference.text and reference.text.strip()):
            raise BadRequest(
                "Orpheus clones a voice by a recording and the words that are said in it. Give the reference's text."
            )
        try:
            content = Path(reference.path).read_bytes()
        except OSError as error:
            raise BadRequest(
                f"The reference recording cannot be read ({error.strerror}). Add the voice again."
            ) from error
        name = hashlib.sha256(self._codec + content).hexdigest()
        frames = self._known.pop(name, None) or self._from_disk(name) or self._made(name, reference.path)
        self._known[name] = frames
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return Example(" ".join(reference.text.split()), frames)

    def _made(self, name: str, path: str) -> tuple[Frame, ...]:
        try:
            samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, ValueError) as error:
            raise BadRequest(f"The reference recording is no audio that can be read ({error}).") from error
        mono = samples.mean(axis=1)
        check_reference(mono, rate)
        frames = self._encode(soxr.resample(mono, rate, RATE) if rate != RATE else mono)
        if self._folder is not None and not is_lent(path) and Path(path).exists():
            file = io.BytesIO()
            np.save(file, np.array(frames, dtype=np.int16))
            keep(self._folder / f"{name}.npy", file.getvalue())
        return frames

    def _from_disk(self, name: str) -> tuple[Frame, ...] | None:
        """Return what is kept; None where there is nothing, or nothing whole."""
        if self._folder is None:
            return None
        try:
            codes = np.load(self._folder / f"{name}.npy", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        whole = codes.ndim == 2 and codes.shape[1] == PLACES and codes.size and 0 <= codes.min() <= codes.max() < CODES
        return tuple(tuple(map(int, frame)) for frame in codes) if whole else None
