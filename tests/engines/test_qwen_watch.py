import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wyoming_voice.engines.qwen_watch import FRAMES_PER_SECOND, Watch, budget, pieces, weight

SOUND, SILENCE = np.full((1, 1920), 0.1, np.float32), np.zeros((1, 1920), np.float32)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Сегодня хорошая погода, и мы идём гулять в парк.", 3.5),
        ("The quick brown fox jumps over the lazy dog.", 3.0),
        ("Звоните по телефону 8 800 555 35 35 с 9:00 до 18:00.", 11.0),
        ("今天天气很好，我们去公园散步。", 3.5),
        ("Да.", 0.5),
    ],
)
def test_the_budget_is_at_least_double_of_what_is_needed_and_never_minutes(text: str, seconds: float) -> None:
    assert 2 * seconds <= budget(text) / FRAMES_PER_SECOND <= 4 + 5 * seconds


def test_a_frame_in_a_loop_is_noticed_after_two_seconds() -> None:
    watch = Watch()
    assert [watch.repeats(code) for code in [1, 2, 3] * 9].index(True) == 24


@pytest.mark.parametrize("period", range(1, 9))
def test_loops_of_up_to_eight_frames_are_noticed(period: int) -> None:
    watch = Watch()
    assert any(watch.repeats(index % period) for index in range(40))


def test_codes_that_do_not_repeat_are_speech() -> None:
    codes = np.random.default_rng(0).integers(0, 2048, 1000)
    watch = Watch()
    assert not any(watch.repeats(int(code)) for code in codes)


def test_a_pause_passes_and_a_longer_silence_waits_for_sound() -> None:
    watch = Watch()
    assert watch.sound(np.concatenate([SOUND] * 3)) == 3
    assert watch.sound(np.concatenate([SILENCE] * 6)) == 6
    assert watch.sound(np.concatenate([SILENCE] * 4)) == 0
    assert watch.sound(np.concatenate([SILENCE, SOUND, SILENCE])) == 3
    assert not watch.is_silent


def test_silence_that_lasts_is_noticed() -> None:
    watch = Watch()
    watch.sound(np.concatenate([SILENCE] * 39))
    early = watch.is_silent
    watch.sound(SILENCE)
    assert (early, watch.is_silent, watch.audible) == (False, True, False)


@given(st.text(max_size=2000))
def test_pieces_have_all_that_a_text_has_and_can_be_spoken_at_once(text: str) -> None:
    found = list(pieces(text))
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(weight(piece) <= 310 and piece.strip() for piece in found)


def test_a_long_text_is_cut_after_punctuation() -> None:
    sentence = "Сегодня хорошая погода, и мы идём гулять в парк. "
    assert all(piece.endswith(".") for piece in pieces(sentence * 30))


def test_a_long_word_is_cut_where_it_must_be() -> None:
    assert [len(piece) for piece in pieces("а" * 700)] == [300, 300, 100]
