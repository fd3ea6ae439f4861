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
from wyoming_voice.errors import TooLarge


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


async def test_too_many_recordings_or_words_are_refused(tmp_path: Path) -> None:
    async with open_app(Settings(data_dir=tmp_path)) as app:
        for wanted in (
            [enrol.Recording(io.BytesIO())] * 17,
            [enrol.Recording(io.BytesIO(recording()), "x" * 2001)],
        ):
            with pytest.raises(TooLarge):
                async with enrol.borrow(app, wanted):
                    pass
