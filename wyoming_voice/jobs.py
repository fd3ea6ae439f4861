"""The requests that a worker serves: speak a segment, listen to a piece, change a text."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.event import Event

from . import fields
from .connection import Connection
from .engines.protocol import HEARD_RATE, AsrEngine, Heard, Piece, TextEngine, TtsEngine
from .errors import BadRequest, TooLarge
from .handover import EngineThread
from .link import heard_event, read_segment

_AHEAD: Final = 96 * 1024  # bytes an engine may be ahead of a peer that reads slowly: 2 s at 24 kHz
_LIFE: Final = 5.0  # seconds between empty chunks, which say that an engine without audio to send is at work
_CHUNK: Final = 64 * 1024  # bytes in one audio-chunk
_PIECE: Final = 64 * HEARD_RATE * 2  # bytes: a piece has at most about 25 s, a stray client may send a minute


class SpeakJob:
    """``synthesize``: audio-start, audio-chunk…, audio-stop, as the engine makes it."""

    complete = True

    def __init__(self, event: Event, connection: Connection, thread: EngineThread, engine: TtsEngine) -> None:
        self._segment = read_segment(event)
        self._connection = connection
        self._thread = thread
        self._engine = engine

    def accept(self, _event: Event) -> bool:
        """Nothing follows."""
        return False

    async def run(self) -> None:
        """Speak the segment."""
        told: float | None = None
        async with self._thread.steps(self._begin, limit=_AHEAD, weigh=_audio_bytes) as steps:
            async for chunks in steps:
                events, now = list(_audio_events(chunks)), self._connection.loop.time()
                if told is None:
                    first = chunks[0]
                    events.insert(0, AudioStart(rate=first.rate, width=first.width, channels=first.channels).event())
                elif not events and now > told + _LIFE:
                    events.append(chunks[0].event())
                if events:
                    told = now
                    await self._connection.send(*events)

    def end(self) -> Sequence[Event]:
        """End the audio, also when there was none."""
        return [AudioStop().event()]

    def _begin(self) -> Iterator[AudioChunk]:
        return self._engine.synthesize(self._segment)


class HearJob:
    """``transcribe``, audio, ``audio-stop``: transcript-start, transcript-chunk…, transcript, transcript-stop."""

    def __init__(self, event: Event, connection: Connection, thread: EngineThread, engine: AsrEngine) -> None:
        context = fields.mapping(event.data, "context")
        self._language = fields.string(event.data, "language")
        self._prompt = fields.string(context, "prompt")
        self._prefix = fields.string(context, "prefix") or ""
        self._word_times = fields.flag(context, "word_times")
        self._terms = fields.strings(event.data, "transcript_names") + fields.strings(event.data, "transcript_terms")
        self._connection = connection
        self._thread = thread
        self._engine = engine
        self._audio = bytearray()
        self._stopped = connection.loop.create_future()
        self._heard: list[str] = []

    @property
    def complete(self) -> bool:
        """Whether ``audio-stop`` has come."""
        return self._stopped.done()

    def accept(self, event: Event) -> bool:
        """Take the audio: 16-bit mono of 16 kHz and no other."""
        match event.type:
            case "audio-start":
                pass
            case "audio-chunk" if not self.complete:
                if (event.data.get("rate"), event.data.get("width"), event.data.get("channels")) != (HEARD_RATE, 2, 1):
                    raise BadRequest("A worker hears 16-bit mono of 16 kHz; the server converts.")
                self._audio += event.payload or b""
                if len(self._audio) > _PIECE:
                    raise TooLarge("A worker hears pieces of at most a minute; the server cuts.")
            case "audio-stop" if not self.complete:
                self._stopped.set_result(None)
            case _:
                return False
        return True

    async def run(self) -> None:
        """Listen, then recognise."""
        await self._stopped
        await self._connection.send(Event(type="transcript-start"))
        async with self._thread.steps(self._begin, limit=64, weigh=_one) as steps:
            async for pieces in steps:
                self._heard += [heard.text for heard in pieces]
                await self._connection.send(*map(heard_event, pieces))

    def end(self) -> Sequence[Event]:
        """Say the whole transcript once more, as every Wyoming client expects, and end it."""
        return [
            Event(type="transcript", data={"text": "".join(self._heard), "language": self._language}),
            Event(type="transcript-stop"),
        ]

    def _begin(self) -> Iterator[Heard]:
        samples = np.frombuffer(self._audio, "<i2", count=len(self._audio) // 2)
        piece = Piece(
            samples=np.multiply(samples, np.float32(1 / 32768), dtype=np.float32),  # one copy: fresh memory is slow
            language=self._language,
            prompt=self._prompt,
            terms=self._terms,
            prefix=self._prefix,
            word_times=self._word_times,
        )
        return self._engine.transcribe(piece)


class RewriteJob:
    """``transcript``: the text changed, in ``handled``."""

    complete = True

    def __init__(self, event: Event, connection: Connection, thread: EngineThread, engine: TextEngine) -> None:
        self._text = fields.text(event.data)
        self._language = fields.string(event.data, "language")
        self._connection = connection
        self._thread = thread
        self._engine = engine

    def accept(self, _event: Event) -> bool:
        """Nothing follows."""
        return False

    async def run(self) -> None:
        """Change the text."""
        text = await self._thread.call(lambda: self._engine.rewrite(self._text, self._language))
        await self._connection.send(Event(type="handled", data={"text": text}))

    def end(self) -> Sequence[Event]:
        """Nothing more: the answer is one event."""
        return []


def _audio_bytes(chunk: AudioChunk) -> int:
    return len(chunk.audio)


def _one(_heard: Heard) -> int:
    return 1


def _audio_events(chunks: Sequence[AudioChunk]) -> Iterator[Event]:
    """Join what there is, and cut it into events of a size that small clients can take."""
    first = chunks[0]
    assert all(chunk.rate == first.rate for chunk in chunks), "an engine speaks a segment in one sample rate"
    audio = first.audio if len(chunks) == 1 else b"".join(chunk.audio for chunk in chunks)
    for start in range(0, len(audio), _CHUNK):
        part = audio if len(audio) <= _CHUNK else audio[start : start + _CHUNK]
        yield AudioChunk(rate=first.rate, width=first.width, channels=first.channels, audio=part).event()
