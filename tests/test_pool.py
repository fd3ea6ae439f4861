"""Who waits, which worker serves, when workers come and go: logic with a clock that jumps and quick workers."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager

import pytest

from wyoming_voice.errors import Busy, Deadline, EngineUnavailable, WorkerLost
from wyoming_voice.pool import DevicePlan, EnginePlan, Pool, Ticket


class JumpingClock:
    def __init__(self) -> None:
        self.now = 1000.0
        self.calls: list[tuple[float, Callable[[], object], asyncio.TimerHandle]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object], /) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, (), asyncio.get_running_loop())
        self.calls.append((when, callback, handle))
        return handle

    async def advance(self, seconds: float) -> None:
        self.now += seconds
        due = [call for call in self.calls if call[0] <= self.now]
        self.calls = [call for call in self.calls if call[0] > self.now]
        for _, callback, handle in due:
            if not handle.cancelled():
                callback()
        await settle()


class QuickWorker:
    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.uri = f"unix:///{engine}"
        self.pid = None
        self.stopped = False
        self._over = asyncio.Event()

    async def ended(self) -> None:
        await self._over.wait()

    async def stop(self) -> None:
        self.stopped = True
        self._over.set()

    def die(self) -> None:
        self._over.set()


class Launcher:
    def __init__(self) -> None:
        self.workers: list[QuickWorker] = []
        self.error: EngineUnavailable | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def start(self, engine: str, address: str | None = None) -> QuickWorker:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        worker = QuickWorker(engine)
        self.workers.append(worker)
        return worker

    @property
    def alive(self) -> list[str]:
        return [worker.engine for worker in self.workers if not worker.stopped]


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
async def launcher() -> Launcher:
    return Launcher()


@asynccontextmanager
async def open_pool(
    launcher: Launcher, clock: JumpingClock, devices: dict[str, DevicePlan] | None = None, **engines: EnginePlan
) -> AsyncIterator[Pool]:
    pool = Pool(engines or {"a": EnginePlan(), "b": EnginePlan()}, devices or {}, launcher.start, clock)
    try:
        yield pool
    finally:
        await pool.close()
        assert launcher.alive == []


async def test_a_worker_starts_with_the_first_turn_and_serves_the_next(launcher: Launcher, clock: JumpingClock) -> None:
    async with open_pool(launcher, clock) as pool:
        for _ in range(3):
            with pool.ticket("a") as ticket:
                async with ticket.turn() as worker:
                    assert worker.uri == "unix:///a"
        assert launcher.alive == ["a"]
        assert repr(pool) == "a: 0 busy, 1 ready, 0 starting, 0 waiting; b: 0 busy, 0 ready, 0 starting, 0 waiting"


async def test_an_idle_worker_expires(launcher: Launcher, clock: JumpingClock) -> None:
    async with open_pool(launcher, clock, a=EnginePlan(ttl=600)) as pool:
        with pool.ticket("a") as ticket:
            async with ticket.turn():
                await clock.advance(5000)  # a busy one does not
                assert launcher.alive == ["a"]
            await clock.advance(5000)  # nor one that a request will want again
            assert launcher.alive == ["a"]
            async with ticket.turn():
                pass
        await clock.advance(599)
        assert launcher.alive == ["a"]
        await clock.advance(1)
        assert launcher.alive == []
        with pool.ticket("a") as ticket:
            async with ticket.turn():
                assert launcher.alive == ["a"]


async def test_a_worker_without_a_ttl_lives_as_long_as_its_request(launcher: Launcher, clock: JumpingClock) -> None:
    async with open_pool(launcher, clock, a=EnginePlan(ttl=0.0)) as pool:
        with pool.ticket("a") as ticket:
            for _ in range(3):
                async with ticket.turn():
                    pass
                await settle()
        await settle()
        assert len(launcher.workers) == 1
        assert launcher.alive == []


async def test_one_more_worker_that_does_not_start_is_not_tried_again_at_once(
    launcher: Launcher, clock: JumpingClock
) -> None:
    tried: list[str] = []

    async def start(engine: str, address: str | None) -> QuickWorker:
        tried.append(engine)
        return await launcher.start(engine)

    pool = Pool({"a": EnginePlan(workers=2)}, {}, start, clock)
    with pool.ticket("a") as first, pool.ticket("a") as second:
        async with first.turn():
            launcher.error = EngineUnavailable("no memory for another")
            waiting = asyncio.create_task(take_turn(second))
            await settle()
            assert tried == ["a", "a"]
        await waiting  # the one there is serves both
        assert tried == ["a", "a"]
        launcher.error = None
        await clock.advance(30)
        async with first.turn(), second.turn():
            assert launcher.alive == ["a", "a"]
    await pool.close()


async def take_turn(ticket: Ticket) -> None:
    async with ticket.turn():
        pass


async def test_a_worker_that_is_never_to_expire_stays(launcher: Launcher, clock: JumpingClock) -> None:
    async with open_pool(launcher, clock, a=EnginePlan(ttl=None)) as pool:
        with pool.ticket("a") as ticket:
            async with ticket.turn():
                pass
        await clock.advance(1e9)
        assert launcher.alive == ["a"]


async def test_turns_are_given_in_the_order_they_were_asked_for(launcher: Launcher, clock: JumpingClock) -> None:
    order: list[str] = []

    async def speak(pool: Pool, name: str, segments: int) -> None:
        with pool.ticket("a") as ticket:
            for number in range(segments):
                async with ticket.turn():
                    order.append(f"{name}{number}")
                    await settle()

    async with open_pool(launcher, clock) as pool:
        await asyncio.gather(speak(pool, "long", 4), speak(pool, "short", 1), speak(pool, "other", 2))
    assert order == ["long0", "short0", "other0", "long1", "other1", "long2", "long3"]


async def test_more_workers_come_only_when_turns_wait(launcher: Launcher, clock: JumpingClock) -> None:
    async with open_pool(launcher, clock, a=EnginePlan(workers=3)) as pool:
        with pool.ticket("a") as ticket:
            async with ticket.turn():
                assert len(launcher.workers) == 1
                async with ticket.turn():
                    assert len(launcher.workers) == 2
            async with ticket.turn():
                assert len(launcher.workers) == 2


async def test_a_device_runs_so_many_turns_at_once_over_all_engines(launcher: Launcher, clock: JumpingClock) -> None:
    on_gpu = EnginePlan(device="gpu", workers=2)
    async with open_pool(launcher, clock, {"gpu": DevicePlan(running=1)}, a=on_gpu, b=on_gpu) as pool:
        with pool.ticket("a") as first, pool.ticket("b") as second:
            async with first.turn():
                waiting = asyncio.create_task(anext_turn(second.turn()))
                await settle()
                assert not waiting.done()
            assert await waiting == "unix:///b"


async def anext_turn(turn: object) -> str:
    async with turn as worker:  # type: ignore[attr-defined]  # an async context manager of a worker
        return str(worker.uri)


async def test_an_idle_worker_of_another_engine_makes_room(launcher: Launcher, clock: JumpingClock) -> None:
    on_gpu = EnginePlan(device="gpu")
    async with open_pool(launcher, clock, {"gpu": DevicePlan(loaded=1)}, a=on_gpu, b=on_gpu) as pool:
        with pool.ticket("a") as ticket:
            async with ticket.turn():
                pass
        assert launcher.alive == ["a"]
        with pool.ticket("b") as ticket:
            async with ticket.turn():
                assert launcher.alive == ["b"]


async def test_a_full_queue_says_when_to_come_again(launcher: Launcher, clock: JumpingClock) -> None:
    async with open_pool(launcher, clock, a=EnginePlan(workers=1, queue=2)) as pool:
        with ExitStack() as stack:
            ticket = stack.enter_context(pool.ticket("a"))
            async with ticket.turn():
                clock.now += 50  # turns take long
            for _ in range(2):
                stack.enter_context(pool.ticket("a"))
            with pytest.raises(Busy) as raised:
                stack.enter_context(pool.ticket("a"))
            assert 5 < raised.value.retry_after < 50
        with pool.ticket("a"):
            pass


async def test_a_start_that_fails_fails_those_who_wait(launcher: Launcher, clock: JumpingClock) -> None:
    async with open_pool(launcher, clock) as pool:
        launcher.error = EngineUnavailable("no weights")
        with pool.ticket("a") as ticket:
            with pytest.raises(EngineUnavailable, match="no weights"):
                async with ticket.turn():
                    pass
            launcher.error = None
            async with ticket.turn():
                assert launcher.alive == ["a"]


async def test_a_cancelled_request_orphans_no_start(launcher: Launcher, clock: JumpingClock) -> None:
    async with open_pool(launcher, clock) as pool:
        launcher.gate.clear()
        with pool.ticket("a") as ticket:
            waiting = asyncio.create_task(anext_turn(ticket.turn()))
            await settle()
            waiting.cancel()
            await asyncio.wait([waiting])
            launcher.gate.set()
            await settle()
            assert pool.states()["a"].ready == 1
            assert pool.states()["a"].waiting == 0


async def test_a_turn_granted_to_a_request_that_is_cancelled_goes_to_the_next(
    launcher: Launcher, clock: JumpingClock
) -> None:
    async with open_pool(launcher, clock) as pool:
        with pool.ticket("a") as ticket:
            async with ticket.turn():
                first = asyncio.create_task(anext_turn(ticket.turn()))
                second = asyncio.create_task(anext_turn(ticket.turn()))
                await settle()
            first.cancel()  # its turn has just been granted
            assert await second == "unix:///a"
            assert pool.states()["a"].busy == 0


async def test_a_worker_that_dies_before_the_turn_it_was_given_for_begins_has_lost_it(
    launcher: Launcher, clock: JumpingClock
) -> None:
    async with open_pool(launcher, clock) as pool:
        with pool.ticket("a") as ticket:
            async with ticket.turn():
                next_one = asyncio.create_task(anext_turn(ticket.turn()))
                await settle()
                launcher.workers[0].stopped = True
                launcher.workers[0].die()
            with pytest.raises(WorkerLost, match="a ended"):
                await next_one
            assert await anext_turn(ticket.turn()) == "unix:///a"
            assert len(launcher.workers) == 2


@pytest.mark.parametrize("error", [WorkerLost("gone"), Deadline("hangs")])
async def test_a_worker_that_loses_its_request_is_replaced(
    launcher: Launcher, clock: JumpingClock, error: Exception
) -> None:
    async with open_pool(launcher, clock) as pool:
        with pool.ticket("a") as ticket:
            with pytest.raises(type(error)):
                async with ticket.turn():
                    raise error
            await settle()
            assert launcher.alive == []
            async with ticket.turn():
                assert len(launcher.workers) == 2


async def test_a_worker_whose_request_is_wrong_or_cancelled_is_kept(launcher: Launcher, clock: JumpingClock) -> None:
    async with open_pool(launcher, clock) as pool:
        with pool.ticket("a") as ticket, pytest.raises(ValueError, match="wrong"):
            async with ticket.turn():
                raise ValueError("wrong")
        assert pool.states()["a"].ready == 1


async def test_a_worker_that_dies_idle_is_forgotten(launcher: Launcher, clock: JumpingClock) -> None:
    async with open_pool(launcher, clock) as pool:
        with pool.ticket("a") as ticket:
            async with ticket.turn():
                pass
            launcher.workers[0].stopped = True
            launcher.workers[0].die()
            await settle()
            assert pool.states()["a"].ready == 0
            async with ticket.turn():
                assert launcher.alive == ["a"]


async def test_a_worker_that_dies_at_work_does_not_take_its_successor_along(
    launcher: Launcher, clock: JumpingClock
) -> None:
    async with open_pool(launcher, clock) as pool:
        with pool.ticket("a") as ticket:
            async with ticket.turn():
                launcher.workers[0].stopped = True
                launcher.workers[0].die()
                await settle()
                async with ticket.turn() as second:
                    assert second is launcher.workers[1]
                    busy = pool.states()["a"].busy
            assert busy == 1
            assert pool.states()["a"].ready == 1


async def test_preloaded_workers_are_there_before_anybody_asks(launcher: Launcher, clock: JumpingClock) -> None:
    async with open_pool(launcher, clock, a=EnginePlan(workers=2)) as pool:
        pool.preload("a")
        await settle()
        assert pool.states()["a"].ready == 2


async def test_unloading_ends_idle_workers_now_and_busy_ones_after_their_turn(
    launcher: Launcher, clock: JumpingClock
) -> None:
    async with open_pool(launcher, clock, a=EnginePlan(workers=2)) as pool:
        pool.preload("a")
        await settle()
        with pool.ticket("a") as ticket:
            async with ticket.turn():
                pool.unload("a")
                await settle()
                assert len(launcher.alive) == 1
            await settle()
            assert launcher.alive == []


async def test_a_worker_that_wears_out_is_replaced(launcher: Launcher, clock: JumpingClock) -> None:
    async with open_pool(launcher, clock, a=EnginePlan(turns=3)) as pool:
        with pool.ticket("a") as ticket:
            for turn in range(7):
                async with ticket.turn():
                    assert len(launcher.workers) == 1 + turn // 3
                await settle()


async def test_closing_fails_those_who_wait_and_takes_nobody_new(launcher: Launcher, clock: JumpingClock) -> None:
    async with open_pool(launcher, clock) as pool:
        launcher.gate.clear()
        with pool.ticket("a") as ticket:
            waiting = asyncio.create_task(anext_turn(ticket.turn()))
            await settle()
            await pool.close()
            with pytest.raises(EngineUnavailable, match="stopping"):
                await waiting
            with pytest.raises(EngineUnavailable, match="stopping"):
                await anext_turn(ticket.turn())
        with pytest.raises(EngineUnavailable, match="stopping"), pool.ticket("a"):
            pass
    gc.collect()


async def test_an_engine_loads_while_another_one_works_on_a_full_device(
    launcher: Launcher, clock: JumpingClock
) -> None:
    plan = EnginePlan(device="cuda:0", workers=2)
    async with open_pool(launcher, clock, {"cuda:0": DevicePlan(running=1)}, a=plan, b=plan) as pool:
        with pool.ticket("a") as ticket, pool.ticket("b") as other, pool.ticket("a") as more:
            async with ticket.turn():
                waiting = [asyncio.create_task(take_turn(one)) for one in (other, more)]
                await settle()
                assert launcher.alive == ["a", "b"]  # and no second "a", which could not work either
                assert pool.states()["b"].busy == 0
            await asyncio.gather(*waiting)
