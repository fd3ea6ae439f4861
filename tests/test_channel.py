"""A bounded queue with an end."""

import asyncio

import pytest

from wyoming_voice.channel import Channel, Full


async def collect(channel: Channel[str]) -> list[str]:
    return [item async for item in channel]


async def test_everything_put_before_the_end_is_read() -> None:
    channel: Channel[str] = Channel(10, len)
    reader = asyncio.create_task(collect(channel))
    for item in ("one", "two", "three"):
        await channel.put(item)
    channel.close()
    assert await reader == ["one", "two", "three"]


async def test_a_writer_waits_for_room() -> None:
    channel: Channel[str] = Channel(4, len)
    await channel.put("abc")
    writer = asyncio.create_task(channel.put("de"))
    await asyncio.sleep(0)
    assert not writer.done()
    assert await anext(channel) == "abc"
    await writer
    assert channel.held == 2


async def test_a_heavy_item_fits_into_an_empty_channel() -> None:
    channel: Channel[str] = Channel(2, len)
    await channel.put("abcdef")
    assert await anext(channel) == "abcdef"


async def test_without_waiting_a_full_channel_refuses() -> None:
    channel: Channel[str] = Channel(2, len)
    channel.put_nowait("ab")
    with pytest.raises(Full):
        channel.put_nowait("c")


async def test_an_error_comes_after_what_was_put_before_it() -> None:
    channel: Channel[str] = Channel(9, len)
    channel.put_nowait("a")
    channel.close(ValueError("broken"))
    channel.close()
    assert await anext(channel) == "a"
    with pytest.raises(ValueError, match="broken"):
        await anext(channel)


async def test_a_cancelled_reader_loses_nothing() -> None:
    channel: Channel[str] = Channel(9, len)
    reader = asyncio.create_task(collect(channel))
    await asyncio.sleep(0)
    reader.cancel()
    await asyncio.wait([reader])
    channel.put_nowait("a")
    assert await anext(channel) == "a"


async def test_a_writer_can_wait_until_the_reader_has_caught_up() -> None:
    channel: Channel[str] = Channel(9, len)
    channel.put_nowait("abc")
    channel.put_nowait("de")
    waiting = asyncio.create_task(channel.wait_below(3))
    await asyncio.sleep(0)
    assert not waiting.done()
    await anext(channel)
    await waiting


async def test_who_reads_much_that_is_there_lets_others_have_their_turn() -> None:
    channel: Channel[str] = Channel(1000, len)
    for _ in range(1000):
        channel.put_nowait("a")
    channel.close()
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    assert len(await collect(channel)) == 1000
    counting.cancel()
    assert turns > 30


async def test_the_writer_is_told_of_everything_that_is_read() -> None:
    held: list[int] = []
    channel: Channel[str] = Channel(9, len, lambda: held.append(channel.held))
    for item in ("a", "bc", "def"):
        channel.put_nowait(item)
    channel.close()
    await collect(channel)
    assert held == [5, 3, 0]
