"""Orpheus in its worker: a tiny model whose weights are set by hand (tiny/orpheus.py), through the real packages."""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import soundfile

from tests.disk import refusing_disk
from tests.engines.environment import WorkerEngine, make_tiny, probe, real_data_dir, worker
from tests.engines.speaking import ENGLISH, RUSSIAN, TtsContract, seconds, spoken
from wyoming_voice.engines import orpheus_files
from wyoming_voice.engines.protocol import Reference, Segment, TtsEngine
from wyoming_voice.engines.reference import LENT
from wyoming_voice.errors import BadRequest, EngineUnavailable, UnknownVoice

ENTRY: Final = "wyoming_voice.engines.orpheus:Orpheus"
FRAMES: Final = 27  # what the tiny model always says
FRAME: Final = 2048 / 24_000
CERTAIN: Final = {"temperature": 0, "voices": ["tara", "Аня"], "languages": ["en", "ru"]}
pytestmark = pytest.mark.timeout(300)  # importing torch takes a minute where everybody does it at once
ONE: Final = Segment(text="Привет.", voice="Аня", language="ru")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Keep torch from spinning on every core for matrices of sixteen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny("orpheus", tmp_path_factory.mktemp("orpheus"))


def options(tiny: Path, **more: object) -> dict[str, object]:
    return {"model": str(tiny / "model"), "codec": str(tiny / "codec"), "data_dir": str(tiny), **more}


@pytest.fixture(scope="module")
def engine(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerEngine]:
    with worker("orpheus", ENTRY, "tts", options(tiny, **CERTAIN), tmp_path_factory.mktemp("run")) as running:
        yield running


@pytest.fixture
def russian() -> Segment:
    return replace(ONE, text=RUSSIAN)


@pytest.fixture
def english() -> Segment:
    return Segment(text=ENGLISH, voice="tara", language="en")


def pcm(engine: TtsEngine, segment: Segment) -> bytes:
    return b"".join(chunk.audio for chunk in spoken(engine, segment))


class TestOrpheus(TtsContract):
    @pytest.mark.parametrize("speed", [0.5, 2.0])
    def test_speed_changes_the_duration(self, engine: TtsEngine, segment: Segment, speed: float) -> None:
        """It has no way to change the speed: it speaks all the same."""
        assert seconds(spoken(engine, replace(segment, speed=speed))) == pytest.approx(FRAMES * FRAME)

    @pytest.mark.timeout(300)
    def test_five_thousand_characters_are_spoken(self, engine: TtsEngine, russian: Segment) -> None:
        """The tiny model says as much for each piece as for a word: the pieces count."""
        said = seconds(spoken(engine, replace(russian, text=(RUSSIAN * 60)[:5000])))
        assert said / (FRAMES * FRAME) == pytest.approx(round(said / (FRAMES * FRAME)))
        assert 5000 / 220 < said / (FRAMES * FRAME) < 40


def test_audio_comes_in_growing_packets_from_the_third_frame_on(engine: WorkerEngine) -> None:
    chunks = spoken(engine, ONE)
    assert len(chunks) >= 3
    first = chunks[0].seconds / FRAME  # what is made while nobody reads comes joined
    assert first == pytest.approx(round(first))
    assert first < FRAMES / 2
    assert seconds(chunks) == pytest.approx(FRAMES * FRAME)


def test_a_cancelled_request_leaves_the_worker(engine: WorkerEngine) -> None:
    long = replace(ONE, text=RUSSIAN * 100)  # minutes
    for _ in range(3):
        with closing(engine.synthesize(long)) as audio:  # type: ignore[type-var]
            assert next(audio).audio
    assert seconds(spoken(engine, ONE)) == pytest.approx(FRAMES * FRAME)


def test_two_at_once_are_spoken_one_after_the_other(engine: WorkerEngine) -> None:
    alone = pcm(engine, ONE)
    first, second = engine.synthesize(ONE), engine.synthesize(replace(ONE, voice="tara"))
    begun = next(first).audio
    assert b"".join(chunk.audio for chunk in second) == alone
    assert begun + b"".join(chunk.audio for chunk in first) == alone


@pytest.mark.parametrize("style", ["angry", "громко"])
def test_a_style_that_it_has_not_is_refused(engine: WorkerEngine, style: str) -> None:
    with pytest.raises(BadRequest, match="laugh, chuckle"):
        spoken(engine, replace(ONE, style=style))
    assert spoken(engine, replace(ONE, style="sigh"))


