import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from wyoming_voice.engines import espeak_files, voices
from wyoming_voice.engines.protocol import Options
from wyoming_voice.engines.voices import EngineVoice


@pytest.fixture
def rhvoice_files(tmp_path: Path) -> Options:
    """A folder like RHVoice's, with an empty file as its library."""
    for stem, name, language in (
        ("alan", "Alan", "English"),
        ("anna", "Anna", "Russian"),
        ("elena", "Elena", "Russian"),
        ("mikhail", "Mikhail", "Russian"),
        ("leticia-f123", "Leticia-F123", "Brazilian-Portuguese"),
        ("qo", "Qo", "Klingon"),
    ):
        folder = tmp_path / "voices" / stem
        folder.mkdir(parents=True)
        (folder / "voice.info").write_text(f"name={name}\nlanguage={language}\nformat=4\nrevision=2\n", "utf-8")
    (tmp_path / "libRHVoice.so").touch()
    return {"folder": str(tmp_path), "library": str(tmp_path / "libRHVoice.so")}


def test_rhvoice_offers_its_free_voices_the_best_first(rhvoice_files: Options) -> None:
    found = voices.rhvoice(rhvoice_files)
    assert [voice.name for voice in found] == ["rhvoice-elena", "rhvoice-anna", "rhvoice-alan"]
    assert [voice.languages for voice in found] == [("ru",), ("ru",), ("en-gb", "en")]
    assert found[0].description == "RHVoice · Elena (русский)"
    assert (found[0].voice, found[0].version, found[0].licence) == ("Elena", "4.2", "LGPL-2.1+")
    assert voices.rhvoice_missing(rhvoice_files) is None


def test_rhvoice_offers_other_voices_only_if_named(rhvoice_files: Options) -> None:
    found = voices.rhvoice({**rhvoice_files, "voices": ["Mikhail", "leticia-f123", "qo", "nobody"]})
    assert [voice.voice for voice in found] == ["Mikhail", "Leticia-F123", "Qo"]
    assert [voice.languages for voice in found] == [("ru",), ("pt-br", "pt"), ("klingon",)]
    assert "not free" in found[0].licence


@pytest.mark.parametrize("lost", [{"library": "/nowhere/lib.so"}, {"folder": "/nowhere"}, {"voices": ["nobody"]}])
def test_what_rhvoice_lacks_is_said_with_the_command(rhvoice_files: Options, lost: dict[str, object]) -> None:
    options = {**rhvoice_files, **lost}
    assert list(voices.rhvoice(options)) == []
    missing = voices.rhvoice_missing(options)
    assert missing is not None
    assert "./run.sh engines install rhvoice" in missing


def test_piper_voices_are_pairs_of_files(tmp_path: Path) -> None:
    folder = tmp_path / "piper"
    folder.mkdir()
    described = {
        "audio": {"quality": "medium"},
        "dataset": "irina",
        "language": {"code": "ru_RU", "family": "ru", "name_native": "Русский"},
        "speaker_id_map": {"one": 0, "two": 1},
        "piper_version": "1.0.0",
    }
    (folder / "ru_RU-irina-medium.onnx").touch()
    (folder / "ru_RU-irina-medium.onnx.json").write_text(json.dumps(described), "utf-8")
    (folder / "old.onnx").touch()
    (folder / "old.onnx.json").write_text('{"espeak": {"voice": "en-us"}}', "utf-8")
    (folder / "alone.onnx").touch()
    for name, broken in (("list", "[]"), ("text", "{"), ("empty", "{}")):
        (folder / f"{name}.onnx").touch()
        (folder / f"{name}.onnx.json").write_text(broken, "utf-8")
    old, irina = voices.piper({"data_dir": str(tmp_path)})
    assert (irina.name, irina.voice, irina.languages) == ("ru_RU-irina-medium", "ru_RU-irina-medium", ("ru-ru", "ru"))
    assert (irina.speakers, irina.description) == (("one", "two"), "Piper · irina (Русский, medium)")
    assert (old.name, old.languages) == ("old", ("en-us", "en"))
    assert voices.piper_missing({"folder": str(folder)}) is None


