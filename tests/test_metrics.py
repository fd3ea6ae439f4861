"""Requests are counted and timed, and nobody knows what was said unless the user wants that."""

import asyncio

import pytest
from prometheus_client import generate_latest

from wyoming_voice.errors import Busy
from wyoming_voice.metrics import Metrics


def exposed(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def test_a_request_is_counted_when_it_ends() -> None:
    metrics = Metrics()
    with metrics.observe("tts") as seen:
        seen.engine, seen.voice = "espeak", "espeak-ru"
        assert seen.outcome == ""
        assert "wyoming_voice_running" in exposed(metrics)
        seen.progress(0.5)
        seen.progress(1.0)
    text = exposed(metrics)
    assert 'wyoming_voice_requests_total{engine="espeak",outcome="ok",task="tts"} 1.0' in text
    assert 'wyoming_voice_audio_seconds_total{engine="espeak",task="tts"} 1.5' in text
    assert 'wyoming_voice_first_seconds_count{engine="espeak",task="tts"} 1.0' in text
    assert 'wyoming_voice_running{task="tts"} 0.0' in text
    assert seen.first is not None
    assert seen.seconds is not None
    assert seen.first <= seen.seconds


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Busy("full"), "busy"),
        (asyncio.CancelledError(), "cancelled"),
        (GeneratorExit(), "cancelled"),
        (KeyError(), "internal"),
    ],
)
def test_how_a_request_ended_is_told(error: BaseException, outcome: str) -> None:
    metrics = Metrics()
    with pytest.raises(type(error)), metrics.observe("asr"):
        raise error
    assert metrics.recent[-1].outcome == outcome
    assert metrics.recent[-1].first is None


def test_only_so_many_are_remembered() -> None:
    metrics = Metrics()
    for _ in range(80):
        with metrics.observe("asr"):
            pass
    assert len(metrics.recent) == 50


def test_what_was_said_is_not_known() -> None:
    metrics = Metrics()
    with metrics.observe("tts") as seen:
        metrics.tell(seen, "a secret")
    assert seen.text == ""


def test_what_was_said_is_shown_to_who_wants_that() -> None:
    metrics = Metrics(texts=True)
    with metrics.observe("tts") as seen:
        metrics.tell(seen, "One sentence.")
        metrics.tell(seen, " Another.")
        assert seen.text == "One sentence. Another."
        metrics.tell(seen, "x" * 1000)
    assert len(seen.text) == 300
