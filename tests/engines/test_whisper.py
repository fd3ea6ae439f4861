"""faster-whisper, with a model whose weights are set by hand (tiny_whisper.py)."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wyoming_voice.engines.protocol import Heard, Piece, Word
from wyoming_voice.engines.voices import WHISPER_LANGUAGES, whisper_folder, whisper_missing
from wyoming_voice.errors import BadRequest, EngineUnavailable

from . import hub
from .hearing import part, sample, silence, text_of

NAMED = {"model": "small", "data_dir": "somewhere"}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ``data_dir`` with one model on its shelf."""
    pytest.importorskip("faster_whisper", reason="faster-whisper is not installed")
    tiny_whisper = pytest.importorskip("tests.engines.tiny_whisper")
    data_dir = tmp_path_factory.mktemp("data")
    tiny_whisper.make(data_dir / "faster-whisper" / "tiny", WHISPER_LANGUAGES)
    return data_dir


@pytest.fixture(scope="module")
def whisper(shelf: Path) -> Any:
    return engine({"data_dir": str(shelf), "cpu_threads": 2})


def engine(options: dict[str, object]) -> Any:
    return pytest.importorskip("wyoming_voice.engines.whisper").FasterWhisper(options)


def test_sentences_come_one_by_one_with_their_words(whisper: Any) -> None:
    sound = part(sample("beckett"), 0, 5.5)
    first, second = whisper.transcribe(Piece(sound, "en"))
    begin = first.start
    assert 0.2 < begin < 0.5  # "Ever" begins at 0.3 s; the model says that what it hears begins half a second before
    assert first == Heard(
        "Turn on",
        begin,
        first.end,
        "en",
        (
            Word("Turn", begin, begin, first.words[0].confidence),
            Word("on", begin, first.end, first.words[1].confidence),
        ),
    )
    assert second.text == " the lamp."
    assert [word.text for word in second.words] == ["the", "lamp."]
    assert second.end == pytest.approx(begin + 1.5, abs=0.05)
    assert all(0.9 < word.confidence <= 1.0 for word in first.words + second.words)


@pytest.mark.parametrize(
    ("asked", "heard"), [(None, "ru"), ("en-us", "en"), ("RU", "ru"), ("nb-NO", "no"), ("jv", "jw"), ("haw", "haw")]
)
def test_a_language_is_forced_or_guessed(asked: str | None, heard: str, whisper: Any) -> None:
    assert {some.language for some in whisper.transcribe(Piece(part(sample("beckett"), 0, 3), asked))} == {heard}


def test_a_prompt_and_terms_of_any_length_leave_room_for_the_text(whisper: Any) -> None:
    piece = Piece(
        part(sample("beckett"), 0, 5.5),
        "ru",
        prompt="Привет, дом. " * 400,
        terms=tuple(f"Лампа {n}" for n in range(400)),
    )
    assert text_of(whisper.transcribe(piece)) == "Turn on the lamp."


def test_the_first_terms_are_kept(whisper: Any) -> None:
    assert whisper._terms(["Elena", "the hall"]) == "Elena, the hall"
    kept = whisper._terms([f"lamp {number}" for number in range(400)])
    assert kept.startswith("lamp 0, lamp 1, ")
    assert len(whisper._tokens(kept)) <= 100


def test_what_is_heard_after_the_last_word_is_left_out(whisper: Any) -> None:
    assert text_of(whisper.transcribe(Piece(part(sample("beckett"), 8.1, 8.4), "en"))) == "Turn on"


def test_an_unknown_language_is_refused_also_where_nobody_speaks(whisper: Any) -> None:
    with pytest.raises(BadRequest, match="does not hear tlh"):
        list(whisper.transcribe(Piece(silence(1), "tlh")))


