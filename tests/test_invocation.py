"""How commands are typed, where somebody reads of them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wyoming_voice.invocation import Place, typed

from .conftest import ROOT
from .process import DEADLINE


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("checkout", "No model. Run: ./run.sh engines install gigaam --weights, or quit"),
        ("package", "No model. Run: wyoming-voice engines install gigaam --weights, or quit"),
        (
            "add-on",
            "No model. Add gigaam to Engines to install in the add-on's configuration, and restart it, or quit",
        ),
    ],
)
def test_a_command_is_written_as_it_is_typed_at_a_place(place: Place, said: str) -> None:
    sentence = "No model. Run: ./run.sh engines install gigaam --weights, or quit"
    assert typed(sentence, place) == said
    assert typed(said, place) == said


def test_a_model_is_an_option_of_the_add_on_too() -> None:
    said = typed("Delete it and run: ./run.sh engines install qwen-asr --weights --model Qwen/A-1", "add-on")
    assert said == (
        "Delete it and add qwen-asr to Engines to install in the add-on's configuration, "
        "name Qwen/A-1 under Model of each engine, and restart it"
    )


def test_other_commands_are_typed_in_the_container() -> None:
    assert typed("`./run.sh voices` lists them.", "add-on") == "`wyoming-voice voices` lists them."


@pytest.mark.parametrize(
    ("environ", "said"),
    [({}, "wyoming-voice engines install gigaam --weights"), ({"SUPERVISOR_TOKEN": "x"}, "Add gigaam to Engines to ")],
)
def test_an_installed_package_knows_that_it_is_no_checkout(tmp_path: Path, environ: dict[str, str], said: str) -> None:
    """A copy of the package alone, as a wheel installs it: its commands and errors name no ``./run.sh``."""
    for package in ("wyoming_voice", "http_bridge"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-P", "-m", "wyoming_voice", "engines", "list", "--json"]
    listed = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, **environ, "PYTHONPATH": str(tmp_path), "WYOMING_VOICE__DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    assert said in listed.stdout
    assert "./run.sh" not in listed.stdout
