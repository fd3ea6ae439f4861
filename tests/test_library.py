"""The library of voices on disk: written whole, read with suspicion."""

import logging
import os
import threading
from pathlib import Path

import pytest

from wyoming_voice.errors import BadRequest, UnknownVoice
from wyoming_voice.library import Library, LibraryVoice

FLAC = b"fLaC and so on"


def library(folder: Path) -> Library:
    return Library(folder / "voices")


def test_voice_is_read_as_it_was_added(tmp_path: Path) -> None:
    wanted = LibraryVoice(name="Анна", engine="qwen-tts", languages=("ru",), seed=7)
    library(tmp_path).add(wanted, [(FLAC, "Привет: это «я»."), (b"fLaC two", None)])
    (voice,) = library(tmp_path).voices()
    assert (voice.name, voice.engine, voice.languages, voice.seed) == ("Анна", "qwen-tts", ("ru",), 7)
    assert [reference.text for reference in voice.references] == ["Привет: это «я».", None]
    assert [Path(reference.path).read_bytes() for reference in voice.references] == [FLAC, b"fLaC two"]
    assert [path.name for path in (tmp_path / "voices").iterdir()] == ["Анна"]


def test_designed_voice_has_a_description_and_no_recording(tmp_path: Path) -> None:
    library(tmp_path).add(LibraryVoice(name="old man", description="an old man, slow and warm"), [])
    (voice,) = library(tmp_path).voices()
    assert (voice.description, voice.references) == ("an old man, slow and warm", ())


@pytest.mark.parametrize(
    "name", ["", " ", "..", ".hidden", "a/b", "../x", "a\\b", "x\ny", "x\0", "-rf", "x" * 65, "a:b", "trailing.", "<b>"]
)
def test_name_that_is_no_folder_of_ours_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadRequest, match="name"):
        library(tmp_path).add(LibraryVoice(name=name), [(FLAC, "x")])
    with pytest.raises(UnknownVoice):
        library(tmp_path).remove(name)


def test_name_that_is_taken_is_refused_and_what_is_there_stays(tmp_path: Path) -> None:
    library(tmp_path).add(LibraryVoice(name="anna"), [(FLAC, "one")])
    with pytest.raises(BadRequest, match="already"):
        library(tmp_path).add(LibraryVoice(name="anna"), [(FLAC, "two")])
    (voice,) = library(tmp_path).voices()
    assert voice.references[0].text == "one"
    assert len(list((tmp_path / "voices").iterdir())) == 1


def test_of_two_that_come_at_once_one_gets_the_name(tmp_path: Path) -> None:
    refused: list[BadRequest] = []
    together = threading.Barrier(8)

    def add(number: int) -> None:
        together.wait()
        try:
            library(tmp_path).add(LibraryVoice(name="anna"), [(FLAC, str(number))])
        except BadRequest as error:
            refused.append(error)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 7
    assert len(library(tmp_path).voices()) == 1


def test_removed_voice_is_gone(tmp_path: Path) -> None:
    library(tmp_path).add(LibraryVoice(name="anna"), [(FLAC, "one")])
    library(tmp_path).remove("anna")
    assert library(tmp_path).voices() == []
    assert list((tmp_path / "voices").iterdir()) == []
    with pytest.raises(UnknownVoice):
        library(tmp_path).remove("anna")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("references: [{audio: ../../secret.flac}]", "references.0.audio"),
        ("references: [{audio: gone.flac}]", "gone.flac is missing"),
        ("references: 5", "references"),
        ("{}", "neither references nor a description"),
        ("description: [", "voice.yml"),
        ("descripton: x", "descripton"),
        ("a: &x 1\nb: *x", "voice.yml"),
        ("description: " + "x" * 70_000, "larger than"),
        ("\0", "voice.yml"),
    ],
)
def test_damaged_voice_is_reported_once_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str, sentence: str
) -> None:
    shelf = library(tmp_path)
    shelf.add(LibraryVoice(name="good"), [(FLAC, "one")])
    bad = tmp_path / "voices" / "bad"
    bad.mkdir()
    (bad / "voice.yml").write_text(damage)
    with caplog.at_level(logging.WARNING):
        assert [voice.name for voice in shelf.voices()] == ["good"]
        assert [voice.name for voice in shelf.voices()] == ["good"]
    (complaint,) = caplog.messages
    assert sentence in complaint
    assert str(bad) in complaint


def test_link_to_another_folder_is_no_voice(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    Library(elsewhere).add(LibraryVoice(name="anna"), [(FLAC, "one")])
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices" / "link").symlink_to(elsewhere / "anna")
    assert library(tmp_path).voices() == []
    with pytest.raises(UnknownVoice):
        library(tmp_path).remove("link")
    assert (elsewhere / "anna").is_dir()


def test_recordings_of_requests_are_kept_once_and_the_oldest_go(tmp_path: Path) -> None:
    shelf = library(tmp_path)
    first = shelf.keep(b"0")
    os.utime(first, (1, 1))
    assert shelf.keep(b"0") == first
    os.utime(first, (1, 1))
    for number in range(1, 201):
        shelf.keep(str(number).encode())
    assert not first.exists()
    assert len(list(first.parent.iterdir())) == 200
    assert shelf.voices() == []
