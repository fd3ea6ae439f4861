import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from tests.conftest import Speech
from tests.engines.humming import humming
from wyoming_voice.engines.reference import check_reference
from wyoming_voice.errors import BadRequest

RATE = 24_000


def refused(samples: NDArray[np.float32], rate: int = RATE) -> str:
    with pytest.raises(BadRequest) as refusal:
        check_reference(samples, rate)
    return refusal.value.text


def noise(seconds: float, level: float = 0.1) -> NDArray[np.float32]:
    return (level * np.random.default_rng(1).standard_normal(int(seconds * RATE))).astype(np.float32)


def tone(seconds: float, *hertz: float) -> NDArray[np.float32]:
    time = np.arange(int(seconds * RATE)) / RATE
    waves = np.zeros(len(time), np.float32)
    for pitch in hertz:
        waves += 0.2 * np.sin(2 * np.pi * pitch * time)
    return waves


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("pitch", [90.0, 130.0, 220.0])
def test_one_voice_is_taken_at_any_rate(rate: int, pitch: float) -> None:
    check_reference(humming(8.0, rate=rate, pitch=pitch), rate)


@pytest.mark.speech
@pytest.mark.parametrize("file", ["en_austen_0870_16k.wav", "en_jfk_16k.wav"])
def test_recordings_of_one_person_are_taken(speech: Speech, file: str) -> None:
    samples, rate = soundfile.read(speech.path(file), dtype="float32")
    check_reference(samples, rate)


@pytest.mark.speech
def test_a_recording_of_two_people_is_noticed(speech: Speech) -> None:
    one, rate = soundfile.read(speech.path("en_austen_0870_16k.wav"), dtype="float32")
    other, _ = soundfile.read(speech.path("en_jfk_16k.wav"), dtype="float32")
    assert "two people" in refused(np.concatenate([other[: 5 * rate], one[: 5 * rate]]), rate)


def person(pitch: float, resonance: float) -> NDArray[np.float32]:
    """Hum through a throat with a resonance at so many hertz."""
    hummed = humming(5.0, pitch=pitch)
    hertz = np.fft.rfftfreq(len(hummed), 1 / RATE)
    heard = np.fft.irfft(np.fft.rfft(hummed) * (0.1 + 1 / (1 + ((hertz - resonance) / 250) ** 2)), len(hummed))
    return np.asarray(0.5 * heard / np.abs(heard).max(), np.float32)


def test_people_whose_pitches_are_near_are_told_by_their_timbre() -> None:
    assert "two people" in refused(np.concatenate([person(120.0, 700.0), person(170.0, 1500.0)]))
    check_reference(np.concatenate([person(120.0, 700.0), person(125.0, 1500.0)]), RATE)
    check_reference(np.concatenate([person(120.0, 700.0), person(120.0, 700.0)]), RATE)


@pytest.mark.parametrize(("seconds", "hint"), [(4.9, "Record some more"), (15.1, "Cut it"), (0.0, "Record some more")])
def test_the_length_is_named(seconds: float, hint: str) -> None:
    said = refused(humming(seconds) if seconds else np.zeros(0, np.float32))
    assert f"{seconds:.1f} s" in said
    assert hint in said


def test_stereo_is_refused() -> None:
    assert "mono" in refused(np.stack([humming(8.0)] * 2, axis=1))


@pytest.mark.parametrize("level", [0.0, 1e-4])
def test_silence_is_refused(level: float) -> None:
    assert "silent" in refused(noise(8.0, level))


def test_a_clipped_recording_is_refused() -> None:
    assert "clipped" in refused(np.clip(humming(8.0) * 6, -1, 1))


def test_a_clipped_recording_that_was_made_softer_is_still_clipped() -> None:
    assert "clipped" in refused(0.3 * np.clip(humming(8.0) * 6, -1, 1))


def test_a_clipped_recording_that_was_converted_is_still_clipped() -> None:
    clipped = np.clip(humming(8.0, rate=48_000) * 6, -1, 1)
    assert "clipped" in refused(soxr.resample(clipped, 48_000, RATE))


@pytest.mark.parametrize("sound", [noise(8.0), tone(8.0, 220.0), tone(8.0, 220.0, 277.2, 329.6)])
def test_what_is_no_speech_is_refused(sound: NDArray[np.float32]) -> None:
    assert "No speech" in refused(sound)


@pytest.mark.parametrize("fade", [2.0, 6.0])
@pytest.mark.parametrize("low", [110.0, 220.0])
def test_a_tune_with_pauses_is_no_speech(low: float, fade: float) -> None:
    """It has the pitch and the pauses of a voice, but stays on its notes."""
    time = np.arange(int(0.4 * RATE)) / RATE
    steps = np.random.default_rng(5).choice([0, 2, 4, 5, 7, 9, 11, 12], 18)
    notes = []
    for step in steps:
        waves = [np.sin(2 * np.pi * low * 2 ** (step / 12) * part * time) / part for part in range(1, 8)]
        notes += [np.sum(waves, axis=0) * np.exp(-fade * time), np.zeros(RATE // 10)]
    tune = np.concatenate(notes)
    assert "No speech" in refused((0.5 * tune / np.abs(tune).max()).astype(np.float32))


@pytest.mark.parametrize("pitch", [90.0, 220.0])
def test_a_soft_recording_of_16_bits_is_not_clipped(pitch: float) -> None:
    soft = humming(8.0, rate=48_000, pitch=pitch) / np.float32(16)
    check_reference((soft * 32768).round() / np.float32(32768), 48_000)


def test_values_that_are_no_numbers_are_refused() -> None:
    broken = humming(8.0)
    broken[100] = np.nan
    assert "no numbers" in refused(broken)
