"""One Wyoming peer over a real socket: its limits and deadlines, one job, and the moment it leaves."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from wyoming.client import AsyncTcpClient
from wyoming.event import Event

from tests.process import until
from wyoming_voice.connection import READ_BYTES, Connection, Job, PeerLimits
from wyoming_voice.errors import BadRequest
from wyoming_voice.server import Server
from wyoming_voice.wire import EventLimits

SECONDS = 10.0


@dataclass
class Counted:
    """``count``: a job that answers after as many ``more`` events as it is told to wait for, by the tests' steps."""

    connection: Connection
    wanted: int
    log: list[str]
    answer: bytes = b""
    got: int = 0
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    endless: bool = False
    early: bool = False
    """It answers before all has come that belongs to it."""

    @property
    def complete(self) -> bool:
        return self.got >= self.wanted

    def accept(self, event: Event) -> bool:
        if event.type == "hold":
            self.log.append("hold")
            self.connection.hold_back()
            return True
        if event.type != "more" or self.complete:
            return False
        if event.data.get("wrong"):
            raise BadRequest("wrong")
        self.got += 1
        if self.got >= self.wanted:
            self.enough.set()
        return True

    async def run(self) -> None:
        self.log.append("run")
        try:
            if self.wanted and not self.early:
                await self.enough.wait()
            await self.connection.send(Event(type="answer"))
            while self.endless:
                await self.connection.send(Event(type="noise", payload=self.answer))
        except asyncio.CancelledError:
            self.log.append("cancelled")
            raise
        self.log.append("done")

    def end(self) -> Sequence[Event]:
        return [Event(type="end")]


@dataclass
class CountingSession:
    log: list[str]

    def begin(self, event: Event, connection: Connection) -> Job | Sequence[Event]:
        match event.type:
            case "count":
                early = bool(event.data.get("early"))
                return Counted(connection, event.data.get("wait", 0), self.log, early=early)
            case "endless":
                return Counted(connection, 0, self.log, answer=b"x" * 65536, endless=True)
            case "broken":
                raise ZeroDivisionError
            case "hello":
                if name := event.data.get("name"):
                    self.log.append(name)
                return [Event(type="hello")]
        raise BadRequest(f"what is {event.type}?")


@asynccontextmanager
async def serve(log: list[str], limits: PeerLimits | None = None, **most: int) -> AsyncIterator[Server]:
    async with Server("tcp://127.0.0.1:0", lambda: CountingSession(log), limits or PeerLimits(), **most) as server:
        yield server
    assert asyncio.all_tasks() == {asyncio.current_task()}, "no task outlives the server"


def client_of(server: Server) -> AsyncTcpClient:
    return AsyncTcpClient("127.0.0.1", port(server), connect_timeout=SECONDS, read_timeout=SECONDS)


def port(server: Server) -> int:
    return int(server.uris[0].rpartition(":")[2])


async def kinds(client: AsyncTcpClient, count: int) -> list[str]:
    return [event.type for _ in range(count) if (event := await client.read_event()) is not None]


async def test_one_request_after_another_on_one_connection() -> None:
    log: list[str] = []
    async with serve(log) as server, client_of(server) as client:
        for _ in range(50):
            await client.write_event(Event(type="count", data={"wait": 1}))
            await client.write_event(Event(type="more"))
            assert await kinds(client, 2) == ["answer", "end"]
    assert log.count("done") == 50


async def test_a_request_that_is_refused_before_it_began_leaves_nothing_behind() -> None:
    async with serve([]) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port(server))
        writer.write(b'{"type": "count", "data": {"wait": 1}}\n{"type": "count"}\n')
        async with asyncio.timeout(SECONDS):
            assert b"One request at a time" in await reader.read()
        writer.close()


async def test_ping_and_what_needs_no_work_are_answered_while_a_job_runs() -> None:
    async with serve([]) as server, client_of(server) as client:
        await client.write_event(Event(type="count", data={"wait": 1}))
        await client.write_event(Event(type="ping", data={"text": "привет"}))
        await client.write_event(Event(type="hello"))
        pong, hello = await client.read_event(), await client.read_event()
        assert pong is not None
        assert (pong.type, pong.data) == ("pong", {"text": "привет"})
        assert hello is not None
        await client.write_event(Event(type="more"))
        assert await kinds(client, 2) == ["answer", "end"]


async def test_a_peer_that_leaves_cancels_its_job() -> None:
    log: list[str] = []
    async with serve(log) as server:
        async with client_of(server) as client:
            await client.write_event(Event(type="count", data={"wait": 1}))
            await until(lambda: "run" in log)
        await until(lambda: "cancelled" in log)


