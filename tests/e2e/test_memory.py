"""What peers cost that announce much, send for ever, do nothing, or never read."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from wyoming.client import AsyncTcpClient
from wyoming.event import Event

from tests.e2e.dialogue import answer, ask, kinds, loud, peer, record, refused, say, stream, transcript, words
from tests.process import DEADLINE, ServerProcess, only_fakes, run_server, until
from wyoming_voice.wire import encode

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 2**20
LIMITS = {"idle": 60, "event": 1.0, "input": 1.0, "write": 1.0, "connections": 300, "connections_per_address": 260}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("memory")
    async with run_server(folder, only_fakes(folder, limits=LIMITS, languages=["en", "ru"])) as running:
        assert words(await ask(running, say("Everything is warm."))) == 3
        assert transcript(await ask(running, *record(loud(1.0))))
        yield running


@pytest.fixture(autouse=True)
async def _memory_stays_and_the_server_serves(server: ServerProcess) -> AsyncIterator[None]:
    before = server.memory
    yield
    assert kinds(await ask(server, Event(type="describe"))) == ["info"]
    assert words(await ask(server, say("Still served."))) == 2
    assert server.memory - before < 20 * MIB, "what was allocated for a request comes back"
    assert len(server.workers()) == 2


@pytest.mark.parametrize(
    "header",
    [
        {"type": "audio-chunk", "payload_length": 4_000_000_000},
        {"type": "describe", "data_length": 4_000_000_000},
        {"type": "audio-chunk", "payload_length": 10**30},
        {"type": "audio-chunk", "payload_length": 1_048_577},
    ],
)
async def test_what_is_announced_beyond_the_limit_is_refused_before_it_comes(
    server: ServerProcess, header: dict[str, object]
) -> None:
    async with peer(server, json.dumps(header).encode() + b"\n") as (reader, _writer):
        assert b'"too-large"' in await reader.read()


@pytest.mark.parametrize(
    "header",
    [
        {"type": "audio-chunk", "payload_length": -1},
        {"type": "audio-chunk", "payload_length": 1.5},
        {"type": "audio-chunk", "payload_length": "4"},
        {"type": "describe", "data_length": True},
    ],
)
async def test_lengths_that_are_none_are_refused(server: ServerProcess, header: dict[str, object]) -> None:
    async with peer(server, json.dumps(header).encode() + b"\n") as (reader, _writer):
        assert b'"bad-request"' in await reader.read()


@pytest.mark.parametrize("piece", [b"x" * 65_536, b'{"type": "' + b"a" * 65_526, b"[" * 65_536, b" " * 65_536])
async def test_a_header_without_an_end_is_refused_where_its_limit_is(server: ServerProcess, piece: bytes) -> None:
    sent = 0
    async with peer(server) as (reader, writer):
        reading = asyncio.create_task(reader.read())
        try:
            while not reading.done() and sent < 100 * MIB:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)  # to read, since a drain need not wait
                sent += len(piece)
            assert b'"too-large"' in await reading
        except ConnectionError:  # what follows the error is dropped for two seconds, and then the connection is
            reading.cancel()
    assert sent < 100 * MIB


@pytest.mark.parametrize("depth", [1_000, 30_000])
@pytest.mark.parametrize("place", ["header", "data"])
async def test_deep_nesting_is_refused(server: ServerProcess, depth: int, place: str) -> None:
    nested = b'{"a":' * depth + b"1" + b"}" * depth
    sent = (
        b'{"type": "describe", "data": ' + nested + b"}\n"
        if place == "header"
        else json.dumps({"type": "describe", "data_length": len(nested)}).encode() + b"\n" + nested
    )
    async with peer(server, sent) as (reader, _writer):
        line = await reader.readline()
    assert any(kind in line for kind in (b'"error"', b'"info"'))


@pytest.mark.parametrize(
    "sent",
    [
        b'{"type": "audio-chunk", "payload_length": 1000000}\n1234',
        b'{"type": "desc',
        b'{"type": "synthesize-start"}\n',
        b'{"type": "transcribe"}\n{"type": "audio-start", "data": {"rate": 16000, "width": 2, "channels": 1}}\n',
    ],
)
async def test_who_stops_in_the_middle_meets_a_deadline(server: ServerProcess, sent: bytes) -> None:
    async with peer(server, sent) as (reader, _writer), asyncio.timeout(DEADLINE):
        assert b'"code": "deadline"' in await reader.read()


async def test_two_hundred_idle_connections_cost_less_than_ten_mebibytes(server: ServerProcess) -> None:
    before = server.memory
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(server.client()) for _ in range(200)]
        for client in clients:
            await client.write_event(Event(type="ping"))
        for client in clients:
            event = await client.read_event()
            assert event is not None
            assert event.type == "pong"
        assert server.memory - before < 10 * MIB
        assert words(await ask(server, say("Served among them."))) == 3


async def test_one_connection_too_many_is_told_so(server: ServerProcess) -> None:
    await until(lambda: not server.peers())
    async with AsyncExitStack() as stack:
        for _ in range(260):
            await stack.enter_async_context(server.client())
        await until(lambda: len(server.peers()) >= 260)
        async with server.client() as one_more:
            event = await one_more.read_event()
            assert event is not None
            assert event.data["code"] == "busy"
            assert "connections_per_address" in event.data["text"]
            assert await one_more.read_event() is None
    await until(lambda: not server.peers())


async def test_who_asks_and_never_reads_is_not_read_either(server: ServerProcess) -> None:
    before = server.memory
    ping = json.dumps({"type": "ping", "data": {"text": "x" * 60_000}}).encode() + b"\n"
    sent = 0
    async with peer(server, reads=False) as (_reader, writer):
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(DEADLINE):
                while True:
                    writer.write(ping)
                    await writer.drain()
                    sent += len(ping)
    assert sent < 50 * MIB
    assert server.memory - before < 10 * MIB


async def test_who_listens_and_never_reads_costs_what_is_made_ahead_and_no_more(server: ServerProcess) -> None:
    before = server.memory
    request = json.dumps({"type": "synthesize", "data": {"text": "Long. " * 100}}).encode() + b"\n"
    async with AsyncExitStack() as stack:
        for _ in range(8):
            await stack.enter_async_context(peer(server, request, reads=False))
        assert words(await ask(server, say("Others are served."))) == 3
        await until(lambda: not server.peers())
    assert server.memory - before < 8 * 4 * MIB


async def test_a_flood_of_empty_chunks_costs_nothing(server: ServerProcess) -> None:
    start, *_, stop = stream()
    empty = b'{"type": "synthesize-chunk", "data": {"text": ""}}\n'
    async with server.client() as client:
        await client.write_event(start)
        writer = client._writer
        assert writer is not None
        for _ in range(50):
            writer.write(empty * 1000)
            await writer.drain()
        await client.write_event(stop)
        answered = [event.type for _ in range(3) if (event := await client.read_event())]
    assert answered == ["audio-start", "audio-stop", "synthesize-stopped"]


async def dictate(client: AsyncTcpClient, chunks: Iterator[Event]) -> None:
    """Send until nothing more is taken."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2 * LIMITS["input"]):
            for chunk in chunks:
                await client.write_event(chunk)


