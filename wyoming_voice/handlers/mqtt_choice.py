"""What was chosen in Home Assistant: the default voice, each engine's voice, the speed. It outlives a restart."""

import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from wyoming_voice import fields
from wyoming_voice.errors import BadRequest
from wyoming_voice.link import SPEED

_LOGGER = logging.getLogger(__name__)

_FILE: Final = "mqtt.json"
_LARGEST: Final = 64 * 1024  # bytes
_ENGINES: Final = 1000


@dataclass(frozen=True, slots=True)
class Choices:
    """What somebody chose; what nobody chose is as config.yml says."""

    voice: str | None = None
    """The voice for everybody who names none."""
    speed: float = 1.0
    """How fast is spoken what comes by MQTT and names no speed."""
    voices: Mapping[str, str] = field(default_factory=dict)
    """The voice of each engine, where a request names the engine alone."""


def load(folder: Path) -> Choices:
    """Read what was chosen before; blocks. A file that makes no sense is left alone, and counts for nothing."""
    path = folder / _FILE
    try:
        with path.open("rb") as file:
            said = json.loads(file.read(_LARGEST))
        held = fields.mapping({"choices": said}, "choices")
        voices = fields.mapping(held, "voices")
        return Choices(
            voice=fields.string(held, "voice"),
            speed=fields.number(held, "speed", 1.0, least=SPEED[0], most=SPEED[1]),
            voices={engine: fields.text(voices, engine) for engine in list(voices)[:_ENGINES]},
        )
    except FileNotFoundError:
        return Choices()
    except (OSError, ValueError, BadRequest) as error:
        _LOGGER.warning("%s cannot be used, so that nothing is chosen: %s", path, error)
        return Choices()


def save(folder: Path, choices: Choices) -> None:
    """Write what is chosen, whole or not at all; blocks."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=folder, prefix=_FILE, delete=False, encoding="utf-8") as file:
            json.dump(asdict(choices), file, ensure_ascii=False, indent=2)
        Path(file.name).replace(folder / _FILE)
    except OSError as error:
        _LOGGER.warning("What is chosen by MQTT is not kept: %s: %s", folder / _FILE, error.strerror)
