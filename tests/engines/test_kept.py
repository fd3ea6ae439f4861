import logging
import threading
from pathlib import Path

import pytest

from tests.disk import refusing_disk
from wyoming_voice.engines.kept import keep


def test_a_file_is_whole_under_its_name_and_alone(tmp_path: Path) -> None:
    shelf = tmp_path / "cache" / "fake"
    threads = [threading.Thread(target=keep, args=(shelf / "a.npy", b"x" * 100_000)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.name for path in shelf.iterdir()] == ["a.npy"]
    assert (shelf / "a.npy").read_bytes() == b"x" * 100_000


@pytest.mark.parametrize("how", ["full", "read-only"])
def test_a_disk_that_refuses_is_warned_of_and_has_no_half_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    with refusing_disk(tmp_path / "cache", how) as why:
        before = {*(tmp_path / "cache").iterdir()}
        with caplog.at_level(logging.WARNING):
            keep(tmp_path / "cache" / "a.npy", bytes(5000))
        assert {*(tmp_path / "cache").iterdir()} == before
    assert why in caplog.text
    assert "computed again" in caplog.text


def test_a_folder_that_cannot_be_made_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "cache").touch()
    with caplog.at_level(logging.WARNING):
        keep(tmp_path / "cache" / "fake" / "a.npy", b"x")
    assert "Not a directory" in caplog.text
