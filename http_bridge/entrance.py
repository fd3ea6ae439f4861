"""The connections of the HTTP door: so many at once, and each has so long for its first request.

aiohttp itself lets everybody in and waits for ever for the rest of a header; a thousand of those would take the
descriptors that the Wyoming door needs.
"""

import asyncio
import logging
from collections import Counter

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_request import BaseRequest

from wyoming_voice.config_door import Limits
from wyoming_voice.errors import BadRequest, Busy, Internal

from .problem import MISTAKE, STATUS, body, response
from .reply import to_json


class Entrance:
    """Makes the protocol of each connection; ``asyncio`` calls it."""

    def __init__(self, server: web.Server, limits: Limits, known: set[object], log: logging.Logger) -> None:
        self._server = server
        self._log = log
        self.limits = limits
        self.inside: Counter[str] = Counter()
        """Connections by the address they come from."""
        self.known = known
        """The handlers of those that have sent a request: each request adds its own."""

    def __call__(self) -> asyncio.Protocol:
        """Receive a connection."""
        return _Visitor(self)

    def handler(self) -> web.RequestHandler:
        """Make what reads the requests of a connection."""
        return _Handler(
            self._server,
            loop=asyncio.get_running_loop(),
            auto_decompress=False,  # a body means what its length says
            access_log=None,  # type: ignore[arg-type]  # that is how aiohttp writes none
            logger=self._log,
            keepalive_timeout=self.limits.idle,
        )

    def refusal(self, address: str) -> str | None:
        """Say why no more may come in from an address; None: they may."""
        if self.inside.total() >= self.limits.connections:
            return f"The server has {self.limits.connections} HTTP connections already (limits.connections)."
        if self.inside[address] >= self.limits.connections_per_address:
            most = self.limits.connections_per_address
            return f"{most} connections from one address are the most (limits.connections_per_address)."
        return None


class _Handler(web.RequestHandler):
    """aiohttp's own; what it refuses before there is a request for us has the body of every error."""

    __slots__ = ()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what could not be read."""
        if isinstance(exc, UnicodeError):  # bytes in a header that are no text, and aiohttp repeats them
            status, message = 400, "a header is not UTF-8"
            exc = HttpProcessingError(code=status, message=message)
        super().handle_error(request, status, exc, message)  # logs it, and raises where a reply has begun already
        reason = (message or "").partition(":\n")[0]
        unread = BadRequest(f"This HTTP request cannot be read: {reason}.")
        reply = response(unread if status < 500 else Internal(MISTAKE))
        reply.force_close()
        return reply


class _Visitor(asyncio.Protocol):
    """One connection; what it says goes to aiohttp's handler."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance
        self._handler: web.RequestHandler | None = None
        self._address = ""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, or tell it why not."""
        assert isinstance(transport, asyncio.Transport), "a visitor is a stream"
        peer = transport.get_extra_info("peername")
        self._address = peer[0] if peer else ""
        if (why := self._entrance.refusal(self._address)) is not None:
            transport.write(_told(Busy(why)))
            transport.close()
            return
        self._entrance.inside[self._address] += 1
        self._handler = self._entrance.handler()
        self._handler.connection_made(transport)
        seconds = self._entrance.limits.event
        self._timer = asyncio.get_running_loop().call_later(seconds, self._expire, transport)

    def _expire(self, transport: asyncio.Transport) -> None:
        if self._handler not in self._entrance.known:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let it go."""
        if self._handler is None:
            return
        assert self._timer is not None, "who was let in has a deadline"
        self._timer.cancel()
        self._entrance.inside[self._address] -= 1
        if not self._entrance.inside[self._address]:
            del self._entrance.inside[self._address]
        self._entrance.known.discard(self._handler)
        self._handler.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on what it says."""
        if self._handler is not None:
            self._handler.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass on that it says no more."""
        if self._handler is not None:
            self._handler.eof_received()
        return None

    def pause_writing(self) -> None:
        """Pass on that it reads more slowly than we write."""
        if self._handler is not None:
            self._handler.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that it has read."""
        if self._handler is not None:
            self._handler.resume_writing()


def _told(error: Busy) -> bytes:
    content = to_json(body(error)).encode()
    head = f"HTTP/1.1 {STATUS[error.code]} Too Many Requests\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
    return f"{head}Content-Length: {len(content)}\r\nConnection: close\r\n\r\n".encode() + content
