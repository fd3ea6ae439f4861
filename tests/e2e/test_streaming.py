"""Text that arrives while it is spoken, as Home Assistant sends it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from wyoming.event import Event
from wyoming.tts import SynthesizeChunk, SynthesizeStart, SynthesizeStop, SynthesizeVoice

from tests.e2e.dialogue import answer, ask, ask_on, kinds, pcm, refused, say, stream, words
from tests.process import ServerProcess, log_line, log_lines, only_fakes, read_until, run_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "Good morning, Dr. Smith. It is 7.30 and 21.5 degrees outside! «Shall I open the blinds?»\n\nHave a nice day"
WHOLE = ["audio-start", "audio-chunk", "audio-stop", "synthesize-stopped"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("streaming")
    config = only_fakes(folder, limits={"text": 500}, languages=["en", "ru"])
    async with run_server(folder, config) as running:
        yield running


def spoken(server: ServerProcess) -> list[str]:
    return [line.removeprefix("begin ") for line in log_lines(server.log) if line.startswith("begin ")]


def chunk(text: str) -> Event:
    return SynthesizeChunk(text=text).event()


async def test_a_stream_is_spoken_once_although_the_whole_text_comes_again(server: ServerProcess) -> None:
    before = len(spoken(server))
    events = await ask(server, *stream("A streamed answer. ", "Spoken once."))
    assert kinds(events) == WHOLE
    assert words(events) == 5
    assert spoken(server)[before:] == ["A streamed answer.", "Spoken once."]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 60, 500])
async def test_it_makes_no_difference_where_the_text_was_cut(server: ServerProcess, size: int) -> None:
    before = len(spoken(server))
    plain = pcm(await ask(server, say(TEXT)))
    middle = len(spoken(server))
    events = await ask(server, *stream(*(TEXT[start : start + size] for start in range(0, len(TEXT), size))))
    assert kinds(events) == WHOLE
    assert pcm(events) == plain
    assert spoken(server)[middle:] == spoken(server)[before:middle]


async def test_the_first_sentence_is_heard_while_the_rest_has_not_been_sent(server: ServerProcess) -> None:
    async with server.client() as client:
        await client.write_event(SynthesizeStart(voice=SynthesizeVoice(name="fake-en")).event())
        await client.write_event(chunk("The first sentence is there. And the se"))
        first = [await client.read_event() for _ in range(2)]
        assert [event.type for event in first if event] == ["audio-start", "audio-chunk"]
        assert "begin The first sentence is there." in log_lines(server.log)
        await client.write_event(chunk("cond one follows. The third"))
        await log_line(server.log, "begin And the second one follows.")
        await client.write_event(SynthesizeStop().event())
        rest = await answer(client, "synthesize-stopped")
        assert kinds(rest) == WHOLE[1:]
        assert spoken(server)[-1] == "The third"


async def test_a_stream_without_words_is_answered_like_any_other(server: ServerProcess) -> None:
    for chunks in ((), ("",), (" ", "\n", "🙂"), ("**", "**")):
        assert kinds(await ask(server, *stream(*chunks))) == ["audio-start", "audio-stop", "synthesize-stopped"]


async def test_a_stream_need_not_repeat_its_text(server: ServerProcess) -> None:
    start, *middle, _again, stop = stream("No text comes again.")
    assert words(await ask(server, start, *middle, stop)) == 4


async def test_requests_follow_a_stream_on_its_connection(server: ServerProcess) -> None:
    async with server.client() as client:
        for count in range(1, 4):
            assert words(await ask_on(client, *stream(*["word "] * count))) == count
            assert words(await ask_on(client, say("Plain and simple."))) == 3


async def test_an_error_in_the_middle_ends_audio_and_stream(server: ServerProcess) -> None:
    async with server.client() as client:
        for event in stream("All is well. ", "Refuse this. ", "Never said."):
            await client.write_event(event)
        events = await answer(client, "synthesize-stopped")
    assert kinds(events) == ["audio-start", "audio-chunk", "error", "audio-stop", "synthesize-stopped"]
    assert refused(events) == ("bad-request", "The fake engine does not say that.")
    assert "begin Never said." not in log_lines(server.log)


async def test_an_error_comes_before_the_text_is_complete_and_what_follows_is_dropped(server: ServerProcess) -> None:
    async with server.client() as client:
        await client.write_event(SynthesizeStart().event())
        await client.write_event(chunk("Refuse that. Then "))
        events = await read_until(client, "synthesize-stopped")
        assert refused(events)[0] == "bad-request"
        for _ in range(100):  # a model that goes on talking
            await client.write_event(chunk("some more "))
        assert await client.read_event() is None


async def test_a_stream_over_the_limit_is_refused_as_soon_as_it_is(server: ServerProcess) -> None:
    async with server.client() as client:
        await client.write_event(SynthesizeStart().event())
        for _ in range(51):
            await client.write_event(chunk("ten chars "))
        events = await answer(client, "synthesize-stopped")
    assert refused(events)[0] == "too-large"
    assert kinds(events)[-3:] == ["error", "audio-stop", "synthesize-stopped"]


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (chunk("a"), "without a 'synthesize-start'"),
        (SynthesizeStop().event(), "without a 'synthesize-start'"),
        (Event(type="audio-stop"), "without an 'audio-start'"),
        (Event(type="audio-chunk", data={"rate": 16000, "width": 2, "channels": 1}, payload=b"ab"), "'audio-start'"),
    ],
)
async def test_a_middle_without_a_start_is_an_error(server: ServerProcess, sent: Event, why: str) -> None:
    async with server.client() as client:
        await client.write_event(sent)
        code, text = refused(await answer(client, "audio-stop"))
    assert code == "bad-request"
    assert why in text


@pytest.mark.parametrize("data", [{"text": 5}, {}, {"text": None}])
async def test_a_chunk_that_is_no_text_ends_the_stream(server: ServerProcess, data: dict[str, object]) -> None:
    events = await ask(server, SynthesizeStart().event(), Event(type="synthesize-chunk", data=data))
    assert refused(events)[0] == "bad-request"
    assert kinds(events) == ["error", "audio-stop", "synthesize-stopped"]


@pytest.mark.parametrize("kind", ["synthesize-start", "transcribe", "audio-start"])
async def test_a_second_request_in_the_middle_of_a_stream_is_one_too_many(server: ServerProcess, kind: str) -> None:
    async with server.client() as client:
        await client.write_event(SynthesizeStart().event())
        await client.write_event(Event(type=kind, data={"rate": 16_000, "width": 2, "channels": 1}))
        events = await answer(client, "synthesize-stopped")
    assert "One request at a time" in refused(events)[1]
    assert kinds(events) == ["error", "audio-stop", "synthesize-stopped"]


async def test_a_stream_of_ssml_is_one_document(server: ServerProcess) -> None:
    before = len(spoken(server))
    document = "<speak><s>One sentence</s><s>and <sub alias='another'>a.</sub> one</s></speak>"
    events = await ask(server, *stream(*document, text_format="ssml"))
    assert kinds(events) == WHOLE
    assert spoken(server)[before:] == ["One sentence", "and another one"]


async def test_markdown_cut_in_the_middle_of_its_marks_is_not_read_aloud(server: ServerProcess) -> None:
    before = len(spoken(server))
    await ask(server, *stream("This is *", "*bold*", "* and a [li", "nk](https://exam", "ple.org). ", "🧑\u200d", "🚀"))
    assert spoken(server)[before:] == ["This is bold and a link."]


async def test_many_streams_at_once_keep_their_words_apart(server: ServerProcess) -> None:
    async def one(count: int) -> float:
        return words(await ask(server, *stream(*["word. "] * count)))

    assert await asyncio.gather(*(one(count) for count in range(1, 13))) == list(range(1, 13))
