"""Speed and pitch for engines that cannot change theirs."""

import random

import numpy as np
import pytest
from wyoming.audio import AudioChunk

from wyoming_voice.channel import Channel
from wyoming_voice.metrics import Metrics
from wyoming_voice.output import Output
from wyoming_voice.tempo import Tempo

RATE = 24_000


def tone(seconds: float, hertz: float = 200.0) -> bytes:
    return (8000 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype("<i2").tobytes()


def changed(pcm: bytes, speed: float, pitch: float, size: int = 3840) -> bytes:
    tempo = Tempo(RATE, speed=speed, pitch=pitch)
    return b"".join(tempo.feed(pcm[start : start + size]) for start in range(0, len(pcm), size)) + tempo.finish()


def loudest(pcm: bytes) -> float:
    """Hertz."""
    samples = np.frombuffer(pcm, "<i2")
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * RATE / len(samples))


@pytest.mark.parametrize("speed", [0.25, 0.5, 0.8, 1.25, 2.0, 4.0])
@pytest.mark.parametrize("pitch", [0.25, 0.8, 1.0, 1.5, 4.0])
def test_length_and_height_change_as_asked_and_apart(speed: float, pitch: float) -> None:
    pcm = changed(tone(2.0), speed, pitch)
    assert len(pcm) / 2 / RATE == pytest.approx(2.0 / speed, abs=0.001)
    assert loudest(pcm) == pytest.approx(
        200.0 * pitch, rel=0.03 if pitch >= 0.8 else 0.12
    )  # coarse where few periods fit


def test_audio_leaves_while_more_comes() -> None:
    tempo = Tempo(RATE, speed=1.5, pitch=1.0)
    early = b"".join(tempo.feed(tone(0.1)) for _ in range(4))
    assert len(early) / 2 / RATE > 0.1


def test_next_to_nothing_makes_no_trouble() -> None:
    assert changed(b"", 1.5, 1.0) == b""
    assert len(changed(tone(0.001), 1.5, 1.2)) == 2 * round(0.001 * RATE / 1.5)


def test_any_pieces_at_any_speed_keep_their_length() -> None:
    """Above 2, FFmpeg's filter fails an assertion of its own for some of these, and takes the process with it."""
    draw = random.Random(7)
    for _ in range(60):
        speed, pitch = draw.uniform(0.25, 4), draw.uniform(0.25, 4)
        pcm = draw.choice([tone, lambda seconds: bytes(2 * round(seconds * RATE))])(draw.choice([0.01, 0.3, 1.0]))
        out = changed(pcm, speed, pitch, size=draw.choice([320, 3840, 65536]))
        assert len(out) / len(pcm) == pytest.approx(1 / speed, rel=0.01)


async def test_output_changes_what_the_engine_did_not() -> None:
    audio: Channel[AudioChunk] = Channel(10_000_000, lambda chunk: len(chunk.audio))
    with Metrics(texts=False).observe("tts") as seen:
        output = Output(audio, None, 10_000_000, seen, speed=2.0, pitch=1.0)
        for _ in range(10):
            await output.put(AudioChunk(RATE, 2, 1, tone(0.2)))
        await output.finish()
    audio.close()
    assert sum([chunk.seconds async for chunk in audio]) == pytest.approx(1.0, abs=0.05)
