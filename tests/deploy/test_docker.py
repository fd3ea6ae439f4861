"""The images and compose files, as far as they can be checked without Docker; the health check for real."""

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.process import only_fakes, run_server
from wyoming_voice.config_load import load
from wyoming_voice.health import main as health

DEPLOY = ROOT / "deploy"
COMPOSE = ["compose.yml", "compose.cuda.yml"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
SERVICE = {"build", "cap_drop", "deploy", "environment", "healthcheck", "image", "init", "logging", "ports",
           "read_only", "restart", "security_opt", "stop_grace_period", "tmpfs", "volumes"}  # fmt: skip
"""Keys of a service that the compose specification has, of those that are used."""


def compose(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / name).read_text("utf-8"))
    return found


def seconds(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+)([sm])", text).groups()  # type: ignore[union-attr]
    return int(number) * {"s": 1, "m": 60}[unit]


def target(name: str) -> str:
    """The part of the Dockerfile that ends an image, with what it is made from."""
    cpu, cuda = DOCKERFILE.split("FROM cpu AS cuda")
    return cpu if name == "cpu" else cpu + cuda


@pytest.mark.parametrize("name", COMPOSE)
def test_a_compose_file_is_complete_and_confines_its_service(name: str) -> None:
    file = compose(name)
    service = file["services"]["voice"]
    assert set(service) <= SERVICE
    assert service["restart"] == "unless-stopped"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"memory", "pids"} <= set(service["deploy"]["resources"]["limits"])
    assert {volume.partition(":")[0] for volume in service["volumes"]} == set(file["volumes"])
    assert service["build"] == {
        "context": "..",
        "dockerfile": "deploy/Dockerfile",
        "target": service["build"]["target"],
    }
    assert f"AS {service['build']['target']}\n" in DOCKERFILE


@pytest.mark.parametrize("name", COMPOSE)
def test_the_settings_of_a_compose_file_hold_and_a_token_is_asked_for(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = compose(name)["services"]["voice"]
    tokens = service["environment"]["WYOMING_VOICE__AUTH__TOKENS"]
    assert re.search(r"\$\{WYOMING_VOICE_TOKEN:\?[^}]+\}", tokens)  # compose stops where it is not set
    image = dict(re.findall(r"(WYOMING_VOICE__\w+)=(\S+)", target(service["build"]["target"])))
    filled = {
        key: re.sub(r"\$\{\w+:\?[^}]+\}", "correct horse", value) for key, value in service["environment"].items()
    }
    settings = load(None, {**image, **filled})
    assert settings.auth.tokens == ("correct horse",)
    assert settings.http == "0.0.0.0:8013"
    assert seconds(service["stop_grace_period"]) > settings.server.drain_timeout
    folders = {volume.split(":")[1] for volume in service["volumes"]}
    assert all(folder.startswith(str(settings.data_dir)) for folder in folders)
    declared = re.findall(r'^VOLUME (?:\["(.*)"\]|(\S+))', target(service["build"]["target"]), re.MULTILINE)[-1]
    assert folders == set("".join(declared).split('", "'))


def test_the_image_runs_as_somebody_who_is_not_root() -> None:
    for name in ("cpu", "cuda"):
        assert re.findall(r"^USER (.+)$", target(name), re.MULTILINE)[-1] == "10300:10300"


def test_everything_that_the_image_is_made_of_is_sent_to_docker() -> None:
    rules = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    sent = [rule[1:] for rule in rules if rule.startswith("!")]
    assert all((ROOT / path).exists() for path in sent)
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    for needed in re.findall(r'packages = \["(\w+)", "(\w+)"\]', project)[0]:
        assert needed in sent
    assert {"README.md", "LICENSE", "constraints.txt", "pyproject.toml"} <= set(sent)


def test_the_dockerfile_passes_hadolint() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run([hadolint, DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_scripts_pass_shellcheck() -> None:
    shellcheck = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run([shellcheck, *DEPLOY.glob("*.sh")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# The health check


@pytest.mark.parametrize("file", ["deploy/Dockerfile", "addon/Dockerfile"])
async def test_the_health_check_of_an_image_is_a_describe_round_trip(file: str, tmp_path: Path) -> None:
    found = re.search(r"^HEALTHCHECK .*?CMD (\[.*?\])", (ROOT / file).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    _, *arguments, uri = yaml.safe_load(found[1])
    assert uri in ("tcp://127.0.0.1:10300", "tcp://127.0.0.1:10200")
    async with run_server(tmp_path, only_fakes(tmp_path)) as server:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(sys.executable, *arguments, server.uri, stderr=pipe)
        _, said = await process.communicate()
    assert (process.returncode, said) == (0, b"")


def test_a_server_that_is_not_there_is_not_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    assert health(["tcp://127.0.0.1:1"]) == 1
    assert "tcp://127.0.0.1:1" in capsys.readouterr().err


def test_an_address_that_is_none_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert health(["127.0.0.1"]) == 2
    assert "write tcp://HOST:PORT" in capsys.readouterr().err
