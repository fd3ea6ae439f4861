"""Long recordings in pieces: nothing lost, nothing too long, no cut in a word."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wyoming_voice.audio import from_float, silence
from wyoming_voice.listening import HEARD, Cut, Cutter, loudness


def cut(pcm: bytes, cutter: Cutter, sizes: list[int] | None = None) -> list[Cut]:
    cuts, at = [], 0
    for size in sizes or []:
        cuts += cutter.feed(pcm[at : at + size])
        at += size
    return [*cuts, *cutter.feed(pcm[at:]), *cutter.finish()]


def noise(seconds: float, level: float = 0.3, seed: int = 0) -> bytes:
    wave = np.random.default_rng(seed).standard_normal(round(seconds * HEARD.rate)) * level
    return from_float(wave.astype(np.float32), 2)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 4)), max_size=12),
    st.booleans(),
    st.lists(st.integers(0, 70_001), max_size=12),
    st.floats(3, 8),
    st.floats(0.1, 0.8),
)
def test_pieces_joined_are_the_recording_however_it_was_fed(
    parts: list[tuple[bool, float]], odd: bool, sizes: list[int], longest: float, shortest: float
) -> None:
    pcm = b"".join(noise(seconds) if loud else silence(seconds, HEARD) for loud, seconds in parts) + b"x" * odd
    cuts = cut(pcm, Cutter(longest, shortest))
    assert b"".join(piece.pcm for piece in cuts) == pcm
    assert cut(pcm, Cutter(longest, shortest), sizes) == cuts
    at = 0
    for piece in cuts:
        assert piece.start_seconds == at / HEARD.byte_rate
        at += len(piece.pcm)
        assert 0 < len(piece.pcm) <= round(longest * HEARD.rate) * HEARD.width
        assert len(cuts) == 1 or len(piece.pcm) >= round(shortest * HEARD.rate) * HEARD.width
    assert all(len(piece.pcm) % HEARD.width == 0 for piece in cuts[:-1])


@pytest.mark.parametrize("seconds", [0.01, 1, 21.9, 22])
def test_a_recording_that_fits_is_one_piece_and_unchanged(seconds: float) -> None:
    pcm = noise(seconds)
    assert cut(pcm, Cutter()) == [Cut(pcm, 0.0)]


def test_a_recording_without_audio_is_no_piece() -> None:
    assert cut(b"", Cutter()) == []


def test_one_sample_more_than_fits_makes_two_pieces_and_neither_is_a_splinter() -> None:
    first, second = cut(noise(22) + b"\1\0", Cutter())
    assert len(first.pcm) + len(second.pcm) == 22 * HEARD.byte_rate + 2
    assert len(second.pcm) >= HEARD.byte_rate


@pytest.mark.parametrize("pause_at", [15.0, 18.0, 20.5])
def test_the_cut_is_in_the_pause(pause_at: float) -> None:
    pcm = noise(pause_at) + noise(0.2, level=0.001) + noise(30 - pause_at)
    first, second = cut(pcm, Cutter())
    assert pause_at + 0.05 < second.start_seconds < pause_at + 0.15
    assert first.start_seconds == 0


def test_the_quieter_of_two_pauses_is_taken_and_the_later_of_two_equal_ones() -> None:
    speech = noise(2)
    quieter = noise(18) + silence(0.2, HEARD) + speech + noise(0.2, level=0.01) + noise(10)
    assert 18 < cut(quieter, Cutter())[1].start_seconds < 18.2
    equal = noise(18) + silence(0.2, HEARD) + speech + silence(0.2, HEARD) + noise(10)
    assert 20.2 < cut(equal, Cutter())[1].start_seconds < 20.4


def test_the_short_closure_of_a_consonant_is_no_pause() -> None:
    pcm = noise(16) + silence(0.06, HEARD) + noise(3) + noise(0.3, level=0.02) + noise(10)
    assert 19 < cut(pcm, Cutter())[1].start_seconds < 19.4


def test_full_scale_is_not_mistaken_for_quiet() -> None:
    square = (np.where(np.arange(20 * HEARD.rate) % 2, 32_767, -32_768)).astype("<i2").tobytes()
    pcm = square + noise(0.2, level=0.05) + square
    assert 20 < cut(pcm, Cutter())[1].start_seconds < 20.2


def test_memory_holds_one_piece_however_long_the_recording() -> None:
    cutter, minute = Cutter(), noise(60)
    tracemalloc.start()
    for _ in range(30):
        for piece in cutter.feed(minute):
            assert piece.pcm
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12_000_000  # 0.8 MB held, the pieces of one feed, and the arithmetic of one cut


def test_a_piece_is_judged_and_cut_without_a_wide_copy_of_it() -> None:
    piece, cutter = noise(22), Cutter()
    cutter.feed(piece)
    tracemalloc.start()
    loudness(piece)
    judged = tracemalloc.get_traced_memory()[1]
    assert len(cutter.feed(b"\1\0")) == 1
    cut_too = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert judged < len(piece) / 4
    assert cut_too < 3 * len(piece)  # what is cut off, what is left, and a place in it every 10 ms


@pytest.mark.parametrize(("level", "decibels"), [(1.0, 0.0), (0.1, -20.0), (0.001, -60.0)])
def test_loudness_is_measured_against_full_scale(level: float, decibels: float) -> None:
    square = np.where(np.arange(HEARD.rate) % 2, level, -level).astype(np.float32)
    assert loudness(from_float(square, 2)) == pytest.approx(decibels, abs=0.2)


def test_nothing_is_infinitely_quiet() -> None:
    assert loudness(silence(1.0, HEARD)) == loudness(b"") == -np.inf


def test_limits_that_leave_no_room_are_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError, match="leave room"):
        Cutter(max_seconds=3, min_seconds=2)
