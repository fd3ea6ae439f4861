"""The table of attacks: during each of them others are served, memory has its bound, and whoever erred is told why.

One server with both doors stands all of them, and at the end of each it holds what it held before.
"""

import asyncio
import gzip
import io
import json
import os
import re
import resource
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import aiohttp
import av
import numpy as np
import pytest
import pytest_asyncio
from aiohttp.test_utils import make_mocked_request
from wyoming.event import Event

from http_bridge import auth
from tests.bridge.door import Door, form, open_door
from tests.e2e.dialogue import answer, ask, loud, peer, record, refused, say, stream, transcript
from tests.process import DEADLINE, Held, only_fakes, run_server, until
from wyoming_voice.errors import Unauthorized
from wyoming_voice.wire import encode

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB: Final = 2**20
MEMORY: Final = 64 * MIB
"""What one attack may cost for a moment: two decoders' allocations at their largest."""
LIMITS: Final = {
    "event": 1.0,
    "input": 1.0,
    "write": 1.0,
    "idle": 60,
    "audio": 20,
    "recording": 10,
    "text": 2000,
    "upload": 5 * MIB,
    "json_body": 100_000,
    "connections": 400,
    "connections_per_address": 200,
    "audio_ahead": 65_536,
    "queue": 64,
}
ANOTHER: Final = ("127.0.0.2", 0)
"""Where the next client comes from: its address has connections left."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    folder = tmp_path_factory.mktemp("attacks")
    config: dict[str, Any] = {"limits": LIMITS, "languages": ["en", "ru"], "tts": {"workers": 4}}
    async with open_door(folder, **config) as opened:
        awake = record(loud(1.0), context={"endpointing": True})  # and what tells speech from silence is there
        assert transcript(await ask(opened.server, *awake)), "the ears are awake"
        for path in ("/voices", "/docs", "/metrics", "/openapi.json"):
            async with opened.client.get(opened.url + path) as reply:
                assert reply.status == 200
        others = [asyncio.create_task(ask(opened.server, say("Gate warm."))) for _ in range(4)]
        await until(lambda: sum(name.endswith(".sock") for name in opened.server.held().files) >= 5)  # all listen
        opened.open_gate("warm")
        await asyncio.gather(*others)
        connector = aiohttp.TCPConnector(force_close=True)  # none is kept for a next request
        async with aiohttp.ClientSession(connector=connector, timeout=opened.client.timeout) as client:
            await opened.client.close()
            yield Door(opened.server, client)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def idle(door: Door) -> float:
    """Seconds that a short request takes while nobody attacks."""
    return sorted([await _next_client(door) for _ in range(7)])[3]


async def _next_client(door: Door) -> float:
    """Speak and hear as a client at another address; returns the seconds of the speech."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", door.server.port, local_addr=ANOTHER)
    try:
        writer.write(encode(say("Who is next?")))
        assert b'"audio-stop"' in await asyncio.wait_for(_until_line(reader, b'"audio-stop"'), DEADLINE)
    finally:
        writer.transport.abort()
    return time.monotonic() - began


async def _until_line(reader: asyncio.StreamReader, wanted: bytes) -> bytes:
    while line := await reader.readline():
        if wanted in line:
            return line
    return b""


@asynccontextmanager
async def withstood(door: Door, idle: float) -> AsyncIterator[None]:
    """Serve others while the block attacks; at its end the server holds what it held before."""
    await until(lambda: not door.server.peers())
    before, memory = door.server.held(), door.server.memory
    over = asyncio.Event()
    slowest, peak = 0.0, 0

    async def others() -> None:
        nonlocal slowest, peak
        while True:
            slowest = max(slowest, await _next_client(door))
            peak = max(peak, door.server.memory)
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 0.1)
            if over.is_set():
                return

    async with asyncio.TaskGroup() as group:
        group.create_task(others())
        yield
        over.set()
    assert slowest < 1.0 + 20 * idle, f"the next client waited {slowest:.2f} s, {idle:.3f} s while nobody attacks"
    assert peak - memory < MEMORY, f"it took {(peak - memory) / MIB:.0f} MiB"
    await _left(door, before)


