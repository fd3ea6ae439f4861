import shutil
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engines.speaking import (
    ENGLISH,
    RUSSIAN,
    PitchContract,
    SsmlContract,
    TtsContract,
    fundamental,
    loudness,
    seconds,
    spoken,
)
from wyoming_voice.engines.protocol import Segment
from wyoming_voice.errors import BadRequest, Busy, EngineUnavailable, UnknownVoice

loader = pytest.importorskip("espeakng_loader", reason="eSpeak NG is not installed (espeakng-loader)")

from wyoming_voice.engines.espeak import Espeak  # noqa: E402  # after the skip


@pytest.fixture(scope="module")
def engine() -> Espeak:
    return Espeak({})


@pytest.fixture
def russian() -> Segment:
    return Segment(text=RUSSIAN, voice="ru")


@pytest.fixture
def english() -> Segment:
    return Segment(text=ENGLISH, voice="en-us")


class TestEspeak(TtsContract, SsmlContract, PitchContract):
    pass


@pytest.mark.parametrize("voice", ["ru", "en-gb", "de", "fr-fr", "uk", "cmn", "hi", "ja", "pt-br", "RU"])
def test_languages_are_voices(engine: Espeak, voice: str) -> None:
    assert seconds(spoken(engine, Segment(text="Taxi 12", voice=voice))) > 0.3


def test_stress_marks_are_not_read_aloud(engine: Espeak, russian: Segment) -> None:
    plain = seconds(spoken(engine, replace(russian, text="привет")))
    for text in ("прив+ет", "приве\u0301т"):
        assert seconds(spoken(engine, replace(russian, text=text))) == pytest.approx(plain, abs=0.05)
    assert seconds(spoken(engine, replace(russian, text="2 + 2"))) > seconds(
        spoken(engine, replace(russian, text="2 2"))
    )


def test_an_acute_of_a_latin_letter_stays(engine: Espeak) -> None:
    composed, parts = (Segment(text=text, voice="es") for text in ("canción", "cancio\u0301n"))
    assert seconds(spoken(engine, composed)) == pytest.approx(seconds(spoken(engine, parts)), abs=0.01)


def test_phoneme_brackets_are_text(engine: Espeak, english: Segment) -> None:
    bare, inside = (spoken(engine, replace(english, text=text)) for text in ("h@l oU", "[[h@l oU]]"))
    assert seconds(inside) == pytest.approx(seconds(bare), rel=0.35)


def test_pitch_rate_and_volume_are_options(russian: Segment) -> None:
    usual = spoken(Espeak({}), russian)
    assert loudness(spoken(Espeak({"volume": 30}), russian)) < loudness(usual) / 2
    assert seconds(spoken(Espeak({"rate": 350}), russian)) < seconds(usual) / 1.4
    low, high = (fundamental(spoken(Espeak({"pitch": pitch}), russian)) for pitch in (0, 100))
    assert high > 2 * low


def test_variants_are_speakers(engine: Espeak, russian: Segment) -> None:
    usual, asked = (fundamental(spoken(engine, s)) for s in (russian, replace(russian, speaker="f2")))
    assert asked > 1.3 * usual
    assert fundamental(spoken(Espeak({"variant": "f2"}), russian)) == pytest.approx(asked, rel=0.1)
    with pytest.raises(UnknownVoice, match="nobody"):
        spoken(engine, replace(russian, speaker="nobody"))


@pytest.mark.parametrize(
    "options", [{"rate": 9}, {"rate": "fast"}, {"volume": True}, {"pitch": 101}, {"variant": "../x"}]
)
def test_options_that_make_no_sense_are_named(options: dict[str, object]) -> None:
    with pytest.raises(EngineUnavailable, match=next(iter(options))):
        Espeak(options)


def test_broken_ssml_is_refused(engine: Espeak, russian: Segment) -> None:
    with pytest.raises(BadRequest, match="well-formed"):
        spoken(engine, replace(russian, text="<speak>привет", ssml=True))


def test_a_break_is_silence(engine: Espeak, russian: Segment) -> None:
    said, paused = (
        replace(russian, text=f"<speak>раз {tag} два</speak>", ssml=True) for tag in ("", '<break time="2s"/>')
    )
    assert seconds(spoken(engine, paused)) > seconds(spoken(engine, said)) + 1.5


def test_a_second_instance_speaks_beside_the_first(engine: Espeak, russian: Segment) -> None:
    other = Espeak({"rate": 350})
    slow = seconds(spoken(engine, russian))
    assert seconds(spoken(other, russian)) < slow
    assert seconds(spoken(engine, russian)) == pytest.approx(slow, rel=0.02)


def test_speaking_twice_at_once_is_refused(engine: Espeak, russian: Segment) -> None:
    with closing(engine.synthesize(replace(russian, text=RUSSIAN * 50))) as audio:  # type: ignore[type-var]
        next(audio)
        with pytest.raises(Busy, match="already"):
            spoken(Espeak({}), russian)
    assert spoken(engine, russian)


def test_a_very_long_path_with_spaces_works(tmp_path: Path) -> None:
    place = tmp_path / ("x" * 180) / "with space"
    shutil.copytree(Path(loader.__file__).parent, place / "espeakng_loader")
    script = (
        "from wyoming_voice.engines.espeak import Espeak\n"
        "from wyoming_voice.engines.protocol import Segment\n"
        "print(sum(len(c.audio) for c in Espeak({}).synthesize(Segment(text='привет', voice='ru'))))\n"
    )
    root = Path(__file__).parent.parent.parent
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": f"{place}:{root}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(run.stdout) > 10_000
