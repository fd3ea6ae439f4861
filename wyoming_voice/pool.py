"""Who waits, which worker serves, when workers come and go.

A request holds a ticket, and takes a turn for each segment: turns are given in the order they were asked for, so a long
text never keeps another client waiting longer than the segment under way. What to start and what to stop is decided
by :meth:`Pool._decide`, which does no I/O; the pool owns every start, and a request only waits for it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

from .errors import Busy, Deadline, EngineUnavailable, VoiceError, WorkerLost

_LOGGER = logging.getLogger(__name__)

_LONGEST_WAIT: Final = 300.0  # seconds for one turn; every turn before it has deadlines of its own
_FIRST_GUESS: Final = 1.0  # seconds of a turn, before one was measured
_ANOTHER_TRY: Final = 30.0  # seconds until one more worker is tried where one did not start and others serve
_SMOOTHING: Final = 0.2


class Worker(Protocol):
    """A process with one engine, reachable at a Wyoming URI."""

    @property
    def uri(self) -> str:
        """Where it is."""
        ...

    @property
    def pid(self) -> int | None:
        """Its process on this machine; None: elsewhere."""
        ...

    async def ended(self) -> None:
        """Wait until it has ended by itself."""
        ...

    async def stop(self) -> None:
        """End it, at once and for certain."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePlan:
    """How many workers an engine may have, and for how long."""

    workers: int = 1
    queue: int = 64
    """Requests that may wait, beyond those being served."""
    ttl: float | None = 600.0
    """Seconds that an idle worker is kept; None: for ever."""
    device: str = "cpu"
    turns: int | None = None
    """After so many turns a worker is replaced; None: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePlan:
    """What may happen at once on a device, over all its engines."""

    running: int | None = None
    """Turns; None: any number."""
    loaded: int | None = None
    """Workers; None: any number."""


class Clock(Protocol):
    """Time in seconds; an event loop is one."""

    def time(self) -> float:
        """Return now."""
        ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> asyncio.TimerHandle:
        """Call back then."""
        ...


class State(Enum):
    """What a slot is doing."""

    EMPTY = "empty"
    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    STOPPING = "stopping"


@dataclass(slots=True, eq=False)
class Slot:
    """A place for one worker of an engine."""

    engine: str
    state: State = State.EMPTY
    worker: Worker | None = None
    since: float = 0.0
    """When the state began."""
    unwanted: bool = False
    """Whether its worker is to end after the turn under way."""
    turns: int = 0
    """How many its worker has had."""


@dataclass(slots=True, eq=False)
class _Turn:
    engine: str
    granted: asyncio.Future[Slot]


@dataclass(slots=True)
class _Line:
    """One engine's plan, slots and how busy it is."""

    plan: EnginePlan
    slots: list[Slot]
    tickets: int = 0
    turn_seconds: float = _FIRST_GUESS
    waiting: int = 0
    no_more_before: float = 0.0
    """When one more worker may be started than there are: the last one tried did not start."""

    def count(self, *states: State) -> int:
        return sum(slot.state in states for slot in self.slots)

    @property
    def serving(self) -> bool:
        """Whether a worker is there or on its way."""
        return self.count(State.STARTING, State.READY, State.BUSY) > 0

    @property
    def idle(self) -> list[Slot]:
        """The slots whose workers no request needs: one between two of its turns will want a worker again."""
        ready = sorted((slot for slot in self.slots if slot.state is State.READY), key=lambda slot: slot.since)
        needed = max(0, self.tickets - self.count(State.BUSY))
        return ready[: max(0, len(ready) - needed)]


@dataclass(frozen=True, slots=True)
class EngineState:
    """What a person is shown of an engine."""

    starting: int
    ready: int
    busy: int
    waiting: int

    def __str__(self) -> str:
        return f"{self.busy} busy, {self.ready} ready, {self.starting} starting, {self.waiting} waiting"


@dataclass(frozen=True, slots=True)
class Ticket:
    """One request's place: admitted, it may take one turn after another."""

    engine: str
    _pool: "Pool" = field(repr=False)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Worker]:
        """Wait for a worker and have it to oneself; raises EngineUnavailable when none can be started, and Busy.

        A worker that loses its request inside the block (WorkerLost, Deadline) is abandoned.
        """
        slot = await self._pool._wait_for_turn(self.engine)  # noqa: SLF001 - a ticket is a part of its pool
        worker = slot.worker
        assert worker is not None, "a granted slot has a worker"
        lost = False
        try:
            yield worker
        except (WorkerLost, Deadline):
            lost = True
            raise
        finally:
            self._pool._end_turn(slot, worker, lost=lost)  # noqa: SLF001


