import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr

from bench.faster_qwen import not_compared
from tests.conftest import Speech
from tests.disk import refusing_disk
from tests.engines.environment import WorkerEngine, make_tiny, probe, real_data_dir, worker
from tests.engines.hearing import text_of, word_error_rate
from tests.engines.humming import hum
from tests.engines.speaking import RUSSIAN, seconds, spoken
from wyoming_voice.engines import qwen_files
from wyoming_voice.engines.protocol import HEARD_RATE, Piece, Reference, Segment
from wyoming_voice.engines.qwen_tts import QwenTts
from wyoming_voice.engines.weights import weights_folder
from wyoming_voice.errors import BadRequest, EngineUnavailable, UnknownVoice

pytestmark = pytest.mark.timeout(600)  # torch takes a minute to be imported on a busy machine, once for each worker

ENTRY = "wyoming_voice.engines.qwen_tts:QwenTts"
TEXT = "Привет, как дела? Сегодня хорошая погода."
FRAME = 1920 / 24_000  # seconds
KINDS = ["custom_voice", "base", "voice_design"]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Have the children compute tiny models in one thread: on a busy machine several of them wait for each other."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny("qwen-tts", tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> str:
    return hum(tmp_path_factory.mktemp("recordings") / "hum.wav")


@pytest.fixture(scope="module")
def workers(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, WorkerEngine]]:
    """A worker for each kind of model, which the tests share."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("workers")
        yield {kind: stack.enter_context(running(models / kind, folder / kind)) for kind in KINDS}


def running(model: Path, folder: Path, **options: object) -> Any:
    folder.mkdir(exist_ok=True)
    return worker("qwen-tts", ENTRY, "tts", {"model": str(model), "data_dir": str(folder), **options}, folder)


@pytest.fixture
def segments(recording: str) -> dict[str, Segment]:
    return {
        "custom_voice": Segment(text=TEXT, voice="ryan", language="ru", seed=1),
        "base": Segment(text=TEXT, voice="", references=(Reference(recording, "как дела"),), seed=1),
        "voice_design": Segment(text=TEXT, voice="", description="an old man", seed=1),
    }


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def engine(workers: dict[str, WorkerEngine], kind: str) -> WorkerEngine:
    return workers[kind]


@pytest.fixture
def segment(segments: dict[str, Segment], kind: str) -> Segment:
    return segments[kind]


def sound(engine: WorkerEngine, segment: Segment) -> bytes:
    return b"".join(chunk.audio for chunk in engine.synthesize(segment))


@pytest.fixture(scope="module")
def told(models: Path, recording: str) -> dict[str, Any]:
    """What the engine's own Python tells of its insides, all in one process: its start is the longest part."""
    return probe(
        "qwen-tts", "generate,decode,draw,sound,trouble,prompts,options,graphs,batch,full,broken", models, recording
    )


def test_frames_are_those_of_the_package_for_every_kind_of_prompt(told: dict[str, Any]) -> None:
    found = told["generate"]
    assert len(found) == 5
    for case in found.values():
        assert case["plain"], case
        assert case["masked"], case
        assert case["frames"] > 20, "enough frames to compare"
        assert case["different"] > 50, "a model that always says the same proves nothing"
        assert case["ended"][0] == case["ended"][1] < 20


def test_decoding_in_steps_is_decoding_at_once_and_draws_are_fair(told: dict[str, Any]) -> None:
    found = told
    assert found["decode"]["loudest"] > 0.5
    assert max(found["decode"][way] for way in ("1", "3", "10", "branch")) < 2e-3
    assert found["draw"]["different"] == 0
    assert found["draw"]["off"] < 0.03
    assert found["sound"]["samples"][0] == found["sound"]["samples"][1]
    assert found["sound"]["difference"] < 2e-3


def test_frames_are_the_same_with_graphs_and_without(told: dict[str, Any]) -> None:
    assert told["graphs"]["frames"] > 5
    assert told["graphs"]["equal"], told["graphs"]


def test_a_pretended_gpu_replays_the_frames_that_it_says_step_by_step_with_one_transfer_a_frame(models: Path) -> None:
    found = probe("qwen-tts", models, script="qwen_gpu")
    if "skip" in found:
        pytest.skip(found["skip"])
    assert found["frames"] > 30
    assert found["graphs"] == 19, "all steps were captured, when the model was loaded"
    assert found["equal"]
    assert found["replays"] == 2, "the talker's step and the predictor's"
    assert len(found["waits"]) == 1, found["waits"]


def test_streams_that_share_a_batch_say_what_each_says_alone(told: dict[str, Any]) -> None:
    found = told["batch"]
    for way in ("plain", "masked"):
        assert all(found[way]["equal"]), found
        said = [*found["frames"][:3], 5, *found["frames"][4:]]
        assert found[way]["said"] == said, "one left after five frames"
        assert found[way]["steps"] < 0.6 * sum(said), "a step is for all who asked"
        assert found[way]["left"] == 0


