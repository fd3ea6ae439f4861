"""What clients say, and what they make of the answer."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.event import Event

from tests.process import ServerProcess

_ENDS = {
    "synthesize": "audio-stop",
    "synthesize-start": "synthesize-stopped",
    "transcribe": "transcript-stop",
    "audio-start": "transcript-stop",
    "describe": "info",
}
WORD = 3200
"""Bytes of audio that the fake engine makes of a word: 0.1 s of 16 kHz."""


@asynccontextmanager
async def peer(
    server: ServerProcess, sent: bytes = b"", *, reads: bool = True
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a bare connection and send this; without ``reads`` it takes next to nothing of what comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=2**16 if reads else 1024)
    try:
        if not reads:
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport can
        writer.write(sent)
        yield reader, writer
    finally:
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


def say(text: str, voice: object = None, **more: object) -> Event:
    return Event(type="synthesize", data={"text": text, **({} if voice is None else {"voice": voice}), **more})


def stream(*chunks: str, **start: object) -> Iterator[Event]:
    """Say it as Home Assistant 2026.11 does: the whole text comes once more at the end."""
    yield Event(type="synthesize-start", data=dict(start))
    for chunk in chunks:
        yield Event(type="synthesize-chunk", data={"text": chunk})
    yield say("".join(chunks), start.get("voice"))
    yield Event(type="synthesize-stop")


def record(
    pcm: bytes, *, rate: int = 16_000, width: int = 2, channels: int = 1, size: int = 320, **asked: object
) -> Iterator[Event]:
    """Dictate it as Home Assistant does; ``size`` is the bytes of a chunk."""
    sound = {"rate": rate, "width": width, "channels": channels}
    yield Event(type="transcribe", data=dict(asked))
    yield Event(type="audio-start", data={**sound, "timestamp": None})
    for start in range(0, len(pcm), size):
        yield Event(type="audio-chunk", data={**sound, "timestamp": None}, payload=pcm[start : start + size])
    yield AudioStop().event()


def loud(seconds: float, *, level: float = 0.5, rate: int = 16_000, channels: int = 1) -> bytes:
    """Audio of 16 bit that the fake ears hear as ``level``."""
    return round(level * 32768).to_bytes(2, "little", signed=True) * (round(seconds * rate) * channels)


async def ask(server: ServerProcess, *events: Event) -> list[Event]:
    """Make a request on a connection of its own, and return the answer up to its end or to the server's closing."""
    async with server.client() as client:
        return await ask_on(client, *events)


async def ask_on(client: AsyncTcpClient, *events: Event) -> list[Event]:
    for event in events:
        await client.write_event(event)
    return await answer(client, _ENDS[events[0].type])


async def answer(client: AsyncTcpClient, end: str) -> list[Event]:
    """Read up to an event of this kind; after an error up to the server's closing, which must come."""
    events: list[Event] = []
    while (event := await client.read_event()) is not None:
        events.append(event)
        if event.type == end and not any(event.type == "error" for event in events):
            break
    else:
        assert any(event.type == "error" for event in events), f"closed without a word after {kinds(events)}"
    return events


def kinds(events: Iterable[Event]) -> list[str]:
    """Return the kinds of the events, chunks in a row as one."""
    found: list[str] = []
    for event in events:
        if not (event.type.endswith("-chunk") and found[-1:] == [event.type]):
            found.append(event.type)
    return found


def pcm(events: Iterable[Event]) -> bytes:
    """Return the audio of an answer, all of one format, that of its start."""
    events = list(events)
    starts = [AudioStart.from_event(event) for event in events if event.type == "audio-start"]
    chunks = [AudioChunk.from_event(event) for event in events if event.type == "audio-chunk"]
    assert len(starts) == 1, "an answer has one audio-start"
    assert {(chunk.rate, chunk.width, chunk.channels) for chunk in chunks} <= {
        (starts[0].rate, starts[0].width, starts[0].channels)
    }
    return b"".join(chunk.audio for chunk in chunks)


def words(events: Iterable[Event]) -> float:
    """Return how many words the fake engine spoke."""
    return len(pcm(events)) / WORD


def transcript(events: Iterable[Event]) -> str:
    """Return the transcript; there is one, and the chunks before it are the same text."""
    events = list(events)
    whole = [event.data["text"] for event in events if event.type == "transcript"]
    assert len(whole) == 1, f"one transcript is sent, not {kinds(events)}"
    assert "".join(event.data["text"] for event in events if event.type == "transcript-chunk").strip() == whole[0]
    return str(whole[0])


def refused(events: Iterable[Event]) -> tuple[str, str]:
    """Return code and text of the one error of an answer."""
    errors = [(event.data["code"], event.data["text"]) for event in events if event.type == "error"]
    assert len(errors) == 1, f"one error is sent, not {errors}"
    return errors[0]