class Pool:
    """The workers of all engines. Entered and left once; leaving ends every worker."""

    def __init__(
        self,
        engines: Mapping[str, EnginePlan],
        devices: Mapping[str, DevicePlan],
        start: Callable[[str], Awaitable[Worker]],
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or asyncio.get_running_loop()
        self._devices = devices
        self._start = start
        self._lines = {name: _Line(plan, [Slot(name) for _ in range(plan.workers)]) for name, plan in engines.items()}
        self._waiting: list[_Turn] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def __repr__(self) -> str:
        return "; ".join(f"{name}: {state}" for name, state in self.states().items())

    def states(self) -> Mapping[str, EngineState]:
        """Describe every engine."""
        return {
            name: EngineState(line.count(State.STARTING), line.count(State.READY), line.count(State.BUSY), line.waiting)
            for name, line in self._lines.items()
        }

    def workers(self, engine: str) -> list[Worker]:
        """Return the workers that an engine has now."""
        return [slot.worker for slot in self._lines[engine].slots if slot.worker is not None]

    @contextmanager
    def ticket(self, engine: str) -> Iterator[Ticket]:
        """Admit a request; raises Busy when as many wait as may, with the time after which there should be room."""
        line = self._lines[engine]
        if self._closed:
            raise EngineUnavailable("The server is stopping; try again in a moment.")
        if line.tickets >= line.plan.workers + line.plan.queue:
            seconds = line.turn_seconds * (line.waiting + 1) / line.plan.workers
            raise Busy(f"{line.tickets} requests wait for {engine} already; try again in {seconds:.0f} s.", seconds)
        line.tickets += 1
        try:
            yield Ticket(engine, self)
        finally:
            line.tickets -= 1
            self._act()  # the worker that was kept for it may be idle now

    def preload(self, engine: str) -> None:
        """Start an engine's workers before anybody asks."""
        for slot in self._lines[engine].slots:
            if slot.state is State.EMPTY:
                self._set(slot, State.STARTING)
                self._spawn(self._run_start(slot), f"start {engine}")

    def unload(self, engine: str) -> None:
        """End an engine's workers: the idle ones now, the others after the turn under way."""
        for slot in self._lines[engine].slots:
            if slot.state is State.READY:
                self._stop(slot)
            slot.unwanted = slot.state is State.BUSY

    async def close(self) -> None:
        """End every worker and every wait."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._fail_waiting(None, EngineUnavailable("The server is stopping; try again in a moment."))
        for task in self._tasks:
            if task.get_name().startswith("start"):
                task.cancel()
        for line in self._lines.values():
            for slot in line.slots:
                if slot.worker is not None and slot.state is not State.STOPPING:
                    self._stop(slot)
        while self._tasks:
            await asyncio.wait(self._tasks)

    # Turns

    async def _wait_for_turn(self, engine: str) -> Slot:
        if self._closed:
            raise EngineUnavailable("The server is stopping; try again in a moment.")
        turn = _Turn(engine, asyncio.get_running_loop().create_future())
        line = self._lines[engine]
        self._waiting.append(turn)
        line.waiting += 1
        self._act()
        try:
            async with asyncio.timeout(_LONGEST_WAIT):
                return await asyncio.shield(turn.granted)
        except TimeoutError:
            self._withdraw(turn)
            raise Busy(f"No turn on {engine} came free in {_LONGEST_WAIT:.0f} s.", line.turn_seconds) from None
        except asyncio.CancelledError:
            self._withdraw(turn)
            raise
        finally:
            line.waiting -= 1

    def _withdraw(self, turn: _Turn) -> None:
        if turn in self._waiting:
            self._waiting.remove(turn)
            turn.granted.cancel()
        elif not turn.granted.cancelled() and turn.granted.exception() is None:
            slot = turn.granted.result()
            self._end_turn(slot, slot.worker, lost=False)

    def _end_turn(self, slot: Slot, worker: Worker | None, *, lost: bool) -> None:
        line = self._lines[slot.engine]
        seconds = self._clock.time() - slot.since
        line.turn_seconds += _SMOOTHING * (seconds - line.turn_seconds)
        if slot.state is State.BUSY and slot.worker is worker:  # else it ended in the meantime
            slot.turns += 1
            worn = line.plan.turns is not None and slot.turns >= line.plan.turns
            if lost or worn or slot.unwanted or self._closed:
                self._stop(slot)
            else:
                self._set(slot, State.READY)
        self._act()

    def _fail_waiting(self, engine: str | None, error: VoiceError) -> None:
        for turn in [turn for turn in self._waiting if engine in (None, turn.engine)]:
            self._waiting.remove(turn)
            if not turn.granted.done():
                turn.granted.set_exception(error)

    # Decisions, without I/O

    def _decide(self) -> tuple[list[Slot], list[Slot]]:
        """Grant the turns that can be had, and return which slots to start and which to stop."""
        starts: list[Slot] = []
        stops: list[Slot] = []
        wanted: dict[str, int] = {}
        for turn in list(self._waiting):
            line = self._lines[turn.engine]
            full = self._is_full(line.plan.device)
            if full and line.serving:
                continue
            if not full and (slot := self._newest(line)) is not None:
                self._waiting.remove(turn)
                self._set(slot, State.BUSY)
                turn.granted.set_result(slot)
                continue
            wanted[turn.engine] = wanted.get(turn.engine, 0) + 1
            if wanted[turn.engine] <= line.count(State.STARTING):
                continue  # a worker is coming for this one
            empty = next((slot for slot in line.slots if slot.state is State.EMPTY), None)
            if empty is None or (line.serving and self._clock.time() < line.no_more_before):
                continue
            if self._has_room(line.plan.device):
                self._set(empty, State.STARTING)
                starts.append(empty)
            elif (idle := self._oldest_idle(line.plan.device)) is not None:
                self._set(idle, State.STOPPING)  # makes room; this turn is looked at again when it has ended
                stops.append(idle)
        for slot in self._expired():
            self._set(slot, State.STOPPING)
            stops.append(slot)
        return starts, stops

    def _set(self, slot: Slot, state: State) -> None:
        slot.state, slot.since = state, self._clock.time()

    def _is_full(self, device: str) -> bool:
        most = self._devices.get(device, DevicePlan()).running
        return most is not None and self._count(device, State.BUSY) >= most

    def _has_room(self, device: str) -> bool:
        most = self._devices.get(device, DevicePlan()).loaded
        here = self._count(device, State.STARTING, State.READY, State.BUSY, State.STOPPING)
        return most is None or here < most

    def _count(self, device: str, *states: State) -> int:
        return sum(line.count(*states) for line in self._lines.values() if line.plan.device == device)

    def _newest(self, line: _Line) -> Slot | None:
        ready = [slot for slot in line.slots if slot.state is State.READY]
        return max(ready, key=lambda slot: slot.since, default=None)  # the others may expire

    def _oldest_idle(self, device: str) -> Slot | None:
        lines = [line for line in self._lines.values() if line.plan.device == device]
        if any(slot.state is State.STOPPING for line in lines for slot in line.slots):
            return None  # room is being made already
        ready = [slot for line in lines for slot in line.slots if slot.state is State.READY]
        return min(ready, key=lambda slot: slot.since, default=None)

    def _expiries(self) -> Iterator[tuple[float, Slot]]:
        for line in self._lines.values():
            if line.plan.ttl is not None:
                for slot in line.idle:
                    yield slot.since + line.plan.ttl, slot

    def _expired(self) -> list[Slot]:
        now = self._clock.time()
        return [slot for expiry, slot in self._expiries() if expiry <= now]

    # Acting on them

    def _act(self) -> None:
        if self._closed:
            return
        starts, stops = self._decide()
        for slot in starts:
            self._spawn(self._run_start(slot), f"start {slot.engine}")
        for slot in stops:
            self._stop(slot)
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        expiry = min((expiry for expiry, _ in self._expiries()), default=None)
        self._timer = None if expiry is None else self._clock.call_at(expiry, self._act)

    def _spawn(self, work: "Awaitable[None]", name: str) -> None:
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task), "only coroutines are spawned"
        task.set_name(name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_start(self, slot: Slot) -> None:
        try:
            worker = await self._start(slot.engine)
        except VoiceError as error:
            _LOGGER.warning("%s does not start: %s", slot.engine, error.text)
            self._set(slot, State.EMPTY)
            line = self._lines[slot.engine]
            line.no_more_before = self._clock.time() + _ANOTHER_TRY
            if not line.serving:
                self._fail_waiting(slot.engine, error)
        else:
            slot.worker, slot.turns = worker, 0
            self._set(slot, State.READY)
            self._spawn(self._watch(slot, worker), f"watch {slot.engine}")
        self._act()

    async def _watch(self, slot: Slot, worker: Worker) -> None:
        await worker.ended()
        if slot.worker is worker and slot.state in (State.READY, State.BUSY):
            _LOGGER.warning("A worker of %s ended by itself", slot.engine)
            slot.worker = None
            self._set(slot, State.EMPTY)
            self._act()

    def _stop(self, slot: Slot) -> None:
        self._set(slot, State.STOPPING)
        slot.unwanted = False
        self._spawn(self._run_stop(slot), f"stop {slot.engine}")

    async def _run_stop(self, slot: Slot) -> None:
        assert slot.worker is not None, "only a slot with a worker is stopped"
        await slot.worker.stop()
        slot.worker = None
        self._set(slot, State.EMPTY)
        self._act()
