"""Workers at several addresses, always there, with several seats: the pool's decisions, with a clock that jumps."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack

import pytest

from tests.test_pool import JumpingClock, Launcher, QuickWorker, settle
from wyoming_voice.errors import Busy, EngineUnavailable, VoiceError, WorkerLost
from wyoming_voice.pool import DevicePlan, EnginePlan, Pool, Ticket, Worker

A, B = "tcp://a:1", "tcp://b:1"
SHARED = EnginePlan(addresses=(A, B), workers=2, least=4, ttl=None)


class Servers(Launcher):
    """Wyoming servers elsewhere, of which some are down."""

    def __init__(self) -> None:
        super().__init__()
        self.down: set[str] = set()
        self.tried: Counter[str] = Counter()

    async def start(self, engine: str, address: str | None = None) -> QuickWorker:
        self.tried[address or "here"] += 1
        if address in self.down:
            raise EngineUnavailable(f"{address} does not answer")
        worker = await super().start(engine)
        worker.uri = address or "here"
        return worker


@pytest.fixture
def servers() -> Servers:
    return Servers()


@pytest.fixture
async def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
async def shared(servers: Servers, clock: JumpingClock) -> AsyncIterator[Pool]:
    """An engine at two addresses, which the server keeps an eye on."""
    pool = Pool({"a": SHARED}, {}, servers.start, clock)
    pool.keep()
    await settle()
    yield pool
    await pool.close()
    assert servers.alive == []


async def lose(ticket: Ticket) -> str:
    """Take a turn whose worker breaks the connection; returns where it was."""
    with pytest.raises(WorkerLost):
        async with ticket.turn() as worker:
            where = worker.uri
            raise WorkerLost("gone")
    await settle()
    return where


async def take(ticket: Ticket) -> str:
    async with ticket.turn() as worker:
        return worker.uri


def places(workers: list[Worker]) -> Counter[str]:
    return Counter(worker.uri for worker in workers)


async def test_every_address_is_known_before_anybody_asks(shared: Pool) -> None:
    assert places(shared.workers("a")) == {A: 2, B: 2}


async def test_the_least_busy_address_is_asked_first(shared: Pool) -> None:
    with shared.ticket("a") as ticket:
        async with AsyncExitStack() as stack:
            taken = [(await stack.enter_async_context(ticket.turn())).uri for _ in range(4)]
            assert sorted(taken[:2]) == sorted(taken[2:]) == [A, B]
        async with ticket.turn() as first, ticket.turn() as second:
            assert first.uri != second.uri


async def test_an_address_that_loses_a_request_is_out_until_it_answers_again(
    shared: Pool, servers: Servers, clock: JumpingClock
) -> None:
    with shared.ticket("a") as ticket:
        lost = await lose(ticket)
        other = B if lost == A else A
        servers.down.add(lost)
        assert [await take(ticket) for _ in range(4)] == [other] * 4
        assert places(shared.workers("a")) == {other: 2}, "its other worker is let go, too"
        tried = servers.tried[lost]
        for seconds in (1, 2, 4, 8, 16, 32, 60, 60):  # each time later, and by one probe at a time
            await clock.advance(seconds - 0.01)
            assert servers.tried[lost] == tried
            await clock.advance(0.01)
            tried += 1
            assert servers.tried[lost] == tried
        servers.down.clear()
        await clock.advance(60)
        assert places(shared.workers("a")) == {A: 2, B: 2}
        async with ticket.turn() as first, ticket.turn() as second:
            assert {first.uri, second.uri} == {A, B}


async def lose_at(ticket: Ticket, where: str) -> None:
    """Take a turn at each address, and lose the one at this."""
    turns = {}
    for _ in range(2):
        turn = ticket.turn()
        turns[(await turn.__aenter__()).uri] = turn
    for uri, turn in turns.items():
        error = WorkerLost("gone") if uri == where else None
        await turn.__aexit__(None if error is None else WorkerLost, error, None)
    await settle()


async def test_an_address_that_answers_but_loses_every_request_is_trusted_less_each_time(
    shared: Pool, clock: JumpingClock
) -> None:
    with shared.ticket("a") as ticket:
        for seconds in (1.0, 2.0, 4.0):
            await lose_at(ticket, A)
            await clock.advance(seconds - 0.01)
            assert places(shared.workers("a")) == {B: 2}
            await clock.advance(0.01)
            assert places(shared.workers("a")) == {A: 2, B: 2}
        async with ticket.turn(), ticket.turn():
            pass
        await lose_at(ticket, A)
        await clock.advance(1)
        assert places(shared.workers("a")) == {A: 2, B: 2}, "a turn that went well is forgiveness"


async def test_an_address_that_stops_answering_is_out_without_a_request(
    shared: Pool, servers: Servers, clock: JumpingClock
) -> None:
    servers.down.add(A)
    for worker in servers.workers:
        if worker.uri == A:
            worker.stopped = True
            worker.die()
            break
    await settle()
    assert places(shared.workers("a")) == {B: 2}
    servers.down.clear()
    await clock.advance(1)
    assert places(shared.workers("a")) == {A: 2, B: 2}


async def test_a_turn_under_way_at_an_address_that_fails_may_end(shared: Pool, clock: JumpingClock) -> None:
    with shared.ticket("a") as ticket:
        async with ticket.turn(), ticket.turn():
            lost = await lose(ticket)
            assert shared.states()["a"].busy == 2
        await settle()
        assert places(shared.workers("a"))[lost] == 0


@pytest.mark.parametrize("error", [EngineUnavailable("The server is stopping"), Busy("full")])
async def test_a_request_goes_elsewhere_when_a_server_says_it_cannot(shared: Pool, error: VoiceError) -> None:
    with shared.ticket("a") as ticket:
        with pytest.raises(WorkerLost, match=error.text):
            async with ticket.turn() as worker:
                where = worker.uri
                raise error
        assert await take(ticket) != where


async def test_when_no_address_answers_that_is_told_and_the_next_request_tries_again(
    servers: Servers, clock: JumpingClock
) -> None:
    servers.down |= {A, B}
    pool = Pool({"a": SHARED}, {}, servers.start, clock)
    with pool.ticket("a") as ticket:
        for _ in range(2):
            with pytest.raises(EngineUnavailable, match="does not answer"):
                await take(ticket)
        servers.down.discard(B)
        await clock.advance(60)
        assert await take(ticket) == B
    await pool.close()


async def test_a_single_address_is_tried_again_at_once(servers: Servers, clock: JumpingClock) -> None:
    pool = Pool({"a": EnginePlan(addresses=(A,), workers=2)}, {}, servers.start, clock)
    with pool.ticket("a") as ticket:
        async with ticket.turn():
            assert await lose(ticket) == A
            assert await take(ticket) == A, "although another of its requests is under way"
        with pytest.raises(EngineUnavailable, match="stopping"):
            async with ticket.turn():
                raise EngineUnavailable("The server is stopping.")
    await pool.close()


# Workers that are always there


async def test_the_least_number_of_workers_is_always_there_and_more_come_while_requests_wait(
    launcher: Launcher, clock: JumpingClock
) -> None:
    pool = Pool({"a": EnginePlan(workers=3, least=1, ttl=10)}, {}, launcher.start, clock)
    await settle()
    assert launcher.alive == [], "not for one request of the command line"
    pool.keep()
    await settle()
    assert launcher.alive == ["a"]
    with pool.ticket("a") as ticket:
        async with ticket.turn(), ticket.turn(), ticket.turn():
            assert launcher.alive == ["a"] * 3
    await clock.advance(10)
    assert launcher.alive == ["a"]
    await clock.advance(1e6)
    assert launcher.alive == ["a"]
    launcher.workers[-1].stopped = launcher.workers[0].stopped = True
    for worker in launcher.workers:
        worker.die()
        worker.stopped = True
    await settle()
    assert launcher.alive == ["a"], "one that is lost is replaced"
    await pool.close()


async def test_a_worker_that_is_to_be_there_is_tried_again_when_it_did_not_start(
    launcher: Launcher, clock: JumpingClock
) -> None:
    pool = Pool({"a": EnginePlan(workers=2, least=2)}, {}, launcher.start, clock)
    launcher.error = EngineUnavailable("no room")
    pool.keep()
    await settle()
    launcher.error = None
    await clock.advance(29)
    assert launcher.alive == []
    await clock.advance(1)
    assert launcher.alive == ["a", "a"]
    await pool.close()


async def test_unloading_lasts_until_somebody_asks(launcher: Launcher, clock: JumpingClock) -> None:
    pool = Pool({"a": EnginePlan(workers=2, least=2)}, {}, launcher.start, clock)
    pool.keep()
    await settle()
    pool.unload("a")
    await clock.advance(1000)
    assert launcher.alive == []
    with pool.ticket("a") as ticket:
        await take(ticket)
    await settle()
    assert launcher.alive == ["a", "a"]
    await pool.close()


async def test_an_engine_that_comes_later_has_its_least_number_too(launcher: Launcher, clock: JumpingClock) -> None:
    pool = Pool({"a": EnginePlan()}, {}, launcher.start, clock)
    pool.keep()
    pool.reconfigure({"a": EnginePlan(), "b": EnginePlan(workers=2, least=1)}, {}, ["b"])
    await settle()
    assert launcher.alive == ["b"]
    pool.reconfigure({"a": EnginePlan()}, {}, [])
    await clock.advance(1)
    assert launcher.alive == []
    await pool.close()


@pytest.fixture
async def launcher() -> Launcher:
    return Launcher()


async def test_a_request_waits_for_the_address_that_is_being_reached(servers: Servers, clock: JumpingClock) -> None:
    pool = Pool({"a": EnginePlan(addresses=(A, B), workers=1)}, {}, servers.start, clock)
    servers.gate.clear()
    with pool.ticket("a") as ticket:
        waiting = asyncio.create_task(take(ticket))
        await settle()
        servers.gate.set()
        assert await waiting in (A, B)
    await pool.close()


# Workers with several seats


class Turn:
    """A turn that a test begins and ends when it likes."""

    def __init__(self, ticket: Ticket) -> None:
        self._turn = ticket.turn()
        self._task = asyncio.ensure_future(self._turn.__aenter__())

    @property
    def given(self) -> bool:
        return self._task.done()

    @property
    def worker(self) -> Worker:
        return self._task.result()

    async def end(self, error: Exception | None = None) -> None:
        await self._turn.__aexit__(None if error is None else type(error), error, None)
        await settle()

    async def cancel(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        await settle()


async def take_turns(*tickets: Ticket) -> list[Turn]:
    turns = []
    for ticket in tickets:
        turns.append(Turn(ticket))
        await settle()
    return turns


def given(turns: list[Turn]) -> str:
    return "".join("+" if turn.given else "-" for turn in turns)


async def end_all(turns: list[Turn]) -> None:
    for turn in turns:
        if turn.given:
            await turn.end()


async def test_a_worker_has_as_many_turns_at_once_as_seats(launcher: Launcher, clock: JumpingClock) -> None:
    pool = Pool({"a": EnginePlan(seats=3)}, {}, launcher.start, clock)
    with pool.ticket("a") as ticket:
        turns = await take_turns(*[ticket] * 5)
        assert given(turns) == "+++--"
        assert launcher.alive == ["a"]
        assert str(pool.states()["a"]) == "1 busy (3 turns), 0 ready, 0 starting, 2 waiting"
        await turns[1].end()
        assert given(turns) == "++++-", "in the order they were asked for"
        for number in (0, 2, 3, 4):
            assert pool.states()["a"].busy == 1
            await turns[number].end()
        assert str(pool.states()["a"]) == "0 busy, 1 ready, 0 starting, 0 waiting"
    await pool.close()


async def test_another_worker_is_started_when_those_that_are_there_or_come_have_no_seat(
    launcher: Launcher, clock: JumpingClock
) -> None:
    pool = Pool({"a": EnginePlan(workers=3, seats=2)}, {}, launcher.start, clock)
    launcher.gate.clear()
    with pool.ticket("a") as ticket:
        turns = await take_turns(*[ticket] * 2)
        assert pool.states()["a"].starting == 1
        turns += await take_turns(ticket)
        assert pool.states()["a"].starting == 2
        launcher.gate.set()
        await settle()
        assert given(turns) == "+++"
        turns += await take_turns(ticket)
        assert launcher.alive == ["a", "a"], "the fourth has the seat that is left"
        await end_all(turns)
    await pool.close()


async def test_turns_go_to_the_least_busy_worker(launcher: Launcher, clock: JumpingClock) -> None:
    pool = Pool({"a": EnginePlan(workers=2, seats=3)}, {}, launcher.start, clock)
    pool.preload("a")
    await settle()
    with pool.ticket("a") as ticket:
        turns = await take_turns(*[ticket] * 5)
        shares = Counter(launcher.workers.index(turn.worker) for turn in turns)  # type: ignore[arg-type]  # they are quick
        assert sorted(shares.values()) == [2, 3]
        assert turns[0].worker is not turns[1].worker
        await end_all(turns)
    await pool.close()


async def test_requests_are_admitted_by_seats_and_told_how_long_a_turn_takes(
    launcher: Launcher, clock: JumpingClock
) -> None:
    pool = Pool({"a": EnginePlan(workers=2, seats=2, queue=1)}, {}, launcher.start, clock)
    with ExitStack() as stack:
        tickets = [stack.enter_context(pool.ticket("a")) for _ in range(5)]
        with pytest.raises(Busy) as early:
            stack.enter_context(pool.ticket("a"))
        for _ in range(40):  # turns of 8 s, one of them always begun 4 s after the other
            first = await take_turns(tickets[0])
            await clock.advance(4)
            second = await take_turns(tickets[1])
            await clock.advance(4)
            await end_all(first)
            await clock.advance(4)
            await end_all(second)
        turns = await take_turns(*tickets)
        assert given(turns) == "++++-"
        with pytest.raises(Busy) as late:
            stack.enter_context(pool.ticket("a"))
        await turns[0].end()
        await end_all(turns[1:])
    assert early.value.retry_after == pytest.approx(1 / 4)
    assert late.value.retry_after == pytest.approx(8 * 2 / 4, rel=0.01)
    await pool.close()


async def test_a_worker_that_wears_out_gets_no_more_turns_than_it_may_and_ends_after_the_last(
    launcher: Launcher, clock: JumpingClock
) -> None:
    pool = Pool({"a": EnginePlan(turns=3, seats=2)}, {}, launcher.start, clock)
    with pool.ticket("a") as ticket:
        turns = await take_turns(*[ticket] * 4)
        assert given(turns) == "++--"
        await turns[0].end()
        assert given(turns) == "+++-"
        await turns[1].end()
        assert given(turns) == "+++-", "it has had its three"
        assert launcher.alive == ["a"]
        await turns[2].end()
        assert launcher.alive == ["a"]
        assert turns[3].worker is launcher.workers[1]
        await turns[3].end()
    await pool.close()


async def test_unloading_lets_the_turns_of_a_worker_end_and_gives_it_no_more(
    launcher: Launcher, clock: JumpingClock
) -> None:
    pool = Pool({"a": EnginePlan(seats=3)}, {}, launcher.start, clock)
    with pool.ticket("a") as ticket:
        turns = await take_turns(*[ticket] * 2)
        pool.unload("a")
        turns += await take_turns(ticket)
        assert given(turns) == "++-"
        await turns[0].end()
        assert launcher.alive == ["a"]
        await turns[1].end()
        assert turns[2].worker is launcher.workers[1]
        turns += await take_turns(ticket)
        assert turns[3].worker is launcher.workers[1], "the new one is wanted"
        await end_all(turns[2:])
    assert launcher.alive == ["a"]
    await pool.close()


@pytest.mark.parametrize("dies", [True, False])
async def test_a_worker_that_is_lost_is_lost_for_all_its_turns_and_once(
    launcher: Launcher, clock: JumpingClock, *, dies: bool
) -> None:
    pool = Pool({"a": EnginePlan(seats=3)}, {}, launcher.start, clock)
    with pool.ticket("a") as ticket:
        turns = await take_turns(*[ticket] * 3)
        if dies:
            launcher.workers[0].stopped = True
            launcher.workers[0].die()
            await settle()
        await turns[0].end(WorkerLost("gone"))
        assert launcher.alive == []
        again = await take_turns(ticket)
        assert again[0].worker is launcher.workers[1]
        await turns[1].end(WorkerLost("gone"))
        await turns[2].end()
        assert launcher.alive == ["a"], "the new one has nothing to do with that"
        assert pool.states()["a"].turns == 1
        again += await take_turns(*[ticket] * 3)
        assert given(again) == "+++-", "all its seats can be had"
        await again[0].end()
        await end_all(again[1:])
    await pool.close()


async def test_a_turn_that_is_cancelled_when_it_was_given_leaves_its_seat(
    launcher: Launcher, clock: JumpingClock
) -> None:
    pool = Pool({"a": EnginePlan(seats=2)}, {}, launcher.start, clock)
    launcher.gate.clear()
    with pool.ticket("a") as ticket:
        turns = await take_turns(*[ticket] * 3)
        launcher.gate.set()
        while not pool.states()["a"].busy:
            await asyncio.sleep(0)
        await turns[0].cancel()
        assert given(turns) == "+++"
        await turns[1].end()
        await turns[2].end()
        assert pool.states()["a"].turns == 0
        assert pool.states()["a"].ready == 1
    await pool.close()


async def test_a_worker_whose_seats_nobody_needs_expires(launcher: Launcher, clock: JumpingClock) -> None:
    pool = Pool({"a": EnginePlan(workers=3, seats=2, ttl=10)}, {}, launcher.start, clock)
    pool.preload("a")
    await settle()
    with pool.ticket("a") as first, pool.ticket("a"), pool.ticket("a"):
        await clock.advance(10)
        assert launcher.alive == ["a", "a"], "three requests between their turns need four seats"
        turns = await take_turns(first)
        await clock.advance(10)
        assert launcher.alive == ["a", "a"], "the busy one has one more, and two may come"
        await end_all(turns)
    await clock.advance(10)
    assert launcher.alive == []
    await pool.close()


# Seats, and a device that others want, too

GPU = EnginePlan(device="gpu", workers=2, seats=2, ttl=None)


async def test_the_turns_of_one_worker_are_one_on_its_device(launcher: Launcher, clock: JumpingClock) -> None:
    pool = Pool({"a": GPU}, {"gpu": DevicePlan(running=1)}, launcher.start, clock)
    pool.preload("a")
    await settle()
    with pool.ticket("a") as ticket:
        turns = await take_turns(*[ticket] * 3)
        assert given(turns) == "++-"
        assert turns[0].worker is turns[1].worker, "the other one may not run beside it"
        await turns[0].end()
        assert turns[2].worker is turns[1].worker
        await end_all(turns[1:])
    await pool.close()


async def test_nobody_joins_on_a_device_before_those_who_waited_for_it_longer(
    launcher: Launcher, clock: JumpingClock
) -> None:
    pool = Pool({"a": GPU, "b": GPU}, {"gpu": DevicePlan(running=1)}, launcher.start, clock)
    pool.preload("b")
    with pool.ticket("a") as a, pool.ticket("b") as b:
        turns = await take_turns(a, b, a, b)
        assert given(turns) == "+---"
        await turns[0].end()
        assert given(turns) == "++--", "the second b may not join before the second a"
        await turns[1].end()
        assert given(turns) == "+++-"
        turns += await take_turns(a)
        assert given(turns) == "+++--"
        await turns[2].end()
        assert given(turns) == "++++-"
        await turns[3].end()
        assert given(turns) == "+++++"
        await turns[4].end()
    await pool.close()


async def test_turns_join_while_the_worker_of_another_engine_still_loads(
    launcher: Launcher, clock: JumpingClock
) -> None:
    pool = Pool({"a": GPU, "b": GPU}, {"gpu": DevicePlan(running=1)}, launcher.start, clock)
    with pool.ticket("a") as a, pool.ticket("b") as b:
        turns = await take_turns(a)
        launcher.gate.clear()
        turns += await take_turns(b, a)
        assert given(turns) == "+-+", "nothing would be gained by waiting for it"
        await turns[0].end()
        turns += await take_turns(a)
        assert given(turns) == "+-++"
        launcher.gate.set()
        await settle()
        await turns[2].end()
        turns += await take_turns(a)
        assert given(turns) == "+-++-", "now there would"
        await turns[3].end()
        assert given(turns) == "++++-"
        await turns[1].end()
        await turns[4].end()
    await pool.close()


async def test_nobody_joins_a_worker_whose_end_makes_room_for_those_who_waited_longer(
    launcher: Launcher, clock: JumpingClock
) -> None:
    pool = Pool({"a": GPU, "b": GPU}, {"gpu": DevicePlan(loaded=1)}, launcher.start, clock)
    with pool.ticket("a") as a, pool.ticket("b") as b:
        turns = await take_turns(a, b, a)
        assert given(turns) == "+--"
        await turns[0].end()
        assert given(turns) == "++-"
        assert launcher.alive == ["b"]
        await turns[1].end()
        assert given(turns) == "+++"
        await turns[2].end()
    await pool.close()