async def test_a_second_request_at_once_is_refused_and_told_why() -> None:
    log: list[str] = []
    async with serve(log) as server, client_of(server) as client:
        await client.write_event(Event(type="count", data={"wait": 1}))
        await until(lambda: log == ["run"])
        await client.write_event(Event(type="count"))
        error = await client.read_event()
        assert error is not None
        assert (error.type, error.data["code"]) == ("error", "bad-request")
        assert await kinds(client, 2) == ["end"]
        await until(lambda: "cancelled" in log)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "bad-request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\n", "bad-request"),
        (b'{"type": "unknown"}\n', "bad-request"),
        (json.dumps({"type": "x", "payload_length": 4_000_000_000}).encode() + b"\n", "too-large"),
        (b'{"type": "' + b"x" * 100_000, "too-large"),
        (b'{"type": "count", "data": {"wait": 1}}\n{"type": "more", "data": {"wrong": true}}\n', "bad-request"),
    ],
)
async def test_a_wrong_peer_is_told_why_and_the_connection_ends(sent: bytes, code: str) -> None:
    async with serve([]) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port(server))
        writer.write(sent)
        async with asyncio.timeout(SECONDS):
            said = await reader.read()  # to the end: it closes its side at once
        assert f'"code": "{code}"'.encode() in said
        writer.close()


async def test_what_a_wrong_peer_still_sends_does_not_reset_the_connection() -> None:
    async with serve([]) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port(server))
        writer.write(b"nonsense\n" + b"x" * 3_000_000)
        await writer.drain()
        async with asyncio.timeout(SECONDS):
            assert b"bad-request" in await reader.read()
        writer.close()


@pytest.mark.parametrize(
    ("limits", "sent", "text"),
    [
        (PeerLimits(idle=0.05), b"", "No request came"),
        (PeerLimits(event=0.05), b'{"type": "hel', "An event must arrive"),
        (PeerLimits(event=0.05), b'{"type": "hello", "payload_length": 9}\n1234', "An event must arrive"),
        (PeerLimits(input=0.05), b'{"type": "count", "data": {"wait": 1}}\n', "rest of the request"),
    ],
)
async def test_a_slow_peer_meets_its_deadline(limits: PeerLimits, sent: bytes, text: str) -> None:
    async with serve([], limits) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port(server))
        writer.write(sent)
        async with asyncio.timeout(SECONDS):
            said = await reader.read()
        assert text.encode() in said
        assert b'"code": "deadline"' in said
        writer.close()


async def test_a_byte_at_a_time_does_not_extend_an_event() -> None:
    async with serve([], PeerLimits(event=0.1)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port(server))
        reading = asyncio.create_task(reader.read())
        async with asyncio.timeout(SECONDS):
            while not reading.done():
                writer.write(b" ")
                await asyncio.sleep(0.005)
        assert b"An event must arrive" in await reading
        writer.close()


async def test_a_running_job_has_no_idle_deadline() -> None:
    log: list[str] = []
    async with serve(log, PeerLimits(idle=0.02)) as server, client_of(server) as client:
        await client.write_event(Event(type="count", data={"wait": 1}))
        await asyncio.sleep(0.1)  # longer than an idle peer may take
        await client.write_event(Event(type="more"))
        assert await kinds(client, 2) == ["answer", "end"]


async def test_a_peer_that_does_not_read_costs_a_bounded_buffer_and_then_its_deadline() -> None:
    log: list[str] = []
    async with serve(log, PeerLimits(write=0.2)) as server:
        _reader, writer = await asyncio.open_connection("127.0.0.1", port(server), limit=1024)
        writer.write(b'{"type": "endless"}\n')
        await until(lambda: bool(log) and not server.connections)
        writer.close()


async def test_a_peer_that_pings_and_never_reads_is_not_read_either() -> None:
    async with serve([], PeerLimits(write=0.3)) as server:
        _reader, writer = await asyncio.open_connection("127.0.0.1", port(server), limit=1024)
        ping = json.dumps({"type": "ping", "data": {"text": "x" * 50_000}}).encode() + b"\n"
        with pytest.raises((ConnectionError, TimeoutError)):
            async with asyncio.timeout(SECONDS):
                while True:
                    writer.write(ping)
                    await writer.drain()
        await until(lambda: not server.connections)
        writer.close()


