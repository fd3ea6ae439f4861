"""Speech that arrives as it is spoken: recognised ahead at a pause, and ended by the server where that is asked for."""

import asyncio
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

import pytest
import pytest_asyncio
from wyoming.asr import Transcribe
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.event import Event

from tests.e2e.dialogue import answer, ask, kinds, loud, record, transcript
from tests.process import ServerProcess, log_line, log_lines, only_fakes, run_server
from wyoming_voice.audio import Converter, PcmFormat
from wyoming_voice.engines.espeak import Espeak
from wyoming_voice.engines.protocol import Segment
from wyoming_voice.listening import HEARD

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOUND = {"rate": 16_000, "width": 2, "channels": 1}


@cache
def speech() -> bytes:
    """About 0.7 s in which somebody speaks, without the silence around it."""
    chunks = list(Espeak({"rate": 220}).synthesize(Segment("good morning", "en-us", language="en")))
    converter = Converter(PcmFormat(chunks[0].rate, 2, 1), HEARD)
    pcm = b"".join(converter.feed(chunk.audio) for chunk in chunks) + converter.finish()
    assert 0.4 < len(pcm) / HEARD.byte_rate < 0.9
    return pcm


def silence(seconds: float) -> bytes:
    return bytes(round(seconds * HEARD.rate) * 2)


async def begin(client: AsyncTcpClient, pcm: bytes, **asked: object) -> None:
    """Begin a request whose audio comes as it is spoken."""
    await client.write_event(Event(type="transcribe", data={"language": "en", **asked}))
    await client.write_event(AudioStart(**SOUND).event())
    await send(client, pcm)


async def send(client: AsyncTcpClient, pcm: bytes) -> None:
    for start in range(0, len(pcm), 1024):
        chunk = pcm[start : start + 1024]
        await client.write_event(AudioChunk(audio=chunk, **SOUND).event())
        await asyncio.sleep(len(chunk) / HEARD.byte_rate)  # that is how long it takes to say it


def heard(server: ServerProcess) -> list[str]:
    return [line for line in log_lines(server.log) if line.startswith("hear ")]


async def prepared(server: ServerProcess) -> None:
    """Wait until the process that tells speech from silence is there, which loads beside the server's start."""
    await ask(server, *record(speech(), language="en", context={"endpointing": True}))  # it cannot do without


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("ahead")
    async with run_server(folder, only_fakes(folder, languages=["en"])) as running:
        await prepared(running)
        yield running


def client_of(server: ServerProcess) -> AsyncTcpClient:
    return AsyncTcpClient("127.0.0.1", server.port)


async def test_what_was_said_is_recognised_at_the_pause_and_not_again_at_the_end(server: ServerProcess) -> None:
    before = len(heard(server))
    pcm = speech() + silence(0.45)
    async with client_of(server) as client:
        await begin(client, pcm)
        await log_line(server.log, "hear ", before + 1)  # before the client has ended its audio
        await send(client, silence(0.2))
        await client.write_event(AudioStop().event())
        events = await answer(client, "transcript-stop")
    assert len(heard(server)) == before + 1
    assert "seconds at" in transcript(events)
    assert kinds(events) == ["transcript-start", "transcript-chunk", "transcript", "transcript-stop"]


async def test_recognising_ahead_can_be_switched_off(tmp_path: Path) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path, languages=["en"], listening={"ahead": False})) as server:
        async with client_of(server) as client:
            await begin(client, speech() + silence(0.7))
            await client.write_event(Event(type="ping"))
            await answer(client, "pong")
            assert heard(server) == []
            await client.write_event(AudioStop().event())
            assert "seconds at" in transcript(await answer(client, "transcript-stop"))
    assert len(heard(server)) == 1


async def test_speech_that_goes_on_is_recognised_whole(server: ServerProcess) -> None:
    before = len(heard(server))
    async with client_of(server) as client:
        await begin(client, speech() + silence(0.4))
        await log_line(server.log, "hear ", before + 1)
        await send(client, speech())
        await client.write_event(AudioStop().event())
        events = await answer(client, "transcript-stop")
    whole = (2 * len(speech()) + len(silence(0.4))) / HEARD.byte_rate
    assert transcript(events).startswith(f"{whole:.1f} seconds")


async def test_file_is_not_looked_ahead_in(server: ServerProcess) -> None:
    before = len(heard(server))
    events = await ask(server, *record(speech() + silence(3.0) + speech(), language="en"))
    assert "seconds at" in transcript(events)
    assert len(heard(server)) == before + 1


async def test_silence_reaches_no_engine(server: ServerProcess) -> None:
    before = len(heard(server))
    events = await ask(server, *record(loud(1.0, level=0.0005), language="en"))
    assert transcript(events) == ""
    assert kinds(events) == ["transcript-start", "transcript", "transcript-stop"]
    assert len(heard(server)) == before


async def test_pause_takes_no_turn_from_others(tmp_path: Path) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path, languages=["en"])) as server:
        await prepared(server)
        async with client_of(server) as busy, client_of(server) as client:
            context = {"prompt": "closed gate"}
            await busy.write_event(Transcribe(language="en", context=context).event())
            await busy.write_event(AudioStart(**SOUND).event())
            await busy.write_event(AudioChunk(audio=loud(0.5), **SOUND).event())
            await busy.write_event(AudioStop().event())
            await log_line(server.log, "at gate")
            await begin(client, speech() + silence(0.5))
            await client.write_event(Event(type="ping"))
            await answer(client, "pong")
            assert len(heard(server)) == 2
            (tmp_path / "gate").touch()
            await answer(busy, "transcript-stop")
            await client.write_event(AudioStop().event())
            events = await answer(client, "transcript-stop")
    assert "seconds at" in transcript(events)


@pytest.mark.parametrize("sensitivity", [None, "aggressive"])
async def test_server_that_finds_the_end_answers_before_the_client_ends(
    tmp_path: Path, sensitivity: str | None
) -> None:
    config = only_fakes(tmp_path, languages=["en"], listening={"endpointing": True})
    async with run_server(tmp_path, config) as server:
        await prepared(server)
        async with client_of(server) as client:
            await client.write_event(Event(type="describe"))
            info = (await answer(client, "info"))[-1]
            assert info.data["asr"][0]["requires_external_vad"] is False
            asked = {} if sensitivity is None else {"vad_sensitivity": sensitivity}
            pcm = speech() + silence(0.8 if sensitivity is None else 0.65)  # a command lasts a second at least
            await begin(client, pcm, **asked)
            events = await answer(client, "transcript-stop")
            assert "seconds at" in transcript(events), events
            # What the client sends until it has understood is dropped, and it may ask again.
            await client.write_event(AudioChunk(audio=silence(0.5), **SOUND).event())
            await client.write_event(AudioStop().event())
            await begin(client, speech() + silence(0.8))
            assert "seconds at" in transcript(await answer(client, "transcript-stop"))


async def test_request_may_ask_for_the_end_to_be_found(server: ServerProcess) -> None:
    async with client_of(server) as client:
        await begin(client, speech() + silence(0.75), context={"endpointing": True})
        assert "seconds at" in transcript(await answer(client, "transcript-stop"))


async def test_leaving_during_what_is_recognised_ahead_frees_the_engine(server: ServerProcess) -> None:
    before = len(heard(server))
    async with client_of(server) as client:
        await begin(client, speech() + silence(0.4), context={"prompt": "endless"})
        await log_line(server.log, "hear ", before + 1)
    async with asyncio.timeout(10):
        await log_line(server.log, "closed endless")
