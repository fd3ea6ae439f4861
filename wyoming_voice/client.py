"""Talk to one worker, one request a connection: cancelling is leaving the block."""

import asyncio
import socket
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.event import Event
from wyoming.info import Describe, Info

from . import fields
from .audio import PcmFormat, check_format
from .engines.protocol import HEARD_RATE, Heard, Segment
from .errors import VoiceError, WorkerLost, from_code
from .link import read_heard, segment_event, transcribe_event
from .server import parse_uri
from .wire import EventLimits, EventParser, encode

_READ_BYTES: Final = 256 * 1024
_SEND_BYTES: Final = 256 * 1024  # of a recording in one event: a quarter of what servers take by default
_LIMITS: Final = EventLimits(header=64 * 1024, data=4 * 1024 * 1024, payload=4 * 1024 * 1024)
_CONNECT_SECONDS: Final = 5.0


@contextmanager
def worker_errors(uri: str) -> Iterator[None]:
    """Translate a broken connection: here it is the worker's fault, never the peer's."""
    try:
        yield
    except (OSError, EOFError) as error:  # TimeoutError is an OSError
        what = "did not answer in time" if isinstance(error, TimeoutError) else "broke the connection"
        raise WorkerLost(f"The engine's worker at {uri} {what}; try again.") from error


class Link:
    """A connection to a worker: iterating reads what it says."""

    def __init__(
        self, uri: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, step_timeout: float
    ) -> None:
        self._uri = uri
        self._reader = reader
        self._writer = writer
        self._step_timeout = step_timeout
        self._parser = EventParser(_LIMITS)
        self._events: deque[Event] = deque()

    async def send(self, *events: Event) -> None:
        """Write events; raises WorkerLost when the worker does not read in time."""
        with worker_errors(self._uri):
            self._writer.write(b"".join(map(encode, events)))
            async with asyncio.timeout(self._step_timeout):
                await self._writer.drain()

    def __aiter__(self) -> "Link":
        return self

    async def __anext__(self) -> Event:
        """Read what the worker says next; raises its ``error`` events, and WorkerLost when it stops before its end."""
        while not self._events:
            await self._receive()
        event = self._events.popleft()
        if event.type == "error":
            raise from_code(fields.string(event.data, "code"), fields.string(event.data, "text") or "no reason")
        return event

    @contextmanager
    def understood(self) -> Iterator[None]:
        """Translate what makes no sense in an event: it is the worker's fault, never the peer's."""
        try:
            yield
        except VoiceError as error:
            raise WorkerLost(f"The engine's worker at {self._uri} says what makes no sense: {error.text}") from error

    async def _receive(self) -> None:
        with worker_errors(self._uri):
            async with asyncio.timeout(self._step_timeout):
                received = await self._reader.read(_READ_BYTES)
            if not received:
                raise EOFError
        try:
            self._events += self._parser.feed(received)
        except VoiceError as error:
            raise WorkerLost(f"The engine's worker at {self._uri} does not speak Wyoming: {error.text}") from error


@asynccontextmanager
async def connect(uri: str, step_timeout: float) -> AsyncIterator[Link]:
    """Connect for one request; ``step_timeout`` is the longest wait, in seconds, for anything the worker does."""
    where = parse_uri(uri)
    with worker_errors(uri):
        async with asyncio.timeout(_CONNECT_SECONDS):
            if isinstance(where, Path):
                reader, writer = await asyncio.open_unix_connection(where, limit=2 * _READ_BYTES)
            else:
                reader, writer = await asyncio.open_connection(*where, limit=2 * _READ_BYTES)
                _keep_alive(writer.get_extra_info("socket"))
    try:
        yield Link(uri, reader, writer, step_timeout)
    finally:
        writer.transport.abort()


def _keep_alive(sock: socket.socket) -> None:
    """Have the connection end by itself some 11 s after the machine at its other end has lost its power."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):  # Linux has them all
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


@asynccontextmanager
async def synthesize(
    uri: str, segment: Segment, step_timeout: float
) -> AsyncIterator[AsyncGenerator[AudioChunk, None]]:
    """Speak a segment; leaving the block cancels the rest."""
    async with connect(uri, step_timeout) as link:
        await link.send(segment_event(segment))
        yield _audio(link)


async def _audio(link: Link) -> AsyncGenerator[AudioChunk, None]:
    sound: PcmFormat | None = None
    async for event in link:
        if AudioChunk.is_type(event.type) and sound is not None:
            yield AudioChunk(sound.rate, sound.width, sound.channels, event.payload or b"")
        elif AudioStart.is_type(event.type):
            with link.understood():
                sound = check_format(*(event.data.get(name) for name in ("rate", "width", "channels")))
        elif AudioStop.is_type(event.type):
            return


@asynccontextmanager
async def transcribe(
    uri: str,
    pcm: bytes,
    step_timeout: float,
    *,
    language: str | None = None,
    prompt: str | None = None,
    terms: tuple[str, ...] = (),
    model: str | None = None,
    prefix: str = "",
    word_times: bool = False,
) -> AsyncIterator[AsyncGenerator[Heard, None]]:
    """Recognise a piece, 16-bit mono PCM of 16 kHz; leaving the block cancels the rest."""
    async with connect(uri, step_timeout) as link:
        sound = {"rate": HEARD_RATE, "width": 2, "channels": 1}
        await link.send(
            transcribe_event(
                language=language, prompt=prompt, terms=terms, model=model, prefix=prefix, word_times=word_times
            ),
            AudioStart(**sound).event(),
        )
        for start in range(0, len(pcm), _SEND_BYTES):
            await link.send(AudioChunk(audio=pcm[start : start + _SEND_BYTES], **sound).event())
        await link.send(AudioStop().event())
        yield _heard(link)


async def _heard(link: Link) -> AsyncGenerator[Heard, None]:
    in_chunks = False
    async for event in link:
        if event.type == "transcript-chunk":
            in_chunks = True
            with link.understood():
                heard = read_heard(event)
            if heard.text or heard.words:  # else it has only said that it is alive
                yield heard
        elif event.type == "transcript":
            if not in_chunks and event.data.get("text"):
                with link.understood():
                    heard = read_heard(event)
                yield heard  # a server that does not stream transcripts says it all here
            return


async def rewrite(uri: str, text: str, language: str | None, step_timeout: float) -> str:
    """Have a text changed; raises WorkerLost."""
    async with connect(uri, step_timeout) as link:
        await link.send(Event(type="transcript", data={"text": text, "language": language}))
        async for event in link:
            if event.type == "handled":
                with link.understood():
                    return fields.text(event.data)
    raise WorkerLost(f"The engine's worker at {uri} did not answer.")


async def describe(uri: str, step_timeout: float) -> Info:
    """Ask a Wyoming server what it can do; raises WorkerLost."""
    async with connect(uri, step_timeout) as link:
        await link.send(Describe().event())
        async for event in link:
            if Info.is_type(event.type):
                try:
                    return Info.from_event(event)
                except (KeyError, TypeError, ValueError, AttributeError) as error:
                    raise WorkerLost(f"The info of the Wyoming server at {uri} is not complete: {error!r}") from error
    raise WorkerLost(f"The Wyoming server at {uri} did not describe itself.")
