"""A worker process from its launcher to its end, spoken to by our client and by the stock one."""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import psutil
import pytest
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.event import Event
from wyoming.tts import Synthesize

from tests.process import FAKE, log_line, log_lines, read_until, until
from wyoming_voice import client
from wyoming_voice.engines.protocol import Heard, Segment, Word
from wyoming_voice.engines.table import EngineSpec
from wyoming_voice.errors import BadRequest, EngineUnavailable, Internal, WorkerLost
from wyoming_voice.handover import EngineThread
from wyoming_voice.launch import ProcessLauncher, ProcessWorker
from wyoming_voice.server import Server
from wyoming_voice.worker import LIMITS, WorkerSession

SECONDS = 20.0


def spec(task: str) -> EngineSpec:
    sys.path.insert(0, str(FAKE))
    try:
        found = getattr(import_module("fake_engine"), "TTS" if task == "tts" else "ASR")
    finally:
        sys.path.remove(str(FAKE))
    assert isinstance(found, EngineSpec)
    return found


@asynccontextmanager
async def run_worker(
    folder: Path, task: str = "tts", options: Mapping[str, object] | None = None, seconds: float = SECONDS
) -> AsyncIterator[ProcessWorker]:
    with ProcessLauncher(folder) as launcher:
        worker = await launcher.start(spec(task), {"log": str(folder / "log"), **(options or {})}, seconds)
        ended = asyncio.create_task(worker.ended())
        try:
            yield worker
        finally:
            await worker.stop()
            await ended
            assert not psutil.pid_exists(worker.pid)


@pytest.fixture(autouse=True)
def fake_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(FAKE))


async def speak(worker: ProcessWorker, text: str) -> bytes:
    async with client.synthesize(worker.uri, Segment(text=text, voice="en"), SECONDS) as audio:
        return b"".join([chunk.audio async for chunk in audio])


async def test_a_segment_is_spoken(tmp_path: Path) -> None:
    async with run_worker(tmp_path) as worker:
        assert len(await speak(worker, "three small words")) == 3 * 3200
        assert await speak(worker, "nothing") == b""
        assert len(await speak(worker, "long")) == 600 * 3200


async def test_the_stock_client_can_speak_to_it(tmp_path: Path) -> None:
    async with run_worker(tmp_path) as worker, AsyncClient.from_uri(worker.uri, read_timeout=SECONDS) as stock:
        await stock.write_event(Synthesize(text="two words").event())
        events = await read_until(stock, "audio-stop")
    assert AudioStart.is_type(events[0].type)
    assert sum(AudioChunk.from_event(event).samples for event in events[1:-1]) == 2 * 1600


async def test_an_engine_that_has_no_sound_yet_says_that_it_is_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wyoming_voice.jobs._LIFE", 0.0)
    heard, sound = threading.Event(), AudioChunk(rate=16_000, width=2, channels=1, audio=b"\1\0")

    class Ponderous:
        def synthesize(self, _segment: Segment) -> Iterator[AudioChunk]:
            while not heard.wait(0.002):  # a step of a model
                yield replace(sound, audio=b"")
            yield sound

    thread = EngineThread()
    async with (
        Server(f"unix://{tmp_path}/worker.sock", lambda: WorkerSession(Ponderous(), "tts", thread), LIMITS) as server,
        client.synthesize(server.uris[0], Segment(text="well", voice="en"), SECONDS) as audio,
    ):
        assert (await anext(audio)).audio == b""
        heard.set()
        assert b"".join([chunk.audio async for chunk in audio]) == sound.audio


async def test_a_worker_that_is_stopped_while_it_computes_is_no_news(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with (
        run_worker(tmp_path) as worker,
        client.synthesize(worker.uri, Segment(text="freeze", voice="en"), SECONDS),
    ):
        await log_line(tmp_path / "log", "begin freeze")
    assert "SIGKILL" not in caplog.text


async def test_as_many_are_spoken_at_once_as_the_engine_has_seats(tmp_path: Path) -> None:
    endless = [Segment(text=f"endless {name}", voice="en") for name in ("one", "two")]
    async with run_worker(tmp_path, options={"batch": 2}) as worker:
        async with (
            client.synthesize(worker.uri, endless[0], SECONDS) as first,
            client.synthesize(worker.uri, endless[1], SECONDS) as second,
        ):
            for _ in range(3):
                await anext(first)
                await anext(second)
            await log_line(tmp_path / "log", "batch of 2")
            third = asyncio.create_task(speak(worker, "a third"))
        assert len(await third) == 2 * 3200, "it has the seat of one that left"


async def test_leaving_closes_the_engine_within_a_step(tmp_path: Path) -> None:
    async with run_worker(tmp_path) as worker:
        async with client.synthesize(worker.uri, Segment(text="endless", voice="en"), SECONDS) as audio:
            await anext(audio)
        await log_line(tmp_path / "log", "closed endless")
        assert await speak(worker, "again")


async def test_a_reader_that_is_slow_holds_the_engine_back(tmp_path: Path) -> None:
    async with run_worker(tmp_path) as worker:
        async with client.synthesize(worker.uri, Segment(text="long", voice="en"), SECONDS) as audio:
            await anext(audio)
            await asyncio.sleep(0.3)  # time enough to make it all
            assert "end long" not in log_lines(tmp_path / "log")
            rest = [chunk async for chunk in audio]
        assert sum(len(chunk.audio) for chunk in rest) > 500 * 3200
        await log_line(tmp_path / "log", "end long")


@pytest.mark.parametrize(
    ("text", "error"), [("refuse", BadRequest), ("mistake", Internal), ("crash", WorkerLost), ("stumble", WorkerLost)]
)
async def test_what_goes_wrong_in_the_engine_is_told(tmp_path: Path, text: str, error: type[Exception]) -> None:
    async with run_worker(tmp_path) as worker:
        with pytest.raises(error):
            await speak(worker, text)
        if error in (BadRequest, Internal):
            assert await speak(worker, "again")


async def test_an_engine_that_hangs_meets_the_step_deadline(tmp_path: Path) -> None:
    async with run_worker(tmp_path) as worker:
        with pytest.raises(WorkerLost, match="in time"):
            async with client.synthesize(worker.uri, Segment(text="hang", voice="en"), 0.2) as audio:
                await anext(audio)


async def test_a_hanging_worker_ends_all_the_same(tmp_path: Path) -> None:
    async with run_worker(tmp_path) as worker:
        async with client.synthesize(worker.uri, Segment(text="hang", voice="en"), SECONDS):
            await log_line(tmp_path / "log", "begin hang")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"broken": True}, "mend it"),
        ({"mute": True}, "does not load .exit status 7."),
    ],
)
async def test_an_engine_that_does_not_load_says_why(tmp_path: Path, options: dict[str, bool], text: str) -> None:
    with pytest.raises(EngineUnavailable, match=text):
        async with run_worker(tmp_path, options=options):
            pass


