"""From an engine's thread to the event loop."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from wyoming_voice import handover
from wyoming_voice.handover import EngineThread, Handover


@pytest.fixture
def for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its first take the reader gets nothing by itself."""
    monkeypatch.setattr(handover, "_PAUSE", 1e6)


def _one(_item: str) -> int:
    return 1


async def _put(steps: Handover[str], *items: str) -> None:
    for item in items:
        await asyncio.to_thread(steps.put, item)


async def test_first_step_is_handed_over_at_once(for_ever: None) -> None:
    steps: Handover[str] = Handover(10, _one)
    reading = asyncio.ensure_future(anext(steps))
    await _put(steps, "a")
    assert await reading == ["a"]


async def test_steps_that_follow_soon_come_together_at_the_end(for_ever: None) -> None:
    steps: Handover[str] = Handover(100, _one)
    await _put(steps, "a")
    assert await anext(steps) == ["a"]
    reading = asyncio.ensure_future(anext(steps))
    await _put(steps, "b", "c")
    assert not reading.done()
    steps.end()
    assert await reading == ["b", "c"]
    with pytest.raises(StopAsyncIteration):
        await anext(steps)


async def test_half_the_room_is_handed_over_before_the_engine_has_to_wait(for_ever: None) -> None:
    steps: Handover[str] = Handover(4, _one)
    await _put(steps, "a")
    assert await anext(steps) == ["a"]
    reading = asyncio.ensure_future(anext(steps))
    await _put(steps, "b", "c")
    assert await reading == ["b", "c"]


async def test_steps_come_after_the_pause_without_another_step() -> None:
    steps: Handover[str] = Handover(100, _one)
    await _put(steps, "a")
    assert await anext(steps) == ["a"]
    await _put(steps, "b")
    assert await anext(steps) == ["b"]


async def test_error_is_raised_after_the_steps_before_it(for_ever: None) -> None:
    steps: Handover[str] = Handover(100, _one)
    await _put(steps, "a", "b")
    steps.end(RuntimeError("broken"))
    assert await anext(steps) == ["a", "b"]
    with pytest.raises(RuntimeError, match="broken"):
        await anext(steps)


# The engine's thread


class Made:
    """What an engine has made of its texts, in one row, and which of them were closed early."""

    def __init__(self) -> None:
        self.row = ""
        self.closed: list[str] = []
        self.change = threading.Event()

    def text(self, letter: str, count: int, error: Exception | None = None) -> Callable[[], Iterator[str]]:
        def steps() -> Iterator[str]:
            try:
                for _ in range(count):
                    self.row += letter
                    yield letter
                if error is not None:
                    raise error
            except GeneratorExit:
                self.closed.append(letter)
                self.change.set()
                raise

        return steps


@pytest.fixture
def made() -> Made:
    return Made()


@asynccontextmanager
async def held(thread: EngineThread) -> AsyncIterator[None]:
    """Keep the thread from working inside the block, so that what is asked there is all there at once."""
    gate = threading.Event()
    holding = asyncio.create_task(thread.call(gate.wait))
    await asyncio.sleep(0)
    try:
        yield
    finally:
        gate.set()
        await holding


async def all_of(steps: Handover[str]) -> str:
    return "".join([step async for some in steps for step in some])


@pytest.mark.parametrize(("seats", "row"), [(1, "aaabbcd"), (2, "ababacd"), (3, "abcabda"), (9, "abcdaba")])
async def test_as_many_as_there_are_seats_step_in_turn_and_the_others_wait_in_order(
    made: Made, seats: int, row: str
) -> None:
    thread = EngineThread(seats)
    async with AsyncExitStack() as stack:
        async with held(thread):
            texts = [
                await stack.enter_async_context(thread.steps(made.text(letter, count), limit=100, weigh=_one))
                for letter, count in (("a", 3), ("b", 2), ("c", 1), ("d", 1))
            ]
        assert [await all_of(steps) for steps in texts] == ["aaa", "bb", "c", "d"]
    assert made.row == row
    await thread.call(lambda: None)
    assert thread.idle
    assert made.closed == []


