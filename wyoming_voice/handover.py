"""From an engine's thread to the event loop: bounded, and whatever is there is taken at once."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Handover(Generic[T]):
    """The steps of an engine. The reader takes all that have piled up, so a fast engine costs few wake-ups.

    The engine is at most ``limit`` (in the unit of ``weigh``) ahead of the reader; then its next step is not asked for.
    """

    def __init__(self, limit: int, weigh: Callable[[T], int]) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._weigh = weigh
        self._change = threading.Condition()
        self._items: list[T] = []
        self._held = 0
        self._ended = False
        self._error: BaseException | None = None
        self._left = False
        self._reader: asyncio.Future[None] | None = None

    def put(self, item: T) -> bool:
        """Add a step, from the engine's thread; waits while the reader is behind. False once it has left."""
        with self._change:
            self._change.wait_for(lambda: self._left or self._held < self._limit)
            if self._left:
                return False
            self._items.append(item)
            self._held += self._weigh(item)
            self._call_reader()
        return True

    def end(self, error: BaseException | None = None) -> None:
        """End the steps, from the engine's thread."""
        with self._change:
            self._ended, self._error = True, error
            self._call_reader()

    def leave(self) -> None:
        """Ask for no more steps, from the event loop."""
        with self._change:
            self._left = True
            self._change.notify()

    def __aiter__(self) -> AsyncIterator[list[T]]:
        return self

    async def __anext__(self) -> list[T]:
        """Return everything that is there, at least one step; raises the engine's error after its last one."""
        while True:
            with self._change:
                if self._items:
                    items, self._items, self._held = self._items, [], 0
                    self._change.notify()
                    return items
                if self._ended:
                    raise self._error or StopAsyncIteration
                reader = self._reader = self._loop.create_future()
            await reader

    def _call_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            self._loop.call_soon_threadsafe(_wake, reader)


def _wake(reader: asyncio.Future[None]) -> None:
    if not reader.done():
        reader.set_result(None)


class EngineThread:
    """The one thread that an engine is loaded and called in; requests are done in the order they come."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, "engine")
        self.idle = True
        """Whether no step is being computed."""

    async def call(self, function: Callable[[], T]) -> T:
        """Run a function in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, function)

    @asynccontextmanager
    async def steps(
        self, begin: Callable[[], Iterator[T]], *, limit: int, weigh: Callable[[T], int]
    ) -> AsyncIterator[Handover[T]]:
        """Iterate in the thread over what ``begin()`` returns; leaving the block closes it after the step under way."""
        handover = Handover(limit, weigh)
        self._executor.submit(self._pump, begin, handover)
        try:
            yield handover
        finally:
            handover.leave()

    def _pump(self, begin: Callable[[], Iterator[T]], handover: Handover[T]) -> None:
        self.idle = False
        try:
            steps = begin()
            try:
                for step in steps:
                    if not handover.put(step):
                        break
            finally:
                close = getattr(steps, "close", None)  # generators have it, other iterators need not
                if close is not None:
                    close()
        except BaseException as error:  # noqa: BLE001 - the outermost frame of the thread: the reader raises it again
            handover.end(error)
        else:
            handover.end()
        finally:
            self.idle = True
