"""Sound for speech recognisers: recordings that the Moonshine wheel carries, and what is no speech."""

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
import regex
import soundfile
import soxr
from numpy.typing import NDArray

from wyoming_voice.engines.protocol import HEARD_RATE, Heard

Sound = NDArray[np.float32]

BECKETT = "Ever tried, ever failed, no matter. Try again, fail again, fail better."
CITIES = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, "
    "it was the epoch of belief, it was the epoch of incredulity, it was the season of light, it was the season of "
    "darkness, it was the spring of hope, it was the winter of despair"
)
"""What is said in the first 20.5 s of two_cities.wav."""


@cache
def sample(name: str) -> Sound:
    """Read ``beckett`` (10 s) or ``two_cities`` (44 s)."""
    package: Any = pytest.importorskip("moonshine_voice", reason="moonshine-voice is not installed")
    return read(Path(package.__file__).parent / "assets" / f"{name}.wav")


def read(path: Path) -> Sound:
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(sound.mean(axis=1), rate, HEARD_RATE), np.float32)


def part(sound: Sound, start: float, end: float) -> Sound:
    return sound[round(start * HEARD_RATE) : round(end * HEARD_RATE)]


def loud(sound: NDArray[Any], decibels: float) -> Sound:
    """Bring a sound to a level, in dB of full scale."""
    return np.asarray(sound * (10 ** (decibels / 20) / np.sqrt(np.mean(sound**2))), np.float32)


def silence(seconds: float) -> Sound:
    return np.zeros(round(seconds * HEARD_RATE), np.float32)


def text_of(heard: Iterable[Heard]) -> str:
    return "".join(some.text for some in heard)


def word_error_rate(said: str, heard: str) -> float:
    return float(jiwer.wer(plain(said), plain(heard)))


def plain(text: str) -> str:
    """Words only: spelling is not what is compared."""
    words = regex.sub(r"[^\p{L}\p{N}' ]", "", text.lower().replace("-", " "))
    return str(regex.sub(r"\bmister\b", "mr", words))


def not_speech(seconds: float) -> Iterator[tuple[str, Sound]]:
    """Yield what a gate must keep shut for: silence, noise, tones, chords, hum, beeps, knocks, a dial tone."""
    time = np.arange(round(seconds * HEARD_RATE)) / HEARD_RATE
    random = np.random.default_rng(20)
    yield "silence", silence(seconds)
    yield "constant", np.full(len(time), 0.3, np.float32)
    for slope, colour in enumerate(("white", "pink", "brown")):
        frequency = np.fft.rfftfreq(len(time), 1 / HEARD_RATE).clip(1.0)
        noise = np.fft.irfft(np.fft.rfft(random.standard_normal(len(time))) * frequency ** (-slope / 2), len(time))
        yield from ((f"{colour} noise at {level} dB", loud(noise, level)) for level in (-60, -40, -20, -10))
    for pitch in (50, 100, 200, 440, 1000, 3000):
        yield f"{pitch} Hz", loud(np.sin(2 * np.pi * pitch * time), -15)
    chords = {"C": (261.6, 329.6, 392.0), "Am": (220.0, 261.6, 329.6), "G7": (196.0, 246.9, 293.7, 349.2)}
    for name, pitches in chords.items():
        yield f"{name} held", loud(np.sum([np.sin(2 * np.pi * pitch * time) for pitch in pitches], axis=0), -15)
        strings = np.sum([np.sin(2 * np.pi * pitch * n * time) / n for pitch in pitches for n in range(1, 6)], axis=0)
        yield f"{name} plucked", loud(strings * np.exp(-3 * (time % 0.5)), -18)
    yield "hum", loud(np.sum([np.sin(2 * np.pi * 50 * n * time) / n for n in range(1, 20)], axis=0), -25)
    yield "beeps", loud(np.sin(2 * np.pi * 880 * time) * (time % 1 < 0.3), -15)
    yield "knocks", loud(random.standard_normal(len(time)) * np.exp(-60 * (time % 0.4)), -20)
    tones = np.sin(2 * np.pi * 697 * time) + np.sin(2 * np.pi * 1209 * time)
    yield "telephone keys", loud(tones * (time % 0.4 < 0.2), -15)
