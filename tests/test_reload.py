"""What becomes of requests and workers when the configuration changes: logic, with the pool of ``test_pool.py``."""

import asyncio

import pytest

from tests.test_pool import JumpingClock, Launcher, open_pool, settle
from wyoming_voice.errors import EngineUnavailable, WorkerLost
from wyoming_voice.pool import EnginePlan, Ticket


@pytest.fixture
async def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
async def launcher() -> Launcher:
    return Launcher()


async def test_an_engine_that_is_gone_keeps_its_requests_and_takes_no_other(
    launcher: Launcher, clock: JumpingClock
) -> None:
    async with open_pool(launcher, clock) as pool:
        with pool.ticket("a") as ticket:
            async with ticket.turn() as worker:
                renamed = pool.reconfigure({"b": EnginePlan()}, {}, [])
                assert set(renamed) == {"a"}
                assert set(pool.states()) == {"b"}
                with pytest.raises(EngineUnavailable, match="taken out"), pool.ticket("a"):
                    pass
            await settle()
            async with ticket.turn() as again:
                assert again is worker
            assert launcher.alive == ["a"]
        await settle()
        assert launcher.alive == []


async def test_a_turn_that_is_waited_for_outlives_its_engine(launcher: Launcher, clock: JumpingClock) -> None:
    async with open_pool(launcher, clock) as pool:
        with pool.ticket("a") as first, pool.ticket("a") as second:
            async with first.turn() as worker:
                waiting = asyncio.create_task(_take(second))
                await settle()
                pool.reconfigure({"b": EnginePlan()}, {}, [])
                assert not waiting.done()
            assert await waiting == worker.uri


async def _take(ticket: Ticket) -> str:
    async with ticket.turn() as worker:
        return worker.uri


async def test_an_engine_that_changed_has_new_workers_beside_the_old_one(
    launcher: Launcher, clock: JumpingClock
) -> None:
    async with open_pool(launcher, clock, a=EnginePlan()) as pool:
        with pool.ticket("a") as old:
            async with old.turn() as before:
                renamed = pool.reconfigure({"a": EnginePlan(workers=2)}, {}, ["a"])
                with pool.ticket("a") as new:
                    async with new.turn() as after:
                        assert after is not before
            async with old.turn() as still:
                assert still is before
        await settle()
        assert launcher.alive == ["a"]
        assert launcher.workers[0].stopped
        assert list(renamed) == ["a"]
        again = pool.reconfigure({"a": EnginePlan()}, {}, ["a"])
        assert again["a"] != renamed["a"]


async def test_a_lost_worker_of_an_engine_that_changed_is_started_as_it_was(
    launcher: Launcher, clock: JumpingClock
) -> None:
    async with open_pool(launcher, clock, a=EnginePlan()) as pool:
        with pool.ticket("a") as ticket:
            with pytest.raises(WorkerLost):
                async with ticket.turn():
                    renamed = pool.reconfigure({"a": EnginePlan()}, {}, ["a"])
                    raise WorkerLost("gone")
            async with ticket.turn() as worker:
                assert worker.uri == f"unix:///{renamed['a']}"
        await settle()
        assert launcher.alive == []


async def test_an_idle_engine_that_is_gone_ends_at_once(launcher: Launcher, clock: JumpingClock) -> None:
    async with open_pool(launcher, clock, a=EnginePlan(ttl=None)) as pool:
        with pool.ticket("a") as ticket:
            async with ticket.turn():
                pass
        assert launcher.alive == ["a"]
        pool.reconfigure({}, {}, [])
        await settle()
        assert launcher.alive == []
        assert pool.states() == {}
