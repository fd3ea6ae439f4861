"""The library of voices on disk: written whole, read with suspicion."""

import logging
import os
import tempfile
import threading
import unicodedata
from pathlib import Path

import pytest

from wyoming_voice.errors import BadRequest, EngineUnavailable, UnknownVoice
from wyoming_voice.library import Library
from wyoming_voice.voice_file import MOST_REFERENCES, LibraryVoice

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
        (
            "references: [{audio: ../../secret.flac}]",
            "references.[0].audio: must be a file of the same folder, such as",
        ),
        ("references: [{audio: gone.flac}]", "gone.flac is missing"),
        ("references: 5", "references"),
        ("{}", "neither references nor a description"),
        ("description: [", "voice.yml"),
        ("descripton: x", "voice.yml: descripton: no such key; did you mean 'description'?"),
        ("", "voice.yml: must have keys"),
        (b"description: \xea", "voice.yml: this is not UTF-8 text"),
        (None, "voice.yml: No such file or directory"),
        ("a: &x 1\nb: *x", "voice.yml"),
        ("description: " + "x" * 300_000, "larger than"),
        ("\0", "voice.yml"),
    ],
)
def test_damaged_voice_is_reported_once_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str | bytes | None, sentence: str
) -> None:
    shelf = library(tmp_path)
    shelf.add(LibraryVoice(name="good"), [(FLAC, "one")])
    bad = tmp_path / "voices" / "bad"
    bad.mkdir()
    if damage is not None:
        (bad / "voice.yml").write_bytes(damage if isinstance(damage, bytes) else damage.encode())
    with caplog.at_level(logging.WARNING, logger="wyoming_voice.library"):
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


def test_recordings_of_a_request_are_gone_with_it(tmp_path: Path) -> None:
    shelf = library(tmp_path)
    with shelf.lent() as put:
        path = put(FLAC)
        assert path.read_bytes() == FLAC
        assert put(FLAC) == path
        assert shelf.voices() == []
    assert list((tmp_path / "voices").iterdir()) == []


def test_what_happens_to_a_request_is_no_trouble_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(ConnectionResetError), library(tmp_path).lent():
        raise ConnectionResetError


def test_what_a_killed_server_left_is_deleted_and_what_another_uses_is_not(tmp_path: Path) -> None:
    shelf = library(tmp_path)
    shelf.add(LibraryVoice(name="anna"), [(FLAC, "one")])
    left = [tmp_path / "voices" / f".{what}-left" for what in ("request", "removed", "unfinished", "speaking")]
    for folder in left:
        folder.mkdir()
        (folder / "voice.flac").write_bytes(FLAC)
        os.utime(folder, (1, 1))
    with library(tmp_path).lent() as put:
        used = put(FLAC)
        os.utime(used.parent, (1, 1))
        shelf.tidy()
        assert used.exists()
        assert not any(folder.exists() for folder in left)
    assert [path.name for path in (tmp_path / "voices").iterdir()] == ["anna"]


def test_recordings_of_a_voice_that_speaks_outlive_its_removal_by_another_process_and_no_longer(tmp_path: Path) -> None:
    shelf = Library(tmp_path / "voices", tmp_path / "cache")
    voice = shelf.add(LibraryVoice(name="anna"), [(FLAC, "one"), (b"fLaC two", None)])
    computed = tmp_path / "cache" / "qwen-tts" / "abc"
    with shelf.held(voice.references) as held:
        library(tmp_path).remove("anna")
        computed.parent.mkdir(parents=True)
        computed.write_bytes(b"how anna sounds")  # by a worker that still speaks with it
        assert [Path(one.path).read_bytes() for one in held] == [FLAC, b"fLaC two"]
        assert [one.text for one in held] == ["one", None]
        assert shelf.voices() == []
        shelf.add(LibraryVoice(name="anna"), [(b"fLaC another", "one")])
        assert Path(held[0].path).read_bytes() == FLAC
        assert computed.exists()
    assert [path.name for path in (tmp_path / "voices").iterdir()] == ["anna"]
    assert not computed.exists()


def test_what_was_computed_of_a_voice_that_stays_is_kept(tmp_path: Path) -> None:
    shelf = Library(tmp_path / "voices", tmp_path / "cache")
    voice = shelf.add(LibraryVoice(name="anna"), [(FLAC, "one")])
    computed = tmp_path / "cache" / "qwen-tts" / "abc"
    computed.parent.mkdir(parents=True)
    with shelf.held(voice.references):
        computed.write_bytes(b"how anna sounds")
    assert computed.exists()
    assert [path.name for path in (tmp_path / "voices").iterdir()] == ["anna"]


