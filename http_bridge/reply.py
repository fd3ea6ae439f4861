"""What goes back: JSON as people read it (Russian stays Russian), and streams with a deadline for who reads them."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from wyoming_voice.errors import BadRequest, Deadline

from .bridge import bridge_of


def to_json(value: object) -> str:
    """Write JSON; what a client sent that is no text, and an error repeats, is shown as question marks."""
    return json.dumps(value, ensure_ascii=False).encode(errors="replace").decode()


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


def file_reply(request: web.Request, path: Path, headers: Mapping[str, str]) -> web.FileResponse:
    """Build a reply with a file, or the part of it that is asked for; raises BadRequest."""
    try:
        _ = request.if_modified_since, request.if_unmodified_since, request.if_range
    except OverflowError:  # of no calendar: aiohttp would stumble over it when nobody can be told any more
        raise BadRequest("A date in the headers of this request is none.") from None
    return web.FileResponse(path, headers=headers)
