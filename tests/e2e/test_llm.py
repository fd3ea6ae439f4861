"""A language model before speech, over real sockets: it never stands in the way, and nothing is said twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from wyoming.event import Event

from tests.bridge.door import open_door
from tests.e2e.dialogue import ask, say, stream
from tests.llm_server import LlmServer, llm_server
from tests.process import ServerProcess, log_line, log_lines, only_fakes, read_until, run_server, until

TEXT = "This is the first one. And a second follows. Then a third."


@pytest.fixture
def llm() -> Iterator[LlmServer]:
    with llm_server() as running:
        yield running


@pytest_asyncio.fixture
async def server(tmp_path: Path, llm: LlmServer) -> AsyncIterator[ServerProcess]:
    settings = llm.write_settings(tmp_path / "llm", first_token_timeout=0.5, timeout=1.0)
    text = {"llm": {"use_llm_tts": True, "settings": str(settings)}}
    async with run_server(tmp_path, only_fakes(tmp_path, text=text, languages=["en", "ru"])) as running:
        yield running


def spoken(server: ServerProcess) -> list[str]:
    return [line.removeprefix("begin ") for line in log_lines(server.log) if line.startswith("begin ")]


def in_context(text: str, **asked: object) -> Event:
    return say(text, context=asked)


async def test_the_models_words_are_spoken(server: ServerProcess, llm: LlmServer) -> None:
    await ask(server, say(TEXT))
    assert spoken(server) == ["THIS IS THE FIRST ONE.", "AND A SECOND FOLLOWS.", "THEN A THIRD."]
    last = llm.seen()["asked"][-1]
    assert [message["role"] for message in last["messages"]] == ["system", *["user", "assistant"] * 2, "user"]
    assert last["messages"][0]["content"] == "You are tts.en."


async def test_the_first_sentence_is_spoken_before_the_model_is_done(server: ServerProcess, llm: LlmServer) -> None:
    llm.behave("second waits")
    async with server.client() as client:
        await client.write_event(say("One comes first. The second waits."))
        await log_line(server.log, "end ONE COMES FIRST.")
        assert spoken(server) == ["ONE COMES FIRST."]
        llm.open()
        await read_until(client, "audio-stop")
    assert spoken(server) == ["ONE COMES FIRST.", "THE SECOND WAITS."]


async def test_text_that_arrives_is_rewritten_while_it_does(server: ServerProcess) -> None:
    async with server.client() as client:
        events = list(stream("Is it on? Ye", "s, it ", "is."))
        for event in events[:2]:
            await client.write_event(event)
        await log_line(server.log, "end IS IT ON?")
        for event in events[2:]:
            await client.write_event(event)
        await read_until(client, "synthesize-stopped")
    assert spoken(server) == ["IS IT ON?", "YES, IT IS."]


FAILURES = ["500", "401", "429", "page", "silent", "stalls", "breaks", "ends early", "junk", "odd", "error"]


@pytest.mark.parametrize("how", FAILURES)
async def test_a_model_that_fails_is_warned_of_once_and_left_alone(
    server: ServerProcess, llm: LlmServer, how: str
) -> None:
    llm.behave(how)
    await ask(server, say(TEXT))
    await ask(server, say("A later one."))
    assert spoken(server) == ["This is the first one.", "And a second follows.", "Then a third.", "A later one."]
    assert len(llm.texts()) == 1
    assert server.complained.count("language model") == 1
    assert "first one" not in server.complained


@pytest.mark.parametrize("how", ["empty", "refuses", "too long", "endless", "cut"])
async def test_nonsense_is_not_spoken(server: ServerProcess, llm: LlmServer, how: str) -> None:
    llm.behave(how)
    await ask(server, say("One. Two of them."))
    llm.behave("shout")
    await ask(server, say("And another one."))
    assert spoken(server) == ["One.", "Two of them.", "AND ANOTHER ONE."]
    assert server.complained.count("language model") == 1


async def test_what_a_model_thinks_aloud_is_not_spoken(server: ServerProcess, llm: LlmServer) -> None:
    llm.behave("thinks")
    await ask(server, say("Is it on?"))
    assert spoken(server) == ["IS IT ON?"]


async def test_a_failure_in_the_middle_says_nothing_twice(server: ServerProcess, llm: LlmServer) -> None:
    llm.behave("second waits")
    await ask(server, say(TEXT))
    assert spoken(server) == ["THIS IS THE FIRST ONE.", "And a second follows.", "Then a third."]


async def test_a_server_that_is_down_is_done_without(server: ServerProcess, llm: LlmServer) -> None:
    llm.stop()
    await ask(server, say("It is down."))
    assert spoken(server) == ["It is down."]
    llm.start_again()


async def test_cancelling_closes_the_models_stream(server: ServerProcess, llm: LlmServer) -> None:
    llm.behave("silent")
    async with server.client() as client:
        await client.write_event(say("Leave it."))
        await until(lambda: llm.texts() == ["Leave it."])
    await until(lambda: llm.seen()["left"] == 1)
    llm.behave("shout")
    await ask(server, say("Come back."))
    assert spoken(server) == ["COME BACK."]


async def test_a_request_may_do_without(server: ServerProcess, llm: LlmServer) -> None:
    await ask(server, in_context("It is five.", use_llm_tts=False))
    await ask(server, in_context("It is six.", use_llm=False))
    assert spoken(server) == ["It is five.", "It is six."]
    assert llm.texts() == []


async def test_prompts_and_settings_are_read_again_when_they_change(server: ServerProcess, llm: LlmServer) -> None:
    await ask(server, say("One."))
    (server.folder / "llm" / "prompts" / "tts.en.txt").write_text("Shout louder, please.")
    await ask(server, say("Two."))
    assert llm.seen()["asked"][-1]["messages"][0]["content"] == "Shout louder, please."
    llm.write_settings(server.folder / "llm", model="another-one", temperature=None, max_tokens=None)
    await ask(server, say("Привет."))
    asked = llm.seen()["asked"][-1]
    assert (asked["model"], "temperature" in asked, "max_tokens" in asked) == ("another-one", False, False)
    assert asked["messages"][0]["content"] == "You are tts.ru."


async def test_settings_that_are_wrong_are_told_and_done_without(server: ServerProcess) -> None:
    (server.folder / "llm" / "settings.yml").write_text("base_url: nowhere")
    await asyncio.gather(*(ask(server, say("Nothing there.")) for _ in range(3)))
    assert spoken(server) == ["Nothing there."] * 3
    assert server.complained.count("settings.yml: base_url") == 1


async def test_over_http_the_model_is_asked_once_and_its_words_are_told(tmp_path: Path, llm: LlmServer) -> None:
    settings = llm.write_settings(tmp_path / "llm")
    outputs = {"folder": str(tmp_path / "outputs")}
    async with open_door(tmp_path, text={"llm": {"settings": str(settings)}}, outputs=outputs) as door:
        asked = {"text": "Is it on? Yes.", "use_llm_tts": True}
        async with door.client.post(f"{door.url}/tts", json=asked) as reply:
            assert (await reply.json())["processed_text"] == "IS IT ON? YES."
        assert llm.texts() == ["Is it on?", "Yes."]
        async with door.client.post(f"{door.url}/tts/wav", json={"text": "Is it off?", "use_llm": True}) as reply:
            assert reply.headers["X-Processed-Text-Length"] == "10"
            await reply.read()
        async with door.client.ws_connect(f"{door.url}/tts/speak-streaming?use_llm_tts=true") as socket:
            await socket.send_json({"type": "Speak", "text": "So it is."})
            await socket.send_json({"type": "Close"})
            async for _ in socket:
                pass
        async with door.client.post(f"{door.url}/tts", json={"text": "Without it."}) as reply:
            assert (await reply.json())["processed_text"] == "Without it."
    assert llm.texts() == ["Is it on?", "Yes.", "Is it off?", "So it is."]
