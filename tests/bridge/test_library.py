"""Voices that are made over HTTP, and then speak over every door."""

import base64
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import aiohttp
import pytest
from wyoming.client import AsyncTcpClient
from wyoming.info import Describe, Info

from tests.bridge.door import Door, open_door
from tests.process import log_line, log_lines, until
from tests.reference import SAYS, recording


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with open_door(tmp_path, tts={"options": {"abilities": ["clone", "design"]}}, data_dir="data") as door:
        yield door


def form(*recordings: bytes, **fields: str) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for name, value in fields.items():
        form.add_field(name.rstrip("_"), value)
    for audio in recordings:
        form.add_field("file", audio, filename="x.wav")
    return form


async def made(door: Door, *recordings: bytes, **fields: str) -> dict[str, Any]:
    async with door.client.post(f"{door.url}/voices", data=form(*recordings, **fields)) as reply:
        assert reply.status == 201, await reply.text()
        found: dict[str, Any] = await reply.json()
    return found


async def say(door: Door, **asked: object) -> bytes:
    async with door.client.post(f"{door.url}/tts/wav", json={"text": "Hello there", **asked}) as reply:
        assert reply.status == 200, await reply.text()
        return await reply.read()


async def test_recording_becomes_a_voice_like_any_other(door: Door) -> None:
    reply = await made(door, recording(), name="Анна", text=SAYS)
    assert reply["voice"]["id"] == "Анна"
    assert reply["voice"]["own"]
    assert (reply["texts"], reply["recognised"]) == ([SAYS], False)

    async with door.client.get(f"{door.url}/voices") as listed:
        assert "Анна" in [voice["id"] for voice in (await listed.json())["voices"]]
    async with door.client.get(f"{door.url}/v1/audio/voices") as listed:
        assert "Анна" in [voice["id"] for voice in (await listed.json())["voices"]]
    async with AsyncTcpClient("127.0.0.1", door.server.port) as client:
        await client.write_event(Describe().event())
        event = await client.read_event()
        assert event is not None
        info = Info.from_event(event)
    assert "Анна" in [voice.name for voice in info.tts[0].voices]

    assert (await say(door, voice="Анна")).startswith(b"RIFF")
    (line,) = [line for line in log_lines(door.server.log) if line.startswith("made of")]
    assert SAYS in line
    seconds = float(line.split("'")[1].split()[0])
    assert 5 < seconds < 15


async def test_voice_of_the_users_own_is_not_the_default_of_others(door: Door) -> None:
    await made(door, recording(), name="anna", text=SAYS)
    await say(door)
    assert not [line for line in log_lines(door.server.log) if line.startswith("made of")]


async def test_text_that_is_left_out_is_recognised_and_shown(door: Door) -> None:
    reply = await made(door, recording(), name="anna", language="en")
    assert reply["recognised"]
    assert "seconds at" in reply["texts"][0]  # what the fake ears hear


async def test_voice_may_have_several_recordings_or_a_description(door: Door) -> None:
    await made(door, recording(), recording(), name="two", text="first")
    await made(door, name="old man", description="an old man")
    await say(door, voice="two", seed=5)
    await say(door, voice="old man")
    two, old = [line for line in log_lines(door.server.log) if line.startswith("made of")]
    assert "first" in two
    assert two.endswith("None 5")
    assert old == "made of [] an old man None"


async def test_removed_voice_is_gone_everywhere(door: Door) -> None:
    await made(door, recording(), name="anna", text=SAYS)
    async with door.client.delete(f"{door.url}/voices/anna") as reply:
        assert await reply.json() == {"removed": "anna"}
    refused = await door.refused("POST", "/tts/wav", json={"text": "x", "voice": "anna"})
    assert (refused.status, refused.code) == (404, "unknown-voice")
    refused = await door.refused("DELETE", "/voices/anna")
    assert refused.status == 404
    refused = await door.refused("DELETE", "/voices/fake-ru")
    assert refused.status == 404


async def test_voice_that_is_removed_while_it_speaks_says_all_that_it_began(door: Door) -> None:
    await made(door, recording(), name="anna", text=SAYS)
    asked = {"text": "Gate first opens. And then the rest is said.", "voice": "anna"}
    async with door.client.post(f"{door.url}/tts/wav", json=asked) as reply:
        assert reply.status == 200
        await log_line(door.server.log, "at first")
        async with door.client.delete(f"{door.url}/voices/anna") as removed:
            assert removed.status == 200
        refused = await door.refused("POST", "/tts/wav", json={"text": "x", "voice": "anna"})
        assert refused.code == "unknown-voice"
        door.open_gate("first")
        await reply.read()
    made_of = [line for line in log_lines(door.server.log) if line.startswith("made of")]
    assert len(made_of) == 2
    assert made_of[0] == made_of[1]
    assert "end And then the rest is said." in log_lines(door.server.log)
    await until(lambda: not [*door.server.folder.rglob("*.flac")])


async def test_voice_outlives_the_server(tmp_path: Path) -> None:
    config: dict[str, Any] = {"tts": {"options": {"abilities": ["clone"]}}, "data_dir": "data"}
    async with open_door(tmp_path, **config) as door:
        await made(door, recording(), name="anna", text=SAYS)
    async with open_door(tmp_path, **config) as door:
        await say(door, voice="anna")


