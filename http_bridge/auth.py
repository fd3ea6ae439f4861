"""Who may use the bridge: tokens, and no help for other people's web pages."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from wyoming_voice.errors import Unauthorized

_OPEN: Final = frozenset({"/health", "/ready", "/v1/audio/voices", "/v1/readyz", "/", "/docs", "/openapi.json"})
"""No secrets, and asked without a token: a browser sends none when it opens a page."""
_OPEN_FOLDERS: Final = ("/web/", "/docs/")
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


INGRESS: Final = "172.30.32.2"
"""Where Home Assistant's ingress comes from; it has let the user in already."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Lets requests in, or raises Unauthorized."""

    tokens: tuple[str, ...]
    origins: tuple[str, ...]
    """Other sites whose pages may use the bridge; ``*``: all."""
    ingress: bool
    """Whether Home Assistant's ingress is trusted."""
    anybody: bool
    """Whether a request without a token may come in where there are no tokens."""
    local: bool
    """Whether only this machine can connect, and so a page of another site must not pass for a page of this machine."""

    def check(self, request: web.Request) -> None:
        """Let a request in."""
        if self.ingress and request.remote == INGRESS:
            return
        _check_origin(request, self)
        public = request.path in _OPEN or request.path.startswith(_OPEN_FOLDERS)
        if public or (self.anybody and not self.tokens):
            return
        if not _known(_presented(request), [token.encode() for token in self.tokens]):
            raise Unauthorized("A token is needed: send 'Authorization: Bearer TOKEN' (auth.tokens in config.yml).")

    def preflight(self, request: web.Request) -> web.Response | None:
        """Answer a browser that asks whether a page of another site may send a request; None: it asks no such thing."""
        wished = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_METHOD)
        if request.method != hdrs.METH_OPTIONS or wished is None or not self.allows(request):
            return None
        return web.Response(
            status=204,
            headers={
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, POST, PUT, DELETE",
                hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "Authorization, Content-Type, X-API-Key, X-Request-ID",
                hdrs.ACCESS_CONTROL_MAX_AGE: "600",
            },
        )

    def add_headers(self, request: web.Request, reply: web.StreamResponse) -> None:
        """Let the page of a site that may use the bridge read the reply."""
        if self.allows(request):
            reply.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = request.headers[hdrs.ORIGIN]
            reply.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = "*"
        if self.origins:
            reply.headers.add(hdrs.VARY, hdrs.ORIGIN)

    def allows(self, request: web.Request) -> bool:
        """Tell whether a request comes from a page of a site that may use the bridge."""
        origin = request.headers.get(hdrs.ORIGIN)
        return origin is not None and ("*" in self.origins or origin in self.origins)


def _presented(request: web.Request) -> Iterable[bytes]:
    """Yield what may be a token: bearer, Deepgram's Token, X-API-Key, a WebSocket subprotocol, the query."""
    scheme, _, credentials = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() in ("bearer", "token"):
        yield credentials.strip().encode(errors="surrogateescape")
    if key := request.headers.get("X-API-Key"):
        yield key.encode(errors="surrogateescape")
    protocols = [name.strip() for name in request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",")]
    if len(protocols) > 1 and protocols[0].lower() in ("token", "bearer"):
        yield protocols[1].encode(errors="surrogateescape")
    for name in ("token", "access_token"):
        if named := request.query.get(name):
            yield named.encode(errors="surrogateescape")


def _known(presented: Iterable[bytes], secrets: list[bytes]) -> bool:
    """Compare every token with every secret, in a time that tells nothing of them."""
    return any([hmac.compare_digest(token, secret) for token in presented for secret in secrets])  # noqa: C419


def _check_origin(request: web.Request, guard: Guard) -> None:
    """Refuse a page of another site that would change something, or open a WebSocket: browsers say where they are."""
    host = request.headers.get(hdrs.HOST, "").lower()
    if guard.local and not guard.tokens and not _is_this_machine(host):
        # DNS rebinding: a site gives its own name the address 127.0.0.1, and its pages are of the same origin as we.
        raise web.HTTPForbidden(reason="This server is for its own machine; open it as localhost or 127.0.0.1.")
    origin = request.headers.get(hdrs.ORIGIN)
    upgrade = request.headers.get(hdrs.UPGRADE, "").lower() == "websocket"
    if origin is None or (request.method in _SAFE and not upgrade) or guard.allows(request):
        return
    if _netloc(origin) != host:
        raise web.HTTPForbidden(reason="A page of another site may not do this (bridge.cors in config.yml).")


def _is_this_machine(host: str) -> bool:
    """Tell whether a Host header is a name that no other site can have: localhost, or an address."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return name in ("", "localhost") or name.endswith(".localhost")
    return True


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # a bracket that is never closed
        return ""
