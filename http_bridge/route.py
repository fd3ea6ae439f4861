"""A route and what the description of the API says of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Route:
    """An address, its handler, and its contract."""

    method: str
    path: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    summary: str
    request: type[BaseModel] | None = None
    """The JSON body."""
    form: type[BaseModel] | None = None
    """The fields of a multipart body, beside its ``file``."""
    query: type[BaseModel] | None = None
    reply: type[BaseModel] | None = None
    """The JSON reply; None: ``media``."""
    media: str = "application/json"
    """The reply's media type."""
    also: tuple[str, ...] = ()
    """Other media types that a request may choose."""
    unready: type[BaseModel] | None = None
    """The JSON reply with status 503, where that is no error."""
    body: str | None = None
    """The media type of a body that is neither JSON nor a form."""
    websocket: bool = False
