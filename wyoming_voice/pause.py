"""Whether somebody speaks in a stream that arrives as it is spoken, or has just stopped."""

import asyncio
from typing import Final

from .activity import ActivityStream
from .endpoint import BEGINS, GOES_ON
from .listening import HEARD

_RUN: Final = 3  # chunks of speech in a row before it counts as such (endpoint.py)
_EARLY: Final = 2.0  # seconds that audio may come before it could have been spoken: what was kept before a wake word


class Pause:
    """Follows one stream. One whose audio comes faster than it is spoken is a file: it is not judged any more."""

    def __init__(self, activity: ActivityStream) -> None:
        self._activity = activity
        self._now = asyncio.get_running_loop().time
        self._began = self._now()
        self._heard = 0.0
        self._run = 0
        self._spoken = False
        self._silent = 0.0
        self._file = False

    @property
    def after_speech(self) -> float:
        """Seconds since somebody stopped speaking; 0: somebody speaks, or nobody has yet, or this is a file."""
        return self._silent if self._spoken and not self._file else 0.0

    async def follow(self, pcm: bytes) -> None:
        """Take some more, 16 kHz mono 16 bit; raises WorkerLost."""
        self._heard += len(pcm) / HEARD.byte_rate
        self._file = self._file or self._heard > self._now() - self._began + _EARLY
        if self._file:
            return
        for chunk, score in await self._activity.judge(pcm):
            self._run = self._run + 1 if score >= BEGINS else 0
            self._spoken = self._spoken or self._run >= _RUN
            self._silent = 0.0 if score >= GOES_ON else self._silent + len(chunk) / HEARD.byte_rate