async def _left(door: Door, before: Held) -> None:
    try:
        await until(lambda: door.server.held().within(before))
    except TimeoutError:
        pytest.fail(f"left behind: {door.server.held()} of {before}")


# What attackers do. Each returns what it was told.


async def _wyoming(door: Door, *sent: bytes) -> str:
    """Send this to the Wyoming port and read to the end."""
    async with peer(door.server, b"".join(sent)) as (reader, _writer), asyncio.timeout(DEADLINE):
        return (await reader.read()).decode("utf-8", "replace")


async def _http(door: Door, *sent: bytes) -> str:
    """Send this to the HTTP port and read to the end, or to the end of a reply."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    try:
        writer.write(b"".join(sent))
        async with asyncio.timeout(DEADLINE):
            told = await reader.readline()
            with suppress(TimeoutError):
                told += await asyncio.wait_for(reader.read(4096), 0.5)
            return told.decode("utf-8", "replace")
    finally:
        writer.transport.abort()


def _head(path: str, length: int, kind: str = "application/json", **headers: str) -> bytes:
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{more}\r\n"
    ).encode()


_FORM: Final = "multipart/form-data; boundary=x"
_FILE: Final = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'


async def _endlessly(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], piece: bytes) -> str:
    """Send for ever, until there is an answer."""
    reader, writer = connection
    reading = asyncio.create_task(reader.read(4096))
    sent = 0
    try:
        async with asyncio.timeout(DEADLINE):
            while not reading.done() and sent < 200 * MIB:
                writer.write(piece)
                await asyncio.wait([asyncio.ensure_future(writer.drain()), reading], return_when="FIRST_COMPLETED")
                await asyncio.sleep(0)
                sent += len(piece)
        assert sent < 200 * MIB, "nobody stopped it"
        return (await reading).decode("utf-8", "replace")
    finally:
        reading.cancel()
        writer.transport.abort()


async def announced(door: Door) -> str:
    event = {"type": "audio-chunk", "payload_length": 4_000_000_000}
    return await _wyoming(door, json.dumps(event).encode() + b"\n")


async def announced_data(door: Door) -> str:
    return await _wyoming(door, b'{"type": "describe", "data_length": 4000000000}\n')


async def announced_body(door: Door) -> str:
    return await _http(door, _head("/tts", 4_000_000_000))


async def announced_upload(door: Door) -> str:
    return await _http(door, _head("/stt", 4_000_000_000, _FORM))


async def endless_header(door: Door) -> str:
    return await _endlessly(await door.server.connect(), b"x" * 65_536)


async def endless_http_header(door: Door) -> str:
    connection = await asyncio.open_connection("127.0.0.1", door.port)
    connection[1].write(b"GET / HTTP/1.1\r\nX-Long: ")
    return await _endlessly(connection, b"x" * 65_536)


async def endless_http_headers(door: Door) -> str:
    connection = await asyncio.open_connection("127.0.0.1", door.port)
    connection[1].write(b"GET / HTTP/1.1\r\n")
    return await _endlessly(connection, b"X-More: y\r\n" * 5000)


async def endless_audio(door: Door) -> str:
    start, opening, chunk, _ = record(loud(2.0), size=65_536)
    connection = await door.server.connect()
    connection[1].write(encode(start) + encode(opening))
    return await _endlessly(connection, encode(chunk))


async def half_an_hour_in_each_chunk(door: Door) -> str:
    """Send megabytes that become 32 times as many, in ten connections."""
    sound = {"rate": 1000, "width": 1, "channels": 1}
    chunk = encode(Event(type="audio-chunk", data=sound, payload=b"\x55" * MIB))
    return "".join(await asyncio.gather(*(_wyoming(door, encode(Event(type="transcribe")), chunk) for _ in range(10))))


async def another_format_in_each_chunk(door: Door) -> str:
    def chunk(rate: int) -> bytes:
        return encode(Event(type="audio-chunk", data={"rate": rate, "width": 2, "channels": 1}, payload=b"\1\1"))

    return await _wyoming(door, encode(Event(type="transcribe")), (chunk(15_999) + chunk(1001)) * 2000)


async def endless_upload(door: Door) -> str:
    connection = await asyncio.open_connection("127.0.0.1", door.port)
    connection[1].write(_head("/stt", 10**11, _FORM) + _FILE)
    return await _endlessly(connection, bytes(65_536))


async def endless_text(door: Door) -> str:
    start, chunk, *_ = stream("Some more of it. " * 10)
    connection = await door.server.connect()
    connection[1].write(encode(start))
    return await _endlessly(connection, encode(chunk))


async def endless_spoken_text(door: Door) -> str:
    async with door.client.ws_connect(f"{door.url}/tts/speak-streaming") as socket:
        with suppress(ConnectionError):
            for _ in range(500):
                await socket.send_json({"type": "Speak", "text": "no end " * 100})
        async with asyncio.timeout(DEADLINE):
            while not socket.closed:
                await socket.receive()
        return f"closed {socket.close_code}"


async def half_a_frame(door: Door) -> str:
    return await _wyoming(door, b'{"type": "audio-chunk", "payload_length": 1000000}\n1234')


async def half_a_form(door: Door) -> str:
    return await _http(door, _head("/stt", 1000, _FORM), _FILE)


async def half_an_http_header(door: Door) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(b"GET /voices HTTP/1.1\r\nHo")
    try:
        async with asyncio.timeout(DEADLINE):
            return "hung up " + (await reader.read()).decode()
    finally:
        writer.transport.abort()


async def a_byte_at_a_time(door: Door) -> str:
    async with peer(door.server) as (reader, writer), asyncio.timeout(DEADLINE):
        reading = asyncio.create_task(reader.read())
        for byte in b'{"type": "synthesize", "data": {"text": "' + b"a" * 200:
            if reading.done():
                break
            writer.write(bytes([byte]))
            await asyncio.wait([reading], timeout=0.05)
        return (await reading).decode()


async def a_body_a_byte_at_a_time(door: Door) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(_head("/tts", 5000))
    reading = asyncio.create_task(reader.readline())
    try:
        async with asyncio.timeout(DEADLINE):
            while not reading.done():
                writer.write(b" ")
                await asyncio.wait([reading], timeout=0.05)
            return (await reading).decode()
    finally:
        reading.cancel()
        writer.transport.abort()


async def a_thousand_connections(door: Door) -> str:
    opened = await asyncio.gather(*(door.server.connect() for _ in range(1000)))
    try:
        told = [one async for one in _ends(reader for reader, _ in opened[200:])]
        assert sum(b"connections_per_address" in one for one in told) >= 64
        return b"".join(told).decode()
    finally:
        for _, writer in opened:
            writer.transport.abort()


async def _ends(readers: Iterable[asyncio.StreamReader]) -> AsyncIterator[bytes]:
    for reader in readers:
        with suppress(ConnectionError):
            yield await asyncio.wait_for(reader.read(300), DEADLINE)


async def a_thousand_http_connections(door: Door) -> str:
    """Take all there are, of a process that may open 600 files."""
    pid = door.server.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (600, before[1]))
    opened: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    try:
        for _ in range(10):
            opened += await asyncio.gather(*(asyncio.open_connection("127.0.0.1", door.port) for _ in range(100)))
        await _next_client(door)
        async with asyncio.timeout(DEADLINE):
            return (await opened[-1][0].read(1000)).decode() or "hung up"
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        for _, writer in opened:
            writer.transport.abort()


async def never_reading(door: Door) -> str:
    async with peer(door.server, encode(say("Long. " * 300)), reads=False) as (_reader, writer):
        port = writer.get_extra_info("sockname")[1]
        await until(lambda: port not in door.server.peers())
    return "hung up"


async def never_reading_http(door: Door) -> str:
    body = json.dumps({"text": "Endless talk."}).encode()
    _, writer = await asyncio.open_connection("127.0.0.1", door.port, limit=1024)
    writer.write(_head("/tts/wav", len(body)) + body)
    port = writer.get_extra_info("sockname")[1]
    try:
        await until(lambda: port not in door.server.peers())
    finally:
        writer.transport.abort()
    return "hung up"


def _cuts(sent: bytes, count: int) -> Iterator[bytes]:
    yield from (sent[: len(sent) * number // count] for number in range(count + 1))


async def leaving(door: Door) -> str:
    """Go after every twentieth part of a request."""
    for events in ([say("One two.")], [*stream("One. ", "Two.")], [*record(loud(0.3), size=3200)]):
        for part in _cuts(b"".join(map(encode, events)), 20):
            async with peer(door.server, part) as (_reader, writer):
                await writer.drain()
    return "nothing"


async def leaving_http(door: Door) -> str:
    body = json.dumps({"text": "One two."}).encode()
    upload = _FILE + loud(0.3) + b"\r\n--x--\r\n"
    upgrade = (
        b"GET /tts/speak-streaming HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x84\0\0\0\0{}xx"
    )
    for whole in (_head("/tts/wav", len(body)) + body, _head("/stt", len(upload), _FORM) + upload, upgrade):
        for part in _cuts(whole, 20):
            _, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(part)
            await writer.drain()
            writer.transport.abort()
    return "nothing"


_DEEP: Final = b'{"a":' * 10_000 + b"1" + b"}" * 10_000


async def deep_data(door: Door) -> str:
    return await _wyoming(door, b'{"type": "synthesize", "data_length": %d}\n' % len(_DEEP), _DEEP)


async def deep_header(door: Door) -> str:
    return await _wyoming(door, b'{"type": "synthesize", "data": ' + _DEEP[:60_000] + b"\n")


async def deep_body(door: Door) -> str:
    return await _http(door, _head("/tts", len(_DEEP)), _DEEP)


async def deep_message(door: Door) -> str:
    async with door.client.ws_connect(f"{door.url}/tts/speak-streaming") as socket:
        await socket.receive(DEADLINE)
        await socket.send_str("[" * 20_000)
        return str((await socket.receive(DEADLINE)).data)


_WRONG: Final[tuple[object, ...]] = (
    0,
    -1,
    1e308,
    "x",
    "",
    [],
    [[]],
    {},
    {"a": None},
    True,
    "\x00",
    "\ud800",
    "../../etc/passwd",
    10**40,
)
_FIELDS: Final = {
    "synthesize": ("text", "voice", "text_format", "context"),
    "synthesize-start": ("voice", "text_format", "context"),
    "synthesize-chunk": ("text",),
    "transcribe": ("name", "language", "context"),
    "audio-start": ("rate", "width", "channels", "timestamp"),
    "audio-chunk": ("rate", "width", "channels", "timestamp"),
    "select-program": ("name",),
    "ping": ("text",),
}
_INNER: Final = {
    "voice": ("name", "language", "speaker"),
    "context": ("speed", "pitch", "style", "prompt", "terms", "names", "vad_sensitivity", "use_llm_tts", "word_times"),
}


async def wrong_types(door: Door) -> str:
    """Put nonsense into every field of every event."""
    requests: list[dict[str, object]] = []
    for kind, fields in _FIELDS.items():
        for field in fields:
            requests += [{"type": kind, "data": {"text": "a", field: wrong}} for wrong in _WRONG]
            for inner in _INNER.get(field, ()):
                requests += [{"type": kind, "data": {"text": "a", field: {inner: wrong}}} for wrong in _WRONG]
    told = ""
    async with door.server.client() as client:
        await client.write_event(Event(type="ping"))
    for start in range(0, len(requests), 20):
        told += "".join(await asyncio.gather(*(_wrong(door, request) for request in requests[start : start + 20])))
    assert '"internal"' not in told, told[:2000]
    return told


async def _wrong(door: Door, request: dict[str, object]) -> str:
    async with peer(door.server, json.dumps(request).encode() + b"\n") as (reader, writer), asyncio.timeout(DEADLINE):
        writer.write_eof()
        return (await reader.read()).decode("utf-8", "replace")


async def wrong_json_types(door: Door) -> str:
    """Put nonsense into every field of every JSON body that is described."""
    async with door.client.get(f"{door.url}/openapi.json") as reply:
        document = await reply.json()
    told = ""
    for path, operations in document["paths"].items():
        content = operations.get("post", {}).get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        schema = document["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], schema)
        for field in schema.get("properties", {}):
            for wrong in _WRONG:
                body = json.dumps({"text": "a", "input": "a", field: wrong})
                async with door.client.post(door.url + path, data=body) as reply:
                    assert reply.status != 500, (path, body, await reply.text())
                    told += f"{reply.status} "
    return told


async def asking_and_never_reading(door: Door) -> str:
    """Have each of fifty connections ask for what would be megabytes of answers."""
    async with AsyncExitStack() as stack:
        for _ in range(50):
            _, writer = await stack.enter_async_context(peer(door.server, b'{"type":"describe"}\n' * 9000, reads=False))
        port = writer.get_extra_info("sockname")[1]
        await until(lambda: port not in door.server.peers())
    return "hung up"


async def a_name_of_a_megabyte(door: Door) -> str:
    data = json.dumps({"name": "x" * 1_000_000}).encode()
    told = await _wyoming(door, b'{"type": "select-program", "data_length": %d}\n' % len(data), data)
    assert len(told) < 10_000, "what was wrong is told, and not all of it repeated"
    return told


async def a_megabyte_of_lists(door: Door) -> str:
    """Have fifty connections send at once what costs most to parse."""
    data = b'{"text": "a", "more": [' + b"[]," * 340_000 + b"[]]}"
    event = b'{"type": "synthesize", "data_length": %d}\n' % len(data) + data
    return "".join(await asyncio.gather(*(_wyoming(door, event) for _ in range(50))))


async def impossible_formats(door: Door) -> str:
    told = ""
    wrongs: tuple[Mapping[str, object], ...] = (
        *({"rate": rate} for rate in (0, -1, 1, 2**31, 10**30, 16_000.5, None, "x")),
        *({"width": width} for width in (0, -2, 5, 8, 2**40, None)),
        *({"channels": channels} for channels in (0, -1, 10**9, None)),
    )
    for wrong in wrongs:
        sound = {"rate": 16_000, "width": 2, "channels": 1, **wrong}
        start = Event(type="audio-start", data=sound)
        chunk = Event(type="audio-chunk", data=sound, payload=b"\1" * 3200)
        told += await _wyoming(door, encode(start), encode(chunk), encode(Event(type="audio-stop")))
    assert told.count('"unsupported-audio"') + told.count('"bad-request"') >= 15, told
    return told


def _bomb(container: str, codec: str, rate: int) -> bytes:
    """Make minutes of silence in a small file."""
    target = io.BytesIO()
    with av.open(target, "w", format=container) as out:
        track = out.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(track, av.AudioStream)
        sound = np.zeros((1, rate * 10), np.int16)
        for _ in range(12):
            frame = av.AudioFrame.from_ndarray(sound, format="s16", layout="mono")
            frame.sample_rate = rate
            for ready in av.AudioResampler(format=track.format.name, layout="mono", rate=rate).resample(frame):
                out.mux(track.encode(ready))
        out.mux(track.encode(None))
    return target.getvalue()


_BOMBS: Final = (
    *(("flac", "flac", 16_000), ("ogg", "libopus", 48_000), ("webm", "libopus", 48_000), ("mp3", "libmp3lame", 16_000)),
    *(("mp4", "aac", 16_000), ("adts", "aac", 16_000), ("caf", "pcm_s16le", 8_000), ("w64", "pcm_s16le", 8_000)),
    *(("aiff", "pcm_s16be", 8_000), ("matroska", "libopus", 48_000), ("mov", "alac", 16_000)),
)


async def bombs(door: Door) -> str:
    """Send minutes of sound in a few kilobytes, in every container."""
    told = ""
    for container, codec, rate in _BOMBS:
        bomb = await asyncio.to_thread(_bomb, container, codec, rate)
        async with door.client.post(f"{door.url}/stt", data=form(bomb)) as reply:
            assert reply.status == 413, (container, codec, await reply.text())
            told += await reply.text()
    return told


async def lying_headers(door: Door) -> str:
    """Announce 4 GB of sound, in every chunk of a WAV file, and compress a body a thousandfold."""
    fmt = struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
    huge = 2**32 - 1
    told = ""
    for lie in (
        b"RIFF" + struct.pack("<I", huge) + b"WAVEfmt " + struct.pack("<I", huge) + fmt,
        b"RIFF" + struct.pack("<I", huge) + b"WAVELIST" + struct.pack("<I", huge) + b"x" * 100,
        b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt " + struct.pack("<I", 16) + fmt + b"data" + bytes(4),
        b"fLaC" + b"\x84" + b"\xff" * 3 + b"x" * 1000,
        b"OggS" + b"\xff" * 1000,
        b"caff\0\1\0\0desc" + b"\x7f" * 1000,
    ):
        async with door.client.post(f"{door.url}/stt", data=form(lie)) as reply:
            assert reply.status in (413, 415), (lie[:40], reply.status)
            told += await reply.text()
    bomb = gzip.compress(b'{"text": "' + b"a" * 50 * MIB + b'"}')
    async with door.client.post(f"{door.url}/tts", data=bomb, headers={"Content-Encoding": "gzip"}) as reply:
        assert reply.status == 400
    return told


_TRICKS: Final = (
    *("../../../../etc/passwd", "/etc/passwd", "..", ".", "..\\..\\config.yml", "%2e%2e%2fconfig.yml", "a/b"),
    *(
        "~root",
        "C:\\x",
        "file:///etc/passwd",
        "config.yml\x00.ogg",
        "speech_1.ogg/../../config.yml",
        "\u202e",
        "a" * 5000,
    ),
)


async def paths(door: Door) -> str:
    """Name what is not a name, wherever there is one."""
    folder = door.server.folder
    before = _outside(folder)
    told = ""
    for trick in _TRICKS:
        quoted = "".join(f"%{byte:02x}" for byte in trick.encode())
        for method, path in (
            ("GET", f"/outputs/{quoted}"),
            ("GET", f"/web/{quoted}"),
            ("GET", f"/docs/{quoted}"),
            ("DELETE", f"/voices/{quoted}"),
            ("POST", f"/engines/{quoted}/unload"),
            ("GET", f"/v1/models/{quoted}"),
        ):
            sent = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-ID: {quoted}\r\n\r\n".encode()
            reply = await _http_status(door, sent)
            assert 300 <= reply < 500, (method, path[:80], reply)
            told += f"{reply} "
        for path, data in (
            ("/voices", form(None, name=trick, description="calm")),
            ("/stt", form(b"RIFF", model=trick)),
        ):
            async with door.client.post(door.url + path, data=data) as made:
                assert 400 <= made.status < 500 or made.status == 503, (path, trick, made.status)
        async with door.client.post(f"{door.url}/tts", json={"text": "a", "voice": trick}) as spoken:
            assert spoken.status == 404
        assert refused(await ask(door.server, say("a", {"name": trick})))[0] == "unknown-voice"
    assert _outside(folder) == before
    return told


def _outside(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if "outputs" not in path.parts)


async def _http_status(door: Door, sent: bytes) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    try:
        writer.write(sent)
        async with asyncio.timeout(DEADLINE):
            return int((await reader.readline()).split()[1])
    finally:
        writer.transport.abort()


async def cross_site(door: Door) -> str:
    body = json.dumps({"text": "a"}).encode()
    told = await _http(door, _head("/tts", len(body), Origin="https://evil.example"), body)
    told += await _http(door, _head("/reload", 0, Origin="https://evil.example"))
    told += await _http(door, _head("/tts", len(body)).replace(b"Host: 127.0.0.1", b"Host: evil.example"), body)
    with pytest.raises(aiohttp.WSServerHandshakeError) as failure:
        await door.client.ws_connect(f"{door.url}/tts/speak-streaming", origin="https://evil.example")
    assert failure.value.status == 403
    assert told.count(" 403 ") == 3
    return told


async def http_at_the_wyoming_port(door: Door) -> str:
    return await _wyoming(door, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")


async def tls_at_the_wyoming_port(door: Door) -> str:
    return await _wyoming(door, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500) + b"\n")


async def wyoming_at_the_http_port(door: Door) -> str:
    return await _http(door, b'{"type": "describe"}\n', b"\r\n\r\n")


async def tls_at_the_http_port(door: Door) -> str:
    return await _http(door, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500) + b"\r\n\r\n")


async def two_at_once(door: Door) -> str:
    async with door.server.client() as client:
        await client.write_event(say("Endless one."))
        await client.write_event(say("Two."))
        return refused(await answer(client, "audio-stop"))[1]


async def many_at_once_in_one_connection(door: Door) -> str:
    """Send a hundred HTTP requests before the first reply."""
    body = b'{"text": ""}'
    return await _http(door, (_head("/tts/wav", len(body)) + body) * 100)


ATTACKS: Final[dict[Callable[[Door], Awaitable[str]], str]] = {
    announced: '"too-large"',
    announced_data: '"too-large"',
    announced_body: " 413 .*too-large",
    announced_upload: " 413 .*too-large",
    endless_header: '"too-large"',
    endless_http_header: " 400 ",
    endless_http_headers: " 400 ",
    endless_audio: '"too-large"',
    half_an_hour_in_each_chunk: '"too-large"',
    another_format_in_each_chunk: '"unsupported-audio"',
    endless_upload: " 413 ",
    endless_text: '"too-large"|audio-start',
    endless_spoken_text: "closed 1009",
    half_a_frame: '"deadline"',
    half_a_form: " 504 ",
    half_an_http_header: "hung up",
    a_byte_at_a_time: '"deadline"',
    a_body_a_byte_at_a_time: " 504 ",
    a_thousand_connections: '"busy"',
    a_thousand_http_connections: " 429 .*limits.connections_per_address",
    never_reading: "hung up",
    never_reading_http: "hung up",
    leaving: "nothing",
    leaving_http: "nothing",
    deep_data: '"bad-request"',
    deep_header: '"bad-request"',
    deep_body: " 400 ",
    deep_message: "INVALID_MESSAGE",
    wrong_types: '"bad-request"',
    wrong_json_types: "400 ",
    asking_and_never_reading: "hung up",
    a_name_of_a_megabyte: '"unknown-engine"',
    a_megabyte_of_lists: '"too-large"',
    impossible_formats: '"unsupported-audio"',
    bombs: "too-large",
    lying_headers: "unsupported-audio",
    paths: "404 ",
    cross_site: " 403 ",
    http_at_the_wyoming_port: '"bad-request"',
    tls_at_the_wyoming_port: '"bad-request"',
    wyoming_at_the_http_port: " 400 ",
    tls_at_the_http_port: " 400 ",
    two_at_once: "One request at a time",
    many_at_once_in_one_connection: " 200 ",
}
"""Each attack, and what whoever does it is told."""


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__.replace("_", "-"))
async def test_others_are_served_and_nothing_is_left(
    door: Door, idle: float, attack: Callable[[Door], Awaitable[str]]
) -> None:
    async with withstood(door, idle):
        told = await attack(door)
    assert re.search(ATTACKS[attack], told, re.DOTALL), told[:2000]


async def test_every_token_is_compared_with_every_secret_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr("http_bridge.auth.hmac.compare_digest", compare)
    guard = auth.Guard(("first secret", "second secret"), (), ingress=False, anybody=False, local=False)
    headers = {"Authorization": "Bearer first secret", "X-API-Key": "wrong", "Host": "a.example"}
    guard.check(make_mocked_request("GET", "/voices", headers=headers))
    assert len(compared) == 4, "a match ends nothing early"
    compared.clear()
    with pytest.raises(Unauthorized):
        guard.check(make_mocked_request("GET", "/voices", headers={"X-API-Key": "f", "Host": "a.example"}))
    assert len(compared) == 2


async def test_two_doors_may_hold_more_than_a_shell_allows(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, before[1]))
    try:
        async with run_server(tmp_path, only_fakes(tmp_path, limits={"connections": 200})) as server:
            assert resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)[0] == min(2 * 200 + 512, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
