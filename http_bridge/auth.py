"""Who may use the bridge: tokens, and no help for other people's web pages."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from wyoming_voice.errors import Unauthorized

_OPEN: Final = frozenset({"/health", "/ready", "/v1/audio/voices", "/v1/readyz"})  # no secrets, asked without a token
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


INGRESS: Final = "172.30.32.2"
"""Where Home Assistant's ingress comes from; it has let the user in already."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Lets requests in, or raises Unauthorized."""

    tokens: tuple[str, ...]
    origins: tuple[str, ...]
    """Other sites whose pages may use the bridge."""
    ingress: bool
    """Whether Home Assistant's ingress is trusted."""

    def check(self, request: web.Request) -> None:
        """Let a request in."""
        if self.ingress and request.remote == INGRESS:
            return
        _check_origin(request, self.origins)
        public = request.path in _OPEN or request.path == "/" or request.path.startswith("/web/")
        secrets = [token.encode() for token in self.tokens]
        if secrets and not public and not _known(_presented(request), secrets):
            raise Unauthorized("A token is needed: send 'Authorization: Bearer TOKEN' (auth.tokens in config.yml).")


def _presented(request: web.Request) -> Iterable[bytes]:
    """Yield what may be a token: bearer, Deepgram's Token, X-API-Key, a WebSocket subprotocol, the query."""
    scheme, _, credentials = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() in ("bearer", "token"):
        yield credentials.strip().encode()
    if key := request.headers.get("X-API-Key"):
        yield key.encode()
    protocols = [name.strip() for name in request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",")]
    if len(protocols) > 1 and protocols[0].lower() in ("token", "bearer"):
        yield protocols[1].encode()
    for name in ("token", "access_token"):
        if named := request.query.get(name):
            yield named.encode()


def _known(presented: Iterable[bytes], secrets: list[bytes]) -> bool:
    """Compare every token with every secret, in a time that tells nothing of them."""
    return any([hmac.compare_digest(token, secret) for token in presented for secret in secrets])  # noqa: C419


def _check_origin(request: web.Request, origins: tuple[str, ...]) -> None:
    """Refuse a page of another site that would change something, or open a WebSocket: browsers say where they are."""
    origin = request.headers.get(hdrs.ORIGIN)
    upgrade = request.headers.get(hdrs.UPGRADE, "").lower() == "websocket"
    if origin is None or (request.method in _SAFE and not upgrade) or origin in origins:
        return
    if urlsplit(origin).netloc.lower() != request.headers.get(hdrs.HOST, "").lower():
        raise web.HTTPForbidden(reason="A page of another site may not do this (bridge.cors in config.yml).")
