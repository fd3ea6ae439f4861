"""A recording in a container that is decoded while it arrives, as a browser's MediaRecorder sends its WebM or Ogg."""

import asyncio
import io
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import BinaryIO, Final, cast

from wyoming_voice.channel import Channel
from wyoming_voice.codec import decode
from wyoming_voice.listening import HEARD
from wyoming_voice.stream import in_thread

_WAITING: Final = 1024 * 1024  # bytes that wait to be decoded
_LONGEST: Final = 7 * 24 * 3600.0  # seconds


class Arriving:
    """Bytes of a recording go in, its sound comes out, of a thread that waits for them until :meth:`finish`."""

    def __init__(self) -> None:
        self._pieces: Channel[bytes] = Channel(_WAITING, len)
        self._loop = asyncio.get_running_loop()

    async def feed(self, piece: bytes) -> None:
        """Add what came; waits where decoding is behind."""
        if not self._pieces.closed:
            await self._pieces.put(piece)

    def finish(self) -> None:
        """Tell that this was all."""
        self._pieces.close()

    async def decoded(self) -> AsyncGenerator[bytes, None]:
        """Yield PCM as :data:`HEARD`, until the recording ends; raises UnsupportedAudio for what is none."""
        steps = decode(cast("BinaryIO", _File(self)), HEARD, max_seconds=_LONGEST, live=True)
        own = ThreadPoolExecutor(1, "decode what arrives")
        try:
            async with aclosing(in_thread(steps, own)) as sound:
                async for pcm in sound:
                    yield pcm
        finally:
            own.shutdown(wait=False)  # a thread that still waits is ended by the event loop, which must not wait for it

    def next(self) -> bytes:
        """Wait in a thread for what comes next; nothing: it was all."""
        return asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()

    async def _next(self) -> bytes:
        return await anext(self._pieces, b"")


class _File(io.RawIOBase):
    """What a decoder reads."""

    def __init__(self, arriving: Arriving) -> None:
        self._arriving = arriving
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # of what io says is a buffer
        self._rest = self._rest or self._arriving.next()
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)
