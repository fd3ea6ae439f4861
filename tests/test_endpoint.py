"""Where speech begins and ends: scores that a test chooses, and real detectors on real speech."""

import asyncio
import signal
import wave
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import Speech
from wyoming_voice.activity import Activity, Detector
from wyoming_voice.companding import Law, compand, expand
from wyoming_voice.endpoint import Endpointer, EndpointRules, Event, Quiet, SpeechPiece, SpeechStarted
from wyoming_voice.errors import WorkerLost

CHUNK = 512 * 2
SECONDS = CHUNK / 32_000


def feed(endpointer: Endpointer, *runs: tuple[float, float]) -> list[Event]:
    """Feed runs of (seconds, score); each chunk's bytes are its number."""
    events = []
    for seconds, score in runs:
        for _ in range(round(seconds / SECONDS)):
            events += endpointer.feed(bytes([round(255 * score)]) * CHUNK, score)
    return events


def test_speech_starts_where_its_first_chunk_was_and_ends_after_the_silence() -> None:
    events = feed(Endpointer(EndpointRules(trailing=0.5, padding=0.2)), (1.024, 0.0), (0.96, 1.0), (1.024, 0.0))
    started, piece = events
    assert isinstance(started, SpeechStarted)
    assert isinstance(piece, SpeechPiece)
    assert started.start == pytest.approx(1.024)
    assert piece.end == pytest.approx(1.984)
    assert piece.last
    assert piece.start == pytest.approx(1.024 - 0.2, abs=SECONDS)
    assert len(piece.pcm) / 32_000 == pytest.approx(0.96 + 0.4, abs=SECONDS)


def test_a_knock_is_no_speech() -> None:
    assert not feed(Endpointer(EndpointRules()), (1.0, 0.0), (2 * SECONDS, 1.0), (1.0, 0.0))


def test_a_pause_shorter_than_the_silence_belongs_to_the_utterance() -> None:
    events = feed(Endpointer(EndpointRules(trailing=0.5)), (0.5, 1.0), (0.4, 0.0), (0.5, 1.0), (1.0, 0.0))
    assert [type(event) for event in events] == [SpeechStarted, SpeechPiece]


def test_speech_that_becomes_a_little_unsure_goes_on() -> None:
    events = feed(Endpointer(EndpointRules(trailing=0.3)), (0.5, 1.0), (2.0, 0.4), (1.0, 0.0))
    piece = events[-1]
    assert isinstance(piece, SpeechPiece)
    assert piece.end == pytest.approx(2.5, abs=2 * SECONDS)


def test_quiet_comes_once_after_its_time() -> None:
    events = feed(Endpointer(EndpointRules(trailing=0.3, quiet=1.0)), (0.5, 1.0), (3.0, 0.0))
    assert [type(event) for event in events] == [SpeechStarted, SpeechPiece, Quiet]


def test_quiet_does_not_come_when_speech_goes_on() -> None:
    events = feed(Endpointer(EndpointRules(trailing=0.3, quiet=2.0)), (0.5, 1.0), (1.0, 0.0), (0.5, 1.0), (1.0, 0.0))
    assert Quiet not in {type(event) for event in events}


def test_what_is_said_without_a_pause_comes_in_pieces() -> None:
    endpointer = Endpointer(EndpointRules(longest=5.0))
    pieces = [e for e in [*feed(endpointer, (12.0, 1.0)), *endpointer.finish()] if isinstance(e, SpeechPiece)]
    assert [piece.last for piece in pieces] == [*([False] * (len(pieces) - 1)), True]
    assert all(len(piece.pcm) <= 5 * 32_000 for piece in pieces)
    for before, after in pairwise(pieces):
        assert after.start == pytest.approx(before.start + len(before.pcm) / 32_000)


