"""Iterators that cross between threads and the event loop."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import TypeVar

T = TypeVar("T")


async def in_thread(steps: Generator[T, None, None]) -> AsyncGenerator[T, None]:
    """Iterate in a thread, one step ahead of nobody: decoding a file must not keep the event loop from others."""
    try:
        while True:
            step = await asyncio.to_thread(next, steps, _END)
            if isinstance(step, _End):
                return
            yield step
    finally:
        await asyncio.shield(asyncio.to_thread(steps.close))


class _End:
    pass


_END = _End()
