"""What no well-behaved client sends: told in the words of every other refusal, and no news for the log."""

import asyncio
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.bridge.door import Door, open_door, recording
from tests.process import DEADLINE

HOST = b"Host: 127.0.0.1\r\n"
POST = b"POST /tts/wav HTTP/1.1\r\n" + HOST
UPGRADE = b"GET /tts/speak-streaming HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\n"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
PAGE = b"GET /web/player.js HTTP/1.1\r\n" + HOST


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with open_door(tmp_path) as opened:
        yield opened


async def told(door: Door, sent: bytes) -> tuple[int, dict[str, str]]:
    """Send this; returns the status and the error."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    try:
        writer.write(sent)
        async with asyncio.timeout(DEADLINE):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
            content = await reader.readexactly(int(length.split(b":")[1]))
    finally:
        writer.transport.abort()
    return int(head.split()[1]), json.loads(content)["error"]


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", "Transfer-Encoding can't be present"),
        (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "Duplicate Content-Length"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n", "chunk size"),
        (b"GET /health HTTP/1.1\r\n\r\n", "Host"),
        (b"JUMP /health HTTP/1.1\r\n" + HOST + b"\r\n", "method"),
        (PAGE + b"Expect: \xff\r\n\r\n", "not UTF-8"),
        (POST + b"Content-Length: 2\r\nContent-Encoding: \xff\r\n\r\n{}", "Content-Encoding"),
        (UPGRADE + b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \xff\r\n\r\n", "WebSocket"),
        (UPGRADE + b"Upgrade: websocket\r\nSec-WebSocket-Version: \xff\r\n" + KEY + b"\r\n", "WebSocket"),
        (UPGRADE + b"\r\n", "WebSocket"),
        (PAGE + b"If-Modified-Since: Mon, 01 Jan 99999999999 00:00:00 GMT\r\n\r\n", "date"),
    ],
)
async def test_what_cannot_be_read_is_told_as_everything_else_is(door: Door, sent: bytes, why: str) -> None:
    status, error = await told(door, sent)
    assert (status, error["code"], error["type"]) == (400, "bad-request", "invalid_request_error")
    assert why in error["message"]
    assert "Error" not in door.server.complained, "somebody else's mistake is no news"


async def test_half_a_character_is_a_mistake_like_any_other(door: Door) -> None:
    for path in ("/tts/speak-streaming", "/stt/listen-streaming"):
        async with door.client.ws_connect(door.url + path) as socket:
            await socket.receive(DEADLINE)
            await socket.send_str('{"type": "\\ud800"}')
            assert (await socket.receive_json(timeout=DEADLINE))["code"] == "UNKNOWN_MESSAGE"


async def test_what_can_be_fetched_can_be_looked_at_before(door: Door) -> None:
    async with door.client.post(f"{door.url}/tts", json={"text": "One."}) as made:
        file = (await made.json())["url"]
    for path in ("/health", "/voices", "/", f"/{file}"):
        async with door.client.get(door.url + path) as fetched:
            length = len(await fetched.read())
        async with door.client.head(door.url + path) as looked:
            assert (looked.status, looked.content_length) == (HTTPStatus.OK, length)
            assert await looked.read() == b""
    for path in ("/tts", "/tts/speak-streaming"):
        async with door.client.head(door.url + path) as looked:
            assert looked.status == HTTPStatus.METHOD_NOT_ALLOWED


async def test_names_of_files_that_cannot_be_read_are_kept_nowhere(door: Door) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="a"; filename="never closed\r\n\r\n\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + recording() + b"\r\n--x--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    async with door.client.post(f"{door.url}/stt", data=body, headers=headers) as reply:
        assert reply.status == HTTPStatus.OK, await reply.text()
    assert "never closed" not in door.server.complained
