"""Requests as a client makes them, with the ``wyoming`` package's own client, and what is measured of each."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event, Eventable
from wyoming.info import Describe, Info
from wyoming.tts import Synthesize, SynthesizeVoice

from .recording import RATE

_DEADLINE: Final = 300.0  # seconds; a request that takes longer is a failure of the whole run
_PIECE: Final = 1024
"""Samples in one audio-chunk on their way to the server: 64 ms."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One request to speak."""

    first: float
    """Seconds from the request (before connecting) to the first audio."""
    last: float
    """… to the end of the audio."""
    audio: float
    """Seconds of audio."""
    rate: int = 0
    pcm: bytes = b""
    """The audio, where it was asked for."""
    chunks: int = 0
    """Events that the audio came in."""


@dataclass(frozen=True, slots=True)
class Transcribed:
    """One request to transcribe."""

    seconds: float
    """From ``audio-stop`` (the end of speech) to ``transcript``."""
    text: str


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[AsyncTcpClient]:
    async with AsyncTcpClient("127.0.0.1", port, connect_timeout=_DEADLINE, read_timeout=_DEADLINE) as client:
        yield client


async def describe(client: AsyncTcpClient) -> float:
    """Return the seconds from ``describe`` to ``info``."""
    return await ask(client, Describe().event(), Info)


async def ask(client: AsyncTcpClient, question: Event, answer: type[Eventable]) -> float:
    """Return the seconds from a question to its answer."""
    started = perf_counter()
    await client.write_event(question)
    assert answer.is_type((await _read(client)).type), f"the answer is {answer.__name__}"
    return perf_counter() - started


async def speak(port: int, text: str, voice: str, *, keep: bool = False) -> Spoken:
    """Speak over a connection of its own, as Home Assistant does."""
    started = perf_counter()
    first, rate, length, chunks = 0.0, 1, 0, 0
    kept = bytearray()
    async with connect(port) as client:
        await client.write_event(Synthesize(text, SynthesizeVoice(voice)).event())
        while not AudioStop.is_type((event := await _read(client)).type):
            if AudioChunk.is_type(event.type):
                first = first or perf_counter() - started
                rate = event.data["rate"]
                audio = event.payload or b""
                length += len(audio)
                chunks += 1
                if keep:
                    kept += audio
        last = perf_counter() - started
    assert length, "a voice that says nothing cannot be measured"
    return Spoken(first, last, length / 2 / rate, rate, bytes(kept), chunks)


async def hear(
    port: int, pcm: bytes, language: str, model: str, *, paced: bool = False, samples: int = _PIECE
) -> Transcribed:
    """Transcribe 16 kHz mono, so many samples a chunk, on a connection of its own: at once, or as somebody speaks."""
    sound = {"rate": RATE, "width": 2, "channels": 1}
    async with connect(port) as client:
        await client.write_event(Transcribe(name=model, language=language).event())
        await client.write_event(AudioStart(**sound).event())
        started = perf_counter()
        for number, start in enumerate(range(0, len(pcm), 2 * samples), 1):
            if paced:
                await asyncio.sleep(started + number * samples / RATE - perf_counter())
            await client.write_event(AudioChunk(audio=pcm[start : start + 2 * samples], **sound).event())
        stopped = perf_counter()
        await client.write_event(AudioStop().event())
        while not Transcript.is_type((event := await _read(client)).type):
            pass
        return Transcribed(perf_counter() - stopped, str(event.data["text"]))


async def _read(client: AsyncTcpClient) -> Event:
    event = await client.read_event()
    assert event is not None, "the server closed before its answer was complete"
    if Error.is_type(event.type):
        raise RuntimeError(f"The server says: {event.data}")
    return event
