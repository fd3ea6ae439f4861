"""What the application shows of the machine, and when."""

import asyncio
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from wyoming.info import Attribution, Info, TtsProgram, TtsVoice

from wyoming_voice.app import Voices, _engine_plans
from wyoming_voice.config import EngineSettings, Settings
from wyoming_voice.library import Library
from wyoming_voice.survey import survey
from wyoming_voice.voice_file import LibraryVoice
from wyoming_voice.voices import VoiceChoice

CLONES = {"qwen-tts": EngineSettings(options={"model": "Qwen/Qwen3-TTS-12Hz-0.6B-Base"})}


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
    voices = Voices(Settings(data_dir=tmp_path, engines=CLONES))
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


async def test_voice_of_the_users_own_keeps_its_name_when_an_engine_brings_one_and_that_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(data_dir=tmp_path, engines={**CLONES, "kitchen": EngineSettings(uri=("tcp://192.0.2.1:1",))})
    voices = Voices(settings)
    voices.library.add(LibraryVoice(name="anna"), [(b"fLaC", "one")])
    nobody = Attribution(name="x", url="x")
    known: dict[str, Any] = {"attribution": nobody, "installed": True, "description": None, "version": None}
    spoken = [TtsVoice(name=name, languages=["en"], **known) for name in ("Anna", "boris")]
    remote = {"kitchen": Info(tts=[TtsProgram(name="x", voices=spoken, **known)])}
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            voices.take(settings, survey(settings, remote, voices.library.voices()), {})
    names = [voice.name for voice in voices.catalogue.voices if voice.engine in ("kitchen", "qwen-tts")]
    assert names == ["boris", "anna"]
    assert voices.catalogue.voice(VoiceChoice("Boris"))[0].engine == "kitchen"
    assert [voices.catalogue._named(name) for name in ("anna", "Anna")] == [voices.catalogue.voices[-1]] * 2
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith("'Anna' is a voice of your own; kitchen has one of that name too.")


async def test_voice_that_no_engine_speaks_with_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(data_dir=tmp_path, engines={"qwen-tts": EngineSettings(enabled=False)})
    Voices(settings).library.add(LibraryVoice(name="anna", engine="qwen-tts"), [(b"fLaC", "one")])
    with caplog.at_level(logging.WARNING):
        voices = Voices(settings)
        await voices.look()
    assert "anna" not in [voice.name for voice in voices.catalogue.voices]
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith("Your voice 'anna' is not offered: no engine has a model that speaks with it")


def test_engine_that_each_sentence_waits_for_stays_loaded_unless_the_user_says_otherwise(tmp_path: Path) -> None:
    def plans(engines: dict[str, Any]) -> dict[str, float | None]:
        settings = Settings(data_dir=tmp_path, engines=engines)
        return {name: plan.ttl for name, plan in _engine_plans(settings, survey(settings, {}).places).items()}

    left_out = plans({})
    assert (left_out["silero-stress"], left_out["silero"]) == (None, 600)
    assert plans({"silero-stress": {"device": "cpu"}})["silero-stress"] is None
    assert plans({"silero-stress": {"ttl": 600.0}})["silero-stress"] == 600
