"""Text that becomes speech while it arrives, over a WebSocket of ours."""

import asyncio
import io
import json
import subprocess
import sys
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.bridge.door import Door, open_door
from tests.process import DEADLINE, ROOT, log_line, log_lines

PATH = "/tts/speak-streaming"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with open_door(tmp_path) as opened:
        yield opened


class Talk:
    """A client of the socket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def say(self, kind: str, **fields: Any) -> None:
        await self.socket.send_json({"type": kind, **fields})

    async def hear(self) -> dict[str, Any] | bytes | None:
        """Return the next message; None at the end."""
        message = await self.socket.receive(DEADLINE)
        match message.type:
            case aiohttp.WSMsgType.TEXT:
                content: dict[str, Any] = json.loads(message.data)
                return content
            case aiohttp.WSMsgType.BINARY:
                audio: bytes = message.data
                return audio
            case _:
                return None

    async def until(self, kind: str) -> tuple[dict[str, Any], list[bytes]]:
        """Read up to a message; returns it with the binary ones before it."""
        frames = []
        while (message := await self.hear()) is not None:
            if isinstance(message, bytes):
                frames.append(message)
            elif message["type"] == kind:
                return message, frames
        raise AssertionError(f"closed with {self.socket.close_code} before {kind}")

    async def end(self) -> tuple[int | None, list[dict[str, Any] | bytes]]:
        """Read to the end; returns the close code, and what came."""
        came = []
        while (message := await self.hear()) is not None:
            came.append(message)
        return self.socket.close_code, came


def pcm_of(frame: bytes) -> bytes:
    with wave.open(io.BytesIO(frame)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        frames: bytes = file.readframes(file.getnframes())
    return frames


async def talk(door: Door, query: str = "", **more: Any) -> Talk:
    """Open the socket; it is closed with the door."""
    socket = await door.client.ws_connect(f"{door.url}{PATH}{query}", **more)
    door.sockets.append(socket)
    return Talk(socket)


async def test_every_binary_message_is_a_whole_wav_file_and_flushed_counts_them(door: Door) -> None:
    client = await talk(door, "?voice=fake-en")
    assert (await client.hear()) == {
        "type": "Metadata",
        "request_id": client.socket._response.headers["X-Request-ID"],
        "voice": "fake-en",
        "encoding": "linear16",
        "container": "wav",
    }
    await client.say("Speak", text="One two. Three ")
    await client.say("Speak", text="four five.")
    await client.say("Flush")
    flushed, frames = await client.until("Flushed")
    assert sum(len(pcm_of(frame)) for frame in frames) == 5 * 3200
    assert flushed.pop("elapsed_s") >= 0
    assert flushed == {"type": "Flushed", "sequence_id": 0, "sample_rate": 16_000, "bytes": sum(map(len, frames))}
    await client.say("Close")
    assert await client.end() == (1000, [])


@pytest.mark.parametrize(("query", "size"), [("?encoding=linear16", 2), ("?container=none", 2), ("?encoding=mulaw", 1)])
async def test_raw_audio_has_no_header(door: Door, query: str, size: int) -> None:
    client = await talk(door, query)
    await client.say("Speak", text="One two three.")
    await client.say("Close")
    await client.until("Metadata")
    _, frames = await client.until("Flushed")
    assert sum(map(len, frames)) == 3 * 1600 * size
    assert not any(frame.startswith(b"RIFF") for frame in frames)


async def test_a_complete_sentence_is_spoken_before_the_flush(door: Door) -> None:
    client = await talk(door)
    await client.until("Metadata")
    await client.say("Speak", text="The first is complete. The sec")
    assert isinstance(await client.hear(), bytes)
    await log_line(door.server.log, "end The first is complete.")


async def test_utterances_are_spoken_in_their_order_and_close_speaks_the_rest(door: Door) -> None:
    client = await talk(door)
    for text in ("One.", "Two two.", ""):
        await client.say("Speak", text=text)
        await client.say("Flush")
    await client.say("Speak", text="Three three three")
    await client.say("Close")
    code, came = await client.end()
    flushed = [message for message in came if isinstance(message, dict) and message["type"] == "Flushed"]
    assert code == 1000
    assert [message["sequence_id"] for message in flushed] == [0, 1, 2, 3]
    assert [message["sample_rate"] for message in flushed] == [16_000, 16_000, None, 16_000]


async def test_clear_stops_the_audio_at_once_and_forgets_what_waits(door: Door) -> None:
    client = await talk(door)
    await client.say("Speak", text="Endless story. And more.")
    await client.say("Flush")
    await client.say("Speak", text="Never said.")
    await client.say("Flush")
    assert isinstance((await client.hear(), await client.hear())[1], bytes)
    await client.say("Clear")
    assert (await client.until("Cleared"))[0] == {"type": "Cleared", "sequence_id": 0}
    await log_line(door.server.log, "closed Endless")
    await client.say("Speak", text="After it.")
    await client.say("Flush")
    flushed, frames = await client.until("Flushed")
    assert flushed["sequence_id"] == 1
    assert sum(len(pcm_of(frame)) for frame in frames) == 2 * 3200
    assert not any("Never" in line for line in log_lines(door.server.log))


async def test_clear_of_nothing_is_answered(door: Door) -> None:
    client = await talk(door)
    await client.say("Clear")
    assert (await client.until("Cleared"))[0]["sequence_id"] == 0


@pytest.mark.parametrize("leave", ["close", "vanish"])
async def test_a_client_that_leaves_frees_the_engine(door: Door, leave: str) -> None:
    client = await talk(door)
    await client.say("Speak", text="Endless story. And more.")
    await client.until("Metadata")
    assert isinstance(await client.hear(), bytes)
    if leave == "close":
        await client.socket.close()
    else:
        transport = client.socket._response.connection
        assert transport is not None
        assert transport.transport is not None
        transport.transport.abort()
    await log_line(door.server.log, "closed Endless")


@pytest.mark.parametrize(
    "message",
    [
        "no json",
        "[" * 100_000,
        "[]",
        '{"text": "x"}',
        '{"type": "Speak"}',
        '{"type": "Speak", "text": 3}',
        '{"type": "X"}',
    ],
)
async def test_a_mistake_of_the_protocol_is_a_warning(door: Door, message: str) -> None:
    client = await talk(door)
    await client.socket.send_str(message)
    warning, _ = await client.until("Warning")
    assert warning["code"] in ("INVALID_MESSAGE", "UNKNOWN_MESSAGE")
    assert warning["description"]
    await client.say("Speak", text="Well.")
    await client.say("Flush")
    await client.until("Flushed")


async def test_nothing_but_mistakes_ends_the_session(door: Door) -> None:
    client = await talk(door)
    for _ in range(33):
        await client.socket.send_str("?")
    code, came = await client.end()
    assert code == 1008
    assert isinstance(came[-1], dict)
    assert came[-1]["code"] == "bad-request"


async def test_binary_messages_are_refused(door: Door) -> None:
    client = await talk(door)
    await client.socket.send_bytes(b"\0")
    assert (await client.end())[0] == 1003


@pytest.mark.parametrize(
    ("texts", "code"),
    [(["x" * 201], 1009), (["x" * 150, "x" * 150], 1009), (["y. " * 40] * 3, 1009), (["z" * 9000], 1009)],
)
async def test_more_text_than_may_be_is_refused(tmp_path: Path, texts: list[str], code: int) -> None:
    async with open_door(tmp_path, limits={"text": 200}) as door:
        client = await talk(door)
        for text in texts:
            await client.say("Speak", text=text)
        assert (await client.end())[0] == code


async def test_more_utterances_than_may_wait_are_refused(door: Door) -> None:
    client = await talk(door)
    await client.say("Speak", text="Hang there. And more.")
    await log_line(door.server.log, "begin Hang")
    for _ in range(70):
        await client.say("Flush")
    code, came = await client.end()
    assert code == 1013
    assert isinstance(came[-1], dict)
    assert came[-1]["code"] == "busy"


async def test_an_error_of_the_engine_says_what_it_is_and_closes(door: Door) -> None:
    client = await talk(door)
    await client.say("Speak", text="Refuse this.")
    await client.say("Flush")
    code, came = await client.end()
    assert code == 1008
    assert came[-1] == {"type": "Error", "code": "bad-request", "message": "The fake engine does not say that."}


async def test_a_client_that_says_nothing_is_closed(tmp_path: Path) -> None:
    async with open_door(tmp_path, limits={"idle": 0.3}) as door:
        assert (await (await talk(door)).end())[0] == 1011


async def test_a_client_that_stops_in_the_middle_of_an_utterance_is_closed(tmp_path: Path) -> None:
    async with open_door(tmp_path, limits={"input": 0.3}) as door:
        client = await talk(door)
        await client.say("Speak", text="The sec")
        assert (await client.end())[0] == 1011


async def test_a_client_that_never_reads_is_hung_up_on_and_frees_the_engine(tmp_path: Path) -> None:
    async with open_door(tmp_path, limits={"write": 0.5}) as door:
        client = await talk(door, "?encoding=linear16&sample_rate=48000")
        connection = client.socket._response.connection
        assert connection is not None
        assert connection.transport is not None
        await client.say("Speak", text="Endless story. And more.")
        connection.transport.pause_reading()
        await log_line(door.server.log, "closed Endless")
        assert door.server.memory < 300 * 2**20


async def test_how_it_is_asked_for_in_the_address_reaches_the_engine(door: Door) -> None:
    client = await talk(door, "?voice=fake-en&speed=2&pitch=0.5&style=cheerful&seed=7")
    await client.say("Speak", text="With feeling.")
    await client.say("Flush")
    await client.until("Flushed")
    said = log_lines(door.server.log)
    assert "as With feeling.: en None None 2 0.5 cheerful False" in said
    assert "seed With feeling.: 7" in said


@pytest.mark.parametrize(
    ("query", "status"),
    [("?voice=nobody", 404), ("?speed=99", 400), ("?seed=-1", 400), ("?encoding=mp3", 400), ("?sample_rate=1", 400)],
)
async def test_a_mistake_in_the_address_is_a_proper_reply(door: Door, query: str, status: int) -> None:
    refusal = await door.refused("GET", PATH + query)
    assert refusal.status == status


async def test_a_browser_sends_its_token_as_a_subprotocol(tmp_path: Path) -> None:
    async with open_door(tmp_path, auth={"tokens": ["secret-secret"]}) as door:
        client = await talk(door, protocols=["token", "secret-secret"])
        assert client.socket.protocol == "token"
        await client.until("Metadata")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await talk(door, protocols=["token", "wrong-wrong"])
        assert refused.value.status == 401


async def test_the_protocol_has_a_page(door: Door) -> None:
    async with door.client.get(door.url + PATH + "/protocol") as reply:
        contract = await reply.json()
    assert {message["type"] for message in contract["client"]} == {"Speak", "Flush", "Clear", "Close"}
    assert contract["close_codes"]["too-large"] == 1009


async def test_many_sessions_speak_at_once(tmp_path: Path) -> None:
    async with open_door(tmp_path, tts={"workers": 2}) as door:

        async def session() -> int:
            client = await talk(door)
            await client.say("Speak", text="One two three four.")
            await client.say("Close")
            await client.until("Metadata")
            _, frames = await client.until("Flushed")
            await client.socket.close()
            return sum(len(pcm_of(frame)) for frame in frames)

        assert set(await asyncio.gather(*(session() for _ in range(32)))) == {4 * 3200}


async def test_the_script_writes_what_it_hears(door: Door, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    command = [sys.executable, str(ROOT / "scripts" / "test_tts_stream_ws.py"), "--url", door.url, "--out", str(out)]
    more = ["--text", "One two three. Four five.", "--speak-split", "4", "--voice", "fake-en"]
    done = await asyncio.to_thread(subprocess.run, [*command, *more], capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    assert "first audio after" in done.stdout
    with wave.open(str(out)) as file:
        assert file.getnframes() == 5 * 1600