def test_voice_that_was_removed_before_it_speaks_is_unknown(tmp_path: Path) -> None:
    shelf = library(tmp_path)
    voice = shelf.add(LibraryVoice(name="anna"), [(FLAC, "one")])
    shelf.remove("anna")
    with pytest.raises(UnknownVoice, match="removed just now"), shelf.held(voice.references):
        pass


def test_voice_speaks_from_a_disk_without_links_and_from_one_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_named: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    shelf = library(tmp_path)
    voice = shelf.add(LibraryVoice(name="anna"), [(FLAC, "one")])
    with shelf.held(voice.references) as held:
        shelf.remove("anna")
        assert Path(held[0].path).read_bytes() == FLAC
    voice = shelf.add(LibraryVoice(name="anna"), [(FLAC, "one")])
    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with shelf.held(voice.references) as held:
        assert held == voice.references


def test_names_that_differ_only_by_case_are_one(tmp_path: Path) -> None:
    library(tmp_path).add(LibraryVoice(name="Анна"), [(FLAC, "one")])
    with pytest.raises(BadRequest, match="already"):
        library(tmp_path).add(LibraryVoice(name="анна"), [(FLAC, "two")])
    assert [path.name for path in (tmp_path / "voices").iterdir()] == ["Анна"]


def test_name_as_a_mac_spells_it_is_the_same_name(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Андрей")
    library(tmp_path).add(LibraryVoice(name=decomposed), [(FLAC, "one")])
    (tmp_path / "voices" / "Андрей").rename(tmp_path / "voices" / decomposed)  # copied from a Mac by hand
    assert [voice.name for voice in library(tmp_path).voices()] == ["Андрей"]
    with pytest.raises(BadRequest, match="already"):
        library(tmp_path).add(LibraryVoice(name="Андрей"), [(FLAC, "two")])
    library(tmp_path).remove(decomposed)
    assert library(tmp_path).voices() == []


def test_name_that_no_file_system_takes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="name"):
        library(tmp_path).add(LibraryVoice(name="𐐀" * 64), [(FLAC, "x")])


@pytest.mark.parametrize("voice", [LibraryVoice(name="a", languages=("kling onese",)), LibraryVoice(name="a", seed=-1)])
def test_voice_that_could_not_be_read_again_is_refused_and_takes_no_name(tmp_path: Path, voice: LibraryVoice) -> None:
    with pytest.raises(BadRequest, match="cannot be kept"):
        library(tmp_path).add(voice, [(FLAC, "x")])
    assert list((tmp_path / "voices").iterdir()) == []


def test_longest_texts_of_all_recordings_fit(tmp_path: Path) -> None:
    text = "Привет, мир! " * 153
    library(tmp_path).add(LibraryVoice(name="anna"), [(FLAC, text)] * MOST_REFERENCES)
    (voice,) = library(tmp_path).voices()
    assert [reference.text for reference in voice.references] == [text] * MOST_REFERENCES


def test_file_of_a_windows_editor_is_read(tmp_path: Path) -> None:
    library(tmp_path).add(LibraryVoice(name="anna"), [(FLAC, "one")])
    file = tmp_path / "voices" / "anna" / "voice.yml"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert [voice.name for voice in library(tmp_path).voices()] == ["anna"]


def test_two_that_remove_at_once_are_told_apart(tmp_path: Path) -> None:
    library(tmp_path).add(LibraryVoice(name="anna"), [(FLAC, "one")])
    told: list[Exception | None] = []
    together = threading.Barrier(8)

    def remove() -> None:
        together.wait()
        try:
            library(tmp_path).remove("anna")
        except Exception as error:  # noqa: BLE001 - what it is is looked at below
            told.append(error)
        else:
            told.append(None)

    threads = [threading.Thread(target=remove) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.count(None) == 1
    assert all(isinstance(error, UnknownVoice) for error in told if error is not None)
    assert list((tmp_path / "voices").iterdir()) == []


def test_disk_that_refuses_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "voices").write_text("a file where the folder belongs")
    with pytest.raises(EngineUnavailable, match="cannot be kept in"):
        library(tmp_path).add(LibraryVoice(name="anna"), [(FLAC, "one")])
    with pytest.raises(EngineUnavailable, match="cannot be kept in"), library(tmp_path).lent():
        pass
