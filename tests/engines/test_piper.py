from dataclasses import replace
from pathlib import Path

import pytest

from tests.engines.speaking import ENGLISH, RUSSIAN, TtsContract, fundamental, seconds, spoken
from wyoming_voice.engines.piper import Piper
from wyoming_voice.engines.protocol import Segment
from wyoming_voice.errors import EngineUnavailable, UnknownVoice

pytest.importorskip("piper", reason="Piper is not installed (piper-tts)")
pytest.importorskip("onnx", reason="onnx, which makes the tiny voice, is not installed")

from tests.engines.tiny_piper import RATE, tiny_voice


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("piper")
    tiny_voice(folder, "ru_RU-irina-medium", code="ru_RU", espeak="ru")
    tiny_voice(folder, "en_US-many-low", code="en_US", espeak="en-us", speakers=("low", "high"))
    return folder


@pytest.fixture(scope="module")
def engine(folder: Path) -> Piper:
    return Piper({"folder": str(folder)})


@pytest.fixture
def russian() -> Segment:
    return Segment(text=RUSSIAN, voice="ru_RU-irina-medium")


@pytest.fixture
def english() -> Segment:
    return Segment(text=ENGLISH, voice="en_US-many-low")


class TestPiper(TtsContract):
    pass


def test_each_sentence_is_a_chunk(engine: Piper, russian: Segment) -> None:
    chunks = spoken(engine, russian)
    assert len(chunks) == 3
    assert {chunk.rate for chunk in chunks} == {RATE}


def test_speakers_are_chosen_by_name(engine: Piper, english: Segment) -> None:
    low, high = (spoken(engine, replace(english, speaker=speaker)) for speaker in ("low", "high"))
    assert fundamental(high) == pytest.approx(2 * fundamental(low), rel=0.1)
    assert fundamental(spoken(engine, english)) == pytest.approx(fundamental(low), rel=0.1)


@pytest.mark.parametrize(("voice", "hint"), [("en_US-many-low", "low, high"), ("ru_RU-irina-medium", "only one")])
def test_an_unknown_speaker_is_named(engine: Piper, english: Segment, voice: str, hint: str) -> None:
    with pytest.raises(UnknownVoice, match=hint):
        spoken(engine, replace(english, voice=voice, speaker="nobody"))


def test_phoneme_brackets_are_text(engine: Piper, russian: Segment) -> None:
    bare, inside = (spoken(engine, replace(russian, text=text)) for text in ("aaa", "[[aaa]]"))
    assert seconds(inside) == pytest.approx(seconds(bare), rel=0.3)


def test_a_voice_is_loaded_once(engine: Piper, russian: Segment) -> None:
    spoken(engine, russian)
    loaded = engine._load(russian.voice)
    spoken(engine, russian)
    assert engine._load(russian.voice) is loaded


@pytest.mark.parametrize("content", [b"", b"no model"])
def test_a_damaged_voice_is_named(tmp_path: Path, content: bytes) -> None:
    tiny_voice(tmp_path, "ru_RU-x-low", code="ru_RU", espeak="ru").write_bytes(content)
    with pytest.raises(EngineUnavailable, match=r"ru_RU-x-low\.onnx"):
        spoken(Piper({"folder": str(tmp_path)}), Segment(text="привет", voice="ru_RU-x-low"))


def test_a_folder_without_voices_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=str(tmp_path / "piper")):
        Piper({"data_dir": str(tmp_path)})
