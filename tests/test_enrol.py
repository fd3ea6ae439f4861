"""Recordings that a voice is made of, looked at within bounds."""

import asyncio
import io
import threading
from pathlib import Path

import pytest

from tests.reference import recording
from wyoming_voice import enrol
from wyoming_voice.app import open_app
from wyoming_voice.config import Settings
from wyoming_voice.engines.reference import is_lent
from wyoming_voice.errors import BadRequest, EngineUnavailable, TooLarge, UnknownVoice, UnsupportedAudio
from wyoming_voice.library import Library
from wyoming_voice.voice_file import LibraryVoice


async def test_few_recordings_are_looked_at_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look, busy, most, lock = enrol.read_reference, 0, 0, threading.Lock()

    def counted(file: io.BytesIO) -> bytes:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        try:
            return look(file)
        finally:
            with lock:
                busy -= 1

    monkeypatch.setattr(enrol, "read_reference", counted)

    async def borrow() -> None:
        async with enrol.borrow(app, [enrol.Recording(io.BytesIO(recording()))]) as (reference,):
            assert Path(reference.path).is_file()

    async with open_app(Settings(data_dir=tmp_path)) as app:
        await asyncio.gather(*(borrow() for _ in range(6)))
    assert most == 2
    assert list((tmp_path / "voices").iterdir()) == []


async def test_of_several_recordings_it_is_said_which_one_is_wrong(tmp_path: Path) -> None:
    good, short = tmp_path / "good.wav", tmp_path / "short.wav"
    good.write_bytes(recording())
    short.write_bytes(recording()[:50_000])
    async with open_app(Settings(data_dir=tmp_path)) as app:
        for wanted, which in (
            ([good, short], r"^short\.wav: The reference recording is "),
            ([io.BytesIO(recording()), io.BytesIO(b"no audio")], r"^Recording 2: This file is not audio"),
            ([short], r"^The reference recording is "),
        ):
            with pytest.raises((BadRequest, UnsupportedAudio), match=which):
                async with enrol.borrow(app, [enrol.Recording(file) for file in wanted]):
                    pass


async def test_too_many_recordings_or_words_are_refused(tmp_path: Path) -> None:
    async with open_app(Settings(data_dir=tmp_path)) as app:
        for wanted in (
            [enrol.Recording(io.BytesIO())] * 17,
            [enrol.Recording(io.BytesIO(recording()), "x" * 2001)],
        ):
            with pytest.raises(TooLarge):
                async with enrol.borrow(app, wanted):
                    pass


async def test_what_was_computed_of_a_removed_voice_is_gone(tmp_path: Path) -> None:
    computed = tmp_path / "cache" / "qwen-tts" / "abc.safetensors"
    computed.parent.mkdir(parents=True)
    async with open_app(Settings(data_dir=tmp_path)) as app:
        app.voices.library.add(LibraryVoice(name="anna"), [(b"fLaC", "one")])
        computed.write_bytes(b"how anna sounds")
        with pytest.raises(UnknownVoice):
            await enrol.forget(app, "olga")
        assert computed.exists()
        await enrol.forget(app, "anna")
        assert not computed.exists()


async def test_what_was_computed_and_cannot_be_deleted_is_told(tmp_path: Path) -> None:
    async with open_app(Settings(data_dir=tmp_path)) as app:
        app.voices.library.add(LibraryVoice(name="anna"), [(b"fLaC", "one")])
        left = tmp_path / "cache" / "qwen-tts" / "a folder"  # as good as a disk that refuses
        left.mkdir(parents=True)
        with pytest.raises(EngineUnavailable, match="is removed, but what was computed"):
            await enrol.forget(app, "anna")
        assert app.voices.library.voices() == []


def test_engines_know_what_came_with_a_request(tmp_path: Path) -> None:
    library = Library(tmp_path)
    with library.lent() as put:
        assert is_lent(put(b"fLaC"))
    kept = library.add(LibraryVoice(name="anna"), [(b"fLaC", "one")])
    assert not is_lent(kept.references[0].path)
