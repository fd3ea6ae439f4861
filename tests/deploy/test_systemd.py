"""The systemd units and the script that installs them, into a root folder of their own."""

import os
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.conftest import ROOT
from wyoming_voice.config import Settings
from wyoming_voice.config_load import load

SCRIPT = ROOT / "deploy" / "install-systemd.sh"


def run(*command: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, **environ}, timeout=60
    )


def installed(root: Path, *options: str, home: str = "/home/anna") -> Path:
    """Install below a root folder and return it."""
    environ = {"DESTDIR": str(root), "HOME": home, "XDG_CONFIG_HOME": ""}
    done = run(SCRIPT, *options, **environ)
    assert done.returncode == 0, done.stderr
    return root


def machine(root: Path) -> Path:
    return installed(root, "--python", sys.executable) / "etc/systemd/system/wyoming-voice.service"


def read(unit: Path) -> ConfigParser:
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # the names of systemd have capitals
    parser.read(unit, "utf-8")
    return parser


def verify(unit: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing (Debian: apt install systemd)")
    done = run("systemd-analyze", "verify", "--man=no", unit)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_of_the_machine_is_valid(tmp_path: Path) -> None:
    unit = machine(tmp_path)
    assert "@" not in unit.read_text("utf-8").replace("@system-service", "")
    verify(unit)


def test_the_unit_of_a_user_is_valid_and_starts_this_checkout(tmp_path: Path) -> None:
    unit = installed(tmp_path, "--user") / "home/anna/.config/systemd/user/wyoming-voice.service"
    assert read(unit)["Service"]["ExecStart"] == f"{ROOT}/run.sh serve"
    verify(unit)


def test_the_service_is_confined(tmp_path: Path) -> None:
    unit = machine(tmp_path)
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing (Debian: apt install systemd)")
    done = run("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", unit)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze is too old to judge a unit that is not installed")
    assert done.returncode == 0, done.stdout[-400:] + done.stderr  # 0 is best, 100 is worst


@pytest.mark.parametrize("name", ["wyoming-voice.service", "wyoming-voice-user.service"])
def test_it_is_restarted_at_once_but_not_with_settings_that_cannot_work_and_has_time_to_stop(name: str) -> None:
    service = read(ROOT / "deploy" / name)["Service"]
    assert (service["Restart"], service["RestartSec"], service["RestartPreventExitStatus"]) == ("always", "1", "2")
    assert service["KillMode"] == "mixed"  # SIGTERM goes to the server alone, which ends its workers
    assert float(service["TimeoutStopSec"]) > Settings().server.drain_timeout


def test_a_wrong_configuration_ends_with_the_status_that_is_not_restarted(tmp_path: Path) -> None:
    wrong = tmp_path / "config.yml"
    wrong.write_text("serwer: {}\n", "utf-8")
    done = run(sys.executable, "-P", "-m", "wyoming_voice", "serve", "--config", wrong)
    assert done.returncode == 2


def test_what_was_installed_starts_with_settings_that_hold(tmp_path: Path) -> None:
    service = read(machine(tmp_path))["Service"]
    command = service["ExecStart"].split()
    assert command == [
        *(sys.executable, "-P", "-m", "wyoming_voice", "serve", "--config"),
        "/etc/wyoming-voice/config.yml",
    ]
    environ = dict(word.split("=", 1) for word in service["Environment"].split())
    settings = load(tmp_path / "etc/wyoming-voice/config.yml", environ)
    assert settings.data_dir == Path("/var/lib/wyoming-voice")
    assert (tmp_path / "etc/wyoming-voice/secrets").stat().st_mode & 0o777 == 0o600


def test_installing_again_keeps_what_the_user_wrote(tmp_path: Path) -> None:
    machine(tmp_path)
    for name, text in (
        ("config.yml", "languages: [en]\n"),
        ("secrets", "WYOMING_VOICE__AUTH__TOKENS='[\"12345678\"]'\n"),
    ):
        (tmp_path / "etc/wyoming-voice" / name).write_text(text, "utf-8")
    machine(tmp_path)
    assert (tmp_path / "etc/wyoming-voice/config.yml").read_text("utf-8") == "languages: [en]\n"
    assert "12345678" in (tmp_path / "etc/wyoming-voice/secrets").read_text("utf-8")


def test_a_path_with_signs_of_the_shell_is_taken_as_it_is(tmp_path: Path) -> None:
    root = tmp_path / "a & b"
    unit = installed(root, "--python", "/opt/a&b/python") / "etc/systemd/system/wyoming-voice.service"
    assert read(unit)["Service"]["ExecStart"].startswith("/opt/a&b/python -P ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--pyton", "x"], "unknown option --pyton"),
        (["--python"], "needs the path of a Python"),
        ([], "name a Python"),
    ],
)
def test_a_wrong_command_line_is_explained(tmp_path: Path, options: list[str], said: str) -> None:
    done = run(SCRIPT, *options, DESTDIR=str(tmp_path))
    assert done.returncode == 1
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


def test_help_says_how() -> None:
    done = run(SCRIPT, "--help")
    assert done.returncode == 0
    assert "--user" in done.stdout
    assert "set -euo" not in done.stdout
