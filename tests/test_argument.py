"""Recordings that the command line names."""

from pathlib import Path

import pytest

from wyoming_voice.argument import folder_of_pairs, pairs
from wyoming_voice.errors import BadRequest


def test_folder_gives_recordings_with_their_texts_in_order(tmp_path: Path) -> None:
    for name in ("b.WAV", "a.flac", "._a.flac", ".hidden.wav", "notes.md"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "a.txt").write_text("\ufeff Привет! \n", encoding="utf-8")
    found = folder_of_pairs(tmp_path)
    assert [(Path(str(one.file)).name, one.text) for one in found] == [("a.flac", "Привет!"), ("b.WAV", None)]


def test_text_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"x")
    (tmp_path / "a.txt").write_bytes("Привет".encode("cp1251"))
    with pytest.raises(BadRequest, match=r"a\.txt is not UTF-8"):
        folder_of_pairs(tmp_path)


def test_folder_without_recordings_is_named(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "gone"):
        with pytest.raises(BadRequest, match="--ref-dir"):
            folder_of_pairs(folder)


def test_more_texts_than_recordings_are_a_mistake(tmp_path: Path) -> None:
    audio = tmp_path / "a.wav"
    audio.write_bytes(b"x")
    assert [one.text for one in pairs([str(audio)], None, "--a", "--t")] == [None]
    with pytest.raises(BadRequest, match="more --t than --a"):
        pairs([str(audio)], ["1", "2"], "--a", "--t")
    with pytest.raises(BadRequest, match="no file"):
        pairs([str(tmp_path / "gone.wav")], None, "--a", "--t")
