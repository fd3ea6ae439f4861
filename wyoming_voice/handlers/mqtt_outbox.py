"""What waits to be published: bounded, whatever the broker does."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from typing import Final

_LOGGER = logging.getLogger(__name__)

MOST_BYTES: Final = 32 * 2**20
"""Bytes that wait; a single message may be larger."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish."""

    topic: str
    payload: bytes
    retain: bool = False


class Outbox:
    """Messages in their order. Where there is no room the oldest goes, which is said once until all were sent."""

    def __init__(self, most: int, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._waiting: deque[Outgoing] = deque()
        self._bytes = 0
        self._lost = False
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def bytes(self) -> int:
        """Bytes of what waits."""
        return self._bytes

    def put_nowait(self, message: Outgoing) -> None:
        """Add a message, and drop the oldest ones where there is no room."""
        self._waiting.append(message)
        self._bytes += len(message.payload)
        while len(self._waiting) > 1 and not self._fits(0):
            self._drop()
        self._wake()

    async def put(self, message: Outgoing, seconds: float) -> None:
        """Add a message, waiting for room for so many seconds; then the oldest ones go."""
        try:
            async with asyncio.timeout(seconds):
                while self._waiting and not self._fits(len(message.payload), 1):
                    await self._changed.wait()
        except TimeoutError:
            pass
        self.put_nowait(message)

    async def first(self) -> Outgoing:
        """Wait for a message and return the oldest, which stays until it is :meth:`sent`."""
        while not self._waiting:
            await self._changed.wait()
        return self._waiting[0]

    def sent(self, message: Outgoing) -> None:
        """Forget a message, if it was not dropped while it was on its way."""
        if self._waiting and self._waiting[0] is message:
            self._waiting.popleft()
            self._bytes -= len(message.payload)
        if not self._waiting:
            self._lost = False
        self._wake()

    async def half_empty(self) -> None:
        """Wait while more than half of the room is taken."""
        while len(self._waiting) > self._most // 2:
            await self._changed.wait()

    async def empty(self) -> None:
        """Wait until everything has been published."""
        while self._waiting:
            await self._changed.wait()

    def _fits(self, size: int, count: int = 0) -> bool:
        return len(self._waiting) + count <= self._most and self._bytes + size <= self._most_bytes

    def _drop(self) -> None:
        self._bytes -= len(self._waiting.popleft().payload)
        if not self._lost:
            self._lost = True
            _LOGGER.warning(
                "More than %s messages wait for the MQTT broker: the oldest are dropped (mqtt.queue)", self._most
            )

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
