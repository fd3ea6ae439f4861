"""GigaAM, with tiny models of the real classes that learned a sound by heart (tiny/gigaam.py), in a worker."""

import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Speech
from wyoming_voice.engines import gigaam_files
from wyoming_voice.engines.gate import SpeechGate
from wyoming_voice.engines.gigaam import LONGEST, cut
from wyoming_voice.engines.gigaam_tokens import Token, words
from wyoming_voice.engines.protocol import HEARD_RATE, Piece
from wyoming_voice.engines.table import TABLE
from wyoming_voice.errors import BadRequest, EngineUnavailable

from .environment import WorkerEngine, engine_python, make_tiny, probe, real_data_dir, worker
from .hearing import Sound, not_speech, part, read, sample, silence, text_of, word_error_rate

pytestmark = pytest.mark.timeout(300)  # six models learn in 15 s, and in a minute where other tests keep the cores busy

ENTRY = "wyoming_voice.engines.gigaam:GigaAM"
SAID = {"привет": 0.6, "как": 1.4, "дела": 2.0}
"""What the tiny models hear in the first 3 s of beckett.wav, and when, counted from where the gate lets it begin."""
MODELS = [(name, backend) for name in gigaam_files.MODELS for backend in gigaam_files.backends(name)]


@pytest.fixture(scope="module")
def clip() -> Sound:
    return part(sample("beckett"), 0, 3)


@pytest.fixture(scope="module")
def learned(clip: Sound, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sound of the clip as a model gets it."""
    speech = SpeechGate().speech(clip)
    assert speech is not None, "Beckett speaks"
    path = tmp_path_factory.mktemp("sound") / "sound.f32"
    speech.samples.tofile(path)
    return path


@pytest.fixture(scope="module")
def data_dir(learned: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ``data_dir`` with all the models."""
    engine_python("gigaam")
    folder = tmp_path_factory.mktemp("data")
    make_tiny("gigaam", folder / "weights" / "gigaam", str(learned), *gigaam_files.MODELS)
    return folder


Load = Callable[..., WorkerEngine]


@pytest.fixture
def load(data_dir: Path, tmp_path: Path) -> Iterator[Load]:
    """Start a worker with options of its own."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(
            worker("gigaam", ENTRY, "asr", {"data_dir": str(data_dir), **options}, tmp_path)
        )


@pytest.fixture(scope="module", params=[{}, {"model": "v2_rnnt", "backend": "torch"}], ids=["onnx", "torch"])
def engine(
    request: pytest.FixtureRequest, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkerEngine]:
    """The default model, and the one of the package's that takes the most code."""
    options = {"data_dir": str(data_dir), **request.param}
    with worker("gigaam", ENTRY, "asr", options, tmp_path_factory.mktemp("socket")) as engine:
        yield engine


# What it hears


@pytest.mark.parametrize(("name", "backend"), MODELS)
def test_each_model_hears_what_was_said_and_when(name: str, backend: str, clip: Sound, load: Load) -> None:
    (heard,) = load(model=name, backend=backend).transcribe(Piece(clip, "ru"))
    assert heard.text == ("Привет, как дела?" if "e2e" in name else "привет как дела")
    assert heard.language == "ru"
    assert [word.text for word in heard.words] == heard.text.split()
    speech = SpeechGate().speech(clip)
    assert speech is not None
    assert [word.start - speech.start for word in heard.words] == pytest.approx(list(SAID.values()), abs=0.021)
    assert all(0.03 < word.end - word.start < 0.5 for word in heard.words)
    assert all(word.confidence is not None and 0.9 < word.confidence <= 1.0 for word in heard.words)
    assert (heard.start, heard.end) == (heard.words[0].start, heard.words[-1].end)


@pytest.mark.parametrize("name", ["v2_ctc", "v2_rnnt"])
def test_the_letters_are_those_of_the_package(name: str, data_dir: Path, learned: Path, tmp_path: Path) -> None:
    unknown = tmp_path / "unknown.f32"
    sample("beckett").tofile(unknown)
    sounds = probe("gigaam", "same", data_dir / "weights" / "gigaam" / name, learned, unknown)["sounds"]
    assert sounds[0]["ours"] == "привет как дела"
    for found in sounds:
        assert found["ours"]
        assert found["ours"] == found["theirs"]
        assert found["starts"] == sorted(found["starts"])
        assert 0 <= found["starts"][0] <= found["starts"][-1] < found["frames"] * 0.04
        first, half, last = found["together"]  # in a batch, as a GPU hears them
        assert first == last == found["ours"]
        # The package reflects the sound at its end, and in a batch there is silence: the last letter may differ.
        assert half[:-1] == found["half"][: max(len(half) - 1, 0)]


# What every engine that hears promises


@pytest.mark.parametrize("language", [None, "ru", "ru-RU", "RU"])
def test_russian_is_heard(language: str | None, clip: Sound, engine: WorkerEngine) -> None:
    assert text_of(engine.transcribe(Piece(clip, language))).lower().startswith("привет")


@pytest.mark.parametrize("language", ["en", "en-us", "de", "tlh"])
def test_another_language_is_refused_also_where_nobody_speaks(language: str, clip: Sound, engine: WorkerEngine) -> None:
    for sound in (clip, silence(1)):
        with pytest.raises(BadRequest, match=f"Russian only, not {language}.*Choose another"):
            list(engine.transcribe(Piece(sound, language)))


def test_where_nobody_speaks_nothing_is_heard(engine: WorkerEngine) -> None:
    for name, sound in not_speech(1):
        assert list(engine.transcribe(Piece(sound, "ru"))) == [], name


@pytest.mark.parametrize("length", [0, 1, 512, 3200])
def test_too_little_sound_is_no_mistake(length: int, engine: WorkerEngine) -> None:
    assert list(engine.transcribe(Piece(silence(1)[:length], "ru"))) == []


def test_times_count_from_the_beginning_of_the_piece(clip: Sound, engine: WorkerEngine) -> None:
    (alone,) = engine.transcribe(Piece(clip, "ru"))
    (later,) = engine.transcribe(Piece(np.concatenate([silence(4), clip]), "ru"))
    assert later.text == alone.text
    for word, before in zip(later.words, alone.words, strict=True):
        assert (word.start, word.end) == pytest.approx((before.start + 4, before.end + 4), abs=0.05)


def test_a_minute_is_heard_in_parts_one_after_the_other(clip: Sound, engine: WorkerEngine) -> None:
    cities = sample("two_cities")
    heard = list(engine.transcribe(Piece(np.concatenate([clip, cities, clip]), "ru")))
    assert len(heard) >= 2
    assert heard[0].text.lower().startswith("привет")
    assert all(some.text.startswith(" ") for some in heard[1:])
    starts = [word.start for some in heard for word in some.words]
    assert starts == sorted(starts)
    assert starts[-1] > 25
    assert heard[-1].end <= 3 + len(cities) / HEARD_RATE + 3


def test_two_at_once_are_not_mixed_up(clip: Sound, engine: WorkerEngine) -> None:
    cities = part(sample("two_cities"), 0, 5)
    alone = [list(engine.transcribe(Piece(sound, "ru"))) for sound in (clip, cities)]
    barrier = threading.Barrier(4)

    def hear(number: int) -> bool:
        barrier.wait(10)
        return list(engine.transcribe(Piece((clip, cities)[number % 2], "ru"))) == alone[number % 2]

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(hear, range(4)))