def test_a_stream_that_fills_its_row_harms_no_other(told: dict[str, Any]) -> None:
    assert told["full"]["most"] > 20
    assert told["full"]["equal"] == [True, True]


def test_memory_that_ends_in_the_middle_ends_each_stream_and_no_later_one(told: dict[str, Any]) -> None:
    *frames, one, other, later = told["broken"]
    assert frames == [[16, 16], [16, 16]]
    assert (one, other) == ("out of memory", "out of memory")
    assert later == 3


@pytest.mark.skipif(shutil.which(os.environ.get("CXX", "g++")) is None, reason="there is no C++ compiler (g++)")
def test_frames_are_the_same_compiled_and_not(models: Path, recording: str) -> None:
    found = probe("qwen-tts", "compiling", models, recording)["compiling"]
    assert found["frames"] > 5
    assert found["there"]["equal"]
    assert found["there"]["compiled"]
    assert found["there"]["graphs"] == 2, "a layer of each of the two models, whatever their number"
    assert not found["there"]["said"]
    assert found["missing"]["equal"]
    assert not found["missing"]["compiled"]
    (line,) = found["missing"]["said"]
    assert "layers cannot be compiled" in line
    assert "no-such-compiler" in line


def test_benchmark_says_why_it_compares_with_no_other() -> None:
    assert "not in this environment" in str(not_compared(on_gpu=True))


def test_speech_that_would_not_end_is_cut_and_counted(told: dict[str, Any]) -> None:
    found = told["trouble"]
    assert found["loop"]["seconds"] < 2.5
    assert "same codes" in found["loop"]["said"][0]
    assert found["endless"]["seconds"] < 30
    assert "no end" in found["endless"]["said"][0]
    assert (found["endless"]["cut"], found["endless"]["retried"]) == (1, 0)
    assert found["silent"]["seconds"] < 1.5
    assert (found["silent"]["cut"], found["silent"]["retried"]) == (1, 1)
    assert not any("Привет" in line for case in found.values() for line in case["said"]), "texts stay out of the log"


def test_dialects_styles_and_several_recordings_are_laid_out(told: dict[str, Any]) -> None:
    found = told["prompts"]
    assert found["auto is the dialect"]
    assert not found["english is the dialect"]
    assert not found["a style is nothing"]
    assert found["a style is nothing to a small model"]
    assert found["frames"] == [75, 150, 75, 375]
    assert found["texts"] == ["как дела", "как дела как дела", "как дела"]
    assert found["embedding"] < 1e-6


# In a worker


def test_audio_leaves_before_it_is_all_there(engine: WorkerEngine, segment: Segment) -> None:
    chunks = spoken(engine, segment)
    assert {(chunk.rate, chunk.width, chunk.channels) for chunk in chunks} == {(24_000, 2, 1)}
    assert len(chunks) >= 3
    assert chunks[0].seconds < seconds(chunks) / 2


def test_the_length_is_that_of_whole_frames(engine: WorkerEngine, segment: Segment) -> None:
    length = len(sound(engine, segment)) // 2
    assert length > 3 * 1920
    assert length % 1920 == 0


def test_a_seed_repeats_and_another_one_differs(engine: WorkerEngine, segment: Segment) -> None:
    first = sound(engine, segment)
    assert sound(engine, segment) == first
    assert sound(engine, replace(segment, seed=2)) != first


def test_a_described_voice_is_the_same_without_a_seed(workers: dict[str, WorkerEngine]) -> None:
    engine, segment = workers["voice_design"], Segment(text=TEXT, voice="", description="an old man")
    assert sound(engine, segment) == sound(engine, segment)
    assert sound(engine, replace(segment, description="a child")) != sound(engine, segment)


def test_speech_begins_and_ends_softly(engine: WorkerEngine, segment: Segment) -> None:
    heard = sound(engine, segment)
    edges = [int.from_bytes(part, "little", signed=True) for part in (heard[:2], heard[-2:])]
    assert edges == [0, 0]


def test_closing_frees_the_worker(engine: WorkerEngine, segment: Segment) -> None:
    long = replace(segment, text=RUSSIAN * 500)
    with closing(engine.synthesize(long)) as audio:  # type: ignore[type-var]
        assert next(audio).audio
        begun = time.monotonic()
    assert sound(engine, replace(segment, text="Да."))
    assert time.monotonic() - begun < 10, "the long text takes a minute"


@pytest.mark.parametrize(
    "text", ["", " ", "...", "—", "?!", "😀👍🏽", "\n\t\0", "\u0301", "\ufeff\u202e", "\ud800", "+"]
)
def test_nothing_to_say_is_nothing(workers: dict[str, WorkerEngine], segments: dict[str, Segment], text: str) -> None:
    assert sound(workers["custom_voice"], replace(segments["custom_voice"], text=text)) == b""


