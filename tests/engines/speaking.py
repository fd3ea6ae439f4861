"""What every engine that speaks keeps; each engine's test file subclasses it with an engine and its voices."""

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from wyoming.audio import AudioChunk

from wyoming_voice.engines.protocol import Segment, TtsEngine
from wyoming_voice.errors import UnknownVoice

RUSSIAN = "Сегодня хорошая погода. Мы идём гулять в парк, потому что дождя не будет. Потом мы вернёмся домой. "
ENGLISH = "The weather is fine today. We are going to the park, because it will not rain. Then we come home. "


def spoken(engine: TtsEngine, segment: Segment) -> list[AudioChunk]:
    return list(engine.synthesize(segment))


def seconds(chunks: list[AudioChunk]) -> float:
    return sum(chunk.seconds for chunk in chunks)


def loudness(chunks: list[AudioChunk]) -> float:
    samples = np.frombuffer(b"".join(chunk.audio for chunk in chunks), np.int16).astype(np.float64)
    return float(np.sqrt(np.mean(samples**2)))


def fundamental(chunks: list[AudioChunk]) -> float:
    """Hertz of the voice: the median over loud frames of 40 ms of the autocorrelation's peak between 60 and 500 Hz."""
    rate = chunks[0].rate
    samples = np.frombuffer(b"".join(chunk.audio for chunk in chunks), np.int16).astype(np.float64)
    size = rate // 25
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    frames = frames[np.sum(frames**2, axis=1) > np.mean(np.sum(frames**2, axis=1))]
    spectrum = np.fft.rfft(frames, 2 * size, axis=1)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, rate // 500 : rate // 60]
    return float(np.median(rate / (correlation.argmax(axis=1) + rate // 500)))


class TtsContract:
    """Subclasses give fixtures ``engine``, ``russian`` and ``english`` (a segment of the voice of each language)."""

    @pytest.fixture(autouse=True)
    def nothing_is_left(self) -> Iterator[None]:
        before = set(threading.enumerate())
        yield
        assert set(threading.enumerate()) <= before, "a thread is left behind"

    @pytest.fixture(params=["russian", "english"])
    def segment(self, request: pytest.FixtureRequest) -> Segment:
        segment: Segment = request.getfixturevalue(request.param)
        return segment

    def test_speech_is_loud_and_of_one_format(self, engine: TtsEngine, segment: Segment) -> None:
        chunks = spoken(engine, segment)
        assert {(chunk.rate, chunk.width, chunk.channels) for chunk in chunks} == {(chunks[0].rate, 2, 1)}
        assert all(chunk.audio and len(chunk.audio) % 2 == 0 for chunk in chunks)
        assert 2 < seconds(chunks) < 20
        assert loudness(chunks) > 300

    def test_a_long_text_comes_in_chunks(self, engine: TtsEngine, segment: Segment) -> None:
        chunks = spoken(engine, replace(segment, text=segment.text * 10))
        assert len(chunks) > 5
        assert chunks[0].seconds < seconds(chunks) / 5

    def test_closing_cancels_and_the_engine_speaks_again(self, engine: TtsEngine, segment: Segment) -> None:
        whole = seconds(spoken(engine, segment))
        with closing(engine.synthesize(replace(segment, text=segment.text * 50))) as audio:  # type: ignore[type-var]
            assert next(audio).audio
        assert seconds(spoken(engine, segment)) == pytest.approx(whole, rel=0.02)

    def test_closing_before_the_first_step_leaves_nothing(self, engine: TtsEngine, russian: Segment) -> None:
        with closing(engine.synthesize(russian)):  # type: ignore[type-var]
            pass
        assert spoken(engine, russian)

    @pytest.mark.parametrize(
        "text", ["", " ", "...", "—", "?!", "😀👍🏽", "\n\t\0", "\u0301", "\ufeff\u202e", "\ud800", "+"]
    )
    def test_nothing_to_say_is_nothing(self, engine: TtsEngine, russian: Segment, text: str) -> None:
        assert spoken(engine, replace(russian, text=text)) == []

    @pytest.mark.parametrize("text", ["я", "a", "7", "Ё!"])
    def test_a_character_is_spoken(self, engine: TtsEngine, russian: Segment, text: str) -> None:
        assert 0.02 < seconds(spoken(engine, replace(russian, text=text))) < 3

    def test_five_thousand_characters_are_spoken(self, engine: TtsEngine, russian: Segment) -> None:
        text = (RUSSIAN * 60)[:5000]
        assert seconds(spoken(engine, replace(russian, text=text))) > 150

    @pytest.mark.parametrize(
        "text",
        [
            "\x01 300S привет",
            "привет\0 мир",
            "[[h@l'oU]] привет",
            "<b>привет</b>",
            "при" * 500,
            "x\ud800y",
            "%s%n -v de",
        ],
    )
    def test_odd_text_is_safe(self, engine: TtsEngine, russian: Segment, text: str) -> None:
        assert seconds(spoken(engine, replace(russian, text=text))) > 0.1
        assert seconds(spoken(engine, russian)) > 2

    @pytest.mark.parametrize("speed", [0.5, 2.0])
    def test_speed_changes_the_duration(self, engine: TtsEngine, segment: Segment, speed: float) -> None:
        usual = seconds(spoken(engine, segment))
        assert seconds(spoken(engine, replace(segment, speed=speed))) == pytest.approx(usual / speed, rel=0.3)

    def test_an_unknown_voice_is_named(self, engine: TtsEngine, russian: Segment) -> None:
        with pytest.raises(UnknownVoice, match="nobody"):
            spoken(engine, replace(russian, voice="nobody"))

    def test_two_requests_in_turn_do_not_mix(self, engine: TtsEngine, russian: Segment, english: Segment) -> None:
        first = seconds(spoken(engine, russian))
        spoken(engine, english)
        assert seconds(spoken(engine, russian)) == pytest.approx(first, rel=0.02)


class PitchContract:
    """For engines that can change the pitch."""

    def test_pitch_changes_the_voice_but_not_its_speed(self, engine: TtsEngine, segment: Segment) -> None:
        usual, high = spoken(engine, segment), spoken(engine, replace(segment, pitch=1.5))
        assert seconds(high) == pytest.approx(seconds(usual), rel=0.05)
        assert fundamental(high) == pytest.approx(1.5 * fundamental(usual), rel=0.2)


class SsmlContract:
    """For engines that understand SSML."""

    @pytest.mark.parametrize(
        "text",
        [
            '<p>раз.</p><break time="1s"/><p>два</p>',
            '<p><s>раз</s> <break time="1s"/> <s>два</s></p>',
            "<s><break/></s> раз <p></p>",
            '<p><break time="1s"/></p><s><prosody rate="50%"><break/></prosody></s> раз',
            "<s>.<break/></s> раз",
            '<break time="1s"/>раз<break strength="strong"/>',
        ],
    )
    def test_breaks_may_stand_anywhere(self, engine: TtsEngine, russian: Segment, text: str) -> None:
        assert seconds(spoken(engine, replace(russian, text=text, ssml=True))) > 0.2

    def test_ssml_is_not_read_aloud(self, engine: TtsEngine, segment: Segment) -> None:
        plain = seconds(spoken(engine, segment))
        marked = replace(segment, text=f"<?xml version='1.0'?><speak><p><s>{segment.text}</s></p></speak>", ssml=True)
        assert seconds(spoken(engine, marked)) == pytest.approx(plain, rel=0.2)

    def test_prosody_changes_the_speed(self, engine: TtsEngine, segment: Segment) -> None:
        slow = replace(segment, text=f'<prosody rate="50%">{segment.text}</prosody>', ssml=True)
        assert seconds(spoken(engine, slow)) > 1.3 * seconds(spoken(engine, segment))

    def test_a_cancelled_prosody_does_not_last(self, engine: TtsEngine, segment: Segment) -> None:
        plain = seconds(spoken(engine, segment))
        slow = replace(segment, text=f'<prosody rate="50%">{segment.text * 9}</prosody>', ssml=True)
        with closing(engine.synthesize(slow)) as audio:  # type: ignore[type-var]
            next(audio)
        assert seconds(spoken(engine, segment)) == pytest.approx(plain, rel=0.02)

    def test_ssml_that_names_files_only_says_its_text(self, engine: TtsEngine, russian: Segment) -> None:
        text = '<speak><audio src="/etc/passwd">привет</audio></speak>'
        marked = seconds(spoken(engine, replace(russian, text=text, ssml=True)))
        assert marked == pytest.approx(seconds(spoken(engine, replace(russian, text="привет"))), abs=0.2)
