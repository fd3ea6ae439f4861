"""The device that Home Assistant finds: one retained message with every entity (device discovery, since 2024.11).

https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload. Nothing here asks anybody: a picture of the
catalogue in, JSON out.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from wyoming_voice import __version__
from wyoming_voice.link import SPEED
from wyoming_voice.voices import Catalogue, Voice

Component = Mapping[str, object]

AS_CONFIGURED: Final = "as configured"
"""The option of the default voice that undoes the others."""
_LONGEST: Final = 255  # characters of a state in Home Assistant, hence of a text entity
_SPEAK: Final = "{{ {'text': value} | to_json }}"  # so that no text is taken for anything but a text


def slug(name: str) -> str:
    """Write a name with the letters that topics and discovery take."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)


def speakers(catalogue: Catalogue) -> Mapping[str, Sequence[Voice]]:
    """Return the engines that speak, and the voices each of them offers."""
    found: dict[str, list[Voice]] = {}
    for voice, _ in catalogue.offered:
        found.setdefault(voice.engine, []).append(voice)
    return found


def components(prefix: str, catalogue: Catalogue, before: Mapping[str, Component]) -> Mapping[str, Component]:
    """Describe every entity; those of ``before`` that are gone are removed, as the format wants it."""
    found = {
        **{key: _sensor(prefix, key, more) for key, more in _SENSORS.items()},
        **_voices(prefix, catalogue),
        **_controls(prefix),
    }
    gone = {key: {"platform": entity["platform"]} for key, entity in before.items() if key not in found}
    return {key: {**entity, "unique_id": f"{slug(prefix)}_{key}"} for key, entity in found.items()} | gone


def discovery(prefix: str, name: str, entities: Mapping[str, Component]) -> Mapping[str, object]:
    """Describe the device."""
    return {
        "device": {
            "identifiers": [slug(prefix)],
            "name": name,
            "manufacturer": "wyoming-voice",
            "model": "Voice server",
            "sw_version": __version__,
        },
        "origin": {"name": "wyoming-voice", "sw_version": __version__},
        "availability_topic": f"{prefix}/availability",
        "components": entities,
    }


_SENSORS: Final[Mapping[str, Component]] = {
    "status": {
        "name": "Status",
        "icon": "mdi:account-voice",
        "device_class": "enum",
        "options": ["cold", "loading", "ready", "busy"],
    },
    "queue": {"name": "Queue", "icon": "mdi:human-queue", "state_class": "measurement"},
    "latency": {
        "name": "Latency",
        "device_class": "duration",
        "state_class": "measurement",
        "unit_of_measurement": "s",
        "suggested_display_precision": 3,
    },
    "requests": {"name": "Requests", "icon": "mdi:counter", "state_class": "total_increasing"},
    "errors": {"name": "Errors", "icon": "mdi:alert-circle-outline", "state_class": "total_increasing"},
    "loaded": {
        "name": "Loaded engines",
        "icon": "mdi:engine",
        "state_class": "measurement",
        "value_template": "{{ value_json.loaded | length }}",
        "json_attributes_template": "{{ {'engines': value_json.loaded} | to_json }}",
    },
    "memory": {
        "name": "Memory of engines",
        "device_class": "data_size",
        "state_class": "measurement",
        "unit_of_measurement": "MiB",
    },
}


def _sensor(prefix: str, key: str, more: Component) -> Component:
    attributes = {"json_attributes_topic": f"{prefix}/state"} if "json_attributes_template" in more else {}
    return {
        "platform": "sensor",
        "state_topic": f"{prefix}/state",
        "value_template": f"{{{{ value_json.{key} }}}}",
        "entity_category": "diagnostic",
        **attributes,
        **more,
    }


def _voices(prefix: str, catalogue: Catalogue) -> dict[str, Component]:
    """Make a choice of the default voice, and one for each engine with several voices."""
    names = [voice.name for voice, _ in catalogue.offered]
    found: dict[str, Component] = {}
    if names:
        found["voice"] = _select(prefix, "voice", "Voice", [AS_CONFIGURED, *names], "value_json.voice")
    for engine, voices in speakers(catalogue).items():
        if len(voices) > 1:
            key = slug(engine)
            options = [voice.name for voice in voices]
            found[f"voice_{key}"] = _select(
                prefix, f"engine/{key}", f"Voice of {engine}", options, f"value_json.voices['{key}']"
            )
    return found


def _select(prefix: str, key: str, name: str, options: Sequence[str], value: str) -> Component:
    return {
        "platform": "select",
        "name": name,
        "icon": "mdi:account-voice",
        "entity_category": "config",
        "state_topic": f"{prefix}/state",
        "value_template": f"{{{{ {value} }}}}",
        "command_topic": f"{prefix}/set/{key}",
        "options": list(options),
    }


def _controls(prefix: str) -> dict[str, Component]:
    speak = {"command_topic": f"{prefix}/say", "command_template": _SPEAK}
    return {
        "speed": {
            "platform": "number",
            "name": "Speed",
            "icon": "mdi:speedometer",
            "entity_category": "config",
            "state_topic": f"{prefix}/state",
            "value_template": "{{ value_json.speed }}",
            "command_topic": f"{prefix}/set/speed",
            "min": SPEED[0],
            "max": SPEED[1],
            "step": 0.05,
            "mode": "slider",
        },
        "unload": _button(prefix, "unload", "Unload engines", "mdi:tray-arrow-up"),
        "reload": _button(prefix, "reload", "Reload voices", "mdi:reload"),
        "say": {"platform": "text", "name": "Say", "icon": "mdi:message-text", "min": 1, "max": _LONGEST, **speak},
        "announce": {"platform": "notify", "name": "Announce", "icon": "mdi:bullhorn", **speak},
    }


def _button(prefix: str, key: str, name: str, icon: str) -> Component:
    return {
        "platform": "button",
        "name": name,
        "icon": icon,
        "entity_category": "config",
        "command_topic": f"{prefix}/{key}",
    }