def test_piper_says_where_voices_belong(tmp_path: Path) -> None:
    assert str(tmp_path / "piper") in str(voices.piper_missing({"data_dir": str(tmp_path)}))
    assert "no folder is set" in str(voices.piper_missing({}))


espeak_is_installed = pytest.mark.skipif(espeak_files.espeak_folder() is None, reason="eSpeak NG is not installed")


@espeak_is_installed
def test_espeak_offers_a_voice_for_each_language_russian_and_english_first() -> None:
    found = espeak_files.espeak({})
    assert [voice.name for voice in found[:3]] == ["espeak-ru", "espeak-en-us", "espeak-en-gb"]
    assert found[0].description == "eSpeak NG · Russian"
    named = {voice.voice: voice for voice in found}
    assert len(named) == len(found) > 120
    assert named["en-us"].languages == ("en-us", "en")
    assert named["ca-va"].languages == ("ca-va", "ca")
    assert named["pt-br"].languages == ("pt-br", "pt")
    assert "f2" in named["ru"].speakers
    assert all(code == code.lower() for voice in found for code in voice.languages)


@espeak_is_installed
@pytest.mark.parametrize(
    ("language", "first"),
    [
        ("ru", "ru"),
        ("en", "en-us"),
        ("en-gb", "en-gb"),
        ("ca", "ca"),
        ("pt", "pt"),
        ("fr", "fr-fr"),
        ("es", "es"),
        ("zh", "cmn"),
    ],
)
def test_the_plain_language_comes_before_its_regions(language: str, first: str) -> None:
    assert next(voice.voice for voice in espeak_files.espeak({}) if language in voice.languages) == first


@espeak_is_installed
def test_a_language_without_its_words_is_left_out() -> None:
    assert not {"fo", "xex", "kaa"} & {voice.voice for voice in espeak_files.espeak({})}


def test_espeak_that_is_not_installed_has_no_voices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(espeak_files, "find_spec", lambda _name: None)
    assert list(espeak_files.espeak({})) == []


@pytest.mark.parametrize("find", [voices.rhvoice, voices.piper, espeak_files.espeak])
def test_voices_are_found_quickly(find: Callable[[Options], Sequence[EngineVoice]]) -> None:
    espeak_files.espeak_files.cache_clear()
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        find({})
        times.append(time.perf_counter() - begun)
    assert min(times) < 0.02, "the server asks at its start, and answers describe within a second"


def test_names_are_unique_over_all_engines(rhvoice_files: Options) -> None:
    names = [voice.name for find in (voices.rhvoice, espeak_files.espeak) for voice in find(rhvoice_files)]
    assert len(names) == len(set(names))


def test_espeak_in_an_environment_of_its_own_is_looked_for_there(tmp_path: Path) -> None:
    own = tmp_path / "engines" / "espeak"
    (own / "bin").mkdir(parents=True)
    (own / "bin" / "python").touch()
    lang = own / "lib" / "python3.11" / "site-packages" / "espeakng_loader" / "espeak-ng-data" / "lang"
    lang.mkdir(parents=True)
    (lang / "ru").write_text("name Russian\nlanguage ru\n", encoding="utf-8")
    (lang.parent / "ru_dict").touch()
    assert [voice.name for voice in espeak_files.espeak({"data_dir": str(tmp_path)})] == ["espeak-ru"]


@espeak_is_installed
def test_espeak_offers_languages_and_countries_and_no_dialects_as_languages() -> None:
    found = {voice.name: voice.languages for voice in espeak_files.espeak({})}
    assert all(found.values())
    assert found["espeak-en-gb-x-rp"] == ("en-gb", "en")
    assert found["espeak-ru-cl"] == ("ru",)
    assert "espeak-en-shaw" not in found