async def test_a_new_text_is_first_in_the_next_round(made: Made) -> None:
    thread, at_gate, gate = EngineThread(3), threading.Event(), threading.Event()

    def waits() -> Iterator[str]:
        yield from made.text("x", 1)()
        at_gate.set()
        gate.wait()
        yield from made.text("x", 1)()

    async with AsyncExitStack() as stack:

        async def ask(begin: Callable[[], Iterator[str]]) -> Handover[str]:
            return await stack.enter_async_context(thread.steps(begin, limit=100, weigh=_one))

        async with held(thread):
            texts = [await ask(waits), await ask(made.text("a", 3))]
        assert await asyncio.to_thread(at_gate.wait, 10)
        texts.append(await ask(made.text("b", 2)))
        gate.set()
        assert [await all_of(steps) for steps in texts] == ["xx", "aaa", "bb"]
    assert made.row == "xaxa" + "ba" + "b"


async def test_a_reader_that_is_behind_holds_nobody_else_up(made: Made) -> None:
    thread = EngineThread(2)
    async with (
        thread.steps(made.text("a", 5), limit=2, weigh=_one) as slow,
        thread.steps(made.text("b", 50), limit=100, weigh=_one) as quick,
    ):
        assert await all_of(quick) == "b" * 50
        assert made.row.count("a") == 2
        assert await all_of(slow) == "a" * 5


async def test_when_all_readers_are_behind_the_engine_waits_for_any(made: Made) -> None:
    thread = EngineThread(2)
    async with (
        thread.steps(made.text("a", 20), limit=1, weigh=_one) as first,
        thread.steps(made.text("b", 20), limit=1, weigh=_one) as second,
    ):
        for _ in range(20):
            assert await anext(first) == ["a"]
        assert made.row.count("b") == 1
        assert not thread.idle
        assert await all_of(second) == "b" * 20


async def test_a_reader_that_leaves_has_its_text_closed_and_makes_room(made: Made) -> None:
    thread = EngineThread(2)
    async with thread.steps(made.text("b", 3), limit=1, weigh=_one) as other:
        async with thread.steps(made.text("a", 1000), limit=3, weigh=_one) as steps:
            assert (await anext(steps))[0] == "a"
            waiting = thread.steps(made.text("c", 2), limit=100, weigh=_one)
            third = await waiting.__aenter__()
        assert await asyncio.to_thread(made.change.wait, 10)
        assert await all_of(third) == "cc"
        await waiting.__aexit__(None, None, None)
        assert await all_of(other) == "bbb"
    assert made.closed == ["a"]
    assert made.row.count("a") < 1000


async def test_a_text_that_nobody_waits_for_any_more_is_not_begun(made: Made) -> None:
    thread = EngineThread(2)
    async with held(thread), thread.steps(made.text("a", 3), limit=100, weigh=_one):
        pass
    async with thread.steps(made.text("b", 3), limit=100, weigh=_one) as steps:
        assert await all_of(steps) == "bbb"
    assert made.row == "bbb"


async def test_an_error_ends_one_text_only(made: Made) -> None:
    thread = EngineThread(3)

    def fails() -> Iterator[str]:
        raise ValueError("no such voice")

    async with (
        thread.steps(made.text("a", 2, RuntimeError("broken")), limit=100, weigh=_one) as broken,
        thread.steps(made.text("b", 9), limit=100, weigh=_one) as other,
        thread.steps(fails, limit=100, weigh=_one) as never,
    ):
        assert await all_of(other) == "b" * 9
        with pytest.raises(RuntimeError, match="broken"):
            await all_of(broken)
        with pytest.raises(ValueError, match="no such voice"):
            await all_of(never)


async def test_a_mistake_in_closing_is_of_no_account_to_the_others(made: Made) -> None:
    thread = EngineThread(2)

    class Unclosable:
        def __iter__(self) -> "Unclosable":
            return self

        def __next__(self) -> str:
            return "a"

        def close(self) -> None:
            raise OSError("a library that cannot stop")

    async with thread.steps(made.text("b", 5), limit=1, weigh=_one) as other:
        async with thread.steps(Unclosable, limit=3, weigh=_one) as steps:
            assert (await anext(steps))[0] == "a"
        assert await all_of(other) == "bbbbb"


async def test_many_at_once_all_get_everything(made: Made) -> None:
    thread = EngineThread(4)

    async def read(number: int) -> str:
        async with thread.steps(made.text(chr(97 + number), 100), limit=1 + number % 7, weigh=_one) as steps:
            return await all_of(steps)

    for number, text in enumerate(await asyncio.gather(*map(read, range(20)))):
        assert text == chr(97 + number) * 100
    await thread.call(lambda: None)
    assert thread.idle
