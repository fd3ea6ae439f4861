"""What was chosen in Home Assistant: the default voice, each engine's voice, the speed. It outlives a restart."""

import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

from wyoming_voice import fields
from wyoming_voice.errors import BadRequest, UnknownEngine, UnknownVoice
from wyoming_voice.link import SPEED
from wyoming_voice.voices import Catalogue, VoiceChoice

from .mqtt_entity import AS_CONFIGURED, slug, speakers

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
            try:
                json.dump(asdict(choices), file, ensure_ascii=False, indent=2)
                file.flush()
                Path(file.name).replace(folder / _FILE)
            except OSError:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        _LOGGER.warning("What is chosen by MQTT is not kept: %s: %s", folder / _FILE, error.strerror)


def choose(before: Choices, catalogue: Catalogue, key: Sequence[str], said: str) -> Choices:
    """Choose one thing: ``voice``, ``speed``, or ``engine`` and the engine's slug.

    Raises BadRequest, UnknownVoice and UnknownEngine.
    """
    match key:
        case ["voice"] if said == AS_CONFIGURED:
            return replace(before, voice=None)
        case ["voice"]:
            return replace(before, voice=catalogue.voice(VoiceChoice(said))[0].name)
        case ["speed"]:
            return replace(before, speed=_speed(said))
        case ["engine", engine_slug]:
            engine = next((name for name in speakers(catalogue) if slug(name) == engine_slug), None)
            if engine is None:
                raise UnknownEngine(f"No engine '{engine_slug[:100]}' speaks.")
            voice = catalogue.voice(VoiceChoice(said))[0]
            if voice.engine != engine:
                raise UnknownVoice(f"The voice '{voice.name}' is not one of {engine}.")
            return replace(before, voices={**before.voices, engine: voice.name})
    raise BadRequest(f"Nothing is called '{'/'.join(key)[:100]}' that could be set.")


def _speed(said: str) -> float:
    try:
        speed = float(said)
    except ValueError:
        speed = 0.0
    if not SPEED[0] <= speed <= SPEED[1]:
        raise BadRequest(f"A speed is a number between {SPEED[0]:g} and {SPEED[1]:g}.")
    return speed
