"""Which turns can be had, which workers to start and which to stop: decisions without I/O, so a test needs no worker.

``pool.py`` acts on them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count

from .line import Address, EnginePlan, Line, Slot, State, Worker

__all__ = [
    "Address",
    "Decision",
    "DevicePlan",
    "EnginePlan",
    "EngineState",
    "Line",
    "Schedule",
    "Slot",
    "State",
    "Turn",
    "Worker",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePlan:
    """What may happen at once on a device, over all its engines."""

    running: int | None = None
    """Workers with turns; None: any number. The turns of one worker are computed as one."""
    loaded: int | None = None
    """Workers; None: any number."""


@dataclass(slots=True, eq=False)
class Turn:
    """A request's wish for a worker."""

    engine: str


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
    """Workers, as the two below."""
    ready: int
    busy: int
    turns: int
    """Segments under way, on the busy workers."""
    waiting: int
    """Turns that were asked for and not given yet."""
    loading: float | None = None
    """Seconds that a worker has been loading; None: none is."""
    load_seconds: float | None = None
    """Seconds that the last one took."""

    def __str__(self) -> str:
        turns = f" ({self.turns} turns)" if self.turns > self.busy else ""
        return f"{self.busy} busy{turns}, {self.ready} ready, {self.starting} starting, {self.waiting} waiting"


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
        self.keeping = False
        """Whether engines have their least number of workers before anybody asks."""
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
        old = [
            line for name, line in self.lines.items() if not line.leaving and (name in changed or name not in engines)
        ]
        renamed = {line.name: f"{line.name} (as it was, {next(self._numbers)})" for line in old}
        for line in old:
            self._set_aside(line, renamed[line.name])
        self._add({name: plan for name, plan in engines.items() if name not in self.lines})
        return renamed

    def keep(self) -> None:
        """See from now on that every engine has its least number of workers."""
        self.keeping = True
        for line in self.lines.values():
            line.kept = True

    def _add(self, engines: Mapping[str, EnginePlan]) -> None:
        for name, plan in engines.items():
            self.lines[name] = Line.of(name, plan)
            self.lines[name].kept = self.keeping

    def _set_aside(self, line: Line, name: str) -> None:
        del self.lines[line.name]
        for turn in self.waiting:
            if turn.engine == line.name:
                turn.engine = name
        for slot in line.slots:
            slot.engine = name
        line.name, line.leaving, line.kept = name, True, False
        line.plan = replace(line.plan, ttl=0.0)
        self.lines[name] = line

    def _state(self, line: Line) -> EngineState:
        began = [slot.since for slot in line.slots if slot.state is State.STARTING]
        return EngineState(
            starting=len(began),
            ready=line.count(State.READY),
            busy=line.count(State.BUSY),
            turns=line.turns,
            waiting=line.waiting,
            loading=self.time() - min(began) if began else None,
            load_seconds=line.load_seconds,
        )

    def decide(self) -> Decision:
        """Decide which turns can be had now, which slots to start and which to stop; the slots are marked so."""
        for line in [line for line in self.lines.values() if line.over]:
            del self.lines[line.name]
        decision = Decision(stops=self._failing())
        self._serve(decision)
        for line in self.lines.values():
            self._keep_least(line, decision)
        for slot in self._expired():
            self.set(slot, State.STOPPING)
            decision.stops.append(slot)
        return decision

    def _serve(self, decision: Decision) -> None:
        """Give turns to those who wait, and start what they wait for."""
        wanted: dict[str, int] = {}
        held: set[str] = set()  # devices where a worker has to fall idle for a turn that was asked for before
        done: set[str] = set()  # engines that nothing more can be done for now
        for turn in list(self.waiting):
            if turn.engine in done:
                continue
            line = self.lines[turn.engine]
            device = line.plan.device
            full = self._is_full(device)
            if (slot := line.next(idle=not full, busy=device not in held)) is not None:
                self.waiting.remove(turn)
                self._grant(turn, slot, decision)
                continue
            if full and line.serving:
                if line.has_idle:
                    held.add(device)
                done.add(turn.engine)
                continue
            wanted[turn.engine] = wanted.get(turn.engine, 0) + 1
            if wanted[turn.engine] <= line.count(State.STARTING) * line.plan.seats:
                continue  # a worker is coming for this one
            empty = line.empty(self.time())
            if empty is None:
                done.add(turn.engine)
                continue
            self._start(line, empty, held, decision)

    def _start(self, line: Line, empty: Slot, held: set[str], decision: Decision) -> None:
        """Start a worker in an empty slot, or see that there will be room for it."""
        device = line.plan.device
        if self._has_room(device):
            self.set(empty, State.STARTING)
            decision.starts.append(empty)
        elif (idle := self._oldest_idle(device)) is not None:
            self.set(idle, State.STOPPING)  # makes room; the turn is looked at again when it has ended
            decision.stops.append(idle)
        elif not line.serving and not self._count(device, State.STOPPING):
            held.add(device)

    def _grant(self, turn: Turn, slot: Slot, decision: Decision) -> None:
        if slot.state is State.READY:
            self.set(slot, State.BUSY)
        slot.taken += 1
        slot.turns += 1
        most = self.lines[slot.engine].plan.turns
        slot.unwanted = slot.unwanted or (most is not None and slot.turns >= most)
        decision.grants.append((turn, slot))

    def _keep_least(self, line: Line, decision: Decision) -> None:
        for _ in range(line.short):
            slot = line.probe(self.time())
            if slot is None or not self._has_room(line.plan.device):
                return
            self.set(slot, State.STARTING)
            decision.starts.append(slot)

    def _failing(self) -> list[Slot]:
        """Take the idle workers of addresses that are out of rotation."""
        failing = [slot for line in self.lines.values() for slot in line.slots if slot.address.closed]
        failing = [slot for slot in failing if slot.state is State.READY]
        for slot in failing:
            self.set(slot, State.STOPPING)
        return failing

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

    def _oldest_idle(self, device: str) -> Slot | None:
        lines = [line for line in self.lines.values() if line.plan.device == device]
        if any(slot.state is State.STOPPING for line in lines for slot in line.slots):
            return None  # room is being made already
        ready = [slot for line in lines for slot in line.slots if slot.state is State.READY]
        return min(ready, key=lambda slot: slot.since, default=None)

    def next_look(self) -> float | None:
        """Return when there may be something to do that nobody asks for: to end an idle worker, or to try one again."""
        now = self.time()
        lines = [line for line in self.lines.values() if line.short]
        again = [slot.address.retry_at for line in lines for slot in line.slots if slot.state is State.EMPTY]
        return min([*(expiry for expiry, _ in self._expiries()), *(at for at in again if at > now)], default=None)

    def _expiries(self) -> Iterator[tuple[float, Slot]]:
        for line in self.lines.values():
            if line.plan.ttl is not None:
                for slot in line.idle:
                    yield slot.since + line.plan.ttl, slot

    def _expired(self) -> list[Slot]:
        now = self.time()
        return [slot for expiry, slot in self._expiries() if expiry <= now]
