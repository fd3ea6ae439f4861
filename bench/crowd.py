"""Clients of every kind at once: they speak and listen over Wyoming, HTTP and WebSocket, in real time; some leave."""

import asyncio
import io
import json
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

import aiohttp
import soundfile
from wyoming.asr import Transcribe
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.event import Event
from wyoming.tts import Synthesize, SynthesizeVoice

from .ask import connect
from .door import Doors
from .recording import RATE

_PIECE: Final = 512
"""Samples in one message of audio: 32 ms."""
_LEAVERS: Final = 0.2
"""The share of requests whose client goes in the middle."""
_PAUSE: Final = 0.5
"""Seconds between two requests of a client, at most."""


class Left(Exception):
    """The client went, as it had decided to."""


class Refused(Exception):
    """The server said no: its code."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the clients ask for."""

    voice: str
    text: str
    model: str
    language: str
    pcm: bytes
    """What is said: 16 kHz mono, 16 bit."""


@dataclass(slots=True)
class Seen:
    """What the clients saw, by what they asked."""

    latencies: dict[str, list[float]] = field(default_factory=dict)
    """Seconds: from the request to the first audio, or from the end of speech to the transcript."""
    errors: Counter[str] = field(default_factory=Counter)
    left: int = 0

    @property
    def requests(self) -> int:
        """Those that were answered to their end."""
        return sum(map(len, self.latencies.values()))


class Crowd:
    """So many clients, each of which asks again and again."""

    def __init__(self, doors: Doors, wishes: Wishes, seed: int = 1) -> None:
        self._doors = doors
        self._wishes = wishes
        self._random = random.Random(seed)
        self.seen = Seen()
        self._kinds: tuple[tuple[str, Callable[[bool], Awaitable[float]]], ...] = (
            ("Wyoming, speak", self._speak),
            ("Wyoming, hear", self._hear),
            ("HTTP, speak", self._speak_http),
            ("HTTP, hear", self._hear_http),
            ("WebSocket, speak", self._speak_socket),
            ("WebSocket, hear", self._hear_socket),
        )

    async def ask(self, clients: int, seconds: float) -> None:
        """Have so many clients ask for so long; who is in the middle of a request then finishes it."""
        end = perf_counter() + seconds
        async with asyncio.TaskGroup() as group:
            for number in range(clients):
                group.create_task(self._client(number, end), name=f"client {number}")

    async def _client(self, number: int, end: float) -> None:
        await asyncio.sleep(self._random.random())  # they do not come all at the same moment
        while perf_counter() < end:
            name, request = self._kinds[number % len(self._kinds)]
            number += 1
            try:
                latency = await request(self._random.random() < _LEAVERS)
            except Left:
                self.seen.left += 1
            except Refused as refused:
                self.seen.errors[str(refused)] += 1
            except (aiohttp.ClientError, OSError, AssertionError) as error:
                self.seen.errors[type(error).__name__] += 1
            else:
                self.seen.latencies.setdefault(name, []).append(latency)
            await asyncio.sleep(self._random.random() * _PAUSE)

    async def _speak(self, leaving: bool) -> float:
        started = perf_counter()
        async with connect(self._doors.server.port) as client:
            await client.write_event(Synthesize(self._wishes.text, SynthesizeVoice(self._wishes.voice)).event())
            first, played = 0.0, 0.0
            while not AudioStop.is_type((event := _said(await client.read_event())).type):
                if AudioChunk.is_type(event.type):
                    first = first or perf_counter()
                    played += len(event.payload or b"") / 2 / int(event.data["rate"])
                    _may_leave(leaving)
                    await asyncio.sleep(first + played - perf_counter() - 1)  # a second ahead, as players are
        return (first or perf_counter()) - started

    async def _hear(self, leaving: bool) -> float:
        sound = {"rate": RATE, "width": 2, "channels": 1}
        async with connect(self._doors.server.port) as client:
            await client.write_event(Transcribe(name=self._wishes.model, language=self._wishes.language).event())
            await client.write_event(AudioStart(**sound).event())
            async with aclosing(self._dictated(leaving)) as pieces:
                async for piece in pieces:
                    await client.write_event(AudioChunk(audio=piece, **sound).event())
            stopped = perf_counter()
            await client.write_event(AudioStop().event())
            while _said(await client.read_event()).type != "transcript":
                pass
        return perf_counter() - stopped

    async def _dictated(self, leaving: bool) -> AsyncGenerator[bytes, None]:
        """Yield what is said, as fast as somebody speaks."""
        pcm = self._wishes.pcm
        started = perf_counter()
        for number, start in enumerate(range(0, len(pcm), 2 * _PIECE), 1):
            await asyncio.sleep(started + number * _PIECE / RATE - perf_counter())
            if start > len(pcm) / 2:
                _may_leave(leaving)
            yield pcm[start : start + 2 * _PIECE]

    async def _speak_http(self, leaving: bool) -> float:
        started, first = perf_counter(), 0.0
        asked = {"text": self._wishes.text, "voice": self._wishes.voice}
        async with self._doors.client.post("/tts/wav", json=asked) as reply:
            await _accepted(reply)
            async for received in reply.content.iter_any():
                if len(received) > 44:
                    first = first or perf_counter() - started
                    _may_leave(leaving)
        return first

    async def _hear_http(self, leaving: bool) -> float:
        file = io.BytesIO()
        with soundfile.SoundFile(file, "w", RATE, 1, subtype="PCM_16", format="WAV") as sound:
            sound.buffer_write(self._wishes.pcm, dtype="int16")
        form = aiohttp.FormData({"language": self._wishes.language, "model": self._wishes.model})
        form.add_field("file", file.getvalue(), filename="said.wav")
        stopped = perf_counter()
        async with self._doors.client.post("/stt", data=form) as reply:
            _may_leave(leaving)
            await _accepted(reply)
            await reply.json()
        return perf_counter() - stopped

    async def _speak_socket(self, leaving: bool) -> float:
        started, first = perf_counter(), 0.0
        async with self._doors.client.ws_connect(
            "/tts/speak-streaming", params={"voice": self._wishes.voice}
        ) as socket:
            await socket.send_json({"type": "Speak", "text": self._wishes.text})
            await socket.send_json({"type": "Flush"})
            async for message in socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    first = first or perf_counter() - started
                    _may_leave(leaving)
                elif _message(message)["type"] == "Flushed":
                    return first
        raise Refused(f"closed {socket.close_code}")

    async def _hear_socket(self, leaving: bool) -> float:
        asked = {"language": self._wishes.language, "model": self._wishes.model, "interim_results": "false"}
        async with self._doors.client.ws_connect("/stt/listen-streaming", params=asked) as socket:
            async with aclosing(self._dictated(leaving)) as pieces:
                async for piece in pieces:
                    await socket.send_bytes(piece)
            stopped = perf_counter()
            await socket.send_json({"type": "Close"})
            async for message in socket:
                _message(message)
            if socket.close_code not in (1000, None):
                raise Refused(f"closed {socket.close_code}")
        return perf_counter() - stopped


def _may_leave(leaving: bool) -> None:
    if leaving:
        raise Left


def _said(event: Event | None) -> Event:
    if event is None:
        raise Refused("closed")
    if event.type == "error":
        raise Refused(str(event.data.get("code")))
    return event


def _message(message: aiohttp.WSMessage) -> dict[str, object]:
    said: dict[str, object] = json.loads(message.data)
    if said["type"] == "Error":
        raise Refused(str(said["code"]))
    return said


async def _accepted(reply: aiohttp.ClientResponse) -> None:
    if reply.status >= 400:
        raise Refused((await reply.json())["error"]["code"])
