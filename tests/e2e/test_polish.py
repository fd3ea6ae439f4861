"""What becomes of a transcript after recognition, at every front door: raw and processed are both there."""

import json
import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from wyoming.event import Event

from tests.bridge.door import Door, events, form, open_door, recording
from tests.conftest import Speech
from tests.e2e.dialogue import ask, loud, record
from tests.llm_server import LlmServer, llm_server

HEARD = "dictate включи алиаса двадцать пять"


@pytest.fixture
def llm() -> Iterator[LlmServer]:
    with llm_server() as running:
        yield running


@pytest_asyncio.fixture
async def door(tmp_path: Path, llm: LlmServer) -> AsyncIterator[Door]:
    settings = llm.write_settings(tmp_path / "llm", first_token_timeout=1.0, timeout=2.0)
    text = {"llm": {"settings": str(settings)}}
    outputs = {"folder": str(tmp_path / "outputs"), "save_stt": True}
    async with open_door(tmp_path, text=text, outputs=outputs, listening={"terms": ["Алиса"]}) as door:
        yield door


async def hear(door: Door, **fields: str) -> dict[str, Any]:
    async with door.client.post(f"{door.url}/stt", data=form(recording(), prompt=HEARD, **fields)) as reply:
        found: dict[str, Any] = await reply.json()
        assert reply.status == 200, found
        return found


async def transcribe(door: Door, **context: object) -> Event:
    found = await ask(door.server, *record(loud(0.5), context={"prompt": HEARD, **context}))
    return next(event for event in found if event.type == "transcript")


async def test_without_a_wish_a_transcript_is_as_it_was_recognised(door: Door) -> None:
    found = await hear(door)
    assert found["text"] == found["raw_text"] == "включи алиаса двадцать пять"
    assert (await transcribe(door)).data == {"text": "включи алиаса двадцать пять", "language": "ru"}


async def test_each_step_can_be_asked_for(door: Door, llm: LlmServer) -> None:
    raw = "включи алиаса двадцать пять"
    assert (await hear(door, correct_terms="true"))["text"] == "включи Алиса двадцать пять"
    assert (await hear(door, digits="true"))["text"] == "включи алиаса 25"
    assert (await hear(door, use_llm="true"))["text"] == raw.upper()
    found = await hear(door, correct_terms="true", digits="true", use_llm_stt="true")
    assert (found["raw_text"], found["text"]) == (raw, "ВКЛЮЧИ АЛИСА 25")
    prompt = llm.seen()["asked"][-1]["messages"][0]["content"]
    assert prompt == f"You are stt.ru.\nAbout: {HEARD}\nTerms: Алиса"
    assert Path(found["raw_path"]).read_text("utf-8") == raw
    assert Path(found["path"]).read_text("utf-8") == "ВКЛЮЧИ АЛИСА 25"
    assert Path(found["raw_path"]).name == Path(found["path"]).name.replace(".txt", "_raw.txt")


async def test_wyoming_has_both(door: Door) -> None:
    transcript = await transcribe(door, digits=True, correct_terms=True, use_llm=True)
    assert transcript.data["text"] == "ВКЛЮЧИ АЛИСА 25"
    assert transcript.data["raw_text"] == "включи алиаса двадцать пять"


@pytest.mark.parametrize("how", ["500", "silent", "refuses", "too long", "breaks"])
async def test_a_model_that_fails_leaves_the_transcript(door: Door, llm: LlmServer, how: str) -> None:
    llm.behave(how)
    found = await hear(door, use_llm_stt="true")
    assert found["text"] == found["raw_text"] == "включи алиаса двадцать пять"
    assert door.server.complained.count("language model") == 1
    assert "алиаса" not in door.server.complained


@pytest.mark.speech
async def test_a_socket_has_both(tmp_path: Path, speech: Speech) -> None:
    with wave.open(str(speech.path("en_jfk_16k.wav"))) as file:
        spoken = file.readframes(2 * 16_000)
    async with open_door(tmp_path, listening={"digits": True}) as door:
        address = f"{door.url}/stt/listen-streaming?interim_results=false&prompt={HEARD}"
        async with door.client.ws_connect(address) as socket:
            await socket.send_bytes(spoken)
            await socket.send_str(json.dumps({"type": "Close"}))
            said = [json.loads(message.data) async for message in socket]
    told = [one for one in said if one["type"] == "Final"]
    assert told
    assert {(one["text"], one["raw"]) for one in told} == {("включи алиаса 25", "включи алиаса двадцать пять")}


async def test_openai_has_the_processed_text(tmp_path: Path) -> None:
    async with open_door(tmp_path, listening={"digits": True}) as door:
        fields = {"prompt": HEARD, "model": "whisper-1"}
        async with door.client.post(f"{door.url}/v1/audio/transcriptions", data=form(recording(), **fields)) as reply:
            assert (await reply.json())["text"] == "включи алиаса 25"
        data = form(recording(), **fields, stream="true")
        async with door.client.post(f"{door.url}/v1/audio/transcriptions", data=data) as reply:
            told = events(await reply.read())
        assert told[-1] == {"type": "transcript.text.done", "text": "включи алиаса 25"}
