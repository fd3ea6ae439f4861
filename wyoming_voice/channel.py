"""A bounded queue with an end, inside one event loop."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sized
from typing import Final, Generic, TypeVar

T = TypeVar("T")
S = TypeVar("S", bound=Sized)


_RUN: Final = 16
"""Items read one after another without waiting before others of the event loop have their turn."""


class Full(Exception):
    """There is no room, and the writer does not wait."""


class Channel(Generic[T]):
    """A queue of at most ``limit`` (in the unit of ``weigh``) from one writer to one reader.

    The reader iterates; the iteration ends after :meth:`close`, with its error if it had one, once everything that was
    put before has been read. Cancelling either side leaves the channel as it was. ``read`` is called after each item
    that was read.
    """

    def __init__(
        self,
        limit: int,
        weigh: Callable[[T], int] = lambda _item: 1,
        read: Callable[[], None] = lambda: None,
    ) -> None:
        self._limit = limit
        self._weigh = weigh
        self._read = read
        self._items: deque[T] = deque()
        self._held = 0
        self._run = 0
        self._closed = False
        self._error: BaseException | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None

    @property
    def held(self) -> int:
        """How much is waiting to be read."""
        return self._held

    @property
    def closed(self) -> bool:
        """Whether nothing more will be put."""
        return self._closed

    def put_nowait(self, item: T) -> None:
        """Add without waiting; raises :class:`Full`. An item heavier than the limit fits into an empty channel."""
        assert not self._closed, "a closed channel takes nothing more"
        weight = self._weigh(item)
        if self._items and self._held + weight > self._limit:
            raise Full
        self._items.append(item)
        self._held += weight
        _wake(self._reader)

    async def put(self, item: T) -> None:
        """Add, waiting for room for as long as the caller's deadline allows."""
        if self._items:
            await self.wait_below(max(1, self._limit - self._weigh(item) + 1))
        self.put_nowait(item)

    async def wait_below(self, level: int) -> None:
        """Wait until less than ``level`` is held."""
        while self._held >= level:
            self._writer = asyncio.get_running_loop().create_future()
            try:
                await self._writer
            finally:
                self._writer = None

    def close(self, error: BaseException | None = None) -> None:
        """End the stream, or break it with an error; the first call counts."""
        if not self._closed:
            self._closed = True
            self._error = error
            _wake(self._reader)

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        self._run += 1
        if self._run >= _RUN:
            self._run = 0
            await asyncio.sleep(0)
        while not self._items:
            if self._closed:
                raise self._error or StopAsyncIteration
            self._run = 0
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        item = self._items.popleft()
        self._held -= self._weigh(item)
        _wake(self._writer)
        self._read()
        return item


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