@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({"name": "../x", "text": "x"}, 400, "name"),
        ({"name": "fake-ru", "text": "x"}, 400, "already"),
        ({"name": "x", "engine": "nobody"}, 404, "no engine"),
        ({"name": "x", "engine": "fake-ears"}, 400, "clones"),
        ({"name": "x", "description": "both"}, 400, "one of them"),
        ({"name": "x", "language": "klingonese-!"}, 400, "language"),
        ({"text": "x"}, 400, "name"),
        ({"name": "ru", "text": "x"}, 400, "language"),
        ({"name": "Fake", "text": "x"}, 400, "engine"),
        ({"name": "x", "text": "x", "language": "fi"}, 400, "speaks fi"),
    ],
)
async def test_what_is_wrong_with_a_voice_is_told(
    door: Door, fields: dict[str, str], status: int, sentence: str
) -> None:
    refused = await door.refused("POST", "/voices", data=form(recording(), **fields))
    assert (refused.status, sentence in refused.message) == (status, True), refused


async def test_recording_that_no_voice_can_be_made_of_is_refused_with_the_reason(door: Door) -> None:
    for audio, status, sentence in (
        (b"not audio at all", 415, "audio"),
        (recording(3), 400, "s long"),
        (recording()[:44] + bytes(24_000 * 2 * 8), 400, "silent"),
    ):
        refused = await door.refused("POST", "/voices", data=form(audio, name="x", text="x"))
        assert (refused.status, sentence in refused.message) == (status, True), refused
    refused = await door.refused("POST", "/voices", data=form(name="x"))
    assert refused.status == 400


async def test_references_of_a_request_reach_the_engine(door: Door) -> None:
    audio = base64.b64encode(recording()).decode()
    await say(door, reference_audio_base64=audio, reference_text="one", references=[{"audio": audio, "text": "two"}])
    await say(door, voice_description="a child")
    brought, described = [line for line in log_lines(door.server.log) if line.startswith("made of")]
    assert "one" in brought
    assert "two" in brought
    assert "a child" in described
    refused = await door.refused("POST", "/tts/wav", json={"text": "x", "reference_audio_base64": "no base64!"})
    assert (refused.status, "base64" in refused.message) == (400, True)


async def test_recordings_of_a_request_are_not_kept(door: Door) -> None:
    audio = base64.encodebytes(recording()).decode()  # in lines, as the command `base64` writes it
    await say(door, reference_audio_base64=audio, reference_text="one")
    async with door.client.post(
        f"{door.url}/tts", json={"text": "Hello", "reference_audio_base64": audio, "reference_text": "two"}
    ) as reply:
        assert reply.status == 200, await reply.text()
    assert [line for line in log_lines(door.server.log) if line.startswith("made of")]
    assert list(door.server.folder.rglob("*.flac")) == []


async def test_recording_of_a_request_that_is_cancelled_is_not_kept(door: Door) -> None:
    audio = base64.b64encode(recording()).decode()
    asked = {"text": "Endless", "reference_audio_base64": audio}
    async with door.client.post(f"{door.url}/tts/wav", json=asked) as reply:
        await reply.content.readexactly(1000)
        assert list(door.server.folder.rglob("*.flac"))
    await until(lambda: not [*door.server.folder.rglob("*.flac")])


async def test_text_of_a_reference_has_an_end(door: Door) -> None:
    audio = base64.b64encode(recording()).decode()
    asked = {"text": "x", "references": [{"audio": audio, "text": "x" * 2001}]}
    refused = await door.refused("POST", "/tts/wav", json=asked)
    assert (refused.status, refused.code) == (413, "too-large")


async def test_name_in_an_address_may_be_spelled_as_a_mac_does(door: Door) -> None:
    await made(door, recording(), name="Андрей", text=SAYS)
    decomposed = unicodedata.normalize("NFD", "Андрей")
    await say(door, voice=decomposed)
    async with door.client.delete(f"{door.url}/voices/{decomposed}") as reply:
        assert reply.status == 200, await reply.text()


async def test_description_has_an_end(door: Door) -> None:
    asked = {"text": "x", "voice_description": "x" * 2001}
    assert (await door.refused("POST", "/tts/wav", json=asked)).status == 413
    assert (await door.refused("POST", "/voices", data=form(name="x", description="x" * 2001))).status == 413


async def test_name_in_a_header_is_of_letters_that_every_client_reads(door: Door) -> None:
    await made(door, recording(), name="Анна 2", text=SAYS)
    async with door.client.post(f"{door.url}/v1/speak", params={"model": "Анна 2"}, json={"text": "Hello"}) as reply:
        assert reply.status == 200
        name = reply.headers["dg-model-name"]
    assert name.isascii()
    assert unquote(name) == "Анна 2"


async def test_files_of_a_form_are_limited_together(tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "tts": {"options": {"abilities": ["clone"]}},
        "limits": {"upload": len(recording()) + 1000},
    }
    async with open_door(tmp_path, data_dir="data", **config) as door:
        await made(door, recording(), name="one", text=SAYS)
        refused = await door.refused("POST", "/voices", data=form(recording(), recording(), name="two", text=SAYS))
        assert (refused.status, refused.code) == (413, "too-large")


async def test_nobody_makes_or_removes_voices_without_a_token_or_from_another_site(tmp_path: Path) -> None:
    config: dict[str, Any] = {"tts": {"options": {"abilities": ["clone"]}}, "auth": {"tokens": ["a-long-secret"]}}
    secret = {"Authorization": "Bearer a-long-secret"}
    async with open_door(tmp_path, data_dir="data", **config) as door:
        for headers, status in (({}, 401), ({**secret, "Origin": "https://example.org"}, 403)):
            data = form(recording(), name="x", text="x")
            refused = await door.refused("POST", "/voices", data=data, headers=headers)
            assert refused.status == status
            refused = await door.refused("DELETE", "/voices/x", headers=headers)
            assert refused.status == status
        async with door.client.post(
            f"{door.url}/voices", data=form(recording(), name="x", text="x"), headers=secret
        ) as reply:
            assert reply.status == 201
