"""``synthesize``: one text, one voice, one answer. The fake engine tells how it was asked."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from wyoming.audio import AudioStart
from wyoming.event import Event

from tests.e2e.dialogue import ask, ask_on, kinds, pcm, peer, refused, say, stream, words
from tests.process import ServerProcess, log_line, log_lines, only_fakes, read_until, run_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 350


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("speaking")
    async with run_server(folder, only_fakes(folder, limits={"text": LIMIT}, languages=["en", "ru"])) as running:
        yield running


def spoken(server: ServerProcess) -> list[str]:
    return [line.removeprefix("begin ") for line in log_lines(server.log) if line.startswith("begin ")]


async def test_a_text_is_spoken_between_a_start_and_a_stop(server: ServerProcess) -> None:
    events = await ask(server, say("Three small words."))
    assert kinds(events) == ["audio-start", "audio-chunk", "audio-stop"]
    start = AudioStart.from_event(events[0])
    assert (start.rate, start.width, start.channels) == (16_000, 2, 1)
    assert words(events) == 3


async def test_sentences_go_to_the_engine_one_by_one_and_come_back_as_one_stream(server: ServerProcess) -> None:
    events = await ask(server, say("First things first. And second the second! Is there a third?"))
    assert kinds(events) == ["audio-start", "audio-chunk", "audio-stop"]
    assert words(events) == 11
    assert spoken(server)[-3:] == ["First things first.", "And second the second!", "Is there a third?"]


@pytest.mark.parametrize("text", ["", "   \n\t ", "🙂🙂 👍", "...!?", "—", "***", "#", "\u200b", "```\n```", "nothing"])
async def test_nothing_to_say_is_an_answer_too(server: ServerProcess, text: str) -> None:
    async with server.client() as client:
        events = await ask_on(client, say(text))
        assert kinds(events) == ["audio-start", "audio-stop"]
        assert AudioStart.from_event(events[0]).rate > 0
        assert words(await ask_on(client, say("Something then."))) == 2


async def test_requests_follow_one_another_on_a_connection(server: ServerProcess) -> None:
    async with server.client() as client:
        for count in (1, 2, 3, 1, 5):
            assert words(await ask_on(client, say("word " * count))) == count


async def test_a_text_at_the_limit_is_spoken_and_one_over_it_is_refused(server: ServerProcess) -> None:
    text = ("word " * LIMIT)[: LIMIT - 1] + "s"
    assert words(await ask(server, say(text))) == LIMIT // 5
    events = await ask(server, say(text + "!"))
    assert kinds(events) == ["error", "audio-stop"]
    code, why = refused(events)
    assert code == "too-large"
    assert f"{LIMIT} characters" in why
    assert "limits.text" in why


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("This is **very** _important_ `code`.", "This is very important code."),
        ("# A heading\n\n* first item\n* second item\n", "A heading"),
        ("Good morning 🌞! 👋", "Good morning!"),
        ("See [the manual](https://example.org/a?b=c#d) first.", "See the manual first."),
        ("Привет, **мир** 🙂!", "Привет, мир!"),
    ],
)
async def test_marks_of_markdown_emoji_and_addresses_are_not_read_aloud(
    server: ServerProcess, text: str, heard: str
) -> None:
    before = len(spoken(server))
    await ask(server, say(text))
    said = spoken(server)[before:]
    assert said[0].replace(" !", "!") == heard  # where an emoji was, a space may be left
    assert not set("".join(said)) & set("*_`#[]()/🌞👋🙂")


async def test_all_that_the_context_says_of_how_to_speak_reaches_the_engine(server: ServerProcess) -> None:
    context = {"speed": 1.5, "pitch": 0.5, "style": "cheerful", "seed": 2**32 - 1, "else": {"nested": [1]}}
    await ask(server, say("With feeling.", context=context))
    assert "as With feeling.: en None None 1.5 0.5 cheerful False" in log_lines(server.log)
    assert "seed With feeling.: 4294967295" in log_lines(server.log)
    await ask(server, *stream("In a ", "stream.", context={"seed": 0}))
    assert "seed In a stream.: 0" in log_lines(server.log)
    await ask(server, say("Without.", context=None))
    assert "as Without.: en None None 1 1 None False" in log_lines(server.log)


async def test_ssml_is_stripped_for_an_engine_that_does_not_understand_it(server: ServerProcess) -> None:
    before = len(spoken(server))
    document = '<?xml version="1.0"?><speak><p>Plain <emphasis level="strong">words</emphasis></p> for R&amp;D</speak>'
    assert words(await ask(server, say(document, text_format="ssml"))) == 6  # "R and D"
    assert " ".join(spoken(server)[before:]) == "Plain words for R and D"


_BOMB = '<!DOCTYPE s [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 5}">' for n in range(3)
)


@pytest.mark.parametrize(
    "document",
    [
        "<speak>not closed",
        "<speak>R & D</speak>",
        "</speak><speak>",
        _BOMB + "]><speak>&d;</speak>",
        '<!DOCTYPE s [<!ENTITY f SYSTEM "file:///etc/passwd">]><speak>&f;</speak>',
        "<b>" * 101,
        "<speak>&nbsp;</speak>",
    ],
)
async def test_ssml_that_is_none_is_refused_with_what_is_wrong(server: ServerProcess, document: str) -> None:
    assert len(document) <= LIMIT
    events = await ask(server, say(document, text_format="ssml"))
    code, why = refused(events)
    assert code == "bad-request"
    assert "SSML" in why
    assert kinds(events) == ["error", "audio-stop"]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"text": None},
        {"text": 5},
        {"text": ["a"]},
        {"text": "a", "voice": "fake-en"},
        {"text": "a", "voice": {"name": 5}},
        {"text": "a", "voice": {"language": ["en"]}},
        {"text": "a", "text_format": "html"},
        {"text": "a", "text_format": 1},
        {"text": "a", "context": [1]},
        {"text": "a", "context": {"speed": "fast"}},
        {"text": "a", "context": {"speed": 0}},
        {"text": "a", "context": {"speed": 1000}},
        {"text": "a", "context": {"speed": True}},
        {"text": "a", "context": {"pitch": -1}},
        {"text": "a", "context": {"style": {}}},
        {"text": "a", "context": {"seed": -1}},
        {"text": "a", "context": {"seed": 2**32}},
        {"text": "a", "context": {"seed": 0.5}},
    ],
)
async def test_a_wrong_request_is_told_why_and_the_connection_ends(
    server: ServerProcess, data: dict[str, object]
) -> None:
    events = await ask(server, Event(type="synthesize", data=data))
    assert kinds(events) == ["error", "audio-stop"]
    code, why = refused(events)
    assert code == "bad-request"
    assert why.endswith((".", ";"))


@pytest.mark.parametrize("sent", [b"hello\n", b"[]\n", b'{"type": 5}\n', b'{"type": "synthesize", "data": [1]}\n'])
async def test_what_is_no_event_is_told_so_and_the_connection_ends(server: ServerProcess, sent: bytes) -> None:
    async with peer(server, sent) as (reader, _writer):
        assert b'"bad-request"' in await reader.read()


async def test_half_a_letter_is_spoken_around(server: ServerProcess) -> None:
    async with peer(server, b'{"type": "synthesize", "data": {"text": "Half \\ud83d a letter."}}\n') as (
        reader,
        _writer,
    ):
        assert b'"audio-start"' in await reader.readline()


async def test_an_error_of_the_engine_is_told_in_its_own_words(server: ServerProcess) -> None:
    events = await ask(server, say("refuse"))
    assert refused(events) == ("bad-request", "The fake engine does not say that.")
    assert kinds(events) == ["error", "audio-stop"]


async def test_a_mistake_in_the_engine_is_told_without_its_details_and_harms_nobody(server: ServerProcess) -> None:
    await ask(server, say("Somebody first."))
    workers = server.workers()
    events = await ask(server, say("mistake"))
    code, why = refused(events)
    assert code == "internal"
    assert "a mistake in the engine" not in why
    assert kinds(events) == ["error", "audio-stop"]
    assert words(await ask(server, say("Somebody else."))) == 2
    assert server.workers() == workers


async def test_an_error_in_the_middle_ends_the_audio(server: ServerProcess) -> None:
    events = await ask(server, say("This is fine. Refuse this one."))
    assert kinds(events) == ["audio-start", "audio-chunk", "error", "audio-stop"]
    assert words(events) == 3


async def test_two_requests_at_once_are_one_too_many(server: ServerProcess) -> None:
    async with server.client() as client:
        await client.write_event(say("endless and one"))
        await read_until(client, "audio-chunk")
        await client.write_event(say("Two."))
        events = await read_until(client, "audio-stop")
        code, why = refused(events)
        assert await client.read_event() is None
    assert code == "bad-request"
    assert "One request at a time" in why
    await log_line(server.log, "closed endless and one")


async def test_the_audio_of_a_longer_answer_arrives_whole(server: ServerProcess) -> None:
    events = await ask(server, say("long"))
    assert len(pcm(events)) == 600 * 3200
    assert max(len(event.payload or b"") for event in events) <= 65_536  # small clients take it
