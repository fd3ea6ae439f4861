"""When somebody has stopped speaking in a stream that arrives as it is spoken: scores and times that a test chooses."""

import asyncio

import pytest

from wyoming_voice.activity import ActivityStream
from wyoming_voice.errors import WorkerLost
from wyoming_voice.pause import Pause

CHUNK = bytes(512 * 2)
SECONDS = 0.032


class Scores(ActivityStream):
    """Judges as it is told to."""

    def __init__(self) -> None:
        self.score = 0.0
        self.lost = False

    async def judge(self, pcm: bytes) -> list[tuple[bytes, float]]:
        if self.lost:
            raise WorkerLost("It has ended.")
        return [(pcm[start : start + len(CHUNK)], self.score) for start in range(0, len(pcm), len(CHUNK))]


class Stream:
    """A stream whose audio comes as it is spoken, by a clock that jumps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)
        self.scores = Scores()
        self.pause = Pause(self.scores)

    async def hear(self, score: float, seconds: float, *, at_once: bool = False) -> None:
        self.scores.score = score
        for _ in range(round(seconds / SECONDS)):
            self.now += 0.0 if at_once else SECONDS
            await self.pause.follow(CHUNK)


@pytest.fixture
async def stream(monkeypatch: pytest.MonkeyPatch) -> Stream:
    return Stream(monkeypatch)


async def test_silence_after_speech_is_a_pause_and_silence_before_it_is_none(stream: Stream) -> None:
    await stream.hear(0.0, 0.5)
    assert stream.pause.after_speech == 0
    await stream.hear(1.0, 0.5)
    assert stream.pause.after_speech == 0
    assert not stream.pause.nobody
    await stream.hear(0.0, 0.32)
    assert stream.pause.after_speech == pytest.approx(0.32)
    await stream.hear(0.4, SECONDS)  # a little below the threshold: what has begun goes on
    assert stream.pause.after_speech == 0


async def test_knock_is_no_speech(stream: Stream) -> None:
    await stream.hear(1.0, 2 * SECONDS)
    await stream.hear(0.0, 0.5)
    assert stream.pause.after_speech == 0
    assert stream.pause.nobody


async def test_command_is_over_after_its_silence(stream: Stream) -> None:
    await stream.hear(0.0, 0.5)
    await stream.hear(1.0, 1.5)
    await stream.hear(0.0, 0.64)
    assert not stream.pause.over(0.7)
    await stream.hear(0.0, 0.096)
    assert stream.pause.over(0.7)


async def test_command_lasts_a_second_at_least(stream: Stream) -> None:
    await stream.hear(1.0, 0.32)
    await stream.hear(0.0, 0.64)
    assert not stream.pause.over(0.25)
    await stream.hear(0.0, 0.16)
    assert stream.pause.over(0.25)


async def test_who_never_speaks_is_not_waited_for(stream: Stream) -> None:
    await stream.hear(0.0, 14.9)
    assert not stream.pause.over(0.7)
    await stream.hear(0.0, 0.2)
    assert stream.pause.over(0.7)
    assert stream.pause.nobody


async def test_speech_that_never_pauses_is_a_television(stream: Stream) -> None:
    await stream.hear(1.0, 29.9)
    assert not stream.pause.over(0.7)
    await stream.hear(1.0, 0.3)
    assert stream.pause.over(0.7)
    assert not stream.pause.nobody


async def test_what_comes_faster_than_it_is_spoken_is_a_file_and_is_never_over(stream: Stream) -> None:
    await stream.hear(1.0, 1.0, at_once=True)
    await stream.hear(0.0, 20.0, at_once=True)
    assert stream.pause.after_speech == 0
    assert not stream.pause.over(0.7)


async def test_what_was_kept_before_the_wake_word_comes_early(stream: Stream) -> None:
    await stream.hear(1.0, 1.9, at_once=True)
    await stream.hear(0.0, 0.96)
    assert stream.pause.over(0.7)


async def test_stream_that_is_given_up_asks_no_detector(stream: Stream) -> None:
    await stream.hear(1.0, 1.5)
    stream.scores.lost = True
    with pytest.raises(WorkerLost):
        await stream.hear(0.0, SECONDS)
    stream.pause.give_up()
    await stream.hear(0.0, 1.0)
    assert stream.pause.after_speech == 0
    assert not stream.pause.over(0.7)
