"""One session of listening over a WebSocket, whatever its dialect."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from aiohttp import web

from wyoming_voice.activity import ActivityStream
from wyoming_voice.audio import Converter, PcmFormat
from wyoming_voice.channel import Channel
from wyoming_voice.companding import Law, expand
from wyoming_voice.endpoint import Endpointer, EndpointRules, Event, Quiet, SpeechPiece, SpeechStarted
from wyoming_voice.engines.protocol import Heard
from wyoming_voice.errors import VoiceError
from wyoming_voice.listening import HEARD
from wyoming_voice.speech import once

from .arriving import Arriving
from .bridge import Bridge, bridge_of
from .recording import Expected, polished
from .reply import to_json
from .said import Done, Finalized, Said, Spelling, Told
from .socket import Socket, parse, serve, side_by_side

_MOST_WAITING: Final = 8  # pieces; then the socket is not read, and the client's network waits
_INTERIM: Final = HEARD.byte_rate  # bytes of new speech between two partial transcripts: a second
_LARGEST: Final = 1024 * 1024  # bytes of a message
_SLICE: Final = HEARD.byte_rate  # bytes that are converted and judged at once, however large the message


@dataclass(frozen=True, slots=True)
class Sound:
    """What the client's binary messages hold, where it is raw audio."""

    fmt: PcmFormat
    """16 bit; what a law makes of its bytes."""
    law: Law | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a client wants of a session."""

    sound: Sound | None
    """None: one recording in a container, which says itself what it is."""
    rules: EndpointRules
    expected: Expected
    interim: bool
    """Whether it wants partial transcripts."""
    hello: Mapping[str, object] | None
    """The first message."""
    spell: Spelling
    close: str
    """The type of the message that ends it."""


@dataclass(frozen=True, slots=True)
class _Piece:
    piece: SpeechPiece
    finalized: bool


@dataclass(frozen=True, slots=True)
class _Partial:
    """The last partial transcript."""

    text: str = ""
    start: float = 0.0
    """Of the piece that it is of."""
    size: int = 0
    """Bytes of the piece then."""

    def beginning(self, piece: SpeechPiece) -> str:
        """Return it where it is of the beginning of this piece: one that was cut may end before what was heard then.

        The last piece of an utterance is shorter by silence at most.
        """
        return self.text if piece.start == self.start and (piece.last or len(piece.pcm) >= self.size) else ""


class ListenSession:
    """One client that sends sound and gets transcripts."""

    def __init__(self, socket: Socket, bridge: Bridge, activity: ActivityStream, asked: Asked) -> None:
        self._socket = socket
        self._bridge = bridge
        self._activity = activity
        self._asked = asked
        self._converter = Converter(HEARD if asked.sound is None else asked.sound.fmt, HEARD)
        self._arriving = Arriving() if asked.sound is None else None
        self._endpointer = Endpointer(asked.rules)
        self._queue: Channel[_Piece | Quiet | Finalized] = Channel(_MOST_WAITING)
        expected = asked.expected
        self._engine = bridge.app.voices.catalogue.model(expected.model, expected.language)[0].engine
        self._working = False
        self._interim: asyncio.Task[None] | None = None
        self._interim_size = 0
        """Bytes of the piece that the last partial transcript was of."""
        self._partial = _Partial()
        self._closing = False

    async def run(self) -> None:
        """Serve until the client closes or leaves, or something goes wrong."""
        if self._asked.hello is not None:
            await self._socket.send(self._asked.hello)
        try:
            await side_by_side(self._work(), self._read(), *([] if self._arriving is None else [self._decode()]))
        finally:
            await self._stop_interim()

    async def _read(self) -> None:
        try:
            await self._read_on()
        finally:
            if self._arriving is not None:
                self._arriving.finish()  # a thread waits for what comes next

    async def _read_on(self) -> None:
        while True:
            message = await self._socket.receive(self._bridge.settings.limits.input)
            if self._closing:
                continue
            if isinstance(message, str):
                await self._control(message)
            elif message:
                await self._hear(message)
            else:
                await self._close()  # an empty binary message: how older clients of Deepgram end

    async def _control(self, message: str) -> None:
        asked = parse(message)
        if isinstance(asked, str):
            await self._socket.warn("INVALID_MESSAGE", asked)
            return
        match asked["type"]:
            case "Finalize":
                pieces = self._endpointer.finish()
                await self._tell(pieces, finalized=True)
                await self._queue.put(Finalized(self._endpointer.now, answered=bool(pieces)))
            case "KeepAlive":
                pass
            case self._asked.close:
                await self._close()
            case kind:
                there = f"there are Finalize, KeepAlive, {self._asked.close}"
                await self._socket.warn("UNKNOWN_MESSAGE", f"There is no message '{str(kind)[:32]}'; {there}.")

    async def _close(self) -> None:
        self._closing = True
        if self._arriving is not None:
            self._arriving.finish()
        else:
            await self._end()

    async def _end(self) -> None:
        await self._follow(self._converter.finish())
        await self._tell(self._endpointer.finish())
        self._queue.close()

    async def _decode(self) -> None:
        """Follow what a container holds, until the client has closed or the recording ends."""
        assert self._arriving is not None, "there is a container"
        async with aclosing(self._arriving.decoded()) as sound:
            async for pcm in sound:
                await self._follow(pcm)
        self._closing = True
        await self._end()

    async def _hear(self, sound: bytes) -> None:
        if self._arriving is not None:
            await self._arriving.feed(sound)
            return
        assert self._asked.sound is not None, "else it is a container"
        law = self._asked.sound.law
        pcm = sound if law is None else expand(sound, law)
        for start in range(0, len(pcm), _SLICE):
            await self._follow(self._converter.feed(pcm[start : start + _SLICE]))

    async def _follow(self, pcm: bytes) -> None:
        for chunk, score in await self._activity.judge(pcm):
            await self._tell(self._endpointer.feed(chunk, score))
        if self._asked.interim:
            self._start_interim()

    async def _tell(self, events: list[Event], *, finalized: bool = False) -> None:
        for event in events:
            if isinstance(event, SpeechStarted):
                await self._say(event)
            else:
                await self._stop_interim()  # so that it says nothing after the piece's final transcript
                self._interim_size = 0
                await self._queue.put(_Piece(event, finalized) if isinstance(event, SpeechPiece) else event)

    async def _work(self) -> None:
        """Recognise one piece after another, until the client has closed."""
        async for item in self._queue:
            self._working = True
            if isinstance(item, _Piece):
                told = await self._transcribe(item.piece, final=True)
                await self._say(replace(told, finalized=item.finalized))
            else:
                await self._say(item)
            self._working = False
        await self._say(Done(self._endpointer.now))

    async def _transcribe(self, piece: SpeechPiece, *, final: bool) -> Told:
        expected = self._asked.expected
        listening = replace(
            expected.listening(once(piece.pcm)),
            prefix=self._partial.beginning(piece),
            word_times=final and expected.word_times,
        )
        async with self._bridge.app.speech.transcribe(listening) as pieces:
            heard = tuple([_shifted(part, piece.start) async for part in pieces])
        text = await polished(self._bridge, heard, expected) if final else None
        return Told(heard, piece.start, piece.end, final, piece.last, polished=text)

    def _start_interim(self) -> None:
        """Recognise what was said so far if nobody else wants the engine, so that it never delays a final one."""
        state = self._bridge.app.pool.states().get(self._engine)
        if state is None or state.busy or state.waiting:  # None: gone from the configuration while this was said
            return
        if self._working or self._queue.held or (self._interim is not None and not self._interim.done()):
            return
        growing = self._endpointer.growing
        if growing is not None and len(growing.pcm) - self._interim_size >= _INTERIM:
            self._interim_size = len(growing.pcm)
            self._interim = asyncio.create_task(self._tell_interim(growing), name="partial transcript")

    async def _tell_interim(self, piece: SpeechPiece) -> None:
        try:
            told = await self._transcribe(piece, final=False)
        except VoiceError:
            return  # the final transcript will say so, if it is still so
        if told.text:
            self._partial = _Partial(told.raw, piece.start, len(piece.pcm))
            await self._say(told)

    async def _stop_interim(self) -> None:
        if self._interim is not None:
            self._interim.cancel()
            await asyncio.gather(self._interim, return_exceptions=True)
            self._interim = None

    async def _say(self, said: Said) -> None:
        for message in self._asked.spell(said):
            await self._socket.send(message)


async def listen(request: web.Request, asked: Asked, *, say_errors: bool) -> web.StreamResponse:
    """Hold a session."""
    bridge = bridge_of(request)
    bridge.admit()
    async with bridge.app.activity.stream() as activity:  # a detector that is missing is a proper reply
        return await serve(
            request,
            lambda socket: ListenSession(socket, bridge, activity, asked).run(),
            largest=_LARGEST,
            heartbeat=None,  # while transcripts are behind, the socket is not read, and no pong would be seen
            say_errors=say_errors,
            goodbye=to_json({"type": asked.close}),
        )


def _shifted(heard: Heard, start: float) -> Heard:
    words = tuple(replace(word, start=word.start + start, end=word.end + start) for word in heard.words)
    return replace(heard, start=heard.start + start, end=heard.end + start, words=words)
