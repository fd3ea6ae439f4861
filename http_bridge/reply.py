"""What goes back: JSON as people read it (Russian stays Russian), and streams with a deadline for who reads them."""

import asyncio
import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from wyoming_voice.errors import Deadline

from .bridge import bridge_of

to_json = partial(json.dumps, ensure_ascii=False)


def json_reply(
    value: BaseModel | Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Build a JSON reply; a model's fields without a value are left out."""
    plain = value.model_dump(exclude_none=True) if isinstance(value, BaseModel) else value
    return web.json_response(plain, status=status, headers=headers, dumps=to_json)


async def write(request: web.Request, reply: web.StreamResponse, content: bytes) -> None:
    """Write some of a stream; raises Deadline when the client does not read it in time."""
    seconds = bridge_of(request).settings.limits.write
    try:
        async with asyncio.timeout(seconds):
            await reply.write(content)
    except TimeoutError:
        raise Deadline(f"What was sent was not read for {seconds:g} s (limits.write).") from None
