"""What the application shows of the machine, and when."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from wyoming_voice.app import Voices
from wyoming_voice.config import EngineSettings, Settings
from wyoming_voice.library import Library, LibraryVoice


class Slow:
    """A library whose first reader is held up after it has read."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._first = True
        self.reached = threading.Event()
        self.gate = threading.Event()

    def voices(self) -> Sequence[LibraryVoice]:
        found = self._library.voices()
        if self._first:
            self._first = False
            self.reached.set()
            self.gate.wait()
        return found


async def test_look_that_began_before_a_voice_was_made_does_not_hide_it(tmp_path: Path) -> None:
    engines = {"qwen-tts": EngineSettings(options={"model": "Qwen/Qwen3-TTS-12Hz-0.6B-Base"})}
    voices = Voices(Settings(data_dir=tmp_path, engines=engines))
    library = voices.library
    slow = Slow(library)
    voices.library = cast("Library", slow)
    early = asyncio.create_task(voices.look())
    await asyncio.to_thread(slow.reached.wait)
    library.add(LibraryVoice(name="anna"), [(b"fLaC", "one")])
    await voices.look()
    assert "anna" in [voice.name for voice in voices.catalogue.voices]
    slow.gate.set()
    await early
    assert "anna" in [voice.name for voice in voices.catalogue.voices]
