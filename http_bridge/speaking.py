"""One session of speaking over a WebSocket, whatever its dialect."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from aiohttp import web
from wyoming.audio import AudioChunk

from wyoming_voice.audio import PcmFormat
from wyoming_voice.channel import Channel
from wyoming_voice.codec import wav_header
from wyoming_voice.companding import Law, compand
from wyoming_voice.config_door import Limits
from wyoming_voice.errors import Busy, TooLarge
from wyoming_voice.speech import Speech, Utterance

from .bridge import bridge_of
from .socket import Socket, parse, serve, side_by_side

_FRAME_SECONDS: Final = 0.25
"""Of audio in one binary message at most, so that Clear stops a long one in the middle."""
_MOST_WAITING: Final = 64  # utterances
_HEARTBEAT: Final = 20.0
_ESCAPED: Final = 12  # bytes of JSON that one character may take: "\ud83d\ude00"


@dataclass(frozen=True, slots=True)
class Report:
    """An utterance that has been spoken to its end."""

    sequence_id: int
    sample_rate: int | None
    """None: it had no audio."""
    elapsed: float
    """Seconds from its first message to its last audio."""
    size: int
    """Bytes of its binary messages."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a session is spelled."""

    metadata: Mapping[str, object]
    frame: Callable[[AudioChunk], bytes]
    """Makes a binary message of audio."""
    flushed: Callable[[Report], Mapping[str, object]]


@dataclass(slots=True, eq=False)
class _Spoken:
    """An utterance on its way: its text still arrives until it is flushed."""

    text: Channel[str]
    began: float = field(default_factory=time.monotonic)
    task: asyncio.Task[None] | None = None


class SpeakSession:
    """One client that sends text and gets audio."""

    def __init__(self, socket: Socket, speech: Speech, limits: Limits, asked: Utterance, dialect: Dialect) -> None:
        self._socket = socket
        self._speech = speech
        self._limits = limits
        self._asked = asked
        self._dialect = dialect
        self._sequence = 0
        self._waiting: deque[_Spoken] = deque()
        """Utterances in their order; the first may be being spoken."""
        self._more = asyncio.Event()
        self._open: _Spoken | None = None
        """The last of them, while it takes text."""
        self._closing = False

    async def run(self) -> None:
        """Serve until the client closes or leaves, or something goes wrong."""
        await self._socket.send(self._dialect.metadata)
        await side_by_side(self._work(), self._read())

    async def _read(self) -> None:
        while True:
            waits_for_text = self._open is not None and len(self._waiting) == 1
            seconds = self._limits.input if waits_for_text else self._limits.idle
            message = parse(await self._socket.receive(seconds))
            if isinstance(message, str):
                await self._socket.warn("INVALID_MESSAGE", message)
            elif not self._closing:
                await self._take(message)

    async def _take(self, message: Mapping[str, object]) -> None:
        match message["type"]:
            case "Speak":
                text = message.get("text")
                if isinstance(text, str):
                    self._add(text)
                else:
                    await self._socket.warn("INVALID_MESSAGE", "A Speak message needs a 'text'.")
            case "Flush":
                self._add("")
                self._end_text()
            case "Clear":
                await self._clear()
            case "Close":
                self._end_text()
                self._closing = True
                self._more.set()
            case "KeepAlive":
                pass
            case kind:
                await self._socket.warn(
                    "UNKNOWN_MESSAGE", f"There is no message '{str(kind)[:32]}'; there are Speak, Flush, Clear, Close."
                )

    def _add(self, text: str) -> None:
        """Give the open utterance some more text; opens one if need be."""
        if self._open is None:
            if len(self._waiting) >= _MOST_WAITING:
                raise Busy(f"{_MOST_WAITING} utterances wait already; send the next ones after a Flushed.")
            self._open = _Spoken(Channel(self._limits.text, len))
            self._waiting.append(self._open)
            self._more.set()
        held = sum(spoken.text.held for spoken in self._waiting)
        if held + len(text) > self._limits.text:
            raise TooLarge(f"{self._limits.text} characters may wait to be spoken (limits.text).")
        if text:
            self._open.text.put_nowait(text)

    def _end_text(self) -> None:
        if self._open is not None:
            self._open.text.close()
            self._open = None

    async def _clear(self) -> None:
        self._open = None
        tasks = [spoken.task for spoken in self._waiting if spoken.task is not None]
        self._waiting.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._socket.send({"type": "Cleared", "sequence_id": self._next()})

    async def _work(self) -> None:
        """Speak one utterance after another, until there is none and the client has closed."""
        while self._waiting or not self._closing:
            if not self._waiting:
                self._more.clear()
                await self._more.wait()
                continue
            spoken = self._waiting[0]
            spoken.task = asyncio.create_task(self._say(spoken), name="speak to a socket")
            try:
                await asyncio.wait([spoken.task])
            finally:
                spoken.task.cancel()
                await asyncio.gather(spoken.task, return_exceptions=True)
            if not spoken.task.cancelled():
                spoken.task.result()

    async def _say(self, spoken: _Spoken) -> None:
        size, rate = 0, None
        async with self._speech.synthesize(replace(self._asked, text=spoken.text)) as audio:
            async for chunk in audio:
                rate = chunk.rate
                for part in _parts(chunk):
                    frame = self._dialect.frame(part)
                    size += len(frame)
                    await self._socket.send_audio(frame)
        self._waiting.remove(spoken)
        elapsed = time.monotonic() - spoken.began
        await self._socket.send(self._dialect.flushed(Report(self._next(), rate, elapsed, size)))

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence - 1


def _parts(chunk: AudioChunk) -> list[AudioChunk]:
    size = round(_FRAME_SECONDS * chunk.rate) * chunk.width * chunk.channels
    return [
        AudioChunk(chunk.rate, chunk.width, chunk.channels, chunk.audio[start : start + size])
        for start in range(0, len(chunk.audio), size)
    ]


def wav_frame(chunk: AudioChunk) -> bytes:
    """Make a whole small WAV file of audio."""
    return wav_header(PcmFormat(chunk.rate, chunk.width, chunk.channels), len(chunk.audio)) + chunk.audio


def raw_frame(law: Law | None) -> Callable[[AudioChunk], bytes]:
    """Return what makes audio without any header: 16-bit PCM, or a byte for each sample."""
    return lambda chunk: chunk.audio if law is None else compand(chunk.audio, law)


async def speak(request: web.Request, asked: Utterance, dialect: Dialect, *, say_errors: bool) -> web.StreamResponse:
    """Hold a session in a dialect."""
    bridge = bridge_of(request)
    bridge.admit()
    limits = bridge.settings.limits
    return await serve(
        request,
        lambda socket: SpeakSession(socket, bridge.app.speech, limits, asked, dialect).run(),
        largest=_ESCAPED * limits.text + 1024,
        heartbeat=_HEARTBEAT,
        say_errors=say_errors,
    )
