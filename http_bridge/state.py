"""What there is and how it is: voices, engines, health, capabilities, recent requests, metrics."""

import asyncio
import time
from contextlib import suppress
from dataclasses import asdict
from typing import Final

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from wyoming_voice import __version__
from wyoming_voice.codec import FORMATS
from wyoming_voice.errors import EngineUnavailable, UnknownEngine
from wyoming_voice.link import PITCH, SPEED
from wyoming_voice.reload import reload as read_again
from wyoming_voice.voices import canonical

from .bridge import Bridge, bridge_of
from .reply import json_reply
from .route import Route
from .state_reply import (
    CapabilitiesReply,
    EnginesReply,
    HealthReply,
    ReadyReply,
    ReloadReply,
    RequestReply,
    RequestsReply,
    UnloadReply,
    VoicesReply,
    engine_reply,
    voice_reply,
)


async def voices(request: web.Request) -> web.StreamResponse:
    """List the voices."""
    catalogue = bridge_of(request).app.voices.catalogue
    found = [voice_reply(voice, languages) for voice, languages in catalogue.offered]
    return json_reply(VoicesReply(voices=found, default=catalogue.default.name if catalogue.voices else None))


async def engines(request: web.Request) -> web.StreamResponse:
    """List the engines and what they are doing."""
    bridge = bridge_of(request)
    catalogue, states = bridge.app.voices.catalogue, bridge.app.pool.states()
    memory = await asyncio.to_thread(lambda: {name: bridge.app.memory(name) for name in states})
    return json_reply(
        EnginesReply(
            engines=[
                engine_reply(catalogue, place, states[name], memory[name]) for name, place in catalogue.places.items()
            ]
        )
    )


async def unload(request: web.Request) -> web.StreamResponse:
    """End an engine's workers: the idle ones now, the others after the turn under way."""
    bridge = bridge_of(request)
    name = request.match_info["name"]
    if name not in bridge.app.pool.states():
        raise UnknownEngine(f"There is no engine '{name}'; /engines lists them.")
    bridge.app.pool.unload(name)
    return json_reply(UnloadReply(unloaded=name))


async def reload(request: web.Request) -> web.StreamResponse:
    """Read the configuration again; a mistake in it is a 400 that says where, and changes nothing."""
    done = await read_again(bridge_of(request).app)
    return json_reply(ReloadReply(**asdict(done)))


async def requests(request: web.Request) -> web.StreamResponse:
    """List the last requests, without what was said or heard."""
    recent = bridge_of(request).app.metrics.recent
    found = [
        RequestReply(
            task=seen.task,
            engine=seen.engine,
            voice=seen.voice,
            began=seen.began,
            first=seen.first,
            seconds=seen.seconds,
            audio=seen.audio,
            outcome=seen.outcome,
            text=seen.text or None,
        )
        for seen in reversed(recent)
    ]
    return json_reply(RequestsReply(requests=found))


async def health(_request: web.Request) -> web.StreamResponse:
    """Say that the server is alive."""
    return json_reply(HealthReply(version=__version__))


async def ready(request: web.Request) -> web.StreamResponse:
    """Say whether the default engines are loaded; 503 while they are not, and while the server is stopping.

    Who asks wants them: they are loaded if nobody needed them so far.
    """
    bridge = bridge_of(request)
    bridge.admit()
    states = bridge.app.pool.states()
    waiting = [name for name in _defaults(bridge) if not states[name].ready + states[name].busy]
    for name in waiting:
        if not states[name].starting:
            bridge.app.pool.preload(name)
    return json_reply(ReadyReply(ready=not waiting, waiting_for=waiting), status=503 if waiting else 200)


async def capabilities(request: web.Request) -> web.StreamResponse:
    """Describe every limit, format and engine."""
    bridge = bridge_of(request)
    catalogue = bridge.app.voices.catalogue
    heard = {
        known for model in catalogue.models if model.missing is None for known in catalogue.wanted(model.languages)
    }
    return json_reply(
        CapabilitiesReply(
            version=__version__,
            languages=[canonical(language) for language in bridge.settings.languages],
            formats={name: form.mime for name, form in FORMATS.items()},
            speed=list(SPEED),
            pitch=list(PITCH),
            limits={name: float(value) for name, value in bridge.settings.limits.model_dump().items()},
            speaks=sorted({canonical(known) for _, kept in catalogue.offered for known in kept}),
            hears=sorted(map(canonical, heard)),
            makes=sorted({can for place in catalogue.places.values() for can in place.abilities & {"clone", "design"}}),
            engines=[name for name, place in catalogue.places.items() if place.missing is None],
            dialects=["wyoming", "http", "openai", "deepgram"],
            uptime=round(time.monotonic() - bridge.started, 1),
        )
    )


async def metrics(request: web.Request) -> web.StreamResponse:
    """Give the instruments to Prometheus."""
    app = bridge_of(request).app
    for name, state in app.pool.states().items():
        app.metrics.waiting.labels(name).set(state.waiting)
        for doing in ("starting", "ready", "busy"):
            app.metrics.workers.labels(name, doing).set(getattr(state, doing))
    return web.Response(body=generate_latest(app.metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _defaults(bridge: Bridge) -> list[str]:
    """Name the engines that serve a request which chooses nothing."""
    catalogue = bridge.app.voices.catalogue
    names = [catalogue.default.engine] if catalogue.voices else []
    with suppress(EngineUnavailable):  # where nothing hears the first language, there is nothing to wait for
        names.append(catalogue.model(None, None)[0].engine)
    return names


ROUTES: Final = (
    Route("GET", "/voices", voices, "List the voices", reply=VoicesReply),
    Route("GET", "/engines", engines, "List the engines and what they are doing", reply=EnginesReply),
    Route("POST", "/engines/{name}/unload", unload, "Unload an engine", reply=UnloadReply),
    Route("POST", "/reload", reload, "Read the configuration again", reply=ReloadReply),
    Route("GET", "/requests", requests, "List the last requests", reply=RequestsReply),
    Route("GET", "/health", health, "Is the server alive?", reply=HealthReply),
    Route("GET", "/ready", ready, "Are the default engines loaded?", reply=ReadyReply, unready=ReadyReply),
    Route("GET", "/capabilities", capabilities, "Every limit, format and engine", reply=CapabilitiesReply),
    Route("GET", "/metrics", metrics, "The instruments, for Prometheus", media="text/plain"),
)