def test_an_english_model_refuses_other_languages(shelf: Path, tmp_path: Path) -> None:
    for file in (shelf / "faster-whisper" / "tiny").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    vocabulary = json.loads((tmp_path / "vocabulary.json").read_text("utf-8"))
    vocabulary[vocabulary.index("")] = "~"  # as CTranslate2 tells them
    (tmp_path / "vocabulary.json").write_text(json.dumps(vocabulary), "utf-8")
    with pytest.raises(BadRequest, match=r"English only: choose another .* for the language ru"):
        list(engine({"model": str(tmp_path)}).transcribe(Piece(silence(1), "ru")))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"beam_size": "many"}, "beam_size .* whole number"),
        ({"cpu_threads": -1}, "cpu_threads .* whole number"),
        ({"compute_type": "float7"}, "cannot load .* float7"),
        ({"device": "cuda:99"}, "cannot load .* on cuda"),
        ({"device": "cuda:first"}, "cannot load .* on cuda"),
        ({"model": "large"}, "no model large in .* engines install faster-whisper --weights"),
    ],
)
def test_what_does_not_load_says_why(options: dict[str, object], sentence: str, shelf: Path) -> None:
    with pytest.raises(EngineUnavailable, match=sentence):
        engine({"data_dir": str(shelf), **options})


def test_a_damaged_model_is_told(shelf: Path, tmp_path: Path) -> None:
    for file in (shelf / "faster-whisper" / "tiny").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[:1000])
    with pytest.raises(EngineUnavailable, match="cannot load"):
        engine({"model": str(tmp_path)})


def test_without_its_package_it_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(EngineUnavailable, match=r"\./run\.sh engines install faster-whisper"):
        engine({})


PROGRAM = """
import sys, json
from wyoming_voice.engines.whisper import FasterWhisper
from wyoming_voice.errors import VoiceError
try:
    FasterWhisper(json.loads(sys.argv[1]))
except VoiceError as error:
    print(error.code, error.text)
else:
    print("loaded")
"""


def load_elsewhere(options: str, address: str, home: Path) -> str:
    environment = {**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    environment.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    return done.stdout


def test_the_hub_is_asked_once_and_only_where_that_is_allowed(shelf: Path, tmp_path: Path) -> None:
    model = shelf / "faster-whisper" / "tiny"
    allowed = f'{{"model": "small", "download": true, "data_dir": "{tmp_path}"}}'
    with hub.serve(model, "Systran/faster-whisper-small") as (address, asked):
        assert load_elsewhere(f'{{"data_dir": "{shelf}"}}', address, tmp_path) == "loaded\n"
        refused = load_elsewhere(f'{{"model": "small", "data_dir": "{tmp_path}"}}', address, tmp_path)
        assert refused.startswith("engine-unavailable faster-whisper has no model small")
        assert asked == []
        assert load_elsewhere(allowed, address, tmp_path) == "loaded\n"
        assert any(path.endswith("/model.bin") for path in asked)
        asked.clear()
        assert load_elsewhere(allowed, address, tmp_path) == "loaded\n"
        assert asked == []
        missing = load_elsewhere(allowed.replace("small", "tiny"), address, tmp_path)
        assert missing.startswith("engine-unavailable The Whisper model tiny could not be downloaded")


def test_a_model_is_missing_until_its_folder_is_complete(tmp_path: Path) -> None:
    options = {"data_dir": str(tmp_path)}
    folder = tmp_path / "faster-whisper" / "small"
    folder.mkdir(parents=True)
    for name in ("model.bin", "config.json", "tokenizer.json"):
        missing = whisper_missing(options)
        assert missing is not None
        assert missing.startswith(f"faster-whisper has no model in {tmp_path / 'faster-whisper'}. Run: ./run.sh ")
        (folder / name).touch()
    assert whisper_missing(options) is None
    assert whisper_folder(options) == whisper_folder({**options, "model": "small"}) == folder
    assert whisper_folder({"model": str(folder)}) == folder
    assert "no model base in" in str(whisper_missing({**options, "model": "base"}))


def test_a_model_that_may_be_downloaded_is_not_missing() -> None:
    assert whisper_missing({**NAMED, "download": True}) is None
    assert "engines install faster-whisper --weights" in str(whisper_missing({**NAMED, "download": False}))


def test_its_languages_are_those_of_the_package() -> None:
    tokenizer = pytest.importorskip("faster_whisper.tokenizer", reason="faster-whisper is not installed")
    assert set(tokenizer._LANGUAGE_CODES) == {*WHISPER_LANGUAGES, "yue"}  # Cantonese came with large-v3
    assert len(WHISPER_LANGUAGES) == 99
