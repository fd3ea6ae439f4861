"""The workers of all engines: turns for requests, and processes that come and go as ``schedule.py`` decides.

A request holds a ticket, and takes a turn for each segment: turns are given in the order they were asked for, so a long
text never keeps another client waiting longer than the segment under way. The pool owns every start, and a request only
waits for it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from .errors import Busy, Deadline, EngineUnavailable, VoiceError, WorkerLost
from .schedule import DevicePlan, EnginePlan, EngineState, Line, Schedule, Slot, State, Turn, Worker

__all__ = ["DevicePlan", "EnginePlan", "EngineState", "Pool", "Ticket", "Worker"]

_LOGGER = logging.getLogger(__name__)

_LONGEST_WAIT: Final = 300.0  # seconds for one turn; every turn before it has deadlines of its own


class Clock(Protocol):
    """Time in seconds; an event loop is one."""

    def time(self) -> float:
        """Return now."""
        ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> asyncio.TimerHandle:
        """Call back then."""
        ...


@dataclass(slots=True, eq=False)
class _Turn(Turn):
    granted: asyncio.Future[Slot]


@dataclass(frozen=True, slots=True)
class Ticket:
    """One request's place: admitted, it may take one turn after another."""

    engine: str
    _line: Line = field(repr=False)
    _pool: "Pool" = field(repr=False)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Worker]:
        """Wait for a seat at a worker and have it; raises EngineUnavailable when none can be started, and Busy.

        A worker that loses its request inside the block (WorkerLost, Deadline) is abandoned, by the others too.
        """
        slot = await self._pool._wait_for_turn(self._line)  # noqa: SLF001 - a ticket is a part of its pool
        worker = slot.worker
        if worker is None:  # it ended by itself since the turn was given
            raise WorkerLost(f"The worker of {self.engine} ended; try again.")
        clock = self._pool._clock  # noqa: SLF001
        began = clock.time()
        lost = False
        try:
            yield worker
        except (WorkerLost, Deadline):
            lost = True
            raise
        except (EngineUnavailable, Busy) as error:
            if len(self._line.plan.addresses) < 2:
                raise
            lost = True  # it is stopping, say, or others use it too: another address may do
            raise WorkerLost(error.text) from error
        finally:
            self._line.learn(clock.time() - began)
            self._pool._end_turn(slot, worker, lost=lost)  # noqa: SLF001