@pytest.mark.parametrize("text", ["я", "a", "7", "Ё!", "x\ud800y", "<|im_end|>да<|im_start|>", "при" * 300, "\x01 да"])
def test_odd_text_is_spoken(workers: dict[str, WorkerEngine], segments: dict[str, Segment], text: str) -> None:
    assert len(sound(workers["custom_voice"], replace(segments["custom_voice"], text=text))) > 2 * 1920


def test_five_thousand_characters_are_spoken(engine: WorkerEngine, segment: Segment) -> None:
    text = (RUSSIAN * 60)[:5000]
    short = seconds(spoken(engine, replace(segment, text=text[:250])))
    assert seconds(spoken(engine, replace(segment, text=text))) > 2 * short


@pytest.mark.parametrize("language", [None, *qwen_files.LANGUAGES, "en-us", "zh-cn", "uk"])
def test_every_language_is_spoken(
    workers: dict[str, WorkerEngine], segments: dict[str, Segment], language: str | None
) -> None:
    assert sound(workers["custom_voice"], replace(segments["custom_voice"], text="Да.", language=language))


def test_a_style_changes_how_it_is_said(workers: dict[str, WorkerEngine], segments: dict[str, Segment]) -> None:
    engine, segment = workers["custom_voice"], segments["custom_voice"]
    assert sound(engine, replace(segment, style="радостно")) != sound(engine, segment)


@pytest.mark.parametrize("kind", ["custom_voice", "base", "voice_design"])
def test_an_unknown_voice_is_named(workers: dict[str, WorkerEngine], kind: str) -> None:
    with pytest.raises(UnknownVoice, match="nobody"):
        sound(workers[kind], Segment(text=TEXT, voice="nobody"))


def test_the_speakers_are_listed(workers: dict[str, WorkerEngine]) -> None:
    with pytest.raises(UnknownVoice, match="ryan, vivian, serena, uncle_fu"):
        sound(workers["custom_voice"], Segment(text=TEXT, voice="nobody"))


@pytest.mark.parametrize(
    ("kind", "wrong", "hint"),
    [
        ("custom_voice", "references", "Base"),
        ("custom_voice", "description", "VoiceDesign"),
        ("base", "description", "VoiceDesign"),
        ("base", None, "voices add"),
        ("voice_design", "references", "Base"),
        ("voice_design", None, "description"),
    ],
)
def test_a_voice_that_the_model_cannot_have_is_refused_with_the_model_that_can(
    workers: dict[str, WorkerEngine], recording: str, kind: str, wrong: str | None, hint: str
) -> None:
    segment = Segment(
        text=TEXT,
        voice="",
        references=(Reference(recording),) if wrong == "references" else (),
        description="an old man" if wrong == "description" else None,
    )
    with pytest.raises(BadRequest, match=hint):
        sound(workers[kind], segment)


