"""Disks that are full or cannot be written: that is told, no half file is left, and nothing that was kept is lost."""

import asyncio
import base64
import io
import os
import resource
import tempfile
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
import soundfile

from tests.bridge.door import Door, form, open_door, recording
from tests.disk import mend, refuse, small_disk
from tests.e2e.dialogue import ask, loud, record, refused, say, transcript, words
from tests.process import DEADLINE, only_fakes, start
from tests.reference import SAYS
from tests.reference import recording as reference

CLONES = {"options": {"abilities": ["clone", "design"]}}


async def test_a_full_disk_is_told_and_leaves_no_half_file(tmp_path: Path) -> None:
    outputs = tmp_path / "data" / "outputs"
    with small_disk(outputs, 64):
        async with open_door(tmp_path) as door:
            refusal = await door.refused("POST", "/tts", json={"text": "Long. " * 20})
            assert (refusal.status, refusal.code) == (503, "engine-unavailable")
            assert "No space left" in refusal.message
            assert list(outputs.iterdir()) == []
            async with door.client.post(f"{door.url}/tts", json={"text": "A short one."}) as reply:
                assert reply.status == 200
            async with door.client.post(f"{door.url}/tts/wav", json={"text": "Long. Long."}) as reply:
                assert len(await reply.read()) > 64 * 1024, "what needs no disk goes on"


