"""One Wyoming peer: limits, deadlines, a reader that never waits for work, and at most one job.

Events are read as they come. What needs no work (``describe``, ``ping``) is answered at once, the events of a request
go to the request's job, and the moment the peer leaves its job is cancelled. A server and its workers are both made of
this; it is an asyncio protocol, so that a chunk of audio costs no task switch and an idle peer no task.

A peer that sends faster than its job works is not read for a while (:meth:`Connection.hold_back`). That it has left is
then noticed once what it sent before has been read.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final, Protocol

from wyoming.error import Error
from wyoming.event import Event
from wyoming.ping import Ping, Pong

from .errors import BadRequest, Deadline, Internal, VoiceError
from .wire import EventLimits, EventParser, encode

_LOGGER = logging.getLogger(__name__)

LINGER: Final = 2.0
"""Seconds that a peer is still read after an error: an immediate close is a TCP reset, and it never sees the error."""
_WRITE_BUFFER: Final = 128 * 1024
READ_BYTES: Final = 64 * 1024
"""Read of one peer before the others have their turn: two seconds of audio, half a millisecond's work."""

_ANSWERS: Final = 64
"""Questions of one peer that are answered before the others have their turn: less than a millisecond's work."""


@dataclass(frozen=True, slots=True)
class PeerLimits:
    """What one peer may cost, in bytes and seconds."""

    events: EventLimits = field(default_factory=EventLimits)
    idle: float = 600.0
    """Without a request."""
    event: float = 30.0
    """From the first byte of an event to its last."""
    input: float = 120.0
    """Between the events of a request that is still arriving."""
    write: float = 30.0
    """Until a peer that does not read has made room."""


class Job(Protocol):
    """One request: its events come in by :meth:`accept` while :meth:`run` works."""

    @property
    def complete(self) -> bool:
        """Whether the last event of the request has come."""
        ...

    def accept(self, event: Event) -> bool:
        """Take the next event of the request; False when it is none of it. Raises VoiceError for a wrong one."""
        ...

    async def run(self) -> None:
        """Do the work and send all but the end events."""
        ...

    def end(self) -> Sequence[Event]:
        """Return the events that end the streams begun so far, after success as after an error."""
        ...


class Session(Protocol):
    """What a peer may ask for."""

    def begin(self, event: Event, connection: "Connection") -> Job | Sequence[Event] | bytes:
        """Begin a request, or answer at once (bytes: as :func:`encode` writes it). Raises VoiceError for nonsense."""
        ...


class PeerLeft(Exception):
    """The peer closed or broke the connection, or stopped reading."""


