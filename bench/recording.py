"""Recorded speech with transcripts, from the folder that the tests use."""

import json
import os
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from wyoming_voice.audio import PcmFormat
from wyoming_voice.codec import decode

RATE: Final = 16_000
_ROOT: Final = Path(__file__).resolve().parent.parent
_LONGEST: Final = 600.0  # seconds


@dataclass(frozen=True, slots=True)
class Recording:
    """Somebody speaking."""

    name: str
    language: str
    transcript: str
    """What is said; empty: nobody has written it down."""
    derived: bool
    """Whether it is another recording in another format."""
    pcm: bytes
    """16 kHz mono, 16 bit."""

    @property
    def seconds(self) -> float:
        return len(self.pcm) / 2 / RATE


@cache
def recordings() -> tuple[Recording, ...]:
    """Read ``../shared/speech`` (or ``$WYOMING_VOICE_SPEECH``), else the sample that Moonshine's package carries."""
    folder = Path(os.environ.get("WYOMING_VOICE_SPEECH") or _ROOT.parent / "shared" / "speech")
    manifest = folder / "manifest.json"
    if manifest.is_file():
        return tuple(
            Recording(
                name=entry["file"],
                language=entry["language"],
                transcript=entry["transcript"],
                derived=bool(entry.get("derived_from")),
                pcm=_pcm(folder / entry["file"]),
            )
            for entry in json.loads(manifest.read_text("utf-8"))
        )
    spec = find_spec("moonshine_voice")
    samples = (
        [Path(place) / "assets" / "beckett.wav" for place in spec.submodule_search_locations or ()] if spec else []
    )
    return tuple(Recording(path.name, "en", "", False, _pcm(path)) for path in samples if path.is_file())


def _pcm(path: Path) -> bytes:
    return b"".join(decode(path, PcmFormat(RATE, 2, 1), max_seconds=_LONGEST))
