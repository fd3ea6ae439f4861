"""The time of day set back by an hour, and put on by a day, beneath a running server: no deadline knows of it.

The server, its workers and what tells speech from silence run with ``clock.c``, which sets the time of day and leaves
the clock that only counts (``CLOCK_MONOTONIC``) alone, as the machine does.
"""

import asyncio
import io
import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

import aiohttp
import pytest
import pytest_asyncio
import soundfile

from http_bridge.output import Outputs
from tests.bridge.door import Door, form, open_door, recording
from tests.e2e.dialogue import answer, ask, ask_on, loud, record, refused, say, transcript, words
from tests.llm_server import LlmServer, llm_server
from tests.mqtt.broker import AVAILABILITY, PREFIX, config, open_broker
from tests.process import ROOT, log_line, log_lines, only_fakes, read_until, run_server, until
from wyoming_voice.breaker import FIRST_PAUSE

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR, DAY = 3600, 86_400
TTL = 1.5


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], None]]:
    """Set the clock of the servers that are started from now on by so many seconds."""
    folder = tmp_path_factory.mktemp("clock")
    compiler, library, file = shutil.which("cc"), folder / "clock.so", folder / "clock"
    if compiler is None:
        pytest.skip("there is no C compiler (cc) for what sets the clock of a process: apt-get install gcc libc6-dev")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, ROOT / "tests" / "clock.c"], check=True)

    def put(seconds: int) -> None:
        with file.open("r+b", buffering=0) as open_file:
            open_file.write((seconds * 10**9).to_bytes(8, sys.byteorder, signed=True))

    file.write_bytes(bytes(8))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LD_PRELOAD", str(library))
        environment.setenv("TEST_CLOCK", str(file))
        yield put


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(clock: Callable[[int], None], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    folder = tmp_path_factory.mktemp("clocks")
    quick = {"step_timeout": 2.0}
    async with open_door(folder, tts=quick, asr=quick, languages=["en", "ru"], outputs={"keep_hours": 72}) as opened:
        yield opened


@pytest.fixture(params=[-HOUR, DAY], ids=["back", "on"])
def jump(request: pytest.FixtureRequest, clock: Callable[[int], None]) -> Iterator[Callable[[], int]]:
    """Set the clock back by an hour, or put it on by a day; returns by how many seconds."""

    def now() -> int:
        clock(request.param)
        return int(request.param)

    yield now
    clock(0)


async def test_the_servers_clock_is_really_set(door: Door, jump: Callable[[], int]) -> None:
    async def wrong() -> float:
        async with door.client.get(f"{door.url}/health") as reply:
            return parsedate_to_datetime(reply.headers["Date"]).timestamp() - time.time()

    assert await wrong() == pytest.approx(0, abs=30)
    by = jump()
    assert await wrong() == pytest.approx(by, abs=30)


async def test_speech_goes_on(door: Door, jump: Callable[[], int], request: pytest.FixtureRequest) -> None:
    gate = f"spoken{request.node.callspec.id}"
    async with (
        door.server.client() as client,
        door.client.ws_connect(f"{door.url}/tts/speak-streaming?voice=fake-en") as socket,
    ):
        await client.write_event(say(f"Gate {gate}."))
        begun = await read_until(client, "audio-chunk")
        await socket.send_json({"type": "Speak", "text": "Two words."})  # it waits in the queue
        await socket.send_json({"type": "Flush"})
        waiting = asyncio.create_task(_wav(door, "Three words wait."))
        jump()
        door.open_gate(gate)
        assert words([*begun, *await answer(client, "audio-stop")]) == 2
        assert await waiting == 3 * 1600
        seen = [message async for message in _until_flushed(socket)]
        assert any(isinstance(message, bytes) for message in seen)


async def _wav(door: Door, text: str) -> int:
    async with door.client.post(f"{door.url}/tts/wav", json={"text": text}) as reply:
        return int(soundfile.info(io.BytesIO(await reply.read())).frames)


async def _until_flushed(socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[str | bytes]:
    while True:
        message = await socket.receive(20)
        assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message
        yield message.data
        if message.type is aiohttp.WSMsgType.TEXT and message.json()["type"] == "Flushed":
            return


async def test_hearing_goes_on(door: Door, jump: Callable[[], int], request: pytest.FixtureRequest) -> None:
    gate = f"heard{request.node.callspec.id}"
    first, opening, *rest = record(loud(0.5), language="en", context={"prompt": f"closed {gate}"})
    async with door.server.client() as client:
        for event in (first, opening, *rest[:10]):
            await client.write_event(event)
        jump()
        for event in rest[10:]:
            await client.write_event(event)
        await log_line(door.server.log, f"at {gate}")
        jump()
        door.open_gate(gate)
        assert transcript(await answer(client, "transcript-stop")) == "0.5 seconds at 0.50"
    async with door.client.post(f"{door.url}/stt", data=form(recording(0.5), language="en")) as reply:
        assert (await reply.json())["raw_text"]


async def test_deadlines_hold_as_they_did(door: Door, jump: Callable[[], int]) -> None:
    async with door.server.client() as idle:
        assert words(await ask_on(idle, say("Before."))) == 1
        asked = asyncio.create_task(ask(door.server, say("Hang now.")))
        await log_line(door.server.log, "begin Hang", 1)
        jump()
        began = time.monotonic()
        code, _ = refused(await asked)
        assert code in ("deadline", "worker-lost")
        assert 1 < time.monotonic() - began < 15, "neither at once nor in an hour"
        assert words(await ask_on(idle, say("And after."))) == 2, "it was idle for seconds, not for a day"


async def test_what_was_acknowledged_is_there(door: Door, jump: Callable[[], int]) -> None:
    urls = []
    for _ in range(2):
        async with door.client.post(f"{door.url}/tts", json={"text": "It is kept."}) as reply:
            urls.append((await reply.json())["url"])
        jump()
    async with door.client.post(f"{door.url}/tts", json={"text": "This one prunes."}) as reply:
        assert reply.status == 200
    for url in urls:
        async with door.client.get(f"{door.url}/{url}") as reply:
            assert reply.status == 200


async def test_idle_workers_go_when_they_would_have(
    clock: Callable[[int], None], jump: Callable[[], int], tmp_path: Path
) -> None:
    config = only_fakes(tmp_path, tts={"ttl": TTL}, asr={"ttl": 3600}, languages=["en", "ru"])
    async with run_server(tmp_path, config) as server:
        assert words(await ask(server, say("Here."))) == 1
        assert transcript(await ask(server, *record(loud(0.5), language="en")))
        jump()
        await until(lambda: len(server.workers()) == 1)
        assert "FakeAsr" in " ".join(server.workers()[0].cmdline()), "a day is no reason to go"
        assert words(await ask(server, say("Again."))) == 1


@pytest.fixture
def llm() -> Iterator[LlmServer]:
    with llm_server() as running:
        yield running


async def test_a_language_model_that_failed_is_left_alone_for_seconds(
    clock: Callable[[int], None], jump: Callable[[], int], llm: LlmServer, tmp_path: Path
) -> None:
    settings = llm.write_settings(tmp_path / "llm", first_token_timeout=5.0, timeout=5.0)
    text = {"llm": {"use_llm_tts": True, "settings": str(settings)}}
    async with run_server(tmp_path, only_fakes(tmp_path, text=text, languages=["en", "ru"])) as server:
        llm.behave("500")
        began = time.monotonic()
        assert words(await ask(server, say("It fails."))) == 2
        asked = len(llm.seen()["asked"])
        llm.behave("shout")
        jump()
        while len(llm.seen()["asked"]) == asked:
            assert words(await ask(server, say("Is it back?"))) == 3
        assert FIRST_PAUSE < time.monotonic() - began < FIRST_PAUSE + 15
        assert "begin IS IT BACK?" in log_lines(server.log)


async def test_a_broker_is_still_there(clock: Callable[[int], None], jump: Callable[[], int], tmp_path: Path) -> None:
    async with (
        open_broker(tmp_path / "broker") as broker,
        run_server(tmp_path / "server", config(tmp_path / "server", broker)),
        broker.ear() as ear,
    ):
        await ear.until(lambda: b"online" in ear.on(AVAILABILITY))
        for number in (1, 2):
            await ear.say(f"{PREFIX}/say", {"text": "Three plain words.", "id": f"id{number}", "voice": "fake-en"})
            assert (await ear.told(f"{PREFIX}/sayFinished", number))["seconds"] == 0.3
            jump()
        assert ear.on(AVAILABILITY).count(b"offline") == 0


# What asks for the time of day


WALL_CLOCK: Final = {
    "http_bridge/deepgram_shape.py": "a date in a reply",
    "http_bridge/output.py": "the names of files",
    "http_bridge/server.py": "the age of files",
    "http_bridge/stt.py": "the age of files",
    "http_bridge/tts.py": "the age of files",
    "wyoming_voice/hidden.py": "the age of files",
    "wyoming_voice/metrics.py": "when a request began, for a person to read",
}
"""Where the time of day is asked for, which may be set back; deadlines and durations are none of these."""


async def test_no_deadline_is_by_a_clock_that_may_be_set_back() -> None:
    asked = re.compile(r"\btime\.time\b|\btime_ns\(\)|\bdatetime\.(now|today|utcnow)\b|\bfrom time import .*\btime\b")
    found = {
        str(path.relative_to(ROOT))
        for folder in ("wyoming_voice", "http_bridge")
        for path in (ROOT / folder).rglob("*.py")
        if asked.search(path.read_text("utf-8"))
    }
    assert found <= set(WALL_CLOCK)


async def test_outputs_outlive_a_clock_that_is_set_back(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path, 60.0, 10**9)
    with outputs.writing("speech_20261123T000000-000001Z.ogg") as file:
        file.write(b"kept")
    outputs.prune(time.time() - 10 * 365 * 86_400)
    assert outputs.find("speech_20261123T000000-000001Z.ogg") is not None