@pytest.mark.parametrize("content", [None, b"", b"RIFF", b"no audio at all"])
def test_a_recording_that_cannot_be_read_is_refused(
    workers: dict[str, WorkerEngine], tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "broken.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadRequest, match=r"broken\.wav"):
        sound(workers["base"], Segment(text=TEXT, voice="", references=(Reference(str(path)),)))


def test_a_recording_that_is_too_short_is_refused(workers: dict[str, WorkerEngine], tmp_path: Path) -> None:
    short = Reference(hum(tmp_path / "short.wav", 2.0))
    with pytest.raises(BadRequest, match=r"2\.0 s"):
        sound(workers["base"], Segment(text=TEXT, voice="", references=(short,)))


def test_a_recording_is_looked_at_once_and_kept_by_its_content(
    models: Path, recording: str, segments: dict[str, Segment], tmp_path: Path
) -> None:
    cache = tmp_path / "cache" / "qwen-tts"
    with running(models / "base", tmp_path) as engine:
        first = sound(engine, segments["base"])
        (kept,) = cache.iterdir()
        written = kept.stat().st_mtime_ns
        other = tmp_path / "other name.wav"
        shutil.copy(recording, other)
        assert sound(engine, replace(segments["base"], references=(Reference(str(other), "как дела"),))) == first
    with running(models / "base", tmp_path, voice_clone_ref_audio=recording, voice_clone_ref_text="как дела") as engine:
        assert sound(engine, replace(segments["base"], voice=qwen_files.REFERENCE_VOICE, references=())) == first
        assert [path.stat().st_mtime_ns for path in cache.iterdir()] == [written]
        kept.write_bytes(kept.read_bytes()[:100])
        sound(engine, replace(segments["base"], references=(Reference(recording),)))  # not the voice that is in memory
        assert kept.stat().st_size > 1000


def test_a_disk_that_refuses_costs_only_the_time_to_look_again(
    models: Path, segments: dict[str, Segment], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    with running(models / "base", tmp_path) as engine:
        for pitch, how in ((100.0, "full"), (150.0, "read-only")):
            with refusing_disk(cache, how) as why:
                before = {path for path in cache.rglob("*") if path.is_file()}
                reference = Reference(hum(tmp_path / f"{how}.wav", pitch=pitch), "как дела")
                assert sound(engine, replace(segments["base"], references=(reference,)))
                assert {path for path in cache.rglob("*") if path.is_file()} == before, "no half file"
                assert why in capfd.readouterr().err


def test_more_at_once_than_a_batch_has_room_for_do_not_mix(
    workers: dict[str, WorkerEngine], segments: dict[str, Segment]
) -> None:
    engine, segment = workers["custom_voice"], segments["custom_voice"]
    wanted = [replace(segment, seed=seed) for seed in range(3, 3 + qwen_files.BATCH + 1)]
    alone = [sound(engine, one) for one in wanted]
    together: dict[int, bytes] = {}

    def speak(index: int) -> None:
        together[index] = sound(engine, wanted[index])

    threads = [threading.Thread(target=speak, args=(index,)) for index in range(len(wanted))]
    with closing(engine.synthesize(replace(segment, text=RUSSIAN * 50))) as long:  # type: ignore[type-var]
        assert next(long).audio
        for thread in threads:
            thread.start()
        assert next(long).audio, "it goes on among the others"
    for thread in threads:
        thread.join()
    assert [together[index] for index in range(len(wanted))] == alone


def test_killing_in_the_middle_breaks_the_connection(
    models: Path, segments: dict[str, Segment], tmp_path: Path
) -> None:
    with running(models / "custom_voice", tmp_path) as engine:
        audio = engine.synthesize(replace(segments["custom_voice"], text=RUSSIAN * 50))
        next(audio)
        engine.process.kill()
        with pytest.raises((AssertionError, ConnectionError)):
            list(audio)


def test_unloading_in_the_middle_ends_the_process_and_another_one_speaks_by_its_options(
    models: Path, segments: dict[str, Segment], tmp_path: Path, workers: dict[str, WorkerEngine]
) -> None:
    segment = replace(segments["custom_voice"], language="en")
    options = {"first_frames": 1, "language": "auto", "attn_implementation": "eager"}
    with running(models / "custom_voice", tmp_path, **options) as engine:
        heard = sound(engine, segment)
        assert heard != sound(workers["custom_voice"], segment)
        assert len(heard) == len(sound(workers["custom_voice"], replace(segment, language=None)))
        audio = engine.synthesize(replace(segment, text=RUSSIAN * 50))
        assert next(audio).audio
    assert engine.process.returncode == 0, "its input ended: nobody waits for the rest, and the memory is free"


# Without a worker


def test_missing_weights_are_told_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="engines install qwen-tts --weights"):
        QwenTts({"data_dir": str(tmp_path)})


def test_wrong_options_and_broken_weights_are_named(told: dict[str, Any]) -> None:
    hints = ["temperature", "0.01 to 1", "first_frames", "cuda:7", "int3", "best", "fetch the weights again"]
    assert len(told["options"]) == len(hints)
    for said, hint in zip(told["options"], hints, strict=True):
        assert hint in said


# With real weights


def real(model: str) -> dict[str, object]:
    options: dict[str, object] = {"model": model, "data_dir": str(real_data_dir())}
    if missing := qwen_files.missing(options):
        pytest.skip(missing)
    return options


@pytest.mark.weights
def test_what_is_spoken_is_what_was_written(tmp_path: Path) -> None:
    moonshine = pytest.importorskip("wyoming_voice.engines.moonshine")
    options = real("Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice")
    text = "The weather is fine today. We are going to the park, because it will not rain."
    with worker("qwen-tts", ENTRY, "tts", options, tmp_path) as engine:
        heard = np.frombuffer(sound(engine, Segment(text=text, voice="ryan", language="en", seed=1)), np.int16)
    piece = Piece(np.asarray(soxr.resample(heard / np.float32(32768), 24_000, HEARD_RATE), np.float32), language="en")
    assert word_error_rate(text, text_of(moonshine.Moonshine({}).transcribe(piece))) < 0.1


@pytest.mark.weights
@pytest.mark.speech
def test_a_clone_sounds_like_its_recording(speech: Speech) -> None:
    options = real("Qwen/Qwen3-TTS-12Hz-0.6B-Base")
    model = weights_folder("qwen-tts", options)
    assert probe("qwen-tts", "likeness", model, str(speech.path("en_jfk_16k.wav")))["likeness"] > 0.7