def test_finish_ends_speech_now_and_the_stream_goes_on() -> None:
    endpointer = Endpointer(EndpointRules())
    feed(endpointer, (1.0, 1.0))
    grown = endpointer.growing
    assert grown is not None
    assert grown.end == pytest.approx(1.0, abs=SECONDS)
    assert [type(event) for event in endpointer.finish()] == [SpeechPiece]
    assert not endpointer.finish()
    assert endpointer.growing is None
    assert [type(event) for event in feed(endpointer, (1.0, 1.0))] == [SpeechStarted]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.6, 1.0]), max_size=300),
    st.floats(0.1, 1.0),
    st.floats(0.0, 0.5),
    st.lists(st.integers(0, 299), max_size=3),
)
def test_pieces_are_parts_of_the_stream_in_order_whatever_is_heard(
    scores: list[float], trailing: float, padding: float, finished: list[int]
) -> None:
    sound = np.random.default_rng(0).integers(-9, 9, len(scores) * 512).astype("<i2").tobytes()
    endpointer = Endpointer(EndpointRules(trailing=trailing, padding=padding, longest=4.0, quiet=1.0))
    events: list[Event] = []
    for index, score in enumerate(scores):
        events += endpointer.feed(sound[index * CHUNK : (index + 1) * CHUNK], score)
        events += endpointer.finish() if index in finished else []
    events += endpointer.finish()
    given_until = 0
    for piece in [event for event in events if isinstance(event, SpeechPiece)]:
        at = round(piece.start * 16_000) * 2
        assert piece.pcm == sound[at : at + len(piece.pcm)]
        assert at >= given_until
        given_until = at + len(piece.pcm)
    kinds = [event.last if isinstance(event, SpeechPiece) else type(event) for event in events]
    assert kinds.count(SpeechStarted) == kinds.count(True)


@pytest.mark.speech
async def test_silero_finds_the_utterances_of_a_recording(speech: Speech) -> None:
    with wave.open(str(speech.path("en_jfk_16k.wav"))) as file:
        pcm = file.readframes(file.getnframes()) + bytes(32_000)
    activity, events = Activity(), []
    async with activity.stream() as stream:
        endpointer = Endpointer(EndpointRules())
        for start in range(0, len(pcm), 3000):  # cuts that are no chunks
            for chunk, score in await stream.judge(pcm[start : start + 3000]):
                events += endpointer.feed(chunk, score)
    starts = [event.start for event in events if isinstance(event, SpeechStarted)]
    assert starts == pytest.approx([0.35, 3.3, 5.4, 8.2], abs=0.15)
    await activity.close()


async def test_a_process_that_hangs_is_left_alone_and_then_replaced_although_nobody_waited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    activity, silent = Activity(), bytes(32_000)
    async with activity.stream() as stream:
        assert await stream.judge(silent)
        assert activity.make_ready()
        assert activity._process is not None
        activity._process._child.send_signal(signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await stream.judge(silent)
        assert activity.make_ready()
        monkeypatch.setattr("wyoming_voice.activity._LATE", 0.01)
        assert not activity.make_ready()
        monkeypatch.setattr("wyoming_voice.activity._ANSWER_SECONDS", 0.01)
        with pytest.raises(WorkerLost):
            await stream.judge(silent)
        assert not activity.make_ready()
        assert activity._waking is not None
        await activity._waking
    async with activity.stream() as another:
        monkeypatch.undo()
        assert await another.judge(silent)
    await activity.close()


async def test_streams_are_judged_apart_and_a_lost_process_is_replaced() -> None:
    activity = Activity()
    silent = bytes(32_000)
    async with activity.stream() as one, activity.stream() as other:
        assert [score for _, score in await one.judge(silent)] == [score for _, score in await other.judge(silent)]
        assert await one.judge(b"\0" * 10) == []
        assert activity._process is not None
        activity._process._child.kill()
        with pytest.raises(WorkerLost):
            while True:  # until its end is seen
                await one.judge(silent)
    async with activity.stream() as another:
        assert max(score for _, score in await another.judge(silent)) < 0.5
    await activity.close()


async def test_stream_keeps_its_detector_when_another_is_chosen() -> None:
    chosen: list[Detector] = ["silero"]
    activity = Activity(lambda: chosen[0])
    silent = bytes(32_000)
    async with activity.stream() as before:
        chosen[0] = "webrtc"
        async with activity.stream() as after:
            assert [len(chunk) for chunk, _ in await before.judge(silent)] == [1024] * 31
            assert [len(chunk) for chunk, _ in await after.judge(silent)] == [960] * 33
        (retired,) = activity._retired
    assert retired._child.returncode is not None
    await activity.close()


@pytest.mark.parametrize(("law", "steps"), [("mulaw", 644), ("alaw", 512)])
def test_companding_keeps_what_eight_bits_can(law: Law, steps: int) -> None:
    samples = np.arange(-(2**15), 2**15, dtype="<i2")
    heard = np.frombuffer(expand(compand(samples.tobytes(), law), law), "<i2")
    assert int(abs(heard.astype(int) - samples).max()) <= steps
    assert int(abs(heard.astype(int) - samples)[2**15 - 64 : 2**15 + 64].max()) <= 8
    codes = bytes(range(256))
    again = compand(expand(codes, law), law)
    assert expand(again, law) == expand(codes, law)
