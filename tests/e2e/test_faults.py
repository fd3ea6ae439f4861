"""What goes wrong beneath the server, in the middle of speaking and of hearing.

A client sees exactly one of: the right answer, a clear error, or, once audio has gone out, an early end that is marked
as an error. Nothing that was acknowledged is lost.
"""

import io
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
import soundfile

from tests.bridge.door import Door, form, open_door, recording
from tests.e2e.dialogue import answer, ask, kinds, loud, record, refused, say, stream, transcript, words
from tests.e2e.faults import CODES, HEARING, SPEAKING, Outcome, spoken
from tests.process import read_until, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    folder = tmp_path_factory.mktemp("faults")
    quick = {"step_timeout": 1.0}
    async with open_door(folder, tts=quick, asr=quick, languages=["en", "ru"]) as opened:
        yield opened


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
            assert (await reply.json())["error"]["code"] in CODES
    assert outcome in outcomes
    assert words(await ask(door.server, say("Sound again."))) == 2


@pytest.mark.parametrize("prompt", HEARING)
async def test_a_fault_while_it_hears_is_a_right_answer_or_an_error(door: Door, prompt: str) -> None:
    right = HEARING[prompt]
    seen = await ask(door.server, *record(loud(0.5), language="en", context={"prompt": prompt}))
    if right is None:
        code, text = refused(seen)
        assert code in CODES
        assert len(text) > 20
        assert "transcript" not in kinds(seen), "half a transcript is not taken for a whole one"
    else:
        assert transcript(seen) == right
    async with door.client.post(f"{door.url}/stt", data=form(recording(0.5), prompt=prompt)) as reply:
        told = await reply.json()
        if right is None:
            assert reply.status in (500, 502, 503, 504)
            assert told["error"]["code"] in CODES
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
        assert code in CODES
        await until(lambda gone=stopped: not gone.is_running())  # type: ignore[misc]
