"""The device against Home Assistant's documented schema of 2026.11 (https://www.home-assistant.io/integrations/mqtt/)."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from wyoming_voice.config import Settings
from wyoming_voice.handlers.mqtt_choice import Choices
from wyoming_voice.handlers.mqtt_entity import components, discovery, slug
from wyoming_voice.handlers.mqtt_state import engine_voice
from wyoming_voice.voices import Catalogue, Voice

# Of homeassistant/components/mqtt: schemas.py, config.py and the platform's own module, in 2026.11.0. Home Assistant
# drops silently what it does not know in a component, hence this list of all that it knows.
_COMMON: Final = {
    "platform", "availability", "availability_mode", "availability_template", "availability_topic",
    "default_entity_id", "device", "enabled_by_default", "encoding", "entity_category", "entity_picture", "group",
    "icon", "json_attributes_template", "json_attributes_topic", "message_expiry_interval", "name", "origin",
    "payload_available", "payload_not_available", "qos", "unique_id", "visible_by_default",
}  # fmt: skip
_COMMAND: Final = {"command_template", "command_topic", "retain"}
_BOTH: Final = _COMMAND | {"optimistic", "state_topic", "value_template"}
_KNOWN: Final[Mapping[str, set[str]]] = {
    "sensor": {
        "device_class", "expire_after", "force_update", "last_reset_value_template", "options", "state_class",
        "state_topic", "suggested_display_precision", "unit_of_measurement", "value_template",
    },
    "select": _BOTH | {"options"},
    "number": _BOTH | {"device_class", "max", "min", "mode", "payload_reset", "step", "unit_of_measurement"},
    "text": _BOTH | {"max", "min", "mode", "pattern"},
    "button": _COMMAND | {"device_class", "payload_press"},
    "notify": _COMMAND,
}  # fmt: skip
_REQUIRED: Final[Mapping[str, set[str]]] = {
    "sensor": {"state_topic"},
    "select": {"command_topic", "options"},
    "number": {"command_topic"},
    "text": {"command_topic"},
    "button": {"command_topic"},
    "notify": {"command_topic"},
}
_UNITS: Final = {
    "duration": {"d", "h", "min", "s", "ms", "μs"},
    "data_size": {"B", "kB", "MB", "GB", "KiB", "MiB", "GiB"},
}
_TOPIC: Final = re.compile(r"[^+#\x00]{1,200}")


def voice(name: str, engine: str, language: str = "ru") -> Voice:
    return Voice(name=name, engine=engine, voice=name, languages=(language,), description=name)


VOICES = (
    voice("elena", "rhvoice"),
    voice("anna", "rhvoice"),
    voice("amy", "my piper/2", "en"),
    voice("joe", "my piper/2", "en"),
    voice("one", "espeak", "en"),
)
CATALOGUE = Catalogue(Settings(), VOICES)


@pytest.fixture(params=[CATALOGUE, Catalogue(Settings())], ids=["voices", "nothing installed"])
def device(request: pytest.FixtureRequest) -> dict[str, Any]:
    entities = components("home/voice", request.param, {})
    return dict(discovery("home/voice", "wyoming-voice", entities))


def test_device_has_what_discovery_requires(device: dict[str, Any]) -> None:
    assert set(device) == {"device", "origin", "availability_topic", "components"}
    assert device["device"]["identifiers"] == ["home_voice"]
    assert set(device["device"]) <= {"identifiers", "name", "manufacturer", "model", "sw_version"}
    assert device["origin"]["name"] == "wyoming-voice"
    assert set(device["origin"]) <= {"name", "sw_version", "support_url"}
    assert device["components"]
    for key in device["components"]:
        assert re.fullmatch(r"[a-zA-Z0-9_-]+", key)


def test_every_entity_has_the_keys_of_its_platform_and_no_other(device: dict[str, Any]) -> None:
    for key, entity in device["components"].items():
        platform = entity["platform"]
        assert set(entity) <= _COMMON | _KNOWN[platform], key
        assert set(entity) >= _REQUIRED[platform] | {"unique_id", "name"}, key
        topics = [value for name, value in entity.items() if name.endswith("_topic")]
        assert all(_TOPIC.fullmatch(topic) and topic.startswith("home/voice/") for topic in topics)
        assert not entity.get("retain"), "a command is never kept"


def test_every_unique_id_is_one(device: dict[str, Any]) -> None:
    identities = [entity["unique_id"] for entity in device["components"].values()]
    assert len(set(identities)) == len(identities)
    assert all(identity.startswith("home_voice_") for identity in identities)


def test_sensors_keep_the_rules_of_their_classes(device: dict[str, Any]) -> None:
    sensors = [entity for entity in device["components"].values() if entity["platform"] == "sensor"]
    assert len(sensors) == 7
    for sensor in sensors:
        assert sensor["entity_category"] == "diagnostic"  # of the two that there are, a sensor may not have "config"
        assert sensor.get("state_class") in (None, "measurement", "total", "total_increasing")
        if sensor.get("device_class") == "enum":
            assert sensor["options"]
            assert not {"state_class", "unit_of_measurement"} & set(sensor)
        else:
            assert "options" not in sensor
        if (kind := sensor.get("device_class")) in _UNITS:
            assert sensor["unit_of_measurement"] in _UNITS[kind]


def test_numbers_and_texts_keep_their_bounds(device: dict[str, Any]) -> None:
    speed, text = device["components"]["speed"], device["components"]["say"]
    assert 0 < speed["min"] < 1 < speed["max"]
    assert speed["step"] >= 0.001
    assert speed["mode"] in ("auto", "box", "slider")
    assert 0 <= text["min"] <= text["max"] <= 255
    assert device["components"]["announce"]["command_template"] == "{{ {'text': value} | to_json }}"


def test_default_voice_and_every_engine_with_several_voices_can_be_chosen() -> None:
    found = components("p", CATALOGUE, {})
    assert found["voice"]["options"] == ["as configured", "elena", "anna", "amy", "joe", "one"]
    assert found["voice_rhvoice"]["options"] == ["elena", "anna"]
    assert found["voice_my_piper_2"]["command_topic"] == "p/set/engine/my_piper_2"
    assert "voice_espeak" not in found
    assert "update" not in {entity["platform"] for entity in found.values()}


def test_entity_that_is_gone_is_removed_and_comes_back() -> None:
    before = components("p", CATALOGUE, {})
    after = components("p", replace(CATALOGUE, voices=VOICES[2:]), before)
    assert after["voice_rhvoice"] == {"platform": "select"}
    assert components("p", CATALOGUE, after)["voice_rhvoice"] == before["voice_rhvoice"]


def test_engine_speaks_with_its_chosen_voice_while_it_is_there() -> None:
    def found(chosen: str | None, engine: str = "rhvoice") -> str | None:
        choices = Choices(voices={} if chosen is None else {engine: chosen})
        spoken = engine_voice(CATALOGUE, choices, engine)
        return None if spoken is None else spoken.name

    assert (found(None), found("anna"), found("amy"), found(None, "none")) == ("elena", "anna", "elena", None)


def test_slug_has_only_letters_that_topics_and_discovery_take() -> None:
    assert slug("my piper/2+#ё") == "my_piper_2___"