async def test_who_sends_much_at_once_is_read_bit_by_bit_and_others_in_between() -> None:
    log: list[str] = []
    async with serve(log) as server, client_of(server) as short:
        _reader, long = await asyncio.open_connection("127.0.0.1", port(server))
        event = json.dumps({"type": "hello", "data": {"name": "long"}}).encode() + b"\n"
        await short.write_event(Event(type="hello"))
        assert await kinds(short, 1) == ["hello"]
        long.write(event * (8 * READ_BYTES // len(event)))
        await short.write_event(Event(type="hello", data={"name": "short"}))
        await until(lambda: "short" in log)
        assert log.index("short") * len(event) <= 3 * READ_BYTES
        long.transport.abort()
        await until(lambda: len(server.connections) == 1)


async def test_who_is_held_back_is_not_read_and_its_deadlines_stand_still() -> None:
    log: list[str] = []
    async with serve(log, PeerLimits(event=0.05, input=0.05)) as server, client_of(server) as client:
        await client.write_event(Event(type="count", data={"wait": 1}))
        await client.write_event(Event(type="hold"))
        await until(lambda: "hold" in log)
        await client.write_event(Event(type="ping"))
        reading = asyncio.create_task(client.read_event())
        await asyncio.sleep(0.2)  # longer than any deadline
        assert not reading.done()
        next(iter(server.connections)).read_on()
        pong = await reading
        assert pong is not None
        assert pong.type == "pong"
        await client.write_event(Event(type="more"))
        assert await kinds(client, 2) == ["answer", "end"]


async def test_who_was_held_back_is_read_again_when_its_job_is_over() -> None:
    log: list[str] = []
    async with serve(log) as server, client_of(server) as client:
        for event in (Event(type="count", data={"wait": 1}), Event(type="hold"), Event(type="more")):
            await client.write_event(event)
        await until(lambda: "hold" in log)
        next(iter(server.connections)).read_on()
        assert await kinds(client, 2) == ["answer", "end"]
        await client.write_event(Event(type="hello"))
        assert await kinds(client, 1) == ["hello"]


async def test_nobody_is_held_back_by_what_is_over() -> None:
    log: list[str] = []
    async with serve(log) as server, client_of(server) as client:
        await client.write_event(Event(type="count", data={"wait": 1, "early": True}))
        assert await kinds(client, 2) == ["answer", "end"]
        for kind in ("hold", "more", "hello"):
            await client.write_event(Event(type=kind))
        assert await kinds(client, 1) == ["hello"]


async def test_who_is_held_back_while_the_server_stops_is_told_so() -> None:
    log: list[str] = []
    async with serve(log) as server, client_of(server) as client:
        await client.write_event(Event(type="count", data={"wait": 1}))
        await client.write_event(Event(type="hold"))
        await until(lambda: "hold" in log)
        await client.write_event(Event(type="more"))
        await server.drain(0.01)
        assert await kinds(client, 3) == ["error", "end"]


async def test_too_many_connections_are_refused_and_the_next_is_served_when_one_leaves() -> None:
    async with serve([], connections=2) as server:
        async with client_of(server), client_of(server):
            async with client_of(server) as third:
                error = await third.read_event()
                assert error is not None
                assert error.data["code"] == "busy"
        await until(lambda: not server.connections)
        async with client_of(server) as client:
            await client.write_event(Event(type="hello"))
            assert await kinds(client, 1) == ["hello"]


async def test_too_many_connections_from_one_address_are_refused() -> None:
    async with serve([], connections_per_address=1) as server, client_of(server), client_of(server) as second:
        error = await second.read_event()
        assert error is not None
        assert "one address" in error.data["text"]


async def test_draining_lets_the_request_under_way_finish_and_closes_the_idle() -> None:
    log: list[str] = []
    async with serve(log) as server, client_of(server) as idle, client_of(server) as busy:
        await busy.write_event(Event(type="count", data={"wait": 1}))
        await until(lambda: log == ["run"])
        number = port(server)
        draining = asyncio.create_task(server.drain(SECONDS))
        assert await idle.read_event() is None
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", number)
        await busy.write_event(Event(type="more"))
        assert await kinds(busy, 3) == ["answer", "end"]
        await draining


async def test_what_is_not_done_when_the_drain_is_over_is_told_so() -> None:
    async with serve([]) as server, client_of(server) as client:
        await client.write_event(Event(type="count", data={"wait": 1}))
        await client.write_event(Event(type="ping"))
        assert await kinds(client, 1) == ["pong"]
        await server.drain(0.01)
        assert await kinds(client, 3) == ["error", "end"]


async def test_a_mistake_of_ours_is_logged_and_the_peer_is_told_nothing_of_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_self: Counted) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(Counted, "run", broken)
    async with serve([]) as server, client_of(server) as client:
        await client.write_event(Event(type="count"))
        error = await client.read_event()
        assert error is not None
        assert error.data["code"] == "internal"
        assert "secret" not in error.data["text"]
    assert "secret" in caplog.text


async def test_a_last_request_may_lack_its_newline() -> None:
    async with serve([]) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port(server))
        writer.write(b'{"type": "hello"}')
        writer.write_eof()
        async with asyncio.timeout(SECONDS):
            assert b'"hello"' in await reader.read()
        writer.close()


async def test_tighter_event_limits_are_kept() -> None:
    limits = replace(PeerLimits(), events=EventLimits(header=100, data=100, payload=100))
    async with serve([], limits) as server, client_of(server) as client:
        await client.write_event(Event(type="hello", payload=b"x" * 101))
        error = await client.read_event()
        assert error is not None
        assert error.data["code"] == "too-large"
