"""The bridge's front door: the routes put together, and the address they are served at."""

import asyncio
import logging
import re
import secrets
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from typing import Final

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from wyoming_voice.app import App
from wyoming_voice.config import Settings
from wyoming_voice.config_mistake import ConfigError
from wyoming_voice.errors import EngineUnavailable

from . import (
    deepgram_listen,
    deepgram_speak,
    library,
    listen,
    openai_model,
    openai_speech,
    openai_transcription,
    page,
    speak,
    state,
    stt,
    tts,
)
from .auth import Guard
from .bridge import BRIDGE, REQUEST_ID, Bridge
from .description import description_route
from .entrance import Entrance
from .output import Outputs
from .problem import Handler, problems

_LOGGER = logging.getLogger(__name__)

ROUTES: Final = (
    *page.ROUTES,
    *tts.ROUTES,
    *stt.ROUTES,
    *state.ROUTES,
    *library.ROUTES,
    *openai_speech.ROUTES,
    *openai_transcription.ROUTES,
    *openai_model.ROUTES,
    *speak.ROUTES,
    *deepgram_speak.ROUTES,
    *listen.ROUTES,
    *deepgram_listen.ROUTES,
)
_PRUNE_SECONDS: Final = 600.0
_GOODBYE_SECONDS: Final = 0.5
"""How long clients are told that the server does not wait for their requests."""
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_GUARD: Final = web.AppKey("guard", Guard)


@asynccontextmanager
async def open_bridge(app: App) -> AsyncIterator["BridgeServer"]:
    """Open the HTTP door at ``http`` of the settings; leaving the block closes it at once."""
    settings = app.settings
    host, port = split_address(settings.http)
    check_exposed(settings, host)
    bridge = Bridge(app, outputs_of(settings))
    runner = web.AppRunner(
        build(bridge),
        handler_cancellation=True,
        shutdown_timeout=0.5,
        handle_signals=False,
    )
    await runner.setup()
    try:
        assert runner.server is not None, "a runner that is set up has a server"
        entrance = Entrance(runner.server, settings.limits, bridge.known, _connection_log())
        loop = asyncio.get_running_loop()
        server = await loop.create_server(entrance, host, port, ssl=_tls(settings), backlog=256)
        pruning = asyncio.create_task(_keep_pruned(bridge.outputs), name="remove old files")
        try:
            yield BridgeServer(bridge, server)
        finally:
            pruning.cancel()
            server.close()
    finally:
        await runner.cleanup()


class BridgeServer:
    """The open door."""

    def __init__(self, bridge: Bridge, server: asyncio.Server) -> None:
        self._bridge = bridge
        self._server = server

    @property
    def url(self) -> str:
        """Where it really listens: port 0 has become a number."""
        host, port = self._server.sockets[0].getsockname()[:2]
        scheme = "https" if self._bridge.settings.bridge.tls.certificate else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    async def drain(self, seconds: float) -> None:
        """Refuse new work from now on, and give the requests under way so many seconds to end; then tell them."""
        self._bridge.drain()
        try:
            async with asyncio.timeout(seconds):
                await self._bridge.idle.wait()
        except TimeoutError:
            self._bridge.cut_short()
            with suppress(TimeoutError):
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await self._bridge.idle.wait()


def build(bridge: Bridge) -> web.Application:
    """Put the routes together."""
    application = web.Application(middlewares=[_named, problems, _guarded], client_max_size=2**62)
    application.on_response_prepare.append(_add_headers)
    application[BRIDGE] = bridge
    application[_GUARD] = _guard(bridge.settings)
    for route in (*ROUTES, description_route(ROUTES)):
        application.router.add_route(route.method, route.path, route.handler)
        if route.method == hdrs.METH_GET and not route.websocket:  # players and `wget --spider` look before they fetch
            application.router.add_route(hdrs.METH_HEAD, route.path, route.handler)
    return application


def _connection_log() -> logging.Logger:
    """Return where aiohttp logs what happens to connections; nonsense that it has refused is no news."""
    log = logging.getLogger(f"{__name__}.connection")
    log.addFilter(_is_news)
    return log


def _is_news(record: logging.LogRecord) -> bool:
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


@web.middleware
async def _named(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give every request a name, its own or ours, in the reply and in the log, and count those under way."""
    asked = request.headers.get("X-Request-ID", "")
    name = asked if _ID.fullmatch(asked) else secrets.token_hex(8)
    request[REQUEST_ID] = name
    request.app[BRIDGE].known.add(request.protocol)
    with request.app[BRIDGE].under_way():
        reply = await handler(request)
    _LOGGER.debug("%s %s %s %s", name, request.method, request.path, reply.status)
    return reply


async def _add_headers(request: web.Request, reply: web.StreamResponse) -> None:
    if REQUEST_ID in request:  # aiohttp refuses a few requests before they come here
        reply.headers["X-Request-ID"] = request[REQUEST_ID]
    request.app[_GUARD].add_headers(request, reply)


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    guard = request.app[_GUARD]
    if preflight := guard.preflight(request):
        return preflight
    guard.check(request)
    return await handler(request)


def _guard(settings: Settings) -> Guard:
    bridge = settings.bridge
    local = _is_local(split_address(settings.http)[0])
    anybody = bridge.open_without_token or local
    return Guard(settings.auth.tokens, bridge.cors, bridge.ingress, anybody, local and not bridge.open_without_token)


def split_address(address: str) -> tuple[str, int]:
    """Split HOST:PORT, as the settings have checked it."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


async def _keep_pruned(outputs: Outputs) -> None:
    """Remove files when they are old, also while nobody makes new ones."""
    while True:
        try:
            await asyncio.to_thread(outputs.prune, time.time())
        except EngineUnavailable as error:
            _LOGGER.warning("Old files are not removed: %s", error.text)
        await asyncio.sleep(min(_PRUNE_SECONDS, outputs.keep_seconds))


def outputs_of(settings: Settings) -> Outputs:
    """Find where files are kept."""
    kept = settings.outputs
    assert kept.folder is not None, "the settings name a folder"
    return Outputs(kept.folder, kept.keep_hours * 3600, kept.keep_bytes)


def check_exposed(settings: Settings, host: str) -> None:
    """Refuse to be open to a network without a token unless the user said so in as many words."""
    if settings.auth.tokens or settings.bridge.open_without_token or settings.bridge.ingress or _is_local(host):
        return
    raise ConfigError(
        f"http: {settings.http} can be reached from the network, and anybody could use it: set auth.tokens, "
        "or bridge.open_without_token: true, or listen on 127.0.0.1."
    )


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _tls(settings: Settings) -> ssl.SSLContext | None:
    tls = settings.bridge.tls
    if tls.certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except OSError as error:  # an SSLError too
        raise ConfigError(f"bridge.tls: the certificate cannot be used: {error}") from error
    return context
