"""OpenAI's dialect: ``GET /v1/models``, and what the names of models and voices mean here."""

import re
from typing import Final

from aiohttp import web
from pydantic import BaseModel

from wyoming_voice.config import Settings
from wyoming_voice.errors import EngineUnavailable, UnknownEngine
from wyoming_voice.voices import Catalogue

from .bridge import bridge_of
from .reply import json_reply
from .route import Route

SPEAKING: Final = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
HEARING: Final = ("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-transcribe")
_DATE: Final = re.compile(r"-\d{4}-\d{2}-\d{2}$")


class Model(BaseModel):
    """An engine, or one of OpenAI's own names, which mean the best engine for the language."""

    id: str
    object: str = "model"
    created: int = 0
    owned_by: str


class Models(BaseModel):
    """All of them."""

    object: str = "list"
    data: list[Model]


def engine_of(model: str | None, settings: Settings) -> str | None:
    """Return the engine that a model's name means; None: whichever is best."""
    name = _DATE.sub("", model or "")
    default = name in ("", settings.server.name, *SPEAKING, *HEARING)
    return None if default and model not in settings.engines else model


def check_speaks(engine: str, catalogue: Catalogue) -> None:
    """Raise UnknownEngine or EngineUnavailable unless an engine has voices."""
    if any(voice.engine == engine for voice in catalogue.voices):
        return
    place = catalogue.places.get(engine)
    if place is not None and place.missing and (place.spec is None or place.spec.task == "tts"):
        raise EngineUnavailable(place.missing)
    known = sorted({voice.engine for voice in catalogue.voices})
    raise UnknownEngine(f"No model '{engine}' speaks; there are {', '.join([*SPEAKING, *known])}.")


async def models(request: web.Request) -> web.StreamResponse:
    """List the engines that work, and OpenAI's own names."""
    return json_reply(Models(data=list(_models(request).values())))


async def model(request: web.Request) -> web.StreamResponse:
    """Describe one model."""
    name = request.match_info["id"]
    found = _models(request).get(name)
    if found is None:
        raise UnknownEngine(f"There is no model '{name}'; /v1/models lists them.")
    return json_reply(found)


def _models(request: web.Request) -> dict[str, Model]:
    catalogue = bridge_of(request).app.voices.catalogue
    speaking = {voice.engine for voice in catalogue.voices}
    hearing = {model.name for model in catalogue.models if model.missing is None}
    usual = {*(SPEAKING if speaking else ()), *(HEARING if hearing else ())}
    return {
        **{name: Model(id=name, owned_by=catalogue.settings.server.name) for name in sorted(speaking | hearing)},
        **{name: Model(id=name, owned_by="openai") for name in (*SPEAKING, *HEARING) if name in usual},
    }


ROUTES: Final = (
    Route("GET", "/v1/models", models, "OpenAI: the models", reply=Models),
    Route("GET", "/v1/models/{id}", model, "OpenAI: one model", reply=Model),
)