async def test_audio_that_waits_for_a_busy_engine_is_held_once_and_the_rest_is_not_read(server: ServerProcess) -> None:
    before = server.memory
    start, opening, chunk, stop = record(loud(2.0), size=65_536, context={"prompt": "closed pile"})
    chunks = iter([chunk] * 850)  # 28 minutes, 54 MB
    async with server.client() as client:
        for event in (start, opening):
            await client.write_event(event)
        await dictate(client, chunks)
        assert server.memory - before < 20 * MIB
        server.log.with_name("pile").touch()
        for event in (*chunks, stop):
            await client.write_event(event)
        assert len(transcript(await answer(client, "transcript-stop")).split("seconds")) > 70


async def test_who_leaves_while_it_is_not_read_is_gone_soon(server: ServerProcess) -> None:
    start, opening, chunk, _stop = map(encode, record(loud(2.0), size=65_536, context={"prompt": "closed left"}))
    async with peer(server, start + opening) as (_reader, writer):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2 * LIMITS["input"]):
                for _ in range(850):
                    writer.write(chunk)
                    await writer.drain()
        assert server.peers()
    server.log.with_name("left").touch()
    await until(lambda: not server.peers())


async def test_what_is_refused_leaves_nothing_behind(server: ServerProcess) -> None:
    for _ in range(100):
        assert refused(await ask(server, say("a", {"name": "nobody"})))[0] == "unknown-voice"
    await until(lambda: not server.peers())
