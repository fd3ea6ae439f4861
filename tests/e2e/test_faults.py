"""What goes wrong beneath the server, in the middle of speaking and of hearing.

A client sees exactly one of: the right answer, a clear error, or, once audio has gone out, an early end that is marked
as an error. Nothing that was acknowledged is lost.
"""

import asyncio
import io
import re
import resource
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Literal

import aiohttp
import pytest
import pytest_asyncio
import soundfile
from wyoming.event import Event

from http_bridge.output import Outputs
from tests.bridge.door import Door, form, open_door, recording
from tests.e2e.dialogue import answer, ask, kinds, loud, record, refused, say, stream, transcript, words
from tests.process import DEADLINE, ROOT, only_fakes, read_until, run_server, start, until
from tests.reference import SAYS
from tests.reference import recording as reference

pytestmark = pytest.mark.asyncio(loop_scope="module")

Outcome = Literal["right", "error", "early"]
_CODES: Final = {"worker-lost", "deadline", "internal", "engine-unavailable"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    folder = tmp_path_factory.mktemp("faults")
    quick = {"step_timeout": 1.0}
    async with open_door(folder, tts=quick, asr=quick, languages=["en", "ru"]) as opened:
        yield opened


def spoken(events: list[Event], right: int) -> Outcome:
    """Say what a client saw, of an answer that ought to have so many words."""
    audio = any(event.type == "audio-chunk" for event in events)
    if any(event.type == "error" for event in events):
        code, text = refused(events)
        assert code in _CODES
        assert len(text) > 20, "it is a sentence"
        assert "Traceback" not in text
        return "early" if audio else "error"
    assert words(events) == right, "no error, and not the right answer"
    return "right"


SPEAKING: Final[dict[str, tuple[int, set[Outcome]]]] = {
    "Crash now.": (2, {"error"}),
    "Falter tts now.": (1, {"right"}),
    "Stumble now.": (2, {"early"}),
    "Hang now.": (2, {"error"}),
    "Freeze now.": (2, {"error"}),
    "Garbage now.": (2, {"early"}),
    "Gorge now.": (2, {"early"}),
    "Mistake now.": (2, {"error"}),
    "Slow but sure.": (3, {"right"}),
    "A good one. Crash after it.": (5, {"early"}),
    "A good one. Hang after it.": (5, {"early"}),
}


@pytest.mark.parametrize("text", SPEAKING)
async def test_a_fault_while_it_speaks_is_a_right_answer_an_error_or_an_early_end(door: Door, text: str) -> None:
    right, outcomes = SPEAKING[text]
    for number, events in enumerate(([say(text)], [*stream(text)])):
        seen = await ask(door.server, *events)
        assert spoken(seen, right) in outcomes, kinds(seen)
        assert kinds(seen)[-1] == ("audio-stop", "synthesize-stopped")[number] or "audio-start" not in kinds(seen)
    async with door.client.post(f"{door.url}/tts/wav", json={"text": text}) as reply:
        try:
            sound = await reply.read()
            outcome: Outcome = "right" if reply.status == 200 else "error"
        except (aiohttp.ClientPayloadError, aiohttp.ClientConnectionError):
            outcome = "early"
        if outcome == "right":
            assert soundfile.info(io.BytesIO(sound)).frames >= right * 1600
        elif outcome == "error":
            assert (await reply.json())["error"]["code"] in _CODES
    assert outcome in outcomes
    assert words(await ask(door.server, say("Sound again."))) == 2


HEARING: Final[dict[str, str | None]] = {
    "crash": None,
    "falter ears": "0.5 seconds at 0.50",
    "stumble": None,
    "hang": None,
    "late hang": None,
    "garbage": None,
    "gorge": None,
    "mistake": None,
    "slow": "0.5 seconds at 0.50",
}


@pytest.mark.parametrize("prompt", HEARING)
async def test_a_fault_while_it_hears_is_a_right_answer_or_an_error(door: Door, prompt: str) -> None:
    right = HEARING[prompt]
    seen = await ask(door.server, *record(loud(0.5), language="en", context={"prompt": prompt}))
    if right is None:
        code, text = refused(seen)
        assert code in _CODES
        assert len(text) > 20
        assert "transcript" not in kinds(seen), "half a transcript is not taken for a whole one"
    else:
        assert transcript(seen) == right
    async with door.client.post(f"{door.url}/stt", data=form(recording(0.5), prompt=prompt)) as reply:
        told = await reply.json()
        if right is None:
            assert reply.status in (500, 502, 503, 504)
            assert told["error"]["code"] in _CODES
        else:
            assert reply.status == 200
            assert told["raw_text"]
    assert transcript(await ask(door.server, *record(loud(0.5), language="en"))) == "0.5 seconds at 0.50"


async def test_a_worker_that_is_stopped_is_found_by_its_deadline_and_replaced(door: Door) -> None:
    for engine, events, end in (
        ("FakeTts", [say("Endless while it stops")], "audio-stop"),
        ("FakeAsr", [*record(loud(0.5), language="en", context={"prompt": "endless stop"})], "transcript-stop"),
    ):
        async with door.server.client() as client:
            for event in events:
                await client.write_event(event)
            await read_until(client, "audio-chunk", "transcript-chunk")
            (stopped,) = [worker for worker in door.server.workers() if engine in " ".join(worker.cmdline())]
            stopped.suspend()
            code, _ = refused(await answer(client, end))
        assert code in _CODES
        await until(lambda gone=stopped: not gone.is_running())  # type: ignore[misc]


async def test_sigterm_under_load_leaves_nobody_without_an_end(tmp_path: Path) -> None:
    config = only_fakes(tmp_path, tts={"workers": 2}, server={"drain_timeout": 1.0}, languages=["en", "ru"])
    async with run_server(tmp_path, config) as server:
        speaking = [asyncio.create_task(ask(server, say("One two. Three four. Five."))) for _ in range(20)]
        speaking += [asyncio.create_task(ask(server, say("Long talk. Long again. Long."))) for _ in range(20)]
        hearing = [asyncio.create_task(ask(server, *record(loud(0.5), language="en"))) for _ in range(20)]
        await asyncio.wait([*speaking, *hearing], return_when=asyncio.FIRST_COMPLETED)
        server.signal(signal.SIGTERM)
        assert await server.wait() == 0
        for number, seen in enumerate(await asyncio.gather(*speaking, return_exceptions=True)):
            if not isinstance(seen, BaseException):
                assert spoken(seen, 5 if number < 20 else 1800) in ("right", "error", "early")
            else:
                assert isinstance(seen, ConnectionError), seen  # it came after the server had stopped to listen
        for heard in await asyncio.gather(*hearing, return_exceptions=True):
            if not isinstance(heard, BaseException):
                assert "error" in kinds(heard) or transcript(heard) == "0.5 seconds at 0.50"


# Disks


@contextmanager
def small_disk(folder: Path, kilobytes: int, how: str = "rw") -> Iterator[None]:
    """Mount a disk of this size, where the machine lets us."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,{how}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_a_full_disk_is_told_and_leaves_no_half_file(tmp_path: Path) -> None:
    outputs = tmp_path / "data" / "outputs"
    with small_disk(outputs, 64):
        async with open_door(tmp_path) as door:
            refusal = await door.refused("POST", "/tts", json={"text": "Long. " * 20})
            assert (refusal.status, refusal.code) == (503, "engine-unavailable")
            assert "No space left" in refusal.message
            assert list(outputs.iterdir()) == []
            async with door.client.post(f"{door.url}/tts", json={"text": "A short one."}) as reply:
                assert reply.status == 200
            async with door.client.post(f"{door.url}/tts/wav", json={"text": "Long. Long."}) as reply:
                assert len(await reply.read()) > 64 * 1024, "what needs no disk goes on"


@pytest.mark.parametrize("name", ["outputs", "voices"])
async def test_a_disk_that_cannot_be_written_is_told(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "data" / name
    with small_disk(folder, 64, "ro"):
        async with open_door(tmp_path, tts={"options": {"abilities": ["clone", "design"]}}) as door:
            if name == "outputs":
                refusal = await door.refused("POST", "/tts", json={"text": "Hello there."})
            else:
                sent = form(reference(), name="anna", text=SAYS)
                refusal = await door.refused("POST", "/voices", data=sent)
            assert refusal.status == 503
            assert "Read-only" in refusal.message
            assert words(await ask(door.server, say("Still speaking."))) == 2


async def test_an_upload_that_does_not_fit_on_the_disk_is_told(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door:
        pid = door.server.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (100_000, before[1]))
        refusal = await door.refused("POST", "/stt", data=form(recording(120.0)))
        assert refusal.status == 503
        assert "File too large" in refusal.message
        refusal = await door.refused("POST", "/tts", json={"text": "Long. " * 40})
        assert refusal.status == 503
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        async with door.client.post(f"{door.url}/stt", data=form(recording(0.5))) as reply:
            assert reply.status == 200


async def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    config = only_fakes(tmp_path, tts={"options": {"abilities": ["clone", "design"]}})
    names = []
    for number in range(3):
        process = await start(tmp_path, config, uri="tcp://127.0.0.1:0", http="127.0.0.1:0")
        try:
            url = await _url(process)
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=DEADLINE)) as client:
                async with client.post(f"{url}/tts", json={"text": f"Number {number} is kept."}) as reply:
                    made = await reply.json()
                async with client.post(
                    f"{url}/voices", data=form(reference(), name=f"anna{number}", text=SAYS)
                ) as reply:
                    assert reply.status == 201
                    process.kill()
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        names.append(made["url"].rpartition("/")[2])
    async with open_door(tmp_path, tts={"options": {"abilities": ["clone", "design"]}}) as door:
        for name in names:
            async with door.client.get(f"{door.url}/outputs/{name}") as reply:
                assert soundfile.info(io.BytesIO(await reply.read())).duration > 0.2
        async with door.client.get(f"{door.url}/voices") as reply:
            listed = {voice["id"] for voice in (await reply.json())["voices"]}
        assert {"anna0", "anna1", "anna2"} <= listed
        async with door.client.post(f"{door.url}/tts/wav", json={"text": "It speaks.", "voice": "anna1"}) as reply:
            assert reply.status == 200


async def _url(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE):
        while line := (await process.stdout.readline()).decode():
            if "HTTP API" in line:
                return line.split()[-1]
    raise AssertionError("the server ended before it was ready")


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
