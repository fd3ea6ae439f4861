"""What a server says of itself, at any moment, and the events that need no work."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from wyoming.event import Event
from wyoming.info import Describe, Info, SelectProgram
from wyoming.ping import Ping, Pong

from tests.e2e.dialogue import answer, ask, ask_on, kinds, loud, peer, record, refused, say, stream, words
from tests.process import ServerProcess, log_line, only_fakes, read_until, run_server
from wyoming_voice.engines.table import TABLE

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("info")
    config = only_fakes(folder)
    engines = config["engines"]
    assert isinstance(engines, dict)
    del engines["espeak"], engines["moonshine"]  # used when installed, as in a configuration that says nothing
    async with run_server(folder, config) as running:
        yield running


async def info_of(server: ServerProcess) -> Info:
    return Info.from_event((await ask(server, Describe().event()))[0])


async def test_one_program_speaks_with_the_voices_of_all_engines_and_one_hears(server: ServerProcess) -> None:
    info = await info_of(server)
    (tts,), (asr,) = info.tts, info.asr
    assert {voice.name.partition("-")[0] for voice in tts.voices} == {"espeak", "fake"}
    assert {model.name for model in asr.models} == {"moonshine", "fake-ears"}
    assert (tts.name, asr.name) == ("wyoming-voice", "wyoming-voice")
    assert tts.installed
    assert asr.installed
    assert tts.supports_synthesize_streaming
    assert asr.supports_transcript_streaming
    assert info.satellite is None  # with one, Home Assistant would set up nothing else
    assert not [*info.wake, *info.handle, *info.intent]


async def test_no_worker_is_needed_to_say_what_there_is(tmp_path: Path) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path)) as server:
        assert (await info_of(server)).tts
        assert server.workers() == []


async def test_only_the_languages_of_the_user_are_offered(server: ServerProcess) -> None:
    info = await info_of(server)
    offered = [one.languages for one in info.tts[0].voices] + [one.languages for one in info.asr[0].models]
    assert {language.partition("-")[0] for languages in offered for language in languages} == {"ru", "en"}
    assert "fake-de" not in {voice.name for voice in info.tts[0].voices}


async def test_every_voice_can_be_chosen_and_listed(server: ServerProcess) -> None:
    voices = (await info_of(server)).tts[0].voices
    assert len({voice.name for voice in voices}) == len(voices)
    for voice in voices:
        assert voice.installed
        assert voice.languages
        assert voice.description
        assert voice.attribution.name
        assert voice.attribution.url


async def test_names_stay_the_same(server: ServerProcess, tmp_path: Path) -> None:
    first = await info_of(server)
    assert await info_of(server) == first
    engines = {spec.name: {"enabled": False} for spec in TABLE if spec.name not in ("espeak", "moonshine")}
    async with run_server(tmp_path, {"engines": engines}) as another:
        assert await info_of(another) == first


async def test_the_name_of_the_program_can_be_set(tmp_path: Path) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path, server={"name": "голос"})) as server:
        assert {program.name for program in [*(await info_of(server)).tts, *(await info_of(server)).asr]} == {"голос"}


async def test_an_engine_that_loads_for_ever_keeps_nobody_from_the_info(tmp_path: Path) -> None:
    config = only_fakes(tmp_path, tts={"preload": True, "options": {"slow_to_load": True}})
    async with run_server(tmp_path, config) as server, server.client() as waiting:
        await waiting.write_event(say("Somebody waits for it."))
        await log_line(server.log, "loads")
        assert len((await info_of(server)).tts[0].voices) == 2
        assert kinds(await ask_on(waiting, Describe().event())) == ["info"]


async def test_engines_at_work_keep_nobody_from_the_info(server: ServerProcess) -> None:
    async with server.client() as busy:
        await busy.write_event(say("endless", {"name": "fake-en"}))
        await read_until(busy, "audio-chunk")
        assert (await info_of(server)).tts
        await busy.write_event(Describe().event())
        assert "info" in kinds(await read_until(busy, "info"))
        await busy.write_event(Ping(text="still here?").event())
        assert (await read_until(busy, "pong"))[-1].data == {"text": "still here?"}


async def test_the_old_style_of_one_line_is_understood(server: ServerProcess) -> None:
    for sent in (b'{"type":"describe"}\n', b'\n{"type": "describe", "data": null}\r\n'):
        async with peer(server, sent) as (reader, _writer):
            assert b'"type": "info"' in await reader.readline()


async def test_a_health_check_need_not_even_end_its_line(server: ServerProcess) -> None:
    async with peer(server, b'{"type":"describe"}') as (reader, writer):
        writer.write_eof()
        assert b'"wyoming-voice"' in await reader.read()


async def test_the_program_there_is_can_be_selected(server: ServerProcess) -> None:
    async with server.client() as client:
        await client.write_event(SelectProgram(name="wyoming-voice").event())
        assert words(await ask_on(client, say("Two words.", {"name": "fake-en"}))) == 2
        heard = await ask_on(client, *record(loud(0.5), name="fake-ears", language="en"))
        assert kinds(heard)[-2:] == ["transcript", "transcript-stop"]


async def test_a_program_that_is_not_there_is_refused(server: ServerProcess) -> None:
    async with server.client() as client:
        await client.write_event(SelectProgram(name="piper").event())
        code, text = refused(await answer(client, "info"))
    assert code == "unknown-engine"
    assert "wyoming-voice" in text


async def test_a_ping_is_answered_with_its_text_and_without(server: ServerProcess) -> None:
    async with server.client() as client:
        await client.write_event(Ping().event())
        assert Pong.from_event((await read_until(client, "pong"))[0]).text is None
        for _ in range(200):
            await client.write_event(Ping(text="привет").event())
        for _ in range(200):
            assert (await read_until(client, "pong"))[0].data == {"text": "привет"}


@pytest.mark.parametrize(
    "kind", ["run-satellite", "detect", "played", "recognize", "a-new-event", "error", "transcript"]
)
async def test_events_of_other_services_are_dropped(server: ServerProcess, kind: str) -> None:
    async with server.client() as client:
        for place in ("before", "after"):
            await client.write_event(Event(type=kind, data={"place": place}, payload=b"x" * 1000))
            assert kinds(await ask_on(client, Describe().event())) == ["info"]


async def test_events_of_other_services_in_the_middle_of_a_request_are_dropped(server: ServerProcess) -> None:
    strange = Event(type="voice-started", data={"timestamp": 0})
    async with server.client() as client:
        start, *rest = stream("One two ", "three.", voice={"name": "fake-en"})
        assert words(await ask_on(client, start, strange, *rest)) == 3
        start, *rest = record(loud(0.5), name="fake-ears", language="en")
        assert kinds(await ask_on(client, start, strange, *rest))[-1] == "transcript-stop"