@pytest.fixture(params=["full", "read-only"])
def how(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def both_still_work(door: Door) -> None:
    """Speak and hear where no disk is needed."""
    assert words(await ask(door.server, say("Still speaking."))) == 2
    assert transcript(await ask(door.server, *record(loud(0.5), language="en"))) == "0.5 seconds at 0.50"
    async with door.client.post(f"{door.url}/tts/wav", json={"text": "Hello there."}) as reply:
        assert soundfile.info(io.BytesIO(await reply.read())).frames == 3200


async def test_outputs_on_a_disk_that_refuses_are_told_and_those_before_are_there(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "data" / "outputs"
    with small_disk(folder, 64):
        async with open_door(tmp_path, outputs={"save_stt": True}, languages=["en", "ru"]) as door:
            async with door.client.post(f"{door.url}/tts", json={"text": "Kept."}) as reply:
                kept = (await reply.json())["url"]
            if how == "read-only":
                (folder / "stt_1.txt").touch()
                os.utime(folder / "stt_1.txt", (0, 0))  # too old to be kept
            why = refuse(folder, how)
            before = sorted(folder.iterdir())
            speaking = await door.refused("POST", "/tts", json={"text": "Hello there. " * 40})
            hearing = await door.refused("POST", "/stt", data=form(recording(0.5), language="en"))
            for refusal in (speaking, hearing):
                assert (refusal.status, refusal.code) == (503, "engine-unavailable")
                assert why in refusal.message
            assert sorted(folder.iterdir()) == before
            async with door.client.get(f"{door.url}/{kept}") as reply:
                assert soundfile.info(io.BytesIO(await reply.read())).duration > 0.09
            await both_still_work(door)


async def test_voices_on_a_disk_that_refuses_are_told_and_those_before_speak(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "data" / "voices"
    brought = base64.b64encode(reference()).decode()
    lent = {"text": "Hello.", "reference_audio_base64": brought, "reference_text": SAYS}
    with small_disk(folder, 512):
        async with open_door(tmp_path, tts=CLONES, languages=["en", "ru"]) as door:
            async with door.client.post(f"{door.url}/voices", data=form(reference(), name="anna", text=SAYS)) as reply:
                assert reply.status == 201
            why = refuse(folder, how)
            before = sorted(folder.rglob("*"))
            adding = await door.refused("POST", "/voices", data=form(reference(), name="olga", text=SAYS))
            lending = await door.refused("POST", "/tts/wav", json=lent)
            for refusal in (adding, lending):
                assert (refusal.status, refusal.code) == (503, "engine-unavailable")
                assert why in refusal.message
            assert sorted(folder.rglob("*")) == before
            async with door.client.post(f"{door.url}/tts/wav", json={"text": "It speaks.", "voice": "anna"}) as reply:
                assert reply.status == 200
            await both_still_work(door)
            if how == "full":
                async with door.client.delete(f"{door.url}/voices/anna") as reply:
                    assert reply.status == 200, "it makes room"
                async with door.client.post(f"{door.url}/tts/wav", json=lent) as reply:
                    assert reply.status == 200
            else:
                assert why in (await door.refused("DELETE", "/voices/anna")).message
                assert sorted(folder.rglob("*")) == before


async def test_temporary_files_on_a_disk_that_refuses_are_told(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(prefix="wv-") as place, small_disk(Path(place), 4096):
        monkeypatch.setattr(tempfile, "tempdir", place)  # where a server of a test has its own
        async with open_door(tmp_path, languages=["en", "ru"]) as door:
            assert words(await ask(door.server, say("One worker."))) == 2
            why = refuse(Path(place), how)
            refusal = await door.refused("POST", "/stt", data=form(recording(120.0)))
            assert (refusal.status, refusal.code) == (503, "engine-unavailable")
            assert why in refusal.message
            assert words(await ask(door.server, say("It goes on."))) == 3
            heard = await ask(door.server, *record(loud(0.5), language="en"))
            if how == "full":
                assert transcript(heard) == "0.5 seconds at 0.50", "a socket needs no room"
            else:
                code, text = refused(heard)
                assert code == "engine-unavailable"
                assert why in text
                mend(Path(place))
                assert transcript(await ask(door.server, *record(loud(0.5), language="en")))


async def test_a_disk_that_could_never_be_written_keeps_nobody_from_speaking(tmp_path: Path) -> None:
    with small_disk(tmp_path / "data", 8, "ro"):
        async with open_door(tmp_path, languages=["en", "ru"]) as door:
            await both_still_work(door)
            for path, fields in (("/tts", {"text": "Hello."}), ("/voices", None)):
                sent = form(reference(), name="anna", text=SAYS) if fields is None else None
                assert (await door.refused("POST", path, json=fields, data=sent)).status in (400, 503)


async def test_an_upload_that_does_not_fit_on_the_disk_is_told(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door:
        pid = door.server.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (100_000, before[1]))
        refusal = await door.refused("POST", "/stt", data=form(recording(120.0)))
        assert refusal.status == 503
        assert "File too large" in refusal.message
        refusal = await door.refused("POST", "/tts", json={"text": "Long. " * 40})
        assert refusal.status == 503
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        async with door.client.post(f"{door.url}/stt", data=form(recording(0.5))) as reply:
            assert reply.status == 200


async def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    config = only_fakes(tmp_path, tts={"options": {"abilities": ["clone", "design"]}})
    names = []
    for number in range(3):
        process = await start(tmp_path, config, uri="tcp://127.0.0.1:0", http="127.0.0.1:0")
        try:
            url = await _url(process)
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=DEADLINE)) as client:
                async with client.post(f"{url}/tts", json={"text": f"Number {number} is kept."}) as reply:
                    made = await reply.json()
                async with client.post(
                    f"{url}/voices", data=form(reference(), name=f"anna{number}", text=SAYS)
                ) as reply:
                    assert reply.status == 201
                    process.kill()
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        names.append(made["url"].rpartition("/")[2])
    async with open_door(tmp_path, tts={"options": {"abilities": ["clone", "design"]}}) as door:
        for name in names:
            async with door.client.get(f"{door.url}/outputs/{name}") as reply:
                assert soundfile.info(io.BytesIO(await reply.read())).duration > 0.2
        async with door.client.get(f"{door.url}/voices") as reply:
            listed = {voice["id"] for voice in (await reply.json())["voices"]}
        assert {"anna0", "anna1", "anna2"} <= listed
        async with door.client.post(f"{door.url}/tts/wav", json={"text": "It speaks.", "voice": "anna1"}) as reply:
            assert reply.status == 200


async def _url(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE):
        while line := (await process.stdout.readline()).decode():
            if "HTTP API" in line:
                return line.split()[-1]
    raise AssertionError("the server ended before it was ready")
