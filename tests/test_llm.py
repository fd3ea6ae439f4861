"""The language model itself, against a real server in a process of its own: when it is asked, and when it is not."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.llm_server import LlmServer, llm_server
from tests.process import until
from wyoming_voice.llm import Llm


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with llm_server() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def llm(server: LlmServer, tmp_path: Path, clock: Clock) -> AsyncIterator[Llm]:
    model = Llm(server.write_settings(tmp_path, first_token_timeout=2.0, timeout=3.0), clock)
    await model.warm()
    yield model
    await model.aclose()


async def ask(llm: Llm, text: str) -> str | None:
    return await llm.reply("tts", "en", text)


async def test_a_model_that_was_down_is_found_again(
    llm: Llm, server: LlmServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    assert await ask(llm, "Is it on?") == "IS IT ON?"
    server.stop()
    assert await ask(llm, "Is it on?") is None
    server.start_again()
    assert await ask(llm, "Is it on?") is None  # it is left alone for a while
    assert server.texts() == []
    clock.now += 5
    assert await ask(llm, "Is it on?") == "IS IT ON?"
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [
        f"The language model is left out for a while: {server.url}/v1 cannot be reached, or broke off",
        "The language model answers again",
    ]


async def test_after_a_pause_one_question_decides(llm: Llm, server: LlmServer, clock: Clock) -> None:
    server.behave("500")
    assert await ask(llm, "One.") is None
    clock.now += 5
    assert await asyncio.gather(*(ask(llm, f"Number {n}.") for n in range(5))) == [None] * 5
    assert len(server.texts()) == 2
    clock.now += 5
    assert await ask(llm, "Too early.") is None
    server.behave("shout")
    clock.now += 5
    assert await ask(llm, "Now.") == "NOW."


async def test_a_try_that_is_cancelled_blocks_nobody(llm: Llm, server: LlmServer, clock: Clock) -> None:
    server.behave("500")
    await ask(llm, "One.")
    clock.now += 5
    server.behave("silent")
    task = asyncio.create_task(ask(llm, "Two."))
    await until(lambda: len(server.texts()) == 2)
    task.cancel()
    await asyncio.wait([task])
    server.behave("shout")
    assert await ask(llm, "Three.") == "THREE."


async def test_three_useless_replies_in_a_row_are_a_failure(llm: Llm, server: LlmServer) -> None:
    server.behave("refuses")
    for _ in range(5):
        assert await ask(llm, "Open it.") is None
    assert len(server.texts()) == 3


async def test_a_slow_beginning_and_a_slow_answer_have_their_own_times(
    server: LlmServer, tmp_path: Path, clock: Clock
) -> None:
    loop = asyncio.get_running_loop()
    for how, seconds in (("silent", 0.3), ("stalls", 0.6)):
        model = Llm(server.write_settings(tmp_path, first_token_timeout=0.3, timeout=0.6), clock)
        await model.warm()
        server.behave("shout")
        assert await ask(model, "Ready?") == "READY?"
        server.behave(how)
        began = loop.time()
        assert await ask(model, "Hello.") is None
        assert seconds <= loop.time() - began < seconds + 1
        await model.aclose()


async def test_the_key_comes_from_the_environment(
    server: LlmServer, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = Llm(server.write_settings(tmp_path, api_key_env="VOICE_TEST_KEY"), clock)
    assert await ask(model, "One.") is None
    assert "VOICE_TEST_KEY" in caplog.text
    clock.now += 5
    monkeypatch.setenv("VOICE_TEST_KEY", "secret-of-the-test")
    assert await ask(model, "Two.") == "TWO."
    assert server.seen()["asked"][-1]["key"] == "Bearer secret-of-the-test"
    assert "secret-of-the-test" not in caplog.text
    await model.aclose()