def test_closed_before_its_end_it_hears_the_next_piece_just_as_well(clip: Sound, engine: WorkerEngine) -> None:
    whole = list(engine.transcribe(Piece(clip, "ru")))
    minute = np.concatenate([clip, sample("two_cities"), clip])
    with closing(engine.transcribe(Piece(minute, "ru"))) as begun:  # type: ignore[type-var]
        assert next(begun).text
    assert list(engine.transcribe(Piece(clip, "ru"))) == whole


def test_killed_in_the_middle_and_started_again_it_hears(clip: Sound, load: Load) -> None:
    first = load()
    begun = first.transcribe(Piece(np.concatenate([clip, sample("two_cities")]), "ru"))
    assert next(begun).text
    first.process.kill()
    with pytest.raises((AssertionError, ConnectionError)):
        list(begun)
    assert text_of(load().transcribe(Piece(clip, "ru"))) == "Привет, как дела?"


# What does not load


def test_short_names_are_refused_because_they_are_ambiguous(load: Load) -> None:
    with pytest.raises(EngineUnavailable, match=r"no model 'rnnt'.*v2_rnnt.*different models in different releases"):
        load(model="rnnt")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"model": "v3_ctc", "backend": "torch"}, "v3_ctc runs on the backend onnx, not on 'torch'"),
        ({"model": "v2_ctc", "backend": "tensorflow"}, "onnx or torch, not on 'tensorflow'"),
        ({"model": "v2_ctc", "backend": "torch", "device": "cuda:99"}, "cuda:99"),
        ({"device": "cuda", "backend": "onnx"}, "cannot compute on cuda.*CPUExecutionProvider.*device: cpu"),
        ({"quantization": "int8"}, r"is not in .*v3_e2e_rnnt.*\./run\.sh engines"),
        ({"data_dir": "nowhere"}, r"v3_e2e_rnnt is not in .*nowhere.*\./run\.sh engines"),
    ],
)
def test_what_does_not_load_says_why(options: dict[str, object], sentence: str, load: Load) -> None:
    with pytest.raises(EngineUnavailable, match=sentence):
        load(**options)


@pytest.mark.parametrize(("name", "backend"), [("v2_ctc", "torch"), ("v2_ctc", "onnx"), ("v3_rnnt", "onnx")])
def test_a_damaged_model_is_told(name: str, backend: str, data_dir: Path, tmp_path: Path, load: Load) -> None:
    folder = tmp_path / name
    shutil.copytree(data_dir / "weights" / "gigaam" / name, folder)
    damaged = next(folder.glob("*.ckpt" if backend == "torch" else "*.onnx"))
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size // 2])
    with pytest.raises(EngineUnavailable, match=rf"{name}"):
        load(model=str(folder), backend=backend)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny("gigaam", tmp_path_factory.mktemp("hostile"), "hostile")


