"""When somebody has stopped speaking in a stream that arrives as it is spoken: scores and times that a test chooses."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from wyoming_voice.activity import Activity, ActivityStream
from wyoming_voice.channel import Channel
from wyoming_voice.config import Settings
from wyoming_voice.errors import WorkerLost
from wyoming_voice.listening import Cutter
from wyoming_voice.metrics import Metrics
from wyoming_voice.pause import Pause
from wyoming_voice.pool import Pool
from wyoming_voice.recognition import Listening, Recognition
from wyoming_voice.survey import survey

CHUNK = bytes(512 * 2)
SECONDS = 0.032


class Scores(ActivityStream):
    """Judges as it is told to."""

    def __init__(self) -> None:
        self.score = 0.0
        self.lost = False
        self.asked = 0

    async def judge(self, pcm: bytes) -> list[tuple[bytes, float]]:
        self.asked += 1
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


async def test_what_has_begun_goes_on_a_little_below_the_threshold_and_begins_again_only_at_it(stream: Stream) -> None:
    await stream.hear(1.0, 0.5)
    await stream.hear(0.4, 0.32)
    assert stream.pause.after_speech == 0
    await stream.hear(0.0, 0.32)
    await stream.hear(0.4, 0.32)
    assert stream.pause.after_speech == pytest.approx(0.64)
    await stream.hear(0.6, SECONDS)
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


async def cuts(stream: Stream, audio: AsyncIterator[bytes], trailing: float | None) -> list[bytes]:
    """Listen to a stream up to where its request ends; returns the pieces for the engine."""
    settings = Settings()
    pool = Pool({}, {}, start=None)  # type: ignore[arg-type]  # nothing is started
    recognition = Recognition(settings, pool, survey(settings, {}), Metrics(), Activity())
    listening = Listening(audio=audio, live=True, trailing=trailing)
    return [cut.pcm async for cut in recognition._cuts(listening, Cutter(), stream.pause, "nobody")]


async def microphone(stream: Stream, seconds: float) -> AsyncIterator[bytes]:
    for _ in range(round(seconds / SECONDS)):
        stream.now += SECONDS
        yield CHUNK


async def test_what_is_no_speech_reaches_no_engine(stream: Stream) -> None:
    audio = microphone(stream, 20.0)
    assert await cuts(stream, audio, trailing=0.7) == []
    assert stream.now == pytest.approx(15.0, abs=2 * SECONDS)


async def test_silence_that_its_client_ends_is_for_the_engine_to_judge(stream: Stream) -> None:
    assert len(b"".join(await cuts(stream, microphone(stream, 20.0), trailing=None))) == 625 * len(CHUNK)


async def test_lost_detector_ends_a_command_that_depends_on_it_and_no_other(stream: Stream) -> None:
    stream.scores.lost = True
    assert len(b"".join(await cuts(stream, microphone(stream, 1.0), trailing=None))) == 31 * len(CHUNK)
    stream.pause = Pause(stream.scores)
    with pytest.raises(WorkerLost):
        await cuts(stream, microphone(stream, 1.0), trailing=0.7)


async def test_detector_that_is_late_is_not_waited_for(stream: Stream) -> None:
    audio: Channel[bytes] = Channel(10**6, len)
    for _ in range(400):
        audio.put_nowait(CHUNK)
    audio.close()
    stream.now = 60.0  # all of this was spoken long ago
    assert len(b"".join(await cuts(stream, audio, trailing=None))) == 400 * len(CHUNK)
    assert stream.scores.asked == 0


async def test_detector_that_does_not_answer_is_given_up_and_asked_no_more(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def judge(_pcm: bytes) -> list[tuple[bytes, float]]:
        nonlocal asked
        asked += 1
        stream.now += 0.3
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(stream.scores, "judge", judge)
    assert len(b"".join(await cuts(stream, microphone(stream, 1.0), trailing=None))) == 31 * len(CHUNK)
    assert asked == 1
