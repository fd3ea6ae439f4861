"""More than a request may have is refused while it is read."""

import asyncio
import json
import signal
from pathlib import Path

import psutil

from tests.bridge.door import Door, form, open_door, recording
from tests.process import DEADLINE, log_line, log_lines

SMALL = {"json_body": 5_000, "upload": 3_000_000, "text": 100, "recording": 10}


async def sent(door: Door, head: bytes, piece: bytes, *, chunked: bool = True) -> tuple[int, int]:
    """Send a body that never ends until there is a reply; returns its status and the bytes that were sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 100000000000"
    writer.write(head + b"Host: 127.0.0.1\r\n" + length + b"\r\n\r\n")
    answer = asyncio.create_task(reader.readline())
    size = 0
    async with asyncio.timeout(DEADLINE):
        while not answer.done():
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            size += len(piece)
            await asyncio.wait([asyncio.create_task(writer.drain()), answer], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)
    writer.transport.abort()
    return int((await answer).split()[1]), size


async def test_body_without_end_is_refused_while_it_is_read(tmp_path: Path) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="%b"; filename="a"\r\n\r\n'
    kind = b"Content-Type: multipart/form-data; boundary=x\r\n"
    async with open_door(tmp_path, limits=SMALL) as door:
        server = psutil.Process(door.server.process.pid)
        before = server.memory_info().rss
        for chunked in (True, False):
            for head, piece in (
                (b"POST /tts HTTP/1.1\r\n", b"[" * 65_536),
                (b"POST /v1/audio/speech HTTP/1.1\r\n", b" " * 65_536),
                (b"POST /stt HTTP/1.1\r\n" + kind, part % b"file" + bytes(65_536)),
                (b"POST /stt HTTP/1.1\r\n" + kind, part % b"prompt" + bytes(65_536)),
                (b"POST /v1/audio/transcriptions HTTP/1.1\r\n" + kind, part % b"a" + b"b\r\n"),
            ):
                status, size = await sent(door, head, piece, chunked=chunked)
                assert status == 413, (head, piece[:80])
                assert size < 50_000_000
        assert server.memory_info().rss - before < 64_000_000


async def test_one_byte_more_is_too_much(tmp_path: Path) -> None:
    async with open_door(tmp_path, limits=SMALL) as door:
        fits = json.dumps({"text": "a b", "style": ""}).encode()
        fits += b" " * (5_000 - len(fits))
        async with door.client.post(f"{door.url}/tts/wav", data=fits) as reply:
            assert reply.status == 200
        refused = await door.refused("POST", "/tts/wav", data=fits + b" ")
        assert (refused.status, refused.code) == (413, "too-large")
        assert "limits.json_body" in refused.message


async def test_what_costs_most_to_parse_is_refused(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door:
        refused = await door.refused("POST", "/tts/wav", data=b'{"text": "a", "more": [' + b"{}," * 100_000 + b"{}]}")
        assert (refused.status, refused.code) == (413, "too-large")
        assert "opening brackets" in refused.message
        async with door.client.ws_connect(f"{door.url}/tts/speak-streaming") as socket:
            await socket.receive()
            await socket.send_str('{"type": "Speak", "more": [' + "[]," * 100_000 + "[]]}")
            assert "opening brackets" in str((await socket.receive()).data)


async def test_text_is_limited(tmp_path: Path) -> None:
    async with open_door(tmp_path, limits=SMALL) as door:
        for path, field in (("/tts", "text"), ("/tts/wav", "text"), ("/v1/audio/speech", "input")):
            async with door.client.post(door.url + path, json={field: "word " * 20}) as reply:
                assert reply.status == 200, path
            refused = await door.refused("POST", path, json={field: "word " * 20 + "."})
            assert (refused.status, refused.code) == (413, "too-large")
            assert "limits.text" in refused.message
        assert not [line for line in log_lines(door.server.log) if line.startswith("begin .")]


async def test_long_recording_in_a_small_file_is_refused(tmp_path: Path) -> None:
    long = recording(600.0, rate=8_000, kind="OGG", subtype="OPUS")
    async with open_door(tmp_path, limits={**SMALL, "upload": 100_000_000}) as door:
        for path in ("/stt", "/v1/audio/transcriptions"):
            refused = await door.refused("POST", path, data=form(long))
            assert (refused.status, refused.code) == (413, "too-large")
        assert not log_lines(door.server.log), "no engine was asked"


async def test_slow_body_ends(tmp_path: Path) -> None:
    async with open_door(tmp_path, limits={"input": 0.2}) as door:
        for head in (
            b"POST /tts HTTP/1.1\r\n",
            b"POST /stt HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\n",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(head + b"Host: 127.0.0.1\r\nContent-Length: 100\r\n\r\n--x")
            async with asyncio.timeout(DEADLINE):
                assert b" 504 " in await reader.readline()
            writer.transport.abort()


async def test_client_that_does_not_read_is_left(tmp_path: Path) -> None:
    async with open_door(tmp_path, limits={"write": 0.2, "audio_ahead": 65_536}) as door:
        _, writer = await asyncio.open_connection("127.0.0.1", door.port, limit=1024)
        body = b'{"text": "Endless talk."}'
        writer.write(b"POST /tts/wav HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await log_line(door.server.log, "closed Endless")
        writer.transport.abort()


async def test_full_queue_says_when_to_come_again(tmp_path: Path) -> None:
    async with open_door(tmp_path, limits={"queue": 1}) as door, asyncio.TaskGroup() as others:
        waiting = [others.create_task(_speak(door, "Closed open."))]
        await log_line(door.server.log, "at open")
        waiting += [others.create_task(_speak(door, "Hello")) for _ in range(2)]
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result()[0] for task in done] == [429]
        assert [int(task.result()[1]) >= 1 for task in done] == [True]
        door.open_gate("open")


async def _speak(door: Door, text: str) -> tuple[int, str]:
    async with door.client.post(f"{door.url}/tts/wav", json={"text": text}) as reply:
        await reply.read()
        return reply.status, reply.headers.get("Retry-After", "0")


async def test_no_new_work_while_the_server_stops(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door, asyncio.TaskGroup() as others:
        under_way = others.create_task(_speak(door, "Gate open."))
        await log_line(door.server.log, "at open")
        door.server.signal(signal.SIGTERM)
        status = 200
        while status == 200:  # until the signal has come
            status, _ = await _speak(door, "🙂")
        assert status == 503
        for path, more in (
            ("/tts", {"json": {"text": "Hello"}}),
            ("/stt", {"data": form(recording())}),
            ("/v1/audio/speech", {"json": {"input": "Hello"}}),
        ):
            refused = await door.refused("POST", path, **more)
            assert (refused.status, refused.code) == (503, "engine-unavailable")
        door.open_gate("open")
        assert (await under_way)[0] == 200, "what was under way is finished"


async def test_odd_encodings_are_the_clients_mistake(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door:
        for headers, content in (
            ({"Content-Encoding": "gzip"}, b"not gzip at all"),
            ({"Content-Encoding": "deflate"}, b"\x00\x01\x02"),
            ({"Content-Type": "application/json; charset=utf-16"}, '{"text": "x"}'.encode("utf-16")),
            ({"Content-Type": "application/json; charset=nonsense"}, b"\xff"),
            ({"Content-Type": "text/plain"}, b""),
            ({}, b"null"),
            ({}, b"[" * 3_000),
        ):
            refused = await door.refused("POST", "/tts/wav", data=content, headers=headers)
            assert refused.status == 400, (headers, content)
        form = b"POST /stt HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        for head, content in (
            (b"POST /tts HTTP/1.1\r\nContent-Length: nonsense\r\n", b""),
            (b"POST /tts HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", b"nonsense\r\n{}"),
            (form + b"Transfer-Encoding: chunked\r\n", b"3\r\n--xtoo much\r\n"),
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(head + b"Host: 127.0.0.1\r\n\r\n" + content)
            async with asyncio.timeout(DEADLINE):
                assert b" 400 " in await reader.readline(), head
                await reader.read()  # and the connection ends, since nobody knows where the next request begins
            writer.transport.abort()
