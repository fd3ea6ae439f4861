"""From an engine's thread to the event loop: bounded, and whatever is there is taken at once."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_PAUSE: Final = 0.02
"""Seconds between two takes. Measured with RHVoice, which makes 0.1 s of audio in 2 ms: it leaves a quarter of the
processor time in the server and in the client (``docs/benchmarks.md``)."""


class Handover(Generic[T]):
    """The steps of an engine. The reader takes all that have piled up, so a fast engine costs few wake-ups.

    It gets the first step at once, and after each take nothing for 20 ms, unless the steps end or fill half the room;
    so the steps of an engine that takes longer than that for each are also handed over at once. The engine is at most
    ``limit`` (in the unit of ``weigh``) ahead of the reader; then its next step is not asked for.
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
        self._next = 0.0  # when the reader may take again, by the event loop's clock
        self._reader: asyncio.Future[None] | None = None

    def put(self, item: T) -> bool:
        """Add a step, from the engine's thread; waits while the reader is behind. False once it has left."""
        with self._change:
            self._change.wait_for(lambda: self._left or self._held < self._limit)
            if self._left:
                return False
            self._items.append(item)
            self._held += self._weigh(item)
            if self._is_due(self._loop.time()):
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
                now = self._loop.time()
                if self._items and self._is_due(now):
                    items, self._items, self._held = self._items, [], 0
                    self._next = now + _PAUSE
                    self._change.notify()
                    return items
                if self._ended:
                    raise self._error or StopAsyncIteration
                reader = self._reader = self._loop.create_future()
                if now < self._next:  # from then on each step calls the reader
                    self._loop.call_at(self._next, _wake, reader)
            await reader

    def _is_due(self, now: float) -> bool:
        return self._ended or 2 * self._held >= self._limit or now >= self._next

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
