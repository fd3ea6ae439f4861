import ctypes
import gc
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wyoming_voice.engines.callback import Play, stream


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before, "a thread is left behind"


@given(st.lists(st.binary(min_size=1, max_size=20)), st.integers(min_value=0, max_value=60))
def test_all_that_is_played_arrives_in_order(parts: list[bytes], ahead: int) -> None:
    def call(play: Play) -> None:
        assert all(play(part) for part in parts)

    assert b"".join(stream(call, ahead=ahead)) == b"".join(parts)


def test_the_first_audio_does_not_wait_for_the_second() -> None:
    heard = threading.Event()

    def call(play: Play) -> None:
        play(b"one")
        assert heard.wait(10), "the consumer got nothing while the call went on"
        play(b"two")

    audio = stream(call, ahead=100)
    assert next(audio) == b"one"
    heard.set()
    assert list(audio) == [b"two"]


def test_a_step_takes_all_that_is_there() -> None:
    ready, more = threading.Event(), threading.Event()

    def call(play: Play) -> None:
        play(b"0")
        assert more.wait(10)
        for _ in range(9):
            play(b"1")
        ready.set()

    audio = stream(call, ahead=100)
    assert next(audio) == b"0"
    more.set()
    assert ready.wait(10)
    assert list(audio) == [b"1" * 9]


def test_a_slow_consumer_holds_the_call_back() -> None:
    played: list[int] = []

    def call(play: Play) -> None:
        for number in range(100):
            played.append(number)
            play(b"x" * 10)

    audio = stream(call, ahead=30)
    total = 0
    for pcm in audio:
        total += len(pcm)
        assert len(pcm) <= 40, "no more than the bound and one part are waiting"
        assert len(played) * 10 <= total + 60
    assert total == 1000


def test_closing_ends_the_call_at_its_next_part() -> None:
    answers: list[bool] = []

    def call(play: Play) -> None:
        while not answers or answers[-1]:
            answers.append(play(b"x" * 10))

    with closing(stream(call, ahead=10)) as audio:  # type: ignore[type-var]
        assert next(audio)
    assert answers.count(False) == 1


def test_forgetting_the_iterator_closes_it() -> None:
    def call(play: Play) -> None:
        while play(b"x" * 10):
            pass

    audio = stream(call, ahead=10)
    assert next(audio)
    del audio
    gc.collect()


def test_an_iterator_that_never_began_runs_nothing() -> None:
    called = threading.Event()
    with closing(stream(lambda _play: called.set(), ahead=10)):  # type: ignore[type-var]
        pass
    assert not called.is_set()


def test_what_the_call_raises_comes_after_its_audio() -> None:
    def call(play: Play) -> None:
        play(b"x")
        raise ValueError("broken in the middle")

    audio = stream(call, ahead=10)
    assert next(audio) == b"x"
    with pytest.raises(ValueError, match="in the middle"):
        next(audio)


def test_what_the_call_raises_after_closing_is_nobodys() -> None:
    def call(play: Play) -> None:
        while play(b"x" * 10):
            pass
        raise ValueError("too late")

    with closing(stream(call, ahead=10)) as audio:  # type: ignore[type-var]
        next(audio)


def test_a_call_that_plays_nothing_yields_nothing() -> None:
    assert list(stream(lambda _play: None, ahead=10)) == []


def test_a_c_library_can_call_play() -> None:
    """The standard library's qsort, which calls back once per comparison, from the thread of the call."""
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)

    def call(play: Play) -> None:
        compare = kind(lambda left, _right: int(play(ctypes.string_at(left, 1))))
        items = (ctypes.c_char * 16)(*(bytes([n]) for n in range(16)))
        ctypes.CDLL(None).qsort(items, 16, 1, compare)

    assert len(b"".join(stream(call, ahead=4))) >= 15
