"""One engine's line: its plan, where its workers can be, the slots for them, and who waits; no I/O."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

_FIRST_GUESS: Final = 1.0  # seconds of a turn, before one was measured
_SMOOTHING: Final = 0.2
_FIRST_REST: Final = 1.0  # seconds out of rotation after the first failure of an address, doubled with each one more
_LONGEST_REST: Final = 60.0
_START_REST: Final = 30.0  # seconds until one more process is tried where one did not start: it may load for minutes


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
    """How many workers an engine may have, where, and for how long."""

    workers: int = 1
    """At most; with addresses, at each of them."""
    least: int = 0
    """Workers that are always there, from the moment that the server opens."""
    addresses: tuple[str, ...] = ()
    """Wyoming servers elsewhere, which share the work; none: a launcher starts the workers."""
    queue: int = 64
    """Requests that may wait, beyond those being served."""
    ttl: float | None = 600.0
    """Seconds that an idle worker is kept; None: for ever."""
    device: str = "cpu"
    turns: int | None = None
    """After so many turns a worker is replaced; None: never."""
    seats: int = 1
    """Turns that a worker takes at once."""


class State(Enum):
    """What a slot is doing."""

    EMPTY = "empty"
    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    """One of its seats is taken, or more."""
    STOPPING = "stopping"


@dataclass(slots=True, eq=False)
class Address:
    """Where workers of an engine can be, and whether it is worth trying there."""

    uri: str | None = None
    """None: wherever the launcher puts them."""
    failures: int = 0
    """In a row, with no turn between them that went well."""
    closed: bool = False
    """Out of rotation: a worker there failed, and none was reached since."""
    retry_at: float = 0.0
    """When a worker may be tried there again, while there are others."""

    def rest(self, now: float) -> None:
        """Let it be for a while: no worker could be started there."""
        first, longest = (_START_REST, _START_REST) if self.uri is None else (_FIRST_REST, _LONGEST_REST)
        self.retry_at = now + min(first * 2.0**self.failures, longest)
        self.failures += 1

    def close(self, now: float) -> None:
        """Take a server elsewhere out of rotation: it lost a request, or is gone.

        The end of a process that a launcher started says nothing of the next one.
        """
        if self.uri is not None and not self.closed:
            self.closed = True
            self.rest(now)

    def open(self) -> None:
        """Take it into rotation: a worker was started there."""
        self.closed, self.retry_at = False, 0.0


@dataclass(slots=True, eq=False)
class Slot:
    """A place for one worker of an engine."""

    engine: str
    address: Address = field(default_factory=Address)
    state: State = State.EMPTY
    worker: Worker | None = None
    since: float = 0.0
    """When the state began."""
    unwanted: bool = False
    """Whether its worker is to end after the turns under way, and gets no more."""
    turns: int = 0
    """How many its worker was given."""
    taken: int = 0
    """Seats of its worker that turns under way have."""


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
    kept: bool = False
    """Whether the least number of workers is to be there now."""
    leaving: bool = False
    """Whether it is here for the requests it has, and nobody else: the configuration knows it no more."""

    @classmethod
    def of(cls, name: str, plan: EnginePlan) -> "Line":
        """Make the line of an engine, all slots empty; an address's first comes before any one's second."""
        addresses = [Address(uri) for uri in plan.addresses] or [Address()]
        return cls(name, plan, [Slot(name, address) for _ in range(plan.workers) for address in addresses])

    @property
    def over(self) -> bool:
        """Whether the last request of a line that is leaving has gone, and its workers too."""
        return self.leaving and not self.tickets and self.count(State.EMPTY) == len(self.slots)

    def count(self, *states: State, at: Address | None = None) -> int:
        """Count the slots that are doing one of these, at one address or all."""
        return sum(slot.state in states and at in (None, slot.address) for slot in self.slots)

    @property
    def seats(self) -> int:
        """How many turns there can be at once."""
        return len(self.slots) * self.plan.seats

    @property
    def turns(self) -> int:
        """How many turns are under way."""
        return sum(slot.taken for slot in self.slots if slot.state is State.BUSY)

    @property
    def serving(self) -> bool:
        """Whether a worker is there or on its way, and not where the last one failed."""
        there = (State.STARTING, State.READY, State.BUSY)
        return any(slot.state in there and not slot.address.closed for slot in self.slots)

    @property
    def idle(self) -> list[Slot]:
        """The slots whose workers no request needs: one between two of its turns will want a worker again."""
        ready = sorted((slot for slot in self.slots if slot.state is State.READY), key=lambda slot: slot.since)
        least = self.plan.least if self.kept else 0
        left = self.tickets - self.turns - sum(map(self._free, self.slots))  # for whom the busy ones have no seat
        needed = max(0, -(-left // self.plan.seats), least - self.count(State.BUSY, State.STARTING))
        return ready[: max(0, len(ready) - needed)]

    @property
    def short(self) -> int:
        """How many workers there are too few."""
        there = self.count(State.STARTING, State.READY, State.BUSY)
        return max(0, self.plan.least - there) if self.kept and not self.leaving else 0

    @property
    def has_idle(self) -> bool:
        """Whether a worker is there that does nothing, and could."""
        return any(slot.state is State.READY and not slot.address.closed for slot in self.slots)

    def next(self, *, idle: bool, busy: bool) -> Slot | None:
        """Return the worker to give the next turn to, one that does nothing or one that does something already.

        It is the least busy one, at the least busy address, of several the newest: the others may expire.
        """
        able = [slot for slot in self.slots if not slot.address.closed]
        able = [slot for slot in able if (idle and slot.state is State.READY) or (busy and self._free(slot))]
        return min(able, key=lambda slot: (self._busy(slot.address), slot.taken, -slot.since), default=None)

    def _free(self, slot: Slot) -> int:
        """Count the seats of a busy worker that a turn may take."""
        return self.plan.seats - slot.taken if slot.state is State.BUSY and not slot.unwanted else 0

    def empty(self, now: float) -> Slot | None:
        """Return the slot to start the next worker in; where nothing serves, an address is tried before its time."""
        empty = [slot for slot in self.slots if slot.state is State.EMPTY]
        rested = [slot for slot in empty if slot.address.retry_at <= now]
        if rested or self.serving:
            return min(rested, key=lambda slot: self._used(slot.address), default=None)
        return min(empty, key=lambda slot: slot.address.retry_at, default=None)

    def probe(self, now: float) -> Slot | None:
        """Return the slot to start a worker in that nobody waits for; where one failed, one at a time."""
        able = [
            slot
            for slot in self.slots
            if slot.state is State.EMPTY and slot.address.retry_at <= now
            if not (slot.address.failures and self.count(State.STARTING, at=slot.address))
        ]
        return min(able, key=lambda slot: self._used(slot.address), default=None)

    def hopeful(self, now: float) -> bool:
        """Whether an address is left where a worker can be tried."""
        return any(slot.state is State.EMPTY and slot.address.retry_at <= now for slot in self.slots)

    def _busy(self, address: Address) -> int:
        return self.count(State.BUSY, at=address)

    def _used(self, address: Address) -> int:
        return self.count(State.STARTING, State.READY, State.BUSY, at=address)

    def learn(self, seconds: float) -> None:
        """Note how long a turn took."""
        self.turn_seconds += _SMOOTHING * (seconds - self.turn_seconds)

    @property
    def wait_seconds(self) -> float:
        """When there should be room again."""
        return self.turn_seconds * (self.waiting + 1) / self.seats
