import numpy as np
import pytest

from wyoming_voice.engines.qwen_sound import FRAME, NOTHING, Outlet, chunk


def frames(count: int, level: float = 0.5) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.full(count * FRAME, level, np.float32)


def test_all_samples_come_out_and_the_edges_are_soft() -> None:
    outlet = Outlet()
    parts = [outlet.take(frames(1), 1), outlet.take(frames(4), 4), outlet.end()]
    whole = np.concatenate(parts)
    assert len(whole) == 5 * FRAME
    assert whole[0] == whole[-1] == 0
    assert (whole[120 : 5 * FRAME - 240] == 0.5).all()
    assert np.abs(np.diff(whole)).max() < 0.01


def test_what_is_held_goes_out_when_sound_follows() -> None:
    outlet = Outlet()
    first = outlet.take(frames(1), 1)
    assert len(outlet.take(frames(3, 0.0), 0)) == 0
    after = outlet.take(frames(2), 2)
    assert len(first) + len(after) + len(outlet.end()) == 6 * FRAME


def test_what_is_held_at_the_end_is_dropped() -> None:
    outlet = Outlet()
    parts = [outlet.take(frames(3), 2), outlet.take(frames(3, 0.0), 0), outlet.end()]
    assert sum(map(len, parts)) == 2 * FRAME


def test_nothing_is_nothing() -> None:
    outlet = Outlet()
    assert len(outlet.take(NOTHING, 0)) == len(outlet.end()) == 0


@pytest.mark.parametrize(("level", "value"), [(1.0, 32767), (-1.0, -32767), (0.0, 0)])
def test_samples_become_16_bits(level: float, value: int) -> None:
    audio = chunk(np.full(2, level, np.float32))
    assert (audio.rate, audio.width, audio.channels) == (24_000, 2, 1)
    assert np.frombuffer(audio.audio, "<i2").tolist() == [value, value]