class Pool:
    """The workers of all engines. Entered and left once; leaving ends every worker."""

    def __init__(
        self,
        engines: Mapping[str, EnginePlan],
        devices: Mapping[str, DevicePlan],
        start: Callable[[str, str | None], Awaitable[Worker]],
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or asyncio.get_running_loop()
        self._schedule = Schedule(engines, devices, self._clock.time)
        self._lines = self._schedule.lines
        self._start = start
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def __repr__(self) -> str:
        return "; ".join(f"{name}: {state}" for name, state in self.states().items())

    def states(self) -> Mapping[str, EngineState]:
        """Describe every engine."""
        return self._schedule.states()

    def workers(self, engine: str) -> list[Worker]:
        """Return the workers that an engine has now; none for one that is gone."""
        line = self._lines.get(engine)
        return [slot.worker for slot in line.slots if slot.worker is not None] if line is not None else []

    @contextmanager
    def ticket(self, engine: str) -> Iterator[Ticket]:
        """Admit a request; raises Busy when as many wait as may, with the time after which there should be room.

        EngineUnavailable: the engine is gone since the request chose it.
        """
        if self._closed:
            raise EngineUnavailable("The server is stopping; try again in a moment.")
        line = self._lines.get(engine)
        if line is None:
            raise EngineUnavailable(f"The engine {engine} was just taken out of the configuration; ask again.")
        if line.tickets >= line.seats + line.plan.queue:
            seconds = line.wait_seconds
            raise Busy(f"{line.tickets} requests wait for {engine} already; try again in {seconds:.0f} s.", seconds)
        line.tickets += 1
        line.kept = self._schedule.keeping and not line.leaving
        try:
            yield Ticket(engine, line, self)
        finally:
            line.tickets -= 1
            self._act()  # the worker that was kept for it may be idle now

    def keep(self) -> None:
        """See from now on that every engine has its least number of workers, and the addresses that answer."""
        self._schedule.keep()
        self._act()

    def preload(self, engine: str) -> None:
        """Start an engine's workers before anybody asks."""
        self._lines[engine].kept = self._schedule.keeping
        for slot in self._lines[engine].slots:
            if slot.state is State.EMPTY:
                self._schedule.set(slot, State.STARTING)
                self._spawn(self._run_start(slot), f"start {engine}")

    def unload(self, engine: str) -> None:
        """End an engine's workers until somebody asks again: the idle ones now, the others after their turns."""
        self._lines[engine].kept = False
        for slot in self._lines[engine].slots:
            if slot.state is State.READY:
                self._stop(slot)
            slot.unwanted = slot.state is State.BUSY

    def reconfigure(
        self, engines: Mapping[str, EnginePlan], devices: Mapping[str, DevicePlan], changed: Iterable[str]
    ) -> Mapping[str, str]:
        """Take new plans; requests that have a ticket keep the workers that they know, and others get new ones.

        Returns the names under which the engines that changed or are gone are still started for those requests.
        """
        renamed = self._schedule.reconfigure(engines, devices, changed)
        self._act()
        return renamed

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

    async def _wait_for_turn(self, line: Line) -> Slot:
        if self._closed:
            raise EngineUnavailable("The server is stopping; try again in a moment.")
        turn = _Turn(line.name, asyncio.get_running_loop().create_future())
        self._schedule.waiting.append(turn)
        line.waiting += 1
        self._act()
        try:
            async with asyncio.timeout(_LONGEST_WAIT):
                return await asyncio.shield(turn.granted)
        except TimeoutError:
            self._withdraw(turn)
            raise Busy(f"No turn on {line.name} came free in {_LONGEST_WAIT:.0f} s.", line.turn_seconds) from None
        except asyncio.CancelledError:
            self._withdraw(turn)
            raise
        finally:
            line.waiting -= 1

    def _withdraw(self, turn: _Turn) -> None:
        if turn in self._schedule.waiting:
            self._schedule.waiting.remove(turn)
            turn.granted.cancel()
        elif not turn.granted.cancelled() and turn.granted.exception() is None:
            slot = turn.granted.result()
            self._end_turn(slot, slot.worker, lost=False)

    def _end_turn(self, slot: Slot, worker: Worker | None, *, lost: bool) -> None:
        if slot.state is State.BUSY and slot.worker is worker:  # else it ended in the meantime
            slot.taken -= 1
            if lost:
                slot.address.close(self._clock.time())
            else:
                slot.address.failures = 0
            if lost or (not slot.taken and (slot.unwanted or slot.address.closed or self._closed)):
                self._stop(slot)
            elif not slot.taken:
                self._schedule.set(slot, State.READY)
        self._act()

    def _fail_waiting(self, engine: str | None, error: VoiceError) -> None:
        for turn in list(self._schedule.waiting):
            assert isinstance(turn, _Turn), "only the pool asks for turns"
            if engine in (None, turn.engine):
                self._schedule.waiting.remove(turn)
                if not turn.granted.done():
                    turn.granted.set_exception(error)

    # Acting on them

    def _act(self) -> None:
        if self._closed:
            return
        decision = self._schedule.decide()
        for turn, slot in decision.grants:
            assert isinstance(turn, _Turn), "only the pool asks for turns"
            turn.granted.set_result(slot)
        for slot in decision.starts:
            self._spawn(self._run_start(slot), f"start {slot.engine}")
        for slot in decision.stops:
            self._stop(slot)
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        expiry = self._schedule.next_look()
        self._timer = None if expiry is None else self._clock.call_at(expiry, self._act)

    def _spawn(self, work: "Awaitable[None]", name: str) -> None:
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task), "only coroutines are spawned"
        task.set_name(name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_start(self, slot: Slot) -> None:
        try:
            worker = await self._start(slot.engine, slot.address.uri)
        except VoiceError as error:
            _LOGGER.warning("%s does not start: %s", slot.engine, error.text)
            self._schedule.set(slot, State.EMPTY)
            line = self._lines[slot.engine]
            slot.address.rest(self._clock.time())
            if not line.serving and not line.hopeful(self._clock.time()):
                self._fail_waiting(slot.engine, error)
        else:
            self._lines[slot.engine].load_seconds = self._clock.time() - slot.since
            slot.worker, slot.turns, slot.taken, slot.unwanted = worker, 0, 0, False
            slot.address.open()
            self._schedule.set(slot, State.READY)
            self._spawn(self._watch(slot, worker), f"watch {slot.engine}")
        self._act()

    async def _watch(self, slot: Slot, worker: Worker) -> None:
        await worker.ended()
        if slot.worker is worker and slot.state in (State.READY, State.BUSY):
            _LOGGER.warning("A worker of %s ended by itself", slot.engine)
            slot.worker = None
            slot.address.close(self._clock.time())
            self._schedule.set(slot, State.EMPTY)
            self._act()

    def _stop(self, slot: Slot) -> None:
        self._schedule.set(slot, State.STOPPING)
        self._spawn(self._run_stop(slot), f"stop {slot.engine}")

    async def _run_stop(self, slot: Slot) -> None:
        assert slot.worker is not None, "only a slot with a worker is stopped"
        await slot.worker.stop()
        slot.worker = None
        self._schedule.set(slot, State.EMPTY)
        self._act()