class Connection(asyncio.BufferedProtocol):
    """A peer, served until it leaves, errs, or the server ends.

    After an error the peer is told, what it still sends is dropped for up to two seconds, and the connection ends:
    Home Assistant 2026.2 waits for ever on one that stays open.
    """

    def __init__(
        self,
        session: Session,
        limits: PeerLimits,
        made: Callable[["Connection"], None],
        lost: Callable[["Connection"], None],
        buffer: memoryview,
    ) -> None:
        """Serve a peer; ``buffer`` is what is read into, and may be that of all connections of one event loop."""
        self._session = session
        self._limits = limits
        self._made = made
        self._on_lost = lost
        self._buffer = buffer
        self._parser = EventParser(limits.events)
        self._job: Job | None = None
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self.loop = asyncio.get_running_loop()
        self._lingering = False
        self._held_back = False
        self._unread = False  # what the peer asks next waits in the parser, until it has read or others had their turn
        self._answers = 0
        self._left = False
        self._stopping = False
        self._event_began: float | None = None
        self._paused: float | None = None  # since when the peer has not read
        self._drained: asyncio.Future[None] | None = None
        self._heard = self.loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self.address = ""
        """Host the peer calls from; empty for a Unix socket."""

    @property
    def busy(self) -> bool:
        """Whether a job is under way."""
        return self._task is not None

    async def send(self, *events: Event) -> None:
        """Write events at once; waits while the peer reads too slowly. Raises PeerLeft when it is gone."""
        if self._transport is None or self._lingering:
            raise PeerLeft
        self._transport.write(b"".join(map(encode, events)))
        while self._paused is not None:
            self._drained = self._drained or self.loop.create_future()
            await self._drained
            if self._transport is None:
                raise PeerLeft

    def fail(self, error: VoiceError) -> None:
        """Cancel the job, tell the peer why and how its streams end, and close once it had time to read that."""
        if self._transport is None or self._lingering:
            return
        self._lingering = True
        self._held_back = False
        self._heard = self.loop.time()
        self._event_began = None
        end = () if self._job is None else self._job.end()
        if self._task is not None:
            self._task.cancel()
        self._transport.resume_reading()
        self._transport.write(b"".join(map(encode, (Error(text=error.text, code=error.code).event(), *end))))
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._set_timer()

    def hold_back(self) -> None:
        """Read no more of the peer: its job has enough to do. Its deadlines stand still."""
        if self._transport is not None and not self._lingering and self._task is not None:
            self._held_back = True
            self._transport.pause_reading()

    def read_on(self) -> None:
        """Read the peer again."""
        if self._held_back:
            self._held_back = False
            self._heard = self.loop.time()
            self._event_began = self._heard if self._parser.partial else None
            self._resume_reading()
            self._set_timer()

    def drain(self) -> None:
        """Close now, or as soon as the request under way has ended."""
        self._stopping = True
        if self._task is None and self._transport is not None and not self._lingering:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to serve the peer."""
        assert isinstance(transport, asyncio.Transport), "a peer is a stream"
        self._transport = transport
        transport.set_write_buffer_limits(high=_WRITE_BUFFER)
        sock = transport.get_extra_info("socket")
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = transport.get_extra_info("peername")
            self.address = peer[0] if peer else ""
        self._set_timer()
        self._made(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Say where to put what the peer sends: no memory is taken for it, and none given back."""
        del sizehint  # as much as may be
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what the peer sent."""
        if self._lingering:
            return
        self._heard = self.loop.time()
        self._take(self._buffer[:nbytes])

    def _take(self, received: bytes | memoryview) -> None:
        self._answers = 0
        try:
            with closing(self._parser.feed(received)) as events:
                for event in events:
                    self._event_began = None
                    self._dispatch(event)
                    if self._unread:
                        break  # what it asks next waits as bytes: its answer may be a thousand times as long
        except VoiceError as error:
            self.fail(error)
            return
        if self._unread or not self._parser.partial:
            self._event_began = None
        elif self._event_began is None:
            self._event_began = self._heard
        self._set_timer()

    def eof_received(self) -> bool:
        """Answer what lacked only its newline, and close: a peer that stops sending has left."""
        if not self._lingering and not self._unread:
            try:
                for event in self._parser.finish():
                    self._dispatch(event)
            except VoiceError as error:
                self.fail(error)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the job of a peer that has left."""
        del exc  # how it left makes no difference
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        self._wake()
        if self._task is not None:
            self._task.cancel()
        self._leave()

    def pause_writing(self) -> None:
        """Note that the peer reads more slowly than we write."""
        self._paused = self.loop.time()
        self._set_timer()

    def resume_writing(self) -> None:
        """Go on: the peer has read."""
        self._paused = None
        self._wake()
        if self._unread:
            self._go_on()
        else:
            self._resume_reading()

    # What a peer asks

    def _dispatch(self, event: Event) -> None:
        if self._lingering:
            return
        if Ping.is_type(event.type):
            text = event.data.get("text")
            self._answer(Pong(text=text if isinstance(text, str) else None).event())
            return
        job = self._job
        if job is not None and job.accept(event):
            if self._task is None and job.complete:
                self._job = None
            return
        begun = self._session.begin(event, self)
        if isinstance(begun, bytes):
            self._write(begun)
        elif isinstance(begun, Sequence):
            self._answer(*begun)
        elif self._task is not None:
            raise BadRequest("One request at a time: wait for its end, or open another connection.")
        else:
            self._job = begun
            self._task = asyncio.create_task(self._run(begun), name=f"job {event.type}")
            self._task.add_done_callback(self._job_done)

    def _go_on(self) -> None:
        """Take what waits in the parser, and read on where that was all."""
        if not self._unread or self._paused is not None or self._transport is None:
            return
        self._unread = False
        if not self._lingering:
            self._take(b"")
        self._resume_reading()

    def _resume_reading(self) -> None:
        if self._transport is not None and not self._unread and self._paused is None and not self._held_back:
            self._transport.resume_reading()

    def _answer(self, *events: Event) -> None:
        self._write(b"".join(map(encode, events)))

    def _write(self, frames: bytes) -> None:
        if self._transport is not None and frames:
            self._transport.write(frames)
            self._answers += 1
            if self._paused is not None:  # it asks and does not read: let it wait, its deadline runs
                self._transport.pause_reading()
                self._unread = True
            elif self._answers == _ANSWERS:  # others have their turn
                self._transport.pause_reading()
                self._unread = True
                self.loop.call_soon(self._go_on)

    async def _run(self, job: Job) -> None:
        failure: VoiceError | None = None
        try:
            await job.run()
        except PeerLeft:
            pass
        except VoiceError as error:
            failure = error
        except Exception:
            _LOGGER.exception("A request ended by a mistake of the server")
            failure = Internal("The server made a mistake; its log says more.")
        self._task = None  # before the last events: with them the peer may send its next request
        self.read_on()
        if failure is not None:
            self.fail(failure)
        elif self._transport is not None and not self._lingering:
            if job.complete:
                self._job = None
            self._heard = self.loop.time()
            self._answer(*job.end())
            self._set_timer()
            if self._stopping:
                self._transport.close()

    def _job_done(self, task: asyncio.Task[None]) -> None:
        if self._task is task:  # cancelled, perhaps before it began
            self._task = None
        if self._transport is None:
            self._leave()

    def _leave(self) -> None:
        if self._task is None and not self._left:
            self._left = True
            self._on_lost(self)

    def _wake(self) -> None:
        if self._drained is not None:
            if not self._drained.done():
                self._drained.set_result(None)
            self._drained = None

    # Deadlines: one timer, set again only when something falls due before it

    def _due(self) -> float | None:
        dues = [self._paused + self._limits.write] if self._paused is not None else []
        if self._lingering:
            dues.append(self._heard + LINGER)
        elif self._held_back:
            pass
        elif self._event_began is not None:
            dues.append(self._event_began + self._limits.event)
        elif self._job is not None and not self._job.complete:
            dues.append(self._heard + self._limits.input)
        elif self._task is None:
            dues.append(self._heard + self._limits.idle)
        return min(dues, default=None)

    def _set_timer(self) -> None:
        due = self._due()
        if due is None or self._transport is None:
            return
        if self._timer is None or self._timer.cancelled() or self._timer.when() > due:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_at(due, self._expire)

    def _expire(self) -> None:
        self._timer = None
        due = self._due()
        if due is None or self._transport is None:
            return
        now = self.loop.time()
        if due > now:
            self._set_timer()
        elif self._lingering or (self._paused is not None and now >= self._paused + self._limits.write):
            self._transport.abort()
        elif self._event_began is not None:
            self.fail(Deadline(f"An event must arrive within {self._limits.event:g} s."))
        elif self._job is not None and not self._job.complete:
            self.fail(Deadline(f"The rest of the request did not come within {self._limits.input:g} s."))
        else:
            self.fail(Deadline(f"No request came for {self._limits.idle:g} s."))
