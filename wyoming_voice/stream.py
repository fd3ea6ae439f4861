"""Iterators and blocks that cross between threads and the event loop."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from typing import TypeVar

T = TypeVar("T")


async def in_thread(steps: Generator[T, None, None], own: Executor | None = None) -> AsyncGenerator[T, None]:
    """Iterate in a thread, one step ahead of nobody: decoding a file must not keep the event loop from others.

    Steps that wait need threads of their ``own``: all others share a few.
    """
    loop = asyncio.get_running_loop()
    try:
        while True:
            step = await loop.run_in_executor(own, next, steps, _END)
            if isinstance(step, _End):
                return
            yield step
    finally:
        await asyncio.shield(loop.run_in_executor(own, steps.close))


@asynccontextmanager
async def entered_in_thread(block: AbstractContextManager[T]) -> AsyncIterator[T]:
    """Enter and leave a block that waits for a disk in a thread; what was entered is left, whoever cancels when."""
    stack = ExitStack()
    entering = asyncio.create_task(asyncio.to_thread(stack.enter_context, block), name="enter in a thread")
    try:
        yield await asyncio.shield(entering)
    finally:
        await asyncio.wait([entering])
        entering.exception()  # whoever was cancelled meanwhile does not ask
        await asyncio.shield(asyncio.to_thread(stack.close))


class _End:
    pass


_END = _End()
