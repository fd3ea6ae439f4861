"""What all WebSocket routes share: a peer that is read and written within limits, and errors as close codes."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import ExitStack, suppress
from typing import Any, Final

from aiohttp import WSMsgType, web

from wyoming_voice.errors import BadRequest, Deadline, UnsupportedAudio, VoiceError
from wyoming_voice.wire import MOST_CONTAINERS

from .bridge import STREAMING, bridge_of
from .problem import CLOSE
from .reply import to_json

_PROTOCOLS: Final = ("token", "bearer", "Token", "Bearer")
"""Subprotocols that a browser sends with its key (auth.py reads it); the first is named in the answer."""
_REASON: Final = 123  # bytes of a close frame's reason (RFC 6455, 5.5)
_GOODBYE_SECONDS: Final = 2.0
_MOST_WARNINGS: Final = 32  # mistakes of one client, until it is closed


class Left(Exception):
    """The client has gone."""


class Socket:
    """One client."""

    def __init__(self, peer: web.WebSocketResponse, request: web.Request, goodbye: str) -> None:
        self._peer = peer
        self._request = request
        self._goodbye: str | None = goodbye
        self._waiting: asyncio.Timeout | None = None
        self.stopping = False
        """Whether the server is."""
        self._write_seconds = bridge_of(request).settings.limits.write
        self._warnings = 0
        self.sent_at = 0.0
        """When the last bytes went out, by the event loop's clock."""

    async def receive(self, seconds: float) -> str | bytes:
        """Wait for a message; raises Left, and Deadline after so many seconds of silence in both directions."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            left = max(began, self.sent_at) + seconds - loop.time()
            if left <= 0:
                raise Deadline(f"Nothing was said for {seconds:g} seconds.")
            if self.stopping and self._goodbye is not None:
                goodbye, self._goodbye = self._goodbye, None
                return goodbye
            try:
                async with asyncio.timeout(left) as self._waiting:
                    message = await self._peer.receive()
            except TimeoutError:
                continue
            finally:
                self._waiting = None
            if message.type is WSMsgType.TEXT or message.type is WSMsgType.BINARY:
                content: str | bytes = message.data
                return content
            raise Left

    def stop(self) -> None:
        """Take the client to have said goodbye: what it asked for is done first."""
        self.stopping = True
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def send(self, message: Mapping[str, object]) -> None:
        """Send a JSON message; raises Left, also when the client does not read for ``limits.write`` seconds."""
        await self._write(self._peer.send_str(to_json(message)))

    async def send_audio(self, frame: bytes) -> None:
        """Send a binary message; raises Left, also when the client does not read for ``limits.write`` seconds."""
        await self._write(self._peer.send_bytes(frame))

    async def warn(self, code: str, description: str) -> None:
        """Tell the client of a mistake that does no harm; raises BadRequest when it makes nothing else."""
        self._warnings += 1
        if self._warnings > _MOST_WARNINGS:
            raise BadRequest(f"{_MOST_WARNINGS} messages made no sense; the last: {description}")
        await self.send({"type": "Warning", "code": code, "description": description})

    async def close(self, code: int, reason: str = "") -> None:
        """Say goodbye, and hang up when that takes too long."""
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS * 2):
                await self._peer.close(code=code, message=reason.encode()[:_REASON].decode(errors="ignore").encode())
        except TimeoutError:
            self._hang_up()

    async def _write(self, sending: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(self._write_seconds):
                await sending
        except (TimeoutError, ConnectionError):
            self._hang_up()
            raise Left from None
        self.sent_at = asyncio.get_running_loop().time()

    def _hang_up(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()


async def serve(
    request: web.Request,
    talk: Callable[[Socket], Awaitable[None]],
    *,
    largest: int,
    heartbeat: float | None,
    say_errors: bool,
    goodbye: str = '{"type": "Close"}',
) -> web.WebSocketResponse:
    """Turn the request into a WebSocket and talk; then close it, with the code that an error has.

    ``largest`` is the bytes of a message. ``heartbeat`` is the seconds between two pings; None for a client that must
    speak up by itself. ``say_errors``: an error is also a message, ``Error{code, message}``, before the close.
    ``goodbye`` is the message that ends a session in order; it is taken for said when the server stops.
    """
    peer = web.WebSocketResponse(
        compress=False,  # audio does not become smaller, only later
        protocols=_PROTOCOLS,
        heartbeat=heartbeat,
        max_msg_size=largest,
        timeout=_GOODBYE_SECONDS,
    )
    try:
        await peer.prepare(request)
    except (web.HTTPBadRequest, ValueError):  # ValueError: a key, or what an error would repeat, is not ASCII
        raise BadRequest("This address is a WebSocket, and the request is not the handshake of one.") from None
    request[STREAMING] = peer
    socket = Socket(peer, request, goodbye)
    bridge = bridge_of(request)
    bridge.sessions.add(socket)
    with suppress(Left), ExitStack() as stack:
        stack.callback(bridge.sessions.discard, socket)
        try:
            with bridge.told_of_the_end():
                await talk(socket)
        except VoiceError as error:
            if say_errors:
                await socket.send({"type": "Error", "code": error.code, "message": error.text})
            await socket.close(CLOSE[error.code], error.text)
        else:
            await socket.close(1001 if socket.stopping else 1000)
    return peer


async def side_by_side(working: Coroutine[Any, Any, None], *others: Coroutine[Any, Any, None]) -> None:
    """Run until the work is done, or one of them raises; the others are cancelled."""
    work = asyncio.create_task(working, name="work for a socket")
    tasks = [work, *(asyncio.create_task(other, name="read a socket") for other in others)]
    pending = set(tasks)
    try:
        while work in pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:  # what the work says comes first
                if task in done:
                    task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def parse(message: str | bytes) -> dict[str, object] | str:
    """Read a JSON object with a ``type``; returns a sentence about what is wrong with it. Raises UnsupportedAudio."""
    if isinstance(message, bytes):
        raise UnsupportedAudio("This socket takes JSON messages in text frames, and no binary ones.")
    if len(message) > MOST_CONTAINERS < message.count("[") + message.count("{"):
        return f"A message may have {MOST_CONTAINERS} opening brackets."
    try:
        content = json.loads(message)
    except (ValueError, RecursionError):
        return "The message is not JSON."
    if not isinstance(content, dict) or not isinstance(content.get("type"), str):
        return "A message must be a JSON object with a 'type'."
    return content
