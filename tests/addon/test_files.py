"""The add-on's files, as the Supervisor, the add-on linter and the linters of their languages see them."""

import re
import shutil
import struct
import subprocess
import sys
import tarfile
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from wyoming_voice import __version__
from wyoming_voice.engines.table import engines

ADDON = ROOT / "addon"
SERVICES = ADDON / "rootfs" / "etc" / "s6-overlay" / "s6-rc.d"
SCRIPTS = [path for name in ("run", "finish") for path in sorted(SERVICES.glob(f"*/{name}"))]
DEFAULTS: dict[str, object] = {
    "advanced": False, "apparmor": True, "audio": False, "auth_api": False, "backup": "hot", "boot": "auto",
    "docker_api": False, "full_access": False, "hassio_api": False, "hassio_role": "default",
    "homeassistant_api": False, "host_network": False, "ingress": False, "ingress_port": 8099,
    "ingress_stream": False, "init": True,
    "options": {}, "panel_admin": True, "panel_icon": "mdi:puzzle", "schema": {}, "stage": "stable",
    "startup": "application", "timeout": 10, "tmpfs": False, "udev": False, "video": False,
}  # fmt: skip
"""Keys with the value that the Supervisor takes when they are left out; the add-on linter wants them left out."""
KEYS = {*DEFAULTS, "arch", "backup_exclude", "description", "discovery", "homeassistant", "map", "name", "panel_title",
        "ports", "services", "slug", "version"}  # fmt: skip
ELEMENT = re.compile(r"(str|bool|password|int|float|port|url|email|list\([^|]+(\|[^|]+)*\)|match\(.+\))\??")


def read(name: str) -> Any:
    return yaml.safe_load((ADDON / name).read_text("utf-8"))


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    found: dict[str, Any] = read("config.yaml")
    return found


def program(name: str) -> str:
    """Find a linter beside this Python or on the PATH, or skip."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}:{Path.home()}") or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def passes(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


# What the Supervisor reads


def test_the_configuration_has_only_keys_that_the_supervisor_knows_and_none_at_its_default(
    config: dict[str, Any],
) -> None:
    assert set(config) <= KEYS
    assert not {key for key in config if key in DEFAULTS and config[key] == DEFAULTS[key]}
    assert {"name", "version", "slug", "description", "arch"} <= set(config)
    assert config["arch"] == ["amd64", "aarch64"]
    assert re.fullmatch(r"[-_.A-Za-z0-9]+", config["slug"])
    assert all(re.fullmatch(r"(mqtt|mysql):(provide|want|need)", service) for service in config["services"])
    assert config["version"] == __version__


def elements(schema: Any) -> list[str]:
    """Every leaf of an option's schema."""
    if isinstance(schema, list):
        assert len(schema) == 1
        return elements(schema[0])
    if isinstance(schema, dict):
        return [leaf for value in schema.values() for leaf in elements(value)]
    return [schema]


def test_the_schema_of_each_option_is_one_that_the_supervisor_understands(config: dict[str, Any]) -> None:
    for name, schema in config["schema"].items():
        assert all(ELEMENT.fullmatch(leaf) for leaf in elements(schema)), name
        plain = schema if isinstance(schema, str) else ""
        assert name in config["options"] or plain.endswith("?") or isinstance(schema, list), f"{name} has no default"
    assert set(config["options"]) <= set(config["schema"])


def test_the_engines_that_can_be_chosen_exist(config: dict[str, Any]) -> None:
    (choice,) = config["schema"]["install"]
    assert set(choice.removeprefix("list(").removesuffix(")").split("|")) <= set(engines())


def test_the_supervisor_finds_one_add_on_in_the_repository() -> None:
    """It reads each ``config.*`` of any folder that is not hidden and not ``rootfs`` (its store/data.py), and takes for
    an add-on what has a name; of the others, which is the settings' config.yml, it logs "Invalid app config!".
    """
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: nobody knows which files belong to the repository")
    paths = [PurePosixPath(line) for line in listed.stdout.splitlines()]
    seen = [
        path
        for path in paths
        if path.match("config.*")
        and path.suffix in (".yaml", ".yml", ".json")
        and not any(part.startswith(".") or part == "rootfs" for part in path.parts)
    ]
    assert sorted(map(str, seen)) == ["addon/config.yaml", "config.yml"]
    assert "name" not in yaml.safe_load((ROOT / "config.yml").read_text("utf-8"))
    assert "name" in yaml.safe_load((ROOT / "repository.yaml").read_text("utf-8"))


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_option_and_port_is_explained(config: dict[str, Any], language: str) -> None:
    said = read(f"translations/{language}.yaml")
    assert list(said["configuration"]) == list(config["schema"])
    assert set(said["network"]) == set(config["ports"])
    assert all(set(option) == {"name", "description"} for option in said["configuration"].values())


