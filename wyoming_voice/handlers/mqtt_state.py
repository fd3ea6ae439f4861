"""How the server is, as MQTT tells it: numbers and names, never what was said or heard."""

import asyncio
from collections.abc import Mapping
from typing import Final, Literal, Protocol

from wyoming_voice.config import Settings
from wyoming_voice.metrics import Metrics
from wyoming_voice.pool import EngineState, Pool
from wyoming_voice.speech import Speech
from wyoming_voice.voices import Catalogue, Voice

from .mqtt_choice import Choices
from .mqtt_entity import slug, speakers

Doing = Literal["cold", "loading", "ready", "busy"]

_MIB: Final = 2**20
_UNHURT: Final = ("ok", "cancelled")


class Voices(Protocol):
    """The catalogue of the moment."""

    @property
    def catalogue(self) -> Catalogue:
        """Every voice and model."""
        ...

    def prefer(self, name: str | None) -> None:
        """Choose the voice for everybody who names none; None: as config.yml says."""
        ...

    async def look(self) -> None:
        """Look at the machine again."""
        ...


class Application(Protocol):
    """What a front door is let into."""

    @property
    def settings(self) -> Settings:
        """Everything that a user can set."""
        ...

    @property
    def speech(self) -> Speech:
        """Who speaks and listens."""
        ...

    @property
    def pool(self) -> Pool:
        """Whose engines are seen and unloaded."""
        ...

    @property
    def metrics(self) -> Metrics:
        """The instruments."""
        ...

    @property
    def voices(self) -> Voices:
        """The catalogue of the moment."""
        ...

    def memory(self, engine: str) -> int:
        """Return the bytes that an engine's processes hold; blocks."""
        ...


def engine_voice(catalogue: Catalogue, choices: Choices, engine: str) -> Voice | None:
    """Find the voice that an engine speaks with: the chosen one while it is there, else its best."""
    voices = speakers(catalogue).get(engine, [])
    chosen = choices.voices.get(engine)
    return next((voice for voice in voices if voice.name == chosen), voices[0] if voices else None)


async def snapshot(app: Application, choices: Choices) -> dict[str, object]:
    """Describe the server; every value fits Home Assistant's 255 characters, and nothing in it is private."""
    states, catalogue = app.pool.states(), app.voices.catalogue
    memory = await asyncio.to_thread(lambda: sum(map(app.memory, states)))
    requests, errors = _counts(app.metrics)
    seen = [seen.first for seen in app.metrics.recent if seen.first is not None]
    offered = {voice.name for voice, _ in catalogue.offered}
    default = catalogue.default.name if catalogue.voices else None
    spoken = {engine: engine_voice(catalogue, choices, engine) for engine in speakers(catalogue)}
    return {
        "status": _doing(states),
        "queue": sum(state.waiting for state in states.values()),
        "latency": round(seen[-1], 3) if seen else None,
        "requests": requests,
        "errors": errors,
        "loaded": sorted(name for name, state in states.items() if state.ready + state.busy),
        "memory": round(memory / _MIB),
        "voice": default if default in offered else None,
        "speed": choices.speed,
        "voices": {slug(engine): voice.name for engine, voice in spoken.items() if voice is not None},
    }


def _doing(states: Mapping[str, EngineState]) -> Doing:
    if any(state.busy for state in states.values()):
        return "busy"
    if any(state.starting for state in states.values()):
        return "loading"
    return "ready" if any(state.ready for state in states.values()) else "cold"


def _counts(metrics: Metrics) -> tuple[int, int]:
    """Return how many requests ended since the start, and how many of them with an error."""
    samples = [
        sample
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "wyoming_voice_requests_total"
    ]
    errors = (sample.value for sample in samples if sample.labels["outcome"] not in _UNHURT)
    return round(sum(sample.value for sample in samples)), round(sum(errors))
