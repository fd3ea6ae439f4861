"""Other Wyoming servers as engines, by address: ours, a worker, and one that comes and goes."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from wyoming.event import Event
from wyoming.info import Info

from tests.e2e.dialogue import answer, ask, kinds, loud, record, refused, say, stream, transcript, words
from tests.process import ServerProcess, log_line, log_lines, only_fakes, read_until, run_server, until
from wyoming_voice.engines.table import TABLE

ALONE: dict[str, object] = {spec.name: {"enabled": False} for spec in TABLE}


def away(uri: str, **more: object) -> dict[str, object]:
    """A configuration whose one engine is elsewhere."""
    return {"engines": {**ALONE, "far": {"uri": uri, **more}}, "languages": ["en", "ru"]}


async def voices(server: ServerProcess) -> list[str]:
    info = Info.from_event((await ask(server, Event(type="describe")))[0])
    return [voice.name for program in info.tts for voice in program.voices]


async def until_offered(server: ServerProcess, voice: str, *, seconds: float = 30.0) -> None:
    """Wait for a voice: the server asks the others again every now and then."""

    async def offered() -> bool:
        return voice in await voices(server)

    await until(offered, seconds)


@asynccontextmanager
async def pair(folder: Path, **near: Any) -> AsyncIterator[tuple[ServerProcess, ServerProcess]]:
    """Run a server with the fake engines and one that has the first as its engine."""
    (folder / "far").mkdir()
    config = only_fakes(folder / "far", languages=["en", "ru"], server={"drain_timeout": 0.2})
    async with run_server(folder / "far", config) as far:
        async with run_server(folder / "near", away(far.uri, **near), fake=False) as server:
            await until_offered(server, "fake-en")
            yield server, far


async def test_a_server_elsewhere_speaks_and_hears_through_us(tmp_path: Path) -> None:
    async with pair(tmp_path) as (server, far):
        assert await voices(server) == ["fake-ru", "fake-en"]
        info = Info.from_event((await ask(server, Event(type="describe")))[0])
        assert info.tts[0].voices[1].description == "Fake (en) (far)"
        assert [(model.name, sorted(model.languages)) for model in info.asr[0].models] == [("far", ["en", "ru"])]
        assert info.asr[0].installed

        assert words(await ask(server, say("Said from afar. And again."))) == 5
        assert "as Said from afar.: en None None 1 1 None False" in log_lines(far.log)
        await ask(server, say("Quickly.", {"name": "fake-ru"}, context={"speed": 2, "style": "sad"}))
        assert "as Quickly.: ru None None 2 1 sad False" in log_lines(far.log)
        assert words(await ask(server, *stream("Streamed ", "from afar."))) == 3

        asked = {"language": "ru", "context": {"prompt": "cats"}, "transcript_terms": ["Мурка"]}
        assert transcript(await ask(server, *record(loud(1.0), **asked))) == "1.0 seconds at 0.50"  # type: ignore[arg-type]  # none of them is a format
        assert log_lines(far.log)[-1] == "hear 1.00 ru cats Мурка"
        assert server.workers() == []

        events = await ask(server, say("Refuse"))
        assert refused(events) == ("bad-request", "The fake engine does not say that.")
        assert kinds(events) == ["error", "audio-stop"]

        async with server.client() as client:
            await client.write_event(say("Endless"))
            await read_until(client, "audio-chunk")
        await log_line(far.log, "closed Endless")  # leaving us is leaving them


async def test_what_a_server_elsewhere_is_used_for_can_be_chosen(tmp_path: Path) -> None:
    async with pair(tmp_path, task="tts", voices=["fake-en"]) as (server, _far):
        assert await voices(server) == ["fake-en"]
        events = await ask(server, *record(loud(0.5), language="en"))
        assert refused(events)[0] == "engine-unavailable"


async def test_a_server_elsewhere_dies_and_comes_again(tmp_path: Path) -> None:
    async with pair(tmp_path) as (server, far):
        port = far.port
        async with server.client() as client:
            await client.write_event(say("Endless"))
            await read_until(client, "audio-chunk")
            far.process.terminate()
            await far.wait()
            code, why = refused(await answer(client, "audio-stop"))
        assert code in ("worker-lost", "engine-unavailable")
        code, why = refused(await ask(server, say("Nobody there.")))
        assert code == "engine-unavailable"
        assert f"The engine far does not answer at tcp://127.0.0.1:{port}. Is it running?" in why
        assert await voices(server), "its voices stay: what a client has stored of them remains right"
        again = tmp_path / "again"
        again.mkdir()
        async with run_server(again, only_fakes(again), uri=f"tcp://127.0.0.1:{port}"):
            assert words(await ask(server, say("There again."))) == 2


async def test_a_server_that_is_not_there_yet_keeps_nobody_waiting_and_is_found_when_it_comes(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    async with run_server(tmp_path / "near", away(uri, preload=True), fake=False) as server:
        assert await voices(server) == []
        assert refused(await ask(server, say("Nobody yet.")))[0] == "engine-unavailable"
        async with run_server(tmp_path / "far", only_fakes(tmp_path / "far"), uri=uri):
            await until_offered(server, "fake-en")
            assert words(await ask(server, say("Here now."))) == 2


@pytest.mark.parametrize(
    "answer_of_it", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b'{"type": "info", "data": {"tts": [{}]}}\n']
)
async def test_a_stranger_at_the_address_is_no_engine(tmp_path: Path, answer_of_it: bytes) -> None:
    async def strange(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer_of_it)
        writer.close()

    async with await asyncio.start_server(strange, "127.0.0.1", 0) as stranger:
        port = stranger.sockets[0].getsockname()[1]
        async with run_server(tmp_path, away(f"tcp://127.0.0.1:{port}"), fake=False) as server:
            assert await voices(server) == []
            assert refused(await ask(server, say("Hello.")))[0] == "engine-unavailable"
