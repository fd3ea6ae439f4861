import json
from pathlib import Path

import pytest

from wyoming_voice.handlers.mqtt_choice import Choices, load, save


def test_what_is_chosen_is_read_again(tmp_path: Path) -> None:
    chosen = Choices(voice="елена", speed=1.5, voices={"piper": "amy"})
    save(tmp_path / "data", chosen)
    assert load(tmp_path / "data") == chosen
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["mqtt.json"]


def test_nothing_is_chosen_at_first(tmp_path: Path) -> None:
    assert load(tmp_path) == Choices()


@pytest.mark.parametrize("said", ["", "[]", '{"speed": "fast"}', '{"voices": {"a": 1}}', '{"voice": []}', "\ud800"])
def test_file_that_makes_no_sense_counts_for_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, said: str
) -> None:
    (tmp_path / "mqtt.json").write_bytes(said.encode(errors="surrogatepass"))
    assert load(tmp_path) == Choices()
    assert "mqtt.json cannot be used" in caplog.text


def test_folder_that_cannot_be_written_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    save(tmp_path / "file", Choices())
    assert "is not kept" in caplog.text
    save(tmp_path, Choices(voice="x"))
    assert json.loads((tmp_path / "mqtt.json").read_text("utf-8"))["voice"] == "x"
