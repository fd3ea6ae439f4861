"""The guide for newcomers names what there is, in both languages alike."""

import re

import pytest
import yaml

from tests.conftest import ROOT
from wyoming_voice.config import Settings
from wyoming_voice.engines.table import engines

GUIDES = ["home-assistant.md", "home-assistant.ru.md"]


def guide(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


@pytest.mark.parametrize("name", GUIDES)
def test_every_file_that_the_guide_names_is_there(name: str) -> None:
    text = guide(name)
    named = set(re.findall(r"(?:deploy|scripts)/[\w.-]+\.(?:sh|yml)", text)) | set(
        re.findall(r"\]\(([\w.-]+\.md)\)", text)
    )
    assert named
    for path in named:
        assert (ROOT / path).exists() or (ROOT / "docs" / path).exists(), path


@pytest.mark.parametrize("name", GUIDES)
def test_every_engine_that_the_guide_installs_is_there(name: str) -> None:
    named = re.findall(r"engines install ((?:--weights )?[a-z -]+)", guide(name))
    assert named
    assert {word for found in named for word in found.split() if not word.startswith("-")} <= set(engines())


@pytest.mark.parametrize(("name", "language"), [("home-assistant.md", "en"), ("home-assistant.ru.md", "ru")])
def test_the_options_of_the_add_on_have_the_names_that_the_guide_uses(name: str, language: str) -> None:
    said = yaml.safe_load((ROOT / "addon" / "translations" / f"{language}.yaml").read_text("utf-8"))["configuration"]
    for option in ("install", "keep_loaded", "voices", "endpointing"):
        assert f"*{said[option]['name']}*" in guide(name)


def test_both_guides_have_the_same_steps_and_the_same_commands() -> None:
    english, russian = map(guide, GUIDES)
    assert english.count("\n## ") == russian.count("\n## ")
    assert english.count("\n|") == russian.count("\n|")
    commands = [
        [
            line.partition("#")[0].strip()
            for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
            for line in block.splitlines()
        ]
        for text in (english, russian)
    ]
    assert commands[0] == commands[1]


def test_ports_are_the_real_ones() -> None:
    assert Settings().server.uri.endswith(":10300")
    assert Settings().http.endswith(":8013")
