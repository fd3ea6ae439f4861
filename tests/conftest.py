"""What tests share."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Speech:
    """Recorded speech with transcripts."""

    folder: Path
    recordings: tuple[dict[str, Any], ...]
    """``file``, ``language``, ``transcript``, ``sample_rate``, ``duration_s`` … of each, as manifest.json has them."""

    def path(self, file: str) -> Path:
        return self.folder / file

    def of(self, language: str) -> list[dict[str, Any]]:
        return [recording for recording in self.recordings if recording["language"] == language]


@pytest.fixture(scope="session")
def speech() -> Speech:
    """Find the recordings; a test that asks for them carries the mark ``speech``."""
    folder = Path(os.environ.get("WYOMING_VOICE_SPEECH") or ROOT.parent / "shared" / "speech")
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        pytest.skip(f"no recorded speech: {manifest} is missing (WYOMING_VOICE_SPEECH names another folder)")
    return Speech(folder, tuple(json.loads(manifest.read_text("utf-8"))))
