"""JSON as people read it: Russian stays Russian."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from aiohttp import web
from pydantic import BaseModel

to_json = partial(json.dumps, ensure_ascii=False)


def json_reply(
    value: BaseModel | Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Build a JSON reply; a model's fields without a value are left out."""
    plain = value.model_dump(exclude_none=True) if isinstance(value, BaseModel) else value
    return web.json_response(plain, status=status, headers=headers, dumps=to_json)
