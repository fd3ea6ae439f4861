"""Server-sent events: JSON that arrives piece by piece over one HTTP reply."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from wyoming_voice.errors import VoiceError

from .bridge import STREAMING
from .problem import body
from .reply import to_json, write


class EventStream:
    """A reply that is open for events."""

    def __init__(self, request: web.Request, reply: web.StreamResponse) -> None:
        self._request = request
        self.reply = reply

    async def send(self, event: Mapping[str, Any]) -> None:
        """Send one event; raises Deadline when the client does not read."""
        await write(self._request, self.reply, b"data: " + to_json(event).encode() + b"\n\n")


@asynccontextmanager
async def event_stream(request: web.Request, headers: Mapping[str, str] | None = None) -> AsyncIterator[EventStream]:
    """Open a reply for events. An error inside the block becomes the last event: OpenAI's clients raise it."""
    reply = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream; charset=utf-8",
            "Cache-Control": "no-cache",
            "X-Accel-Buffering": "no",  # or nginx keeps the events back
            **(headers or {}),
        }
    )
    await reply.prepare(request)
    request[STREAMING] = reply
    stream = EventStream(request, reply)
    try:
        yield stream
    except VoiceError as error:
        await stream.send(body(error))
    await reply.write_eof()
