"""What goes wrong beneath the server, in the middle of speaking and of hearing.

A client sees exactly one of: the right answer, a clear error, or, once audio has gone out, an early end that is marked
as an error. Nothing that was acknowledged is lost.
"""

import asyncio
import io
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Literal

import aiohttp
import pytest
import pytest_asyncio
import soundfile
from wyoming.event import Event

from tests.bridge.door import Door, form, open_door, recording
from tests.e2e.dialogue import answer, ask, kinds, loud, record, refused, say, stream, transcript, words
from tests.process import only_fakes, read_until, run_server, until

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