def test_a_model_with_voices_clones_none(engine: WorkerEngine, recording: Reference) -> None:
    with pytest.raises(BadRequest, match="clones none"):
        spoken(engine, replace(ONE, references=(recording,)))


def test_a_seed_repeats_and_another_is_another(tiny: Path, tmp_path: Path) -> None:
    drawn = options(tiny, temperature=0.9, top_p=1)  # without sorting 156,940 numbers for each token
    segment = Segment(text="Fine.", voice="tara", seed=5)
    with worker("orpheus", ENTRY, "tts", drawn, tmp_path) as running:
        first = pcm(running, segment)
        assert pcm(running, replace(segment, seed=6)) != first
        assert pcm(running, replace(segment, seed=None)) != pcm(running, replace(segment, seed=None))
        assert pcm(running, segment) == first
        with pytest.raises(UnknownVoice, match=r"Аня.*tara, leah"):
            spoken(running, replace(segment, voice="Аня"))


def test_a_worker_that_is_killed_is_lost_and_the_next_speaks(tiny: Path, tmp_path: Path) -> None:
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
    with worker("orpheus", ENTRY, "tts", options(tiny, **CERTAIN), tmp_path / "first") as running:
        audio = running.synthesize(replace(ONE, text=RUSSIAN * 100))
        assert next(audio).audio
        os.kill(running.process.pid, signal.SIGKILL)
        with pytest.raises((AssertionError, ConnectionError)):
            list(audio)
    with worker("orpheus", ENTRY, "tts", options(tiny, **CERTAIN), tmp_path / "second") as running:
        assert spoken(running, ONE)


# Cloning


def record(path: Path, pitch: float) -> Reference:
    """Six seconds that pass for speech: a voice's pitch that wavers, in syllables with pauses."""
    time = np.arange(6 * 22_050) / 22_050
    phase = 2 * np.pi * np.cumsum(pitch + 15 * np.sin(2 * np.pi * 0.7 * time)) / 22_050
    syllables = np.clip(np.sin(2 * np.pi * 1.5 * time) + 0.2, 0.0, 1.0)
    voice = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 12))
    soundfile.write(path, 0.2 * syllables * voice, 22_050)
    return Reference(str(path), "These are my words.")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return record(tmp_path_factory.mktemp("recording") / "me.flac", 120)


@pytest.fixture(scope="module")
def cloner(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerEngine]:
    chosen = options(tiny, temperature=0, needs_reference=True)
    with worker("orpheus", ENTRY, "tts", chosen, tmp_path_factory.mktemp("run")) as running:
        yield running


