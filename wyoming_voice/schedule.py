"""Which turns can be had, which workers to start and which to stop: decisions without I/O, so a test needs no worker.

``pool.py`` acts on them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import count
from typing import Final, Protocol

_FIRST_GUESS: Final = 1.0  # seconds of a turn, before one was measured
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
class Turn:
    """A request's wish for a worker."""

    engine: str


@dataclass(slots=True)
class Line:
    """One engine's plan, slots and how busy it is."""

    name: str
    plan: EnginePlan
    slots: list[Slot]
    tickets: int = 0
    turn_seconds: float = _FIRST_GUESS
    waiting: int = 0
    load_seconds: float | None = None
    """How long its last worker took to load; None: there was none yet."""
    no_more_before: float = 0.0
    """When one more worker may be started than there are: the last one tried did not start."""
    leaving: bool = False
    """Whether it is here for the requests it has, and nobody else: the configuration knows it no more."""

    @property
    def over(self) -> bool:
        """Whether the last request of a line that is leaving has gone, and its workers too."""
        return self.leaving and not self.tickets and self.count(State.EMPTY) == len(self.slots)

    def count(self, *states: State) -> int:
        """Count the slots that are doing one of these."""
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

    def learn(self, seconds: float) -> None:
        """Note how long a turn took."""
        self.turn_seconds += _SMOOTHING * (seconds - self.turn_seconds)

    @property
    def wait_seconds(self) -> float:
        """When there should be room again."""
        return self.turn_seconds * (self.waiting + 1) / self.plan.workers


@dataclass(slots=True)
class Decision:
    """What to do now."""

    grants: list[tuple[Turn, Slot]] = field(default_factory=list)
    starts: list[Slot] = field(default_factory=list)
    stops: list[Slot] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class EngineState:
    """What a person is shown of an engine."""

    starting: int
    ready: int
    busy: int
    waiting: int
    loading: float | None = None
    """Seconds that a worker has been loading; None: none is."""
    load_seconds: float | None = None
    """Seconds that the last one took."""

    def __str__(self) -> str:
        return f"{self.busy} busy, {self.ready} ready, {self.starting} starting, {self.waiting} waiting"


class Schedule:
    """The lines of all engines, and the turns that are waited for in the order they were asked for."""

    def __init__(
        self, engines: Mapping[str, EnginePlan], devices: Mapping[str, DevicePlan], time: Callable[[], float]
    ) -> None:
        self.time = time
        """Seconds, by a clock that is never set back."""
        self.lines: dict[str, Line] = {}
        self.waiting: list[Turn] = []
        self._devices = devices
        self._numbers = count(1)
        self._add(engines)

    def states(self) -> Mapping[str, EngineState]:
        """Describe every engine."""
        return {name: self._state(line) for name, line in self.lines.items() if not line.leaving}

    def reconfigure(
        self, engines: Mapping[str, EnginePlan], devices: Mapping[str, DevicePlan], changed: Iterable[str]
    ) -> Mapping[str, str]:
        """Take new plans. The line of an engine that changed or is gone ends with the requests it has.

        Returns the names that such lines have from now on, by the engines' own.
        """
        self._devices = devices
        changed = set(changed)
        old = [line for name, line in self.lines.items() if not line.leaving and (name in changed or name not in engines)]
        renamed = {line.name: f"{line.name} (as it was, {next(self._numbers)})" for line in old}
        for line in old:
            self._set_aside(line, renamed[line.name])
        self._add({name: plan for name, plan in engines.items() if name not in self.lines})
        return renamed

    def _add(self, engines: Mapping[str, EnginePlan]) -> None:
        for name, plan in engines.items():
            self.lines[name] = Line(name, plan, [Slot(name) for _ in range(plan.workers)])

    def _set_aside(self, line: Line, name: str) -> None:
        del self.lines[line.name]
        for turn in self.waiting:
            if turn.engine == line.name:
                turn.engine = name
        for slot in line.slots:
            slot.engine = name
        line.name, line.leaving = name, True
        line.plan = replace(line.plan, ttl=0.0)
        self.lines[name] = line

    def _state(self, line: Line) -> EngineState:
        began = [slot.since for slot in line.slots if slot.state is State.STARTING]
        return EngineState(
            starting=len(began),
            ready=line.count(State.READY),
            busy=line.count(State.BUSY),
            waiting=line.waiting,
            loading=self.time() - min(began) if began else None,
            load_seconds=line.load_seconds,
        )

    def decide(self) -> Decision:
        """Decide which turns can be had now, which slots to start and which to stop; the slots are marked so."""
        for line in [line for line in self.lines.values() if line.over]:
            del self.lines[line.name]
        decision = Decision()
        wanted: dict[str, int] = {}
        for turn in list(self.waiting):
            line = self.lines[turn.engine]
            full = self._is_full(line.plan.device)
            if full and line.serving:
                continue
            if not full and (slot := self._newest(line)) is not None:
                self.waiting.remove(turn)
                self.set(slot, State.BUSY)
                decision.grants.append((turn, slot))
                continue
            wanted[turn.engine] = wanted.get(turn.engine, 0) + 1
            if wanted[turn.engine] <= line.count(State.STARTING):
                continue  # a worker is coming for this one
            empty = next((slot for slot in line.slots if slot.state is State.EMPTY), None)
            if empty is None or (line.serving and self.time() < line.no_more_before):
                continue
            if self._has_room(line.plan.device):
                self.set(empty, State.STARTING)
                decision.starts.append(empty)
            elif (idle := self._oldest_idle(line.plan.device)) is not None:
                self.set(idle, State.STOPPING)  # makes room; this turn is looked at again when it has ended
                decision.stops.append(idle)
        for slot in self._expired():
            self.set(slot, State.STOPPING)
            decision.stops.append(slot)
        return decision

    def set(self, slot: Slot, state: State) -> None:
        """Change what a slot is doing."""
        slot.state, slot.since = state, self.time()

    def _is_full(self, device: str) -> bool:
        most = self._devices.get(device, DevicePlan()).running
        return most is not None and self._count(device, State.BUSY) >= most

    def _has_room(self, device: str) -> bool:
        most = self._devices.get(device, DevicePlan()).loaded
        here = self._count(device, State.STARTING, State.READY, State.BUSY, State.STOPPING)
        return most is None or here < most

    def _count(self, device: str, *states: State) -> int:
        return sum(line.count(*states) for line in self.lines.values() if line.plan.device == device)

    def _newest(self, line: Line) -> Slot | None:
        ready = [slot for slot in line.slots if slot.state is State.READY]
        return max(ready, key=lambda slot: slot.since, default=None)  # the others may expire

    def _oldest_idle(self, device: str) -> Slot | None:
        lines = [line for line in self.lines.values() if line.plan.device == device]
        if any(slot.state is State.STOPPING for line in lines for slot in line.slots):
            return None  # room is being made already
        ready = [slot for line in lines for slot in line.slots if slot.state is State.READY]
        return min(ready, key=lambda slot: slot.since, default=None)

    def next_expiry(self) -> float | None:
        """Return when the next idle worker's time is up."""
        return min((expiry for expiry, _ in self._expiries()), default=None)

    def _expiries(self) -> Iterator[tuple[float, Slot]]:
        for line in self.lines.values():
            if line.plan.ttl is not None:
                for slot in line.idle:
                    yield slot.since + line.plan.ttl, slot

    def _expired(self) -> list[Slot]:
        now = self.time()
        return [slot for expiry, slot in self._expiries() if expiry <= now]