async def test_an_engine_that_loads_for_ever_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="start_timeout"):
        async with run_worker(tmp_path, options={"slow_to_load": True}, seconds=0.5):
            pass


async def test_a_piece_is_heard_with_its_words(tmp_path: Path) -> None:
    loud = (16_384).to_bytes(2, "little") * 16_000
    async with run_worker(tmp_path, "asr") as worker:
        async with client.transcribe(
            worker.uri, loud, SECONDS, language="ru", prompt="about cats", terms=("Мурка",)
        ) as pieces:
            heard = [piece async for piece in pieces]
        async with client.transcribe(worker.uri, b"", SECONDS) as pieces:
            assert [piece async for piece in pieces] == []
    assert heard[0] == Heard("1.0 seconds", 0.0, 1.0, "ru", (Word("seconds", 0.0, 1.0, 0.5),))
    assert heard[1].text == " at 0.50"
    assert log_lines(tmp_path / "log")[0] == "hear 1.00 ru about cats Мурка"


async def test_the_stock_client_hears_the_whole_transcript(tmp_path: Path) -> None:
    async with run_worker(tmp_path, "asr") as worker, AsyncClient.from_uri(worker.uri, read_timeout=SECONDS) as stock:
        await stock.write_event(Transcribe(language="en").event())
        await stock.write_event(AudioStart(rate=16_000, width=2, channels=1).event())
        await stock.write_event(AudioChunk(rate=16_000, width=2, channels=1, audio=b"\0\x40" * 8000).event())
        await stock.write_event(AudioStop().event())
        events = await read_until(stock, "transcript-stop")
    kinds = [event.type for event in events]
    assert kinds == ["transcript-start", "transcript-chunk", "transcript-chunk", "transcript", "transcript-stop"]
    assert Transcript.from_event(events[3]).text == "0.5 seconds at 0.50"


async def test_a_worker_hears_only_its_own_format(tmp_path: Path) -> None:
    async with run_worker(tmp_path, "asr") as worker, AsyncClient.from_uri(worker.uri, read_timeout=SECONDS) as stock:
        await stock.write_event(AudioStart(rate=44_100, width=2, channels=2).event())
        await stock.write_event(AudioChunk(rate=44_100, width=2, channels=2, audio=b"\0" * 8).event())
        event = await stock.read_event()
    assert event is not None
    assert event.data["code"] == "bad-request"


async def test_a_worker_refuses_what_is_none_of_its_work(tmp_path: Path) -> None:
    async with run_worker(tmp_path) as worker, AsyncClient.from_uri(worker.uri, read_timeout=SECONDS) as stock:
        await stock.write_event(Event(type="describe"))
        assert [event.type for event in await read_until(stock, "info")] == ["info"]
        await stock.write_event(Event(type="transcribe"))
        event = await stock.read_event()
    assert event is not None
    assert event.type == "error"


async def test_a_worker_ends_when_its_parent_dies(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys, os; from pathlib import Path\n"
        "from wyoming_voice.launch import ProcessLauncher; from fake_engine import TTS\n"
        "async def main():\n"
        "    worker = await ProcessLauncher(Path('.')).start(TTS, {}, 20)\n"
        "    print(worker.pid, flush=True); os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    root = Path(__file__).resolve().parent.parent
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{FAKE}"},
        cwd=tmp_path,
    )
    out, _ = await parent.communicate()
    worker = int(out)
    await until(lambda: not psutil.pid_exists(worker) or psutil.Process(worker).status() == psutil.STATUS_ZOMBIE)


async def test_a_connection_to_nothing_is_a_lost_worker(tmp_path: Path) -> None:
    with pytest.raises(WorkerLost, match="broke the connection"):
        async with client.synthesize(f"unix://{tmp_path}/none.sock", Segment(text="x", voice=""), SECONDS):
            pass


async def test_what_an_engine_warns_of_is_logged_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    warned: list[str] = []
    with ProcessLauncher(tmp_path, warned.append) as launcher, caplog.at_level(logging.WARNING):
        worker = await launcher.start(spec("tts"), {}, SECONDS)
        ended = asyncio.create_task(worker.ended())
        assert await speak(worker, "warn")
        await worker.stop()
        await ended
    assert warned == ["fake"]
    assert [message for message in caplog.messages if "cut" in message] == ["fake-1: speech was cut"]
    assert "nobody needs to know" not in caplog.text
