"""POST /tts and POST /tts/wav over real sockets."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import soundfile

from tests.bridge.door import Door, open_door, seconds_of
from tests.process import log_line, log_lines


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with open_door(tmp_path) as door:
        yield door


async def test_text_becomes_an_ogg_file_to_fetch(door: Door) -> None:
    async with door.client.post(f"{door.url}/tts", json={"text": "One **two** three. 🙂"}) as reply:
        assert reply.status == 200
        spoken = await reply.json()
    assert spoken["processed_text"] == "One two three."
    path = Path(spoken["path"])
    assert re.fullmatch(r"speech_[0-9TZ-]+\.ogg", path.name)
    assert path.parent == door.server.folder / "data" / "outputs"
    assert (soundfile.info(path).format, soundfile.info(path).subtype) == ("OGG", "VORBIS")
    async with door.client.get(f"{door.url}/{spoken['url']}") as file:
        assert (file.status, file.content_type) == (200, "audio/ogg")
        content = await file.read()
    assert content == path.read_bytes()
    assert seconds_of(content) == pytest.approx(0.3, abs=0.02) == spoken["duration"]
    assert "windows_path" not in spoken


async def test_text_without_anything_to_say_is_a_file_too(door: Door) -> None:
    async with door.client.post(f"{door.url}/tts", json={"text": "🙂"}) as reply:
        assert (reply.status, (await reply.json())["duration"]) == (200, 0.0)


async def test_audio_leaves_before_it_is_all_made(door: Door) -> None:
    async with door.client.post(f"{door.url}/tts/wav", json={"text": "Gate open."}) as reply:
        assert (reply.status, reply.content_type) == (200, "audio/wav")
        assert reply.headers["X-Sample-Rate"] == "16000"
        assert reply.headers["X-Processed-Text-Length"] == str(len("Gate open."))
        assert reply.headers["X-Request-ID"]
        first = await reply.content.readexactly(44 + 3200)
        assert first[:4] == b"RIFF"
        assert not any(line.startswith("end") for line in log_lines(door.server.log))
        door.open_gate("open")
        assert len(await reply.read()) == 3200


@pytest.mark.parametrize("kind", ["wav", "pcm", "ogg", "opus", "mp3", "flac", "aac"])
async def test_format_is_chosen_by_name_and_by_accept(door: Door, kind: str) -> None:
    text = "one two three four five six seven eight nine ten"
    mime = {"pcm": "audio/pcm", "mp3": "audio/mpeg", "ogg": "audio/ogg", "opus": "audio/opus"}.get(
        kind, f"audio/{kind}"
    )
    for asked, headers in (({"format": kind}, {}), ({}, {"Accept": f"{mime}, */*;q=0.5"})):
        async with door.client.post(f"{door.url}/tts/wav", json={"text": text, **asked}, headers=headers) as reply:
            assert reply.status == 200
            file = await reply.read()
            assert reply.content_type == ("audio/ogg" if kind in ("opus", "ogg") else mime)
        assert (len(file) / 32_000 if kind == "pcm" else seconds_of(file)) == pytest.approx(1.0, abs=0.15)
        assert (b"OpusHead" in file[:100]) == (kind == "opus")


@pytest.mark.parametrize("kind", ["wav", "pcm", "ogg", "opus", "mp3", "flac", "aac"])
async def test_silence_has_every_format(door: Door, kind: str) -> None:
    async with door.client.post(f"{door.url}/tts/wav", json={"text": "nothing", "format": kind}) as reply:
        assert reply.status == 200
        await reply.read()


async def test_request_reaches_the_engine_as_it_was_sent(door: Door) -> None:
    sent = {"text": "Hallo", "language": "de", "speaker": "two", "style": "froh", "speed": 1.5, "pitch": 0.5}
    async with door.client.post(f"{door.url}/tts/wav", json=sent) as reply:
        await reply.read()
    assert "as Hallo: de de two 1.5 0.5 froh False" in log_lines(door.server.log)


@pytest.mark.parametrize(
    ("more", "does"),
    [
        ({"reference_audio_base64": "UklGRg=="}, "clones"),
        ({"references": [{"audio": "UklGRg=="}]}, "clones"),
        ({"voice_description": "an old man"}, "designs"),
    ],
)
@pytest.mark.parametrize("path", ["/tts", "/tts/wav"])
async def test_cloning_is_refused_with_a_reason_while_nothing_clones(
    door: Door, path: str, more: dict[str, object], does: str
) -> None:
    refused = await door.refused("POST", path, json={"text": "Hello", **more})
    assert (refused.status, refused.code) == (503, "engine-unavailable")
    assert does in refused.message


async def test_mistakes_name_their_field(door: Door) -> None:
    for sent, param in (
        ({}, "text"),
        ({"text": 5}, "text"),
        ({"text": "\ud800"}, None),
        ({"text": "x", "speed": 9}, "speed"),
        ({"text": "x", "speed": float("nan")}, "speed"),
        ({"text": "x", "references": [{"text": "x"}]}, "references.0.audio"),
    ):
        refused = await door.refused("POST", "/tts/wav", json=sent)
        assert (refused.status, refused.code, refused.param) == (400, "bad-request", param)
    assert (await door.refused("POST", "/tts/wav", json={"text": "x", "voice": "nobody"})).status == 404
    assert (await door.refused("POST", "/tts/wav", json={"text": "x", "format": "midi"})).status == 400


async def test_error_of_the_engine_before_the_first_audio_is_a_reply(door: Door) -> None:
    refused = await door.refused("POST", "/tts/wav", json={"text": "refuse this"})
    assert (refused.status, refused.message) == (400, "The fake engine does not say that.")
    assert (await door.refused("POST", "/tts/wav", json={"text": "crash now"})).status == 502
    assert (await door.refused("POST", "/tts", json={"text": "refuse this"})).status == 400
    assert not list(door.server.folder.rglob("outputs/*")), "nothing half made is left"


async def test_error_after_the_first_audio_breaks_the_connection_off(door: Door) -> None:
    async with door.client.post(f"{door.url}/tts/wav", json={"text": "Stumble."}) as reply:
        assert reply.status == 200
        with pytest.raises(aiohttp.ClientError):
            await reply.read()


@pytest.mark.parametrize("path", ["/tts", "/tts/wav"])
async def test_client_that_leaves_frees_the_engine(door: Door, path: str) -> None:
    task = asyncio.create_task(_post(door, path, "Endless talk."))
    await log_line(door.server.log, "begin Endless")
    task.cancel()
    await asyncio.wait([task])
    await log_line(door.server.log, "closed Endless")
    assert await _post(door, "/tts/wav", "free again") == 44 + 2 * 3200


async def _post(door: Door, path: str, text: str) -> int:
    async with door.client.post(door.url + path, json={"text": text}) as reply:
        return len(await reply.read())


async def test_length_that_is_told_before_the_audio_counts_no_marks_that_are_not_known_yet(tmp_path: Path) -> None:
    async with open_door(tmp_path, stress={}) as door:
        asked = {"text": "Это 5 кг, старый з+амок.", "voice": "fake-ru"}
        async with door.client.post(door.url + "/tts/wav", json=asked) as reply:
            assert reply.headers["X-Processed-Text-Length"] == str(len("Это пять килограммов, старый з+амок."))
            await reply.read()
        async with door.client.post(door.url + "/tts", json=asked) as reply:
            assert (await reply.json())["processed_text"] == "Эт+о п+ять килограмм+ов, стар+ый з+амок."


async def test_the_reply_says_what_was_really_spoken(door: Door) -> None:
    async with door.client.post(door.url + "/tts", json={"text": "**At** 7:05 it was 5 °C."}) as reply:
        processed = (await reply.json())["processed_text"]
    async with door.client.post(door.url + "/tts/wav", json={"text": "**At** 7:05 it was 5 °C."}) as reply:
        assert reply.headers["X-Processed-Text-Length"] == str(len(processed))
    assert processed == "At seven oh five it was five degrees Celsius."
    assert any(processed in line for line in log_lines(door.server.log))
