from pathlib import Path

import pytest

from wyoming_voice.config import Settings
from wyoming_voice.config_load import load
from wyoming_voice.config_mistake import ConfigError


def settings(tmp_path: Path, text: str, **environ: str) -> Settings:
    file = tmp_path / "config.yml"
    file.write_text(text, encoding="utf-8")
    return load(file, {f"WYOMING_VOICE__MQTT__{name}": value for name, value in environ.items()})


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("broker.local", "mqtt://broker.local:1883"),
        ("10.0.0.1:1884", "mqtt://10.0.0.1:1884"),
        ("mqtt://broker", "mqtt://broker:1883"),
        ("mqtts://broker/", "mqtts://broker:8883"),
        ("mqtt://[::1]:7", "mqtt://[::1]:7"),
    ],
)
def test_broker_may_be(tmp_path: Path, said: str, meant: str) -> None:
    assert settings(tmp_path, f"mqtt: {{broker: '{said}'}}").mqtt.broker == meant


@pytest.mark.parametrize("said", ["http://broker", "mqtt://", "broker:port", "broker:70000", "mqtt://broker/path", ""])
def test_broker_may_not_be(tmp_path: Path, said: str) -> None:
    with pytest.raises(ConfigError, match="must be mqtt://HOST:PORT"):
        settings(tmp_path, f"mqtt: {{broker: '{said}'}}")


@pytest.mark.parametrize("prefix", ["", "/a", "a/", "a/+/b", "#", "$SYS", "a\u0001b"])
def test_prefix_may_not_be(tmp_path: Path, prefix: str) -> None:
    with pytest.raises(ConfigError, match="must be the beginning of a topic"):
        settings(tmp_path, f'mqtt: {{prefix: "{prefix}"}}'.replace("\u0001", "\\u0001"))


def test_password_is_never_shown(tmp_path: Path) -> None:
    assert settings(tmp_path, "", PASSWORD="'31415'").mqtt.password == "31415"
    assert "31415" not in repr(settings(tmp_path, "", PASSWORD="'31415'"))
    for wrong in ({"PASSWORD": "31415"}, {"BROKER": "mqtt://me:31415@broker"}):
        with pytest.raises(ConfigError) as caught:
            settings(tmp_path, "", **wrong)
        assert "31415" not in caught.value.text


def test_certificates_are_relative_to_the_file(tmp_path: Path) -> None:
    tls = settings(tmp_path, "mqtt: {tls: {ca: ca.pem, certificate: /c.pem}}").mqtt.tls
    assert (tls.ca, tls.certificate, tls.key) == (tmp_path / "ca.pem", Path("/c.pem"), None)
