"""From an engine's thread to the event loop."""

import asyncio
import threading
from collections.abc import Iterator

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
        assert await asyncio.to_thread(steps.put, item)


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


async def test_engine_waits_for_room_and_stops_when_its_reader_has_left() -> None:
    made: list[int] = []
    closed = threading.Event()

    def count() -> Iterator[int]:
        try:
            for number in range(1000):
                made.append(number)
                yield number
        finally:
            closed.set()

    thread = EngineThread()
    async with thread.steps(count, limit=3, weigh=lambda _number: 1) as steps:
        assert (await anext(steps))[0] == 0
    assert await asyncio.to_thread(closed.wait, 10)
    assert len(made) < 1000