def test_weights_and_engines_are_left_out_of_backups_and_voices_are_not(config: dict[str, Any]) -> None:
    def excluded(path: str) -> bool:  # as the Supervisor matches: from the right, folder by folder
        parts = PurePosixPath("/data/addons/data/1234_wyoming_voice", path)
        return any(found.match(mask) for found in (parts, *parts.parents) for mask in config["backup_exclude"])

    for path in ("engines/piper/bin/python", "weights/gigaam/v3/model.onnx", "faster-whisper/small/model.bin"):
        assert excluded(path), path
    for path in ("voices/anna/voice.yml", "piper/mine.onnx", "wyoming-voice.yml", "options.json"):
        assert not excluded(path), path


@pytest.mark.parametrize(("name", "size"), [("icon.png", (128, 128)), ("logo.png", (250, 100))])
def test_images_have_the_size_that_the_store_shows(name: str, size: tuple[int, int]) -> None:
    content = (ADDON / name).read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", content[16:24]) == size


@pytest.mark.parametrize("name", ["README.md", "DOCS.md", "CHANGELOG.md"])
def test_the_store_has_pages_to_show(name: str) -> None:
    assert (ADDON / name).read_text("utf-8").startswith("# ")


def test_the_changelog_has_this_version() -> None:
    assert f"## {__version__}" in (ADDON / "CHANGELOG.md").read_text("utf-8")


# The services of s6-rc (https://skarnet.org/software/s6-rc/s6-rc-compile.html)


def test_services_depend_on_each_other_as_they_have_to() -> None:
    there = {path.parent.name for path in SERVICES.glob("*/type")}
    assert there == {"wyoming-voice", "engines", "discovery"}
    assert {path.name for path in (SERVICES / "user" / "contents.d").iterdir()} == there
    needs = {path.parent.parent.name: path.name for path in SERVICES.glob("*/dependencies.d/*")}
    assert needs == {"wyoming-voice": "base", "engines": "wyoming-voice", "discovery": "wyoming-voice"}
    assert {(SERVICES / name / "type").read_text() for name in there} == {"longrun\n"}
    assert all(path.stat().st_mode & 0o111 for path in SCRIPTS)
    assert len(SCRIPTS) == 6


# Linters


def test_shell_scripts_pass_shellcheck() -> None:
    others = [ROOT / "scripts" / "local-addon.sh", *(ADDON.parent / "tests" / "addon" / "container").glob("[!s]*")]
    passes(program("shellcheck"), *SCRIPTS, *(path for path in others if path.is_file()))


def test_the_dockerfile_passes_hadolint() -> None:
    passes(program("hadolint"), ADDON / "Dockerfile")


def test_yaml_passes_yamllint() -> None:
    rules = "{extends: default, rules: {line-length: {max: 150}, document-start: disable}}"
    passes(program("yamllint"), "--strict", "--config-data", rules, ADDON, ROOT / "repository.yaml")


def test_the_apparmor_profile_can_be_compiled() -> None:
    passes(program("apparmor_parser"), "--skip-kernel-load", "--skip-cache", ADDON / "apparmor.txt")


# The local add-on


def test_a_local_add_on_has_the_code_inside_and_one_configuration(tmp_path: Path) -> None:
    passes("sh", ROOT / "scripts" / "local-addon.sh", tmp_path)
    made = tmp_path / "wyoming_voice"
    assert [path.relative_to(made).as_posix() for path in made.rglob("config.y*ml")] == ["config.yaml"]
    with tarfile.open(made / "source.tar.gz") as archive:
        names = set(archive.getnames())
    wanted = {"pyproject.toml", "constraints.txt", "scripts/install-rhvoice.sh", "wyoming_voice/addon.py", "LICENSE"}
    assert {f"wyoming-voice/{name}" for name in wanted} <= names
