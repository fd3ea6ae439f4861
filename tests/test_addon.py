"""The add-on's options become settings."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from wyoming_voice.addon import CONTAINER, ELSEWHERE, HTTP_PORT, PATHS, PORT, brokered, main, read_own, settings
from wyoming_voice.config import Settings
from wyoming_voice.config_load import load
from wyoming_voice.llm_file import LlmFiles

from .conftest import ROOT

Written = Callable[..., Settings]
EXAMPLES: dict[str, Any] = {
    "languages": ["EN", "ru"],
    "voice": "rhvoice-anna",
    "voices": [{"language": "RU", "voice": "rhvoice-elena "}, {"language": "en", "voice": "rhvoice-slt"}],
    "models": [{"engine": "faster-whisper", "model": "small"}],
    "keep_loaded": ["moonshine"],
    "disable": ["espeak"],
    "normalize": False,
    "endpointing": True,
    "terms": ["Spotify", "Алиса"],
    "http_token": "correct horse",
    "log_level": "debug",
    "llm_url": "http://192.168.1.5:11434/v1",
    "use_llm_tts": True,
    "use_llm_stt": True,
}
"""Each option that is a setting, with a value that is not the default."""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Written:
    """Write settings as the container does and load them."""

    def write(options: Mapping[str, object], own: str = "", service: object = None) -> Settings:
        status = run(tmp_path, monkeypatch, options, own, service)
        assert status == 0
        return load(tmp_path / "written.yml", {})

    return write


def run(
    folder: Path, patch: pytest.MonkeyPatch, options: Mapping[str, object], own: str = "", service: object = None
) -> int:
    (folder / "options.json").write_text(json.dumps(options), "utf-8")
    if own:
        (folder / "config.yml").write_text(own, "utf-8")
    patch.setattr("sys.stdin", io.StringIO("" if service is None else json.dumps(service)))
    names = {"options": "options.json", "own": "config.yml", "write": "written.yml"}
    return main([word for name, file in names.items() for word in (f"--{name}", str(folder / file))])


def test_every_option_of_the_schema_is_a_setting_or_is_read_by_a_service() -> None:
    schema = yaml.safe_load((ROOT / "addon" / "config.yaml").read_text("utf-8"))["schema"]
    assert set(schema) == set(EXAMPLES) | ELSEWHERE


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_option_changes_the_settings(name: str) -> None:
    assert settings({name: EXAMPLES[name]}, {}, {}) != settings({}, {}, {})


def test_options_become_settings(written: Written) -> None:
    found = written(EXAMPLES)
    assert found.languages == ("en", "ru")
    assert found.voice == "rhvoice-anna"
    assert found.voices == {"ru": "rhvoice-elena", "en": "rhvoice-slt"}
    assert found.engine("faster-whisper").options == {"model": "small"}
    assert found.engine("moonshine").preload
    assert found.engine("moonshine").ttl is None
    assert not found.engine("espeak").enabled
    assert not found.text.normalize
    assert found.listening.endpointing
    assert found.listening.terms == ("Spotify", "Алиса")
    assert found.auth.tokens == ("correct horse",)
    assert found.text.llm.use_llm_tts
    assert found.text.llm.use_llm_stt
    assert found.text.llm.settings == Path("/data/llm.yml")
    assert found.log_level == "debug"


@pytest.mark.parametrize("options", [{}, {"voice": None, "voices": [], "languages": [], "http_token": ""}])
def test_what_is_left_empty_stays_as_it_is(written: Written, options: Mapping[str, object]) -> None:
    found = written(options)
    placed: Any = {**{key[0]: True for key in CONTAINER}, "outputs": True, "text": {"llm": {"settings"}}}
    assert found.model_dump(exclude=placed) == Settings().model_dump(exclude=placed)
    assert found.text.llm.settings == Path("/config/configs/llm/settings.yml")


def test_the_container_has_its_own_ports_and_folders(written: Written) -> None:
    found = written({}, "http: off\ndata_dir: elsewhere\nserver: {uri: tcp://127.0.0.1:1, drain_timeout: 3}\n")
    assert found.http == f"0.0.0.0:{HTTP_PORT}"
    assert found.server.uri == f"tcp://0.0.0.0:{PORT}"
    assert found.server.drain_timeout == 3  # what the container does not decide stays the user's
    assert found.data_dir == Path("/data")
    assert found.bridge.ingress
    assert not found.discovery.zeroconf
    add_on = yaml.safe_load((ROOT / "addon" / "config.yaml").read_text("utf-8"))
    assert add_on["ingress_port"] == HTTP_PORT
    assert set(add_on["ports"]) == {f"{PORT}/tcp", f"{HTTP_PORT}/tcp"}


def test_the_users_own_file_is_for_what_the_options_do_not_have(written: Written) -> None:
    found = written({"languages": ["ru"]}, "languages: [de, en]\nengines: {piper: {workers: 2}}\n")
    assert found.languages == ("ru",)
    assert found.engine("piper").workers.max == 2


def test_the_supervisors_broker_is_used_unless_the_user_has_one(written: Written) -> None:
    service = {"host": "core-mosquitto", "port": 1883, "ssl": False, "username": "addons", "password": "s3cret"}
    found = written({}, "", service).mqtt
    assert (found.broker, found.username, found.password) == ("mqtt://core-mosquitto:1883", "addons", "s3cret")
    assert written({}, "mqtt: {broker: 'mqtt://other:1884'}", service).mqtt.broker == "mqtt://other:1884"
    assert dict(brokered({**service, "ssl": True, "port": 8883}))["mqtt", "broker"] == "mqtts://core-mosquitto:8883"
    assert not list(brokered({}))


def test_only_root_can_read_what_was_written(written: Written, tmp_path: Path) -> None:
    (tmp_path / "written.yml").touch(0o644)
    written({"http_token": "correct horse"})
    assert (tmp_path / "written.yml").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("options", "own", "said"),
    [
        ({}, "languages: [ru]\nlimits: {txet: 5}\n", "config.yml:2: limits.txet"),
        ({}, "languages: [ru", "this is not YAML"),
        ({"http_token": "short"}, "", "auth.tokens"),
        ({"disable": ["espaek"]}, "", "did you mean 'espeak'?"),
        ({"voices": [{"language": "русский", "voice": "x"}]}, "", "voices"),
    ],
)
def test_a_mistake_is_named_and_the_server_is_not_started(
    options: Mapping[str, object],
    own: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(tmp_path, monkeypatch, options, own) == 2
    assert said in capsys.readouterr().err


def test_password_of_the_supervisors_broker_is_not_told_to_another(written: Written) -> None:
    service = {"host": "core-mosquitto", "port": 1883, "username": "addons", "password": "s3cret"}
    found = written({}, "mqtt: {broker: 'mqtt://other:1884'}", service).mqtt
    assert (found.username, found.password) == (None, None)


def test_section_of_comments_alone_does_not_lose_the_broker(written: Written) -> None:
    service = {"host": "fd00::5", "port": 1883}
    assert written({}, "mqtt:\n  # prefix: mine\nlanguages: [ru]\n", service).mqtt.broker == "mqtt://[fd00::5]:1883"


def test_paths_of_the_users_file_are_relative_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    content = ["outputs: {folder: spoken}", "bridge: {tls: {certificate: a, key: b}}"]
    content += ["mqtt: {tls: {ca: c, certificate: d, key: /e}}", "text: {llm: {settings: llm.yml}}"]
    for text in ("\n".join(content), "output_dir: spoken\nllm_settings_path: llm.yml"):
        (own / "config.yml").write_text(text, "utf-8")
        (tmp_path / "options.json").write_text("{}", "utf-8")
        monkeypatch.setattr("sys.stdin", io.StringIO(""))
        names = {"options": tmp_path / "options.json", "own": own / "config.yml", "write": tmp_path / "written.yml"}
        assert main([word for name, file in names.items() for word in (f"--{name}", str(file))]) == 0
        written = load(tmp_path / "written.yml", {})
        assert written.outputs.folder == own / "spoken"
        assert written.text.llm.settings == own / "llm.yml"
    (own / "config.yml").write_text("\n".join(content), "utf-8")
    values = settings({}, read_own(own / "config.yml"), {})
    assert set(paths_of(Settings)) - {("data_dir",)} == set(PATHS)
    assert values["mqtt"] == {"tls": {"ca": str(own / "c"), "certificate": str(own / "d"), "key": "/e"}}


def paths_of(model: type[BaseModel], key: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from paths_of(field.annotation, (*key, name))
        elif field.annotation in (Path, Path | None):
            yield (*key, name)


@pytest.mark.parametrize(
    "options",
    [
        {"voices": ["ru", {"language": "ru"}, None, 5]},
        {"models": [{"engine": 5, "model": "x"}, []]},
        {"disable": [5, None, {}], "keep_loaded": [True]},
        {"voice": 5, "http_token": [], "languages": "ru", "terms": {}, "normalize": "yes", "log_level": 1},
    ],
)
def test_options_of_another_type_than_the_schema_has_are_left_out(
    written: Written, options: Mapping[str, object]
) -> None:
    assert written(options) == written({})


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_options_that_are_no_object_are_named(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "options.json").write_text(text)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    names = {"options": "options.json", "own": "config.yml", "write": "written.yml"}
    assert main([word for name, file in names.items() for word in (f"--{name}", str(tmp_path / file))]) == 2
    assert "options.json" in capsys.readouterr().err
    (tmp_path / "options.json").unlink()
    monkeypatch.setattr("sys.stdin", io.StringIO("no JSON"))
    assert main([word for name, file in names.items() for word in (f"--{name}", str(tmp_path / file))]) == 2


def test_language_model_of_the_options_has_settings_that_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = tmp_path / "options.json"
    options.write_text(json.dumps({"llm_url": "http://192.168.1.5:11434/v1", "llm_model": "qwen3"}))
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    paths = ("--options", str(options), "--own", str(tmp_path / "none"), "--write", str(tmp_path / "made.yml"))
    assert main(paths) == 0
    made = LlmFiles(tmp_path / "llm.yml").settings()
    assert (made.base_url, made.model) == ("http://192.168.1.5:11434/v1", "qwen3")
