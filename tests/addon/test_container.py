"""The add-on starts as in its container: its own scripts, a real server, a stand-in for the Supervisor's API."""

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

START = Path(__file__).resolve().parent / "container" / "start.py"
OPTIONS = {"languages": ["en", "ru"], "install": ["espeak"], "log_level": "info", "http_token": "correct horse"}
BROKER = {"host": "127.0.0.1", "port": 1, "ssl": False, "username": "addons", "password": "s3cret"}


@cache
def _obstacle() -> str | None:
    """Say why there can be no container of our own here, or None."""
    missing = [name for name in ("unshare", "mount", "curl", "jq", "bash") if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} is missing, which the scripts or their stand-ins need"
    tried = subprocess.run(["unshare", "-rmn", "true"], capture_output=True, text=True, check=False)
    return f"no namespaces here: {tried.stderr.strip()}" if tried.returncode else None


def start(folder: Path, **case: Any) -> dict[str, Any]:
    """Run the container once and return what it reports."""
    if obstacle := _obstacle():
        pytest.skip(obstacle)
    done = subprocess.run(
        ["unshare", "-rmn", sys.executable, str(START), str(folder), json.dumps(case)],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_the_add_on_starts_registers_shows_its_page_and_stops(tmp_path: Path) -> None:
    report = start(tmp_path, options=OPTIONS, broker=BROKER)
    uri = f"tcp://{report['hostname']}:10200"
    assert report["told"] == [{"path": "/discovery", "body": {"service": "wyoming", "config": {"uri": uri}}}], report[
        "log"
    ]
    assert report["services"] == [0, 0]
    assert report["page"] == {"ingress": [200, 200], "others": [401]}  # others need the token
    assert (report["status"], report["exitcode"], report["halted"]) == (0, 0, False)
    assert "mqtt://127.0.0.1:1" in report["settings"]
    assert report["mode"] == 0o600
    assert "s3cret" not in report["log"]
    assert "correct horse" not in report["log"]
    assert "Installing the engine" not in report["log"]  # espeak is ready


def test_without_a_broker_it_starts_without_mqtt(tmp_path: Path) -> None:
    report = start(tmp_path, options=OPTIONS)
    assert report["status"] == 0
    assert "mqtt" not in report["settings"]


def test_a_mistake_in_the_users_file_ends_the_container_and_is_named(tmp_path: Path) -> None:
    report = start(tmp_path, options=OPTIONS, own="languages: [ru]\nlimits: {txet: 5}\n", fails=True)
    assert report["status"] == 1
    assert report["exitcode"] == 1
    assert report["halted"]
    assert not report["told"]
    assert "/config/config.yml:2: limits.txet: no such key; did you mean 'text'?" in report["log"]
