"""A client that leaves, in every state: its engine is free within one step, and the next client is served."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from wyoming.event import Event

from tests.e2e.dialogue import answer, ask, loud, peer, record, say, stream, transcript, words
from tests.process import ServerProcess, log_line, log_lines, only_fakes, read_until, run_server

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("cancel")
    async with run_server(folder, only_fakes(folder, languages=["en", "ru"])) as running:
        yield running
        assert len(running.workers()) == 2  # one that speaks and one that hears: nobody's leaving cost a worker


@pytest.fixture(autouse=True)
async def _the_next_client_is_served(server: ServerProcess) -> AsyncIterator[None]:
    yield
    assert words(await ask(server, say("Who is next?"))) == 3
    assert transcript(await ask(server, *record(loud(0.5), language="en"))) == "0.5 seconds at 0.50"


async def test_in_the_middle_of_the_audio(server: ServerProcess) -> None:
    async with server.client() as client:
        await client.write_event(say("Endless middle"))
        await read_until(client, "audio-chunk")
    await log_line(server.log, "closed Endless middle")


async def test_by_a_reset(server: ServerProcess) -> None:
    async with peer(server, b'{"type": "synthesize", "data": {"text": "Endless reset"}}\n', reads=False):
        await log_line(server.log, "begin Endless reset")  # it leaves with audio unread: no orderly end
    await log_line(server.log, "closed Endless reset")


async def test_before_the_first_audio(server: ServerProcess) -> None:
    async with server.client() as client:
        await client.write_event(say("Sealed first-audio."))
        await log_line(server.log, "at first-audio")
    server.log.with_name("first-audio").touch()  # the step under way ends, and soon no other one is asked for
    await log_line(server.log, "closed Sealed first-audio.")


async def test_while_it_waits_for_its_turn(server: ServerProcess) -> None:
    async with server.client() as busy:
        await busy.write_event(say("Gate waiting."))
        await log_line(server.log, "at waiting")
        async with server.client() as client:
            await client.write_event(say("Never begun."))
            await client.write_event(Event(type="ping"))
            await read_until(client, "pong")  # it has been read, so the request before it has its place
        server.log.with_name("waiting").touch()
        await answer(busy, "audio-stop")
    await ask(server, say("After that."))
    assert "begin Never begun." not in log_lines(server.log)


async def test_between_the_sentences_of_a_text(server: ServerProcess) -> None:
    async with server.client() as client:
        await client.write_event(say("Gate between. Not said any more."))
        await log_line(server.log, "at between")
    server.log.with_name("between").touch()  # whether its worker knows by then that the client has left is a race
    await ask(server, say("After this one."))
    assert "begin Not said any more." not in log_lines(server.log)


async def test_while_its_text_arrives(server: ServerProcess) -> None:
    start, chunk, *_ = stream("Some text arrives. And then no mo")
    async with server.client() as client:
        await client.write_event(start)
        await client.write_event(chunk)
        await read_until(client, "audio-chunk")
    await ask(server, say("After the text."))
    assert not [line for line in log_lines(server.log) if "And then" in line]


async def test_before_there_is_any_text(server: ServerProcess) -> None:
    async with server.client() as client:
        await client.write_event(next(stream()))


async def test_in_the_middle_of_streamed_audio(server: ServerProcess) -> None:
    start, chunk, *_ = stream("Endless stream. More.")
    async with server.client() as client:
        await client.write_event(start)
        await client.write_event(chunk)
        await read_until(client, "audio-chunk")
    await log_line(server.log, "closed Endless stream.")


async def test_while_it_uploads_audio(server: ServerProcess) -> None:
    begun = [*record(loud(2.0), language="en", context={"prompt": "uploading"})][:-1]
    async with server.client() as client:
        for event in begun:
            await client.write_event(event)
    await ask(server, *record(loud(0.5), language="en"))
    assert not [line for line in log_lines(server.log) if "uploading" in line]


async def test_in_the_middle_of_an_event(server: ServerProcess) -> None:
    async with peer(server, b'{"type": "audio-chunk", "payload_length": 1000}\nonly a part') as (_reader, writer):
        await writer.drain()


async def test_while_it_is_listened_to(server: ServerProcess) -> None:
    async with server.client() as client:
        for event in record(loud(0.5), language="en", context={"prompt": "endless listening"}):
            await client.write_event(event)
        await read_until(client, "transcript-chunk")
    await log_line(server.log, "closed endless listening")


async def test_before_anything_is_heard(server: ServerProcess) -> None:
    async with server.client() as client:
        for event in record(loud(0.5), language="en", context={"prompt": "closed unheard"}):
            await client.write_event(event)
        await log_line(server.log, "at unheard")
    server.log.with_name("unheard").touch()


async def test_again_and_again(server: ServerProcess) -> None:
    for _ in range(20):
        async with server.client() as client:
            await client.write_event(say("Endless again"))
            await read_until(client, "audio-start")
    await log_line(server.log, "closed Endless again", count=20)
