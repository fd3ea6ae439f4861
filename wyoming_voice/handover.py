"""From an engine's thread to the event loop: bounded, and whatever is there is taken at once."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

_PAUSE: Final = 0.02
"""Seconds between two takes. Measured with RHVoice, which makes 0.1 s of audio in 2 ms: it leaves a quarter of the
processor time in the server and in the client (``docs/benchmarks.md``)."""


class Handover(Generic[T]):
    """The steps of an engine. The reader takes all that have piled up, so a fast engine costs few wake-ups.

    It gets the first step at once, and after each take nothing for 20 ms, unless the steps end or fill half the room;
    so the steps of an engine that takes longer than that for each are also handed over at once. Once the reader is
    ``limit`` (in the unit of ``weigh``) behind, the engine's next step is not asked for.
    """

    def __init__(self, limit: int, weigh: Callable[[T], int], change: threading.Condition | None = None) -> None:
        """``change`` is told when there is room again, and when the reader leaves."""
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._weigh = weigh
        self._change = change or threading.Condition()
        self._items: list[T] = []
        self._held = 0
        self._ended = False
        self._error: BaseException | None = None
        self.left = False
        """Whether the reader asks for no more."""
        self._next = 0.0  # when the reader may take again, by the event loop's clock
        self._reader: asyncio.Future[None] | None = None

    @property
    def has_room(self) -> bool:
        """Whether the reader is not too far behind for one more step."""
        return self._held < self._limit

    def put(self, item: T) -> None:
        """Add a step, from the engine's thread; it never waits."""
        with self._change:
            self._items.append(item)
            self._held += self._weigh(item)
            if self._is_due(self._loop.time()):
                self._call_reader()

    def end(self, error: BaseException | None = None) -> None:
        """End the steps, from the engine's thread."""
        with self._change:
            self._ended, self._error = True, error
            self._call_reader()

    def leave(self) -> None:
        """Ask for no more steps, from the event loop."""
        with self._change:
            self.left = True
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


class _Run:
    """A request's steps: iterated over in the engine's thread, one at a time."""

    __slots__ = ("_begin", "_steps", "handover")

    def __init__(self, begin: Callable[[], Iterator[Any]], handover: Handover[Any]) -> None:
        self._begin = begin
        self._steps: Iterator[Any] | None = None
        self.handover = handover

    def step(self) -> bool:
        """Do the next step; False when there is none, or nobody asks for it: then it is closed."""
        failure: BaseException | None = None
        try:
            if not self.handover.left:
                if self._steps is None:
                    self._steps = self._begin()
                self.handover.put(next(self._steps))
                return True
        except StopIteration:
            pass
        except BaseException as error:  # noqa: BLE001 - the outermost frame of the thread: the reader raises it again
            failure = error
        try:
            close = getattr(self._steps, "close", None)  # generators have it, other iterators need not
            if close is not None:
                close()
        except BaseException as error:  # noqa: BLE001 - likewise
            failure = failure or error
        self.handover.end(failure)
        return False


class EngineThread:
    """The one thread that an engine is loaded and called in.

    It has ``seats`` requests under way, which take turns: a step of each in every round, those that are new first. A
    request whose reader is behind is passed over. The others wait for a seat, and get it in the order they come.
    """

    def __init__(self, seats: int = 1) -> None:
        self._seats = seats
        self._executor = ThreadPoolExecutor(1, "engine")
        self._change = threading.Condition()  # of all that the event loop changes and the thread looks at
        self._waiting: deque[_Run] = deque()
        self._seated: list[_Run] = []  # the thread's own
        self.idle = True
        """Whether no request is under way."""

    async def call(self, function: Callable[[], T]) -> T:
        """Run a function in the thread, while no steps are computed."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, function)

    @asynccontextmanager
    async def steps(
        self, begin: Callable[[], Iterator[T]], *, limit: int, weigh: Callable[[T], int]
    ) -> AsyncIterator[Handover[T]]:
        """Iterate in the thread over what ``begin()`` returns; leaving the block closes it after the step under way."""
        handover = Handover(limit, weigh, self._change)
        with self._change:
            self._waiting.append(_Run(begin, handover))
            if self.idle:
                self.idle = False
                self._executor.submit(self._serve)
            self._change.notify()
        try:
            yield handover
        finally:
            handover.leave()

    def _serve(self) -> None:
        while runs := self._round():
            for run in runs:
                if not run.step():
                    self._seated.remove(run)

    def _round(self) -> list[_Run]:
        """Wait until there is something to do, and return whose turn it is; none: no request is left."""
        with self._change:
            while True:
                if self._waiting:
                    new = min(len(self._waiting), self._seats - len(self._seated))
                    self._seated[:0] = [self._waiting.popleft() for _ in range(new)]
                runs = [run for run in self._seated if run.handover.has_room or run.handover.left]
                if runs or not self._seated:
                    self.idle = not self._seated
                    return runs
                self._change.wait()
