"""Silero, with tiny packages of the published form (tiny/silero.py), in a worker."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from wyoming.audio import AudioChunk

from tests.engines.environment import WorkerEngine, engine_python, make_tiny, worker
from tests.engines.speaking import RUSSIAN, PitchContract, SsmlContract, TtsContract, seconds, spoken
from wyoming_voice.engines.protocol import Segment
from wyoming_voice.errors import BadRequest

ENTRY = "wyoming_voice.engines.silero:Silero"
CHARACTER = 0.07  # seconds of each in the tiny models


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ``data_dir`` with the tiny models."""
    engine_python("silero")
    folder = tmp_path_factory.mktemp("data")
    make_tiny("silero", folder / "weights" / "silero")
    return folder


@pytest.fixture(scope="module")
def engine(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerEngine]:
    options = {"data_dir": str(data_dir)}
    with worker("silero", ENTRY, "tts", options, tmp_path_factory.mktemp("socket")) as engine:
        yield engine


@pytest.fixture
def russian() -> Segment:
    return Segment(text=RUSSIAN, voice="xenia", language="ru")


@pytest.fixture
def english(russian: Segment) -> Segment:
    """A model has one language: its other voices stand in for the other one."""
    return replace(russian, voice="aidar")


def samples(chunks: list[AudioChunk]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.frombuffer(b"".join(chunk.audio for chunk in chunks), "<i2").astype(np.float64) / 32767


class TestSilero(TtsContract, PitchContract, SsmlContract):
    @pytest.mark.parametrize("text", ["я", "Ё!"])
    def test_a_character_is_spoken(self, engine: WorkerEngine, russian: Segment, text: str) -> None:
        assert 0.02 < seconds(spoken(engine, replace(russian, text=text))) < 3

    @pytest.mark.parametrize(
        "text", ["\x01 300S привет", "привет\0 мир", "<b>привет</b>", "при" * 500, "я\ud800в", "в+ода + 2", "&amp;я"]
    )
    def test_odd_text_is_safe(self, engine: WorkerEngine, russian: Segment, text: str) -> None:
        assert seconds(spoken(engine, replace(russian, text=text))) > 0.1
        assert seconds(spoken(engine, russian)) > 2

    def test_ssml_that_names_files_only_says_its_text(self, engine: WorkerEngine, russian: Segment) -> None:
        text = '<speak><audio src="/etc/passwd">привет</audio></speak>'
        assert seconds(spoken(engine, replace(russian, text=text, ssml=True))) == pytest.approx(6 * CHARACTER, abs=0.01)


@pytest.mark.parametrize("text", ["a", "7", "Hello world 2026", "%s%n -v de"])
@pytest.mark.parametrize("speed", [1.0, 1.5])
def test_what_the_model_has_no_letters_for_is_an_error(
    engine: WorkerEngine, russian: Segment, text: str, speed: float
) -> None:
    with pytest.raises(BadRequest, match=r"left out 1 part .* text: normalize"):
        spoken(engine, replace(russian, text=text, speed=speed))


def test_the_rest_is_said_before_the_error(engine: WorkerEngine, russian: Segment) -> None:
    said = list[AudioChunk]()
    with pytest.raises(BadRequest, match="left out 2 parts"):
        for chunk in engine.synthesize(replace(russian, text="<s>Раз.</s><s>Two.</s><s>Три.</s><s>4</s>", ssml=True)):
            said.append(chunk)
    assert seconds(said) == pytest.approx(8 * CHARACTER + 3 * 0.3, abs=0.05)