def test_it_goes_on_with_recordings_that_are_encoded_once(
    cloner: WorkerEngine, recording: Reference, tiny: Path, tmp_path: Path
) -> None:
    shelf = tiny / "cache" / "orpheus"
    cloned = Segment(text="Fine.", voice="", references=(recording, replace(recording, text="And once more.")))
    first = pcm(cloner, cloned)
    assert len(first) == FRAMES * 2048 * 2
    (kept,) = shelf.iterdir()
    assert np.load(kept).shape == (-(-6 * 24_000 // 2048), 7)
    written = kept.stat().st_mtime_ns

    other = replace(cloned, references=(record(tmp_path / "other.wav", 200),))
    assert spoken(cloner, other)
    (broken,) = {*shelf.iterdir()} - {kept}
    whole = broken.read_bytes()
    broken.write_bytes(whole[:100])
    assert spoken(cloner, other)  # from memory
    assert len(broken.read_bytes()) == 100
    with worker("orpheus", ENTRY, "tts", options(tiny, temperature=0, needs_reference=True), tmp_path) as running:
        assert pcm(running, cloned) == first
        assert kept.stat().st_mtime_ns == written  # it was only read
        assert spoken(running, other)
    assert broken.read_bytes() == whole  # it was made again
    assert {*shelf.iterdir()} == {kept, broken}


def test_a_disk_that_refuses_costs_only_the_time_to_encode_again(
    tiny: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    chosen = options(tiny, temperature=0, needs_reference=True, data_dir=str(tmp_path))
    with worker("orpheus", ENTRY, "tts", chosen, tmp_path) as running:
        for pitch, how in ((200, "full"), (230, "read-only")):
            with refusing_disk(cache, how) as why:
                before = {path for path in cache.rglob("*") if path.is_file()}
                reference = record(tmp_path / f"{how}.wav", pitch)
                assert spoken(running, Segment(text="Fine.", voice="", references=(reference,)))
                assert {path for path in cache.rglob("*") if path.is_file()} == before, "no half file"
                assert why in capfd.readouterr().err


def test_nothing_that_came_with_a_request_is_kept(cloner: WorkerEngine, tiny: Path, tmp_path: Path) -> None:
    shelf = tiny / "cache" / "orpheus"
    before = set(shelf.glob("*"))
    folder = tmp_path / f"{LENT}x"
    folder.mkdir()
    assert spoken(cloner, Segment(text="Fine.", voice="", references=(record(folder / "lent.wav", 230),)))
    assert set(shelf.glob("*")) == before


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (None, "voice of a recording and has none of its own"),
        ({"text": None}, "Give the reference's text"),
        ({"text": " "}, "Give the reference's text"),
        ({"path": "/nowhere/me.flac"}, "cannot be read"),
        ({"path": str(Path(__file__))}, "no audio that can be read"),
    ],
)
def test_a_reference_that_cannot_be_used_is_told(
    cloner: WorkerEngine, recording: Reference, change: Mapping[str, Any] | None, sentence: str
) -> None:
    references = () if change is None else (replace(recording, **change),)
    with pytest.raises(BadRequest, match=sentence):
        spoken(cloner, Segment(text="Fine.", voice="", references=references))


def test_too_many_recordings_leave_no_room(cloner: WorkerEngine, recording: Reference) -> None:
    with pytest.raises(BadRequest, match="fewer or shorter recordings"):
        spoken(cloner, Segment(text="Fine.", voice="", references=(recording,) * 16))


# Inside


def test_our_loop_draws_what_transformers_draws_on_either_cache(tiny: Path) -> None:
    found = probe("orpheus", "generate", tiny / "model")
    for name, drawn in found.items():
        assert len(set(drawn["theirs"])) > 20, name
        assert all(tokens == drawn["theirs"] for tokens in drawn.values()), name
    assert found["greedy"]["theirs"] != found["drawn"]["theirs"] != found["plain"]["theirs"]


def test_every_token_is_a_step_between_two_of_which_it_can_be_left(tiny: Path) -> None:
    found = probe("orpheus", "steps", tiny)
    assert found["steps"] >= 7 * FRAMES
    assert 3 <= found["sounding"] < 8


def test_windows_join_to_what_is_decoded_at_once(tiny: Path) -> None:
    found = probe("orpheus", "windows", tiny / "codec")
    assert found["again"] == 0.0
    assert found["short"] == [count * 2048 for count in range(5)]
    assert found["packets"]["12"]["frames"] == [1, 2, 4, 8, 12, 13]
    for packets in found["packets"].values():
        assert packets["after"][0] == 3
        assert packets["samples"] == found["samples"] == 40 * 2048
        assert packets["error"] < 1e-3 < 0.1 < found["peak"]
    assert found["encoded"] == 11
    assert found["layout"]
    assert found["theirs"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"codec": "/nowhere"}, "no audio codec in /nowhere.*install orpheus --weights"),
        ({"model": "/nowhere"}, "no weights in /nowhere"),
        ({"device": "cuda:9"}, "no GPU cuda:9"),
        ({"temperature": "hot"}, "temperature of Orpheus must be a number"),
        ({"styles": ["laugh"]}, "styles of Orpheus must be a mapping"),
    ],
)
def test_what_does_not_load_says_why(tiny: Path, tmp_path: Path, change: Mapping[str, object], sentence: str) -> None:
    with (
        pytest.raises(EngineUnavailable, match=sentence),
        worker("orpheus", ENTRY, "tts", {**options(tiny), **change}, tmp_path),
    ):
        pass


@pytest.mark.weights
def test_the_released_model_says_a_sentence_in_its_time(tmp_path: Path) -> None:
    released = {"data_dir": str(real_data_dir()), "device": "auto"}
    if lacking := orpheus_files.missing(released):
        pytest.skip(lacking)
    with worker("orpheus", ENTRY, "tts", released, tmp_path) as running:
        said = spoken(running, Segment(text=ENGLISH + "<laugh>", voice="tara", seed=1))
    assert 4 < seconds(said) < 15
