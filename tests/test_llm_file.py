"""The settings and prompts of the language model, as a user edits them."""

import os
from pathlib import Path
from typing import get_args

import pytest

from wyoming_voice.errors import EngineUnavailable
from wyoming_voice.llm_file import LlmFiles, Task

from .conftest import ROOT

SETTINGS = ROOT / "configs" / "llm" / "settings.yml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "stt.en.txt").write_text("Mend it.\nAbout: {context}\nNames: {terms}\nThat is all.\n")
    (tmp_path / "settings.yml").write_text("base_url: http://127.0.0.1:1/v1\nmodel: small\n")
    return tmp_path


def change(path: Path, text: str) -> None:
    """Write a file as an editor does, some time after the last change."""
    stamp = path.stat().st_mtime_ns
    path.write_text(text)
    os.utime(path, ns=(stamp + 1_000_000, stamp + 1_000_000))


def test_the_files_that_come_with_the_server_are_right() -> None:
    files = LlmFiles(SETTINGS)
    assert files.settings().api_key_env is None
    for task in get_args(Task):
        for language in ("ru", "en"):
            prompt = files.prompt(task, language, context="погода", terms="Алиса")
            assert "{" not in prompt
            assert ("погода" in prompt) is (task == "stt")


def test_every_setting_is_explained() -> None:
    text = SETTINGS.read_text("utf-8")
    for name in type(LlmFiles(SETTINGS).settings()).model_fields:
        assert f"\n{name}:" in text


def test_a_line_with_nothing_to_put_in_is_left_out(folder: Path) -> None:
    files = LlmFiles(folder / "settings.yml")
    assert files.prompt("stt", "en", context="", terms="Alice") == "Mend it.\nNames: Alice\nThat is all."


def test_a_language_without_a_prompt_has_the_english_one(folder: Path) -> None:
    assert LlmFiles(folder / "settings.yml").prompt("stt", "de-AT", context="", terms="") == "Mend it.\nThat is all."


def test_changes_are_seen(folder: Path) -> None:
    files = LlmFiles(folder / "settings.yml")
    assert files.settings().model == "small"
    change(folder / "settings.yml", "base_url: http://127.0.0.1:1/v1\nmodel: large\n")
    assert files.settings().model == "large"
    files.prompt("stt", "en", context="", terms="")
    change(folder / "prompts" / "stt.en.txt", "Leave it.")
    assert files.prompt("stt", "en", context="", terms="") == "Leave it."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("base_url: [", "is not YAML"),
        ("", "settings.yml"),
        ("base_url: nowhere\nmodel: m", "base_url"),
        ("base_url: http://a/v1\nmodel: m\ntemprature: 1", "temprature"),
        ("base_url: http://a/v1\nmodel: m\ntimeout: 0", "timeout"),
    ],
)
def test_a_mistake_is_named(folder: Path, text: str, said: str) -> None:
    (folder / "settings.yml").write_text(text)
    with pytest.raises(EngineUnavailable, match=said):
        LlmFiles(folder / "settings.yml").settings()


def test_what_is_missing_or_unreadable_is_named(folder: Path) -> None:
    (folder / "settings.yml").write_bytes(b"\xff\xfe")
    with pytest.raises(EngineUnavailable, match="cannot be read"):
        LlmFiles(folder / "settings.yml").settings()
    (folder / "settings.yml").write_text("#" * 300_000)
    with pytest.raises(EngineUnavailable, match="256 KiB"):
        LlmFiles(folder / "settings.yml").settings()
    (folder / "settings.yml").unlink()
    with pytest.raises(EngineUnavailable, match="There is no"):
        LlmFiles(folder / "settings.yml").settings()


def test_prompts_of_the_program_serve_who_wrote_none(tmp_path: Path) -> None:
    files = LlmFiles(tmp_path / "settings.yml")
    for task in ("tts", "stt"):
        assert files.prompt(task, "ru") != files.prompt(task, "en") == files.prompt(task, "de")
