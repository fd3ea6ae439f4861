"""The circuit breaker: closed, open, half-open."""

import pytest

from wyoming_voice.breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock, first=5.0, longest=15.0)


def test_closed_admits_everybody(breaker: Breaker) -> None:
    assert str(breaker.state) == "closed"
    assert breaker.admit()
    assert breaker.admit()
    assert not breaker.succeed()


def test_one_failure_opens_it_for_a_while(breaker: Breaker, clock: Clock) -> None:
    assert breaker.fail()
    assert str(breaker.state) == "open"
    assert not breaker.admit()
    clock.now += 4.9
    assert not breaker.admit()


def test_half_open_lets_one_try(breaker: Breaker, clock: Clock) -> None:
    breaker.fail()
    clock.now += 5
    assert str(breaker.state) == "half-open"
    assert breaker.admit()
    assert not breaker.admit()
    assert breaker.succeed()
    assert str(breaker.state) == "closed"


def test_each_failure_doubles_the_pause_up_to_the_longest(breaker: Breaker, clock: Clock) -> None:
    for pause in (5, 10, 15, 15):
        assert breaker.admit()
        breaker.fail()
        clock.now += pause - 0.1
        assert str(breaker.state) == "open"
        clock.now += 0.1
        assert str(breaker.state) == "half-open"


def test_only_the_first_failure_is_told(breaker: Breaker, clock: Clock) -> None:
    assert breaker.fail()
    assert not breaker.fail()
    clock.now += 5
    assert breaker.admit()
    assert not breaker.fail()


def test_failures_at_once_are_one(breaker: Breaker, clock: Clock) -> None:
    breaker.fail()
    breaker.fail()
    clock.now += 5
    assert str(breaker.state) == "half-open"


def test_a_try_that_is_withdrawn_makes_room_for_another(breaker: Breaker, clock: Clock) -> None:
    breaker.fail()
    clock.now += 5
    assert breaker.admit()
    breaker.withdraw()
    assert breaker.admit()
