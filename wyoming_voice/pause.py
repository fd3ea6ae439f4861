"""Whether somebody speaks in a stream that arrives as it is spoken, or has just stopped."""

import asyncio
from typing import Final

from .activity import ActivityStream
from .endpoint import BEGINS, GOES_ON
from .listening import HEARD

_RUN: Final = 3  # chunks of speech in a row before it counts as such (endpoint.py)
_EARLY: Final = 2.0  # seconds that audio may come before it could have been spoken: what was kept before a wake word
# Home Assistant 2026.11, assist_pipeline/vad.py, VoiceCommandSegmenter: timeout_seconds and command_seconds. Where the
# server finds the end it uses neither, and would send what a microphone hears for ever.
_NOBODY: Final = 15.0
_SHORTEST: Final = 1.0
_LONGEST: Final = 30.0  # it ends any command 15 s after it began to listen; a long one said without a pause may end


class Pause:
    """Follows one stream. One whose audio comes faster than it is spoken is a file: it is not judged any more."""

    def __init__(self, activity: ActivityStream) -> None:
        self._activity = activity
        self._now = asyncio.get_running_loop().time
        self._began = self._now()
        self._heard = 0.0
        self._run = 0
        self._spoken: float | None = None  # when somebody began to
        self._silent = 0.0
        self._file = False

    @property
    def after_speech(self) -> float:
        """Seconds since somebody stopped speaking; 0: somebody speaks, or nobody has yet, or this is a file."""
        return 0.0 if self._spoken is None or self._file else self._silent

    @property
    def judged(self) -> bool:
        """Whether the detector is still asked."""
        return not self._file

    @property
    def nobody(self) -> bool:
        """Whether nobody has spoken yet."""
        return self._spoken is None

    def over(self, trailing: float) -> bool:
        """Tell whether a command is over: so many seconds of silence after it, or nobody says one, or it never ends."""
        if self._file:
            return False
        if self._spoken is None:
            return self._heard >= _NOBODY
        lasted = self._heard - self._spoken
        return (self._silent >= trailing and lasted >= _SHORTEST) or lasted >= _LONGEST

    def give_up(self) -> None:
        """Judge no more of this stream."""
        self._file = True

    async def follow(self, pcm: bytes) -> None:
        """Take some more, 16 kHz mono 16 bit; raises WorkerLost."""
        self._heard += len(pcm) / HEARD.byte_rate
        self._file = self._file or self._heard > self._now() - self._began + _EARLY
        if self._file:
            return
        for chunk, score in await self._activity.judge(pcm):
            self._run = self._run + 1 if score >= BEGINS else 0
            if self._spoken is None and self._run >= _RUN:
                self._spoken = self._heard
            speech = score >= (BEGINS if self._silent else GOES_ON)
            self._silent = 0.0 if speech else self._silent + len(chunk) / HEARD.byte_rate