@pytest.mark.parametrize(("name", "way"), [("v2_ctc", "may run programs"), ("v2_rnnt", "wants os.system to be called")])
def test_a_checkpoint_that_would_run_something_is_refused(
    name: str, way: str, hostile: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")  # not even where torch is asked to be careless
    with pytest.raises(EngineUnavailable, match=way):
        load(model=str(hostile / name), backend="torch")
    assert not (hostile / name / "ran").exists()


# Which model, and what of it is here


def test_the_model_may_be_named_by_its_folder_or_its_checkpoint(data_dir: Path) -> None:
    folder = data_dir / "weights" / "gigaam" / "v2_rnnt"
    for model in (folder, folder / "v2_rnnt.ckpt"):
        options = {"model": str(model), "backend": "torch"}
        assert gigaam_files.missing(options) is None
        assert gigaam_files.folder(options) == folder


def test_the_backend_whose_files_are_here_is_used(tmp_path: Path) -> None:
    folder = tmp_path / "weights" / "gigaam" / "v2_ctc"
    folder.mkdir(parents=True)
    options: dict[str, object] = {"data_dir": str(tmp_path), "model": "v2_ctc"}
    assert gigaam_files.backend(options) is None
    (folder / "v2_ctc.ckpt").touch()
    assert gigaam_files.backend(options) == "torch"
    for file in ("v2_ctc.onnx", "v2_vocab.txt"):
        (folder / file).touch()
    assert gigaam_files.backend(options) == "onnx"
    assert gigaam_files.backend({**options, "backend": "torch"}) == "torch"
    assert gigaam_files.backend({**options, "device": "cuda:0"}) == "torch"


@pytest.mark.parametrize(
    ("name", "quantization", "files"),
    [
        ("v3_ctc", None, {"v3_ctc.onnx", "v3_vocab.txt", "config.json"}),
        ("v3_e2e_ctc", "int8", {"v3_e2e_ctc.int8.onnx", "v3_e2e_ctc_vocab.txt", "config.json"}),
        (
            "v2_rnnt",
            None,
            {"v2_rnnt_encoder.onnx", "v2_rnnt_decoder.onnx", "v2_rnnt_joint.onnx", "v2_vocab.txt", "config.json"},
        ),
    ],
)
def test_files_are_named_as_they_are_published(name: str, quantization: str | None, files: set[str]) -> None:
    assert set(gigaam_files.files(name, "onnx", quantization)) == files


def test_russian_comes_here_before_it_goes_to_whisper() -> None:
    names = [spec.name for spec in TABLE if spec.task == "asr" and "ru" in spec.languages]
    assert names.index("gigaam") < names.index("faster-whisper")


# Tokens and parts


def test_a_space_parts_words_and_an_unknown_piece_is_none() -> None:
    tokens = [
        Token(text, 0.04 * place, -0.1) for place, text in enumerate([" ", " При", "вет", ",", " ", "<unk>", "я"])
    ]
    first, second = words(tokens, lambda seconds: round(seconds, 2))
    assert (first.text, first.start, first.end) == ("Привет,", 0.04, 0.16)
    assert (second.text, second.start, second.end) == ("я", 0.24, 0.28)
    assert first.confidence == second.confidence == 0.905


def test_no_tokens_are_no_words() -> None:
    assert words([], float) == ()
    assert words([Token(" ", 0.0, -1.0)], float) == ()


@given(st.integers(0, 70 * 100))
def test_parts_are_short_enough_and_nothing_is_lost(hundredths: int) -> None:
    samples = np.arange(hundredths * HEARD_RATE // 100, dtype=np.float32)
    parts = list(cut(samples))
    assert np.array_equal(np.concatenate(parts), samples)
    if len(samples) <= LONGEST:
        assert len(parts) == 1
    else:
        assert all(5 * HEARD_RATE < len(some) <= 22 * HEARD_RATE for some in parts)


def test_a_cut_goes_through_a_pause() -> None:
    sound = np.random.default_rng(1).standard_normal(30 * HEARD_RATE).astype(np.float32)
    sound[16 * HEARD_RATE : 17 * HEARD_RATE] = 0.0
    first, _ = cut(sound)
    assert 16.0 < len(first) / HEARD_RATE < 17.0


# Real weights


@pytest.mark.weights
@pytest.mark.speech
@pytest.mark.parametrize("name", gigaam_files.MODELS)
def test_one_word_in_ten_is_wrong_at_most(name: str, speech: Speech, tmp_path: Path) -> None:
    options: dict[str, object] = {"data_dir": str(real_data_dir()), "model": name}
    if missing := gigaam_files.missing(options):
        pytest.skip(missing)
    clips = [clip for clip in speech.of("ru") if clip["format"] == "wav"]
    with worker("gigaam", ENTRY, "asr", options, tmp_path) as engine:
        heard = " ".join(text_of(engine.transcribe(Piece(read(speech.path(clip["file"])), "ru"))) for clip in clips)
    assert word_error_rate(" ".join(clip["transcript"] for clip in clips), heard) <= 0.1
