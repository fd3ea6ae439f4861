"""Who waits for whom: turns by segment, slow readers, several workers, shared devices, full queues."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from wyoming.event import Event

from tests.e2e.dialogue import WORD, answer, ask, kinds, loud, record, refused, say, stream, transcript, words
from tests.process import DEADLINE, ServerProcess, log_line, log_lines, only_fakes, read_until, run_server, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("fairness")
    limits = {"audio_ahead": 20 * WORD, "write": 3}
    listening = {"ahead": False}  # so that a request that was read has asked for its turn
    config = only_fakes(folder, limits=limits, languages=["en", "ru"], listening=listening)
    async with run_server(folder, config) as running:
        yield running


def begun(server: ServerProcess) -> list[str]:
    return [line.removeprefix("begin ") for line in log_lines(server.log) if line.startswith("begin ")]


async def waits(server: ServerProcess, *events: Event) -> "asyncio.Task[list[Event]]":
    """Make a request, and return its answer to come once the server has read it."""
    client = server.client()
    await client.connect()
    for event in (*events, Event(type="ping")):
        await client.write_event(event)
    assert kinds(await read_until(client, "pong")) == ["pong"], "it waits: no answer has begun"
    end = {"synthesize": "audio-stop", "transcribe": "transcript-stop"}[events[0].type]

    async def rest() -> list[Event]:
        try:
            return await answer(client, end)
        finally:
            await client.disconnect()

    return asyncio.create_task(rest())


async def test_a_long_text_keeps_another_client_waiting_for_one_segment_at_most(server: ServerProcess) -> None:
    text = "Gate one. Gate two. Gate three. Gate four. And the end."
    async with server.client() as long:
        await long.write_event(say(text))
        await log_line(server.log, "at one")
        other = await waits(server, say("Somebody else."))
        server.log.with_name("one").touch()
        assert words(await other) == 2
        await log_line(server.log, "at two")
        assert begun(server)[-3:] == ["Gate one.", "Somebody else.", "Gate two."]
        others = [await waits(server, say(f"Number {count}. And more of it.")) for count in range(3)]
        for gate in ("two", "three", "four"):
            server.log.with_name(gate).touch()
        assert words(await answer(long, "audio-stop")) == 11
        assert [words(await other) for other in others] == [6, 6, 6]
    order = begun(server)[begun(server).index("Gate two.") :]
    assert order[:5] == ["Gate two.", "Number zero.", "Number one.", "Number two.", "Gate three."]
    assert sorted(order[5:9]) == ["And more of it.", "And more of it.", "And more of it.", "Gate four."]
    assert order[9] == "And the end."


async def test_a_long_recording_keeps_another_client_waiting_for_one_piece_at_most(server: ServerProcess) -> None:
    long = await waits(server, *record(loud(70.0), size=65_536, context={"prompt": "closed long-recording"}))
    await log_line(server.log, "at long-recording")
    other = await waits(server, *record(loud(0.5), context={"prompt": "another"}))
    server.log.with_name("long-recording").touch()
    assert transcript(await other) == "0.5 seconds at 0.50"
    assert len(transcript(await long).split("seconds")) > 3
    heard = [line.split()[3] for line in log_lines(server.log) if line.startswith("hear ")]
    assert heard[:3] == ["closed", "another", "closed"]


async def test_a_client_that_never_reads_holds_no_engine_and_meets_its_deadline(server: ServerProcess) -> None:
    with socket.socket() as never:
        never.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
        never.connect(("127.0.0.1", server.port))
        text = "Some more of it. " * 3000
        never.sendall(json.dumps({"type": "synthesize", "data": {"text": text}}).encode() + b"\n")
        await log_line(server.log, "begin Some more of it.", count=5)
        for _ in range(5):
            assert words(await ask(server, say("Others are served."))) == 3
        await until(lambda: never.getsockname()[1] not in server.peers())
        made = begun(server).count("Some more of it.")
        never.settimeout(DEADLINE)
        got = b"".join(iter(lambda: never.recv(1 << 20), b""))
    assert made < 3000, "its buffers are full long before"
    assert len(got) < 16 * 2**20
    assert not got.endswith(b'"audio-stop"}\n')
    assert server.memory < 200 * 2**20
    assert words(await ask(server, say("And afterwards."))) == 2
    assert begun(server).count("Some more of it.") == made


async def test_two_workers_speak_at_once_and_hear_at_once(tmp_path: Path) -> None:
    config = only_fakes(tmp_path, tts={"workers": 2}, asr={"workers": 2}, languages=["en"])
    async with run_server(tmp_path, config) as server:
        first, second = await waits(server, say("Closed one.")), await waits(server, say("Closed two."))
        await log_line(server.log, "at one")
        await log_line(server.log, "at two")
        third = await waits(server, say("The third waits."))
        ears = [await waits(server, *record(loud(0.5), context={"prompt": f"closed ear{count}"})) for count in range(2)]
        for gate in ("ear0", "ear1"):
            await log_line(server.log, f"at {gate}")
        assert len(server.workers()) == 4
        assert "begin The third waits." not in log_lines(server.log)
        server.log.with_name("two").touch()
        assert words(await third) == 3
        for gate in ("one", "ear0", "ear1"):
            server.log.with_name(gate).touch()
        assert [words(await one) for one in (first, second)] == [1, 1]
        assert [transcript(await one) for one in ears] == ["0.5 seconds at 0.50"] * 2


async def test_a_full_queue_says_when_to_come_again(tmp_path: Path) -> None:
    config = only_fakes(tmp_path, limits={"queue": 2}, languages=["en"])
    async with run_server(tmp_path, config) as server:
        running = await waits(server, say("Closed queue."))
        await log_line(server.log, "at queue")
        waiting = [await waits(server, say("One more.")) for _ in range(2)]
        for events in ([say("Too many.")], [*stream("Too many.")]):
            answered = await ask(server, *events)
            code, why = refused(answered)
            assert code == "busy"
            assert re.search(r"3 requests wait for fake already; try again in \d+ s", why)
            assert kinds(answered)[1:] == ["audio-stop", "synthesize-stopped"][: len(kinds(answered)) - 1]
        assert transcript(await ask(server, *record(loud(0.5)))), "another engine has a queue of its own"
        server.log.with_name("queue").touch()
        assert [words(await one) for one in (running, *waiting)] == [1, 2, 2]
        assert words(await ask(server, say("Room again."))) == 2


async def test_two_engines_share_a_device_one_turn_at_a_time(tmp_path: Path) -> None:
    on_gpu = {"device": "cuda:0"}
    config = only_fakes(tmp_path, tts=on_gpu, asr=on_gpu, devices={"cuda:0": {"running": 1}}, languages=["en"])
    async with run_server(tmp_path, config) as server:
        speaking = await waits(server, say("Gate device. And more."))
        await log_line(server.log, "at device")
        listening = await waits(server, *record(loud(0.5), context={"prompt": "its turn"}))
        await until(lambda: "Worker fake-ears-2 is ready" in server.complained)  # it loads while another one works
        assert not [line for line in log_lines(server.log) if line.startswith("hear")]
        server.log.with_name("device").touch()
        assert transcript(await listening)
        assert words(await speaking) == 4
        turns = [line for line in log_lines(server.log) if line.startswith(("begin", "hear"))]
        assert turns == ["begin Gate device.", "hear 0.50 en its turn ", "begin And more."]


async def test_an_idle_worker_makes_room_on_a_device_that_holds_one(tmp_path: Path) -> None:
    on_gpu = {"device": "cuda:0"}
    devices = {"cuda:0": {"running": 1, "loaded": 1}}
    async with run_server(
        tmp_path, only_fakes(tmp_path, tts=on_gpu, asr=on_gpu, devices=devices, languages=["en"])
    ) as server:
        for _ in range(2):
            assert words(await ask(server, say("One at a time."))) == 4
            assert len(server.workers()) == 1
            assert transcript(await ask(server, *record(loud(0.5))))
            assert len(server.workers()) == 1
