"""The description of the API, made of the routes themselves, and Swagger UI over it from an installed package."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from wyoming_voice import __version__

from .reply import json_reply
from .route import Route

_REF: Final = "#/components/schemas/{model}"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_GROUPS: Final = {
    "/tts": "Speak",
    "/outputs": "Speak",
    "/stt": "Listen",
    "/v1/audio": "OpenAI",
    "/v1/models": "OpenAI",
    "/v1/": "Deepgram",
}
_OTHERS: Final = "Server"
_PAGE: Final = "Web page"
_SWITCHED: Final = {"101": {"description": "A WebSocket from here on; OpenAPI has no words for what it says"}}
_PROBLEMS: Final = {
    400: "The request makes no sense as it stands",
    401: "A token is missing or wrong",
    403: "A page of another site may not do this",
    404: "There is no such thing",
    413: "More text, audio or bytes than a request may have",
    415: "Audio that cannot be decoded",
    429: "The queue is full; Retry-After says when to come again",
    500: "A mistake of the server",
    502: "The process that did the work ended",
    503: "Not installed, not loaded, or the server is stopping",
    504: "Somebody took longer than they may",
}


class Problem(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None = None
    code: str


class ProblemReply(BaseModel):
    """The body of every error."""

    error: Problem


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """Build the OpenAPI 3.1 document of these routes."""
    routes = list(routes)
    models = {model for route in routes for model in (route.request, route.form, route.reply, route.unready) if model}
    chosen = sorted(models | {ProblemReply}, key=lambda model: model.__name__)
    references, schemas = models_json_schema([(model, "validation") for model in chosen], ref_template=_REF)
    named = {model: references[model, "validation"] for model in chosen}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, named)
    return {
        "openapi": "3.1.0",
        "info": {"title": "wyoming-voice", "version": __version__, "description": _introduction(routes)},
        "servers": [{"url": "."}],
        "tags": [{"name": name} for name in dict.fromkeys([*_GROUPS.values(), _OTHERS, _PAGE])],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _group(route: Route) -> str:
    if route.path == "/" or route.path.startswith(("/web", "/docs", "/openapi")):
        return _PAGE
    return next((name for start, name in _GROUPS.items() if route.path.startswith(start)), _OTHERS)


def _introduction(routes: Iterable[Route]) -> str:
    sockets = "\n".join(f"* `{route.path}`: {route.summary}" for route in routes if route.websocket)
    return f"Speech to text and text to speech on your own machine.\n\nWebSockets:\n\n{sockets}" if sockets else ""


def _operation(route: Route, named: Mapping[type[BaseModel], Any]) -> dict[str, Any]:
    content: dict[str, Any] = {essence(media): {} for media in (route.media, *route.also)}
    if route.reply:
        content["application/json"] = {"schema": named[route.reply]}
    problems = {"content": {"application/json": {"schema": named[ProblemReply]}}}
    described: dict[str, Any] = {
        "tags": [_group(route)],
        "summary": route.summary,
        "description": (route.handler.__doc__ or "").strip(),
        "operationId": f"{route.method.lower()}_{re.sub(r'[^a-z0-9]+', '_', route.path.lower()).strip('_')}",
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": {
            **(_SWITCHED if route.websocket else {"200": {"description": "It worked", "content": content}}),
            **{str(status): {"description": text, **problems} for status, text in _PROBLEMS.items()},
        },
    }
    if route.unready:
        either = {"anyOf": [named[route.unready], named[ProblemReply]]}
        described["responses"]["503"]["content"] = {"application/json": {"schema": either}}
    if body := _body(route, named):
        described["requestBody"] = {"required": True, "content": body}
    return described


def essence(media: str) -> str:
    """Return a media type without its parameters."""
    return media.partition(";")[0]


def _path_parameters(route: Route) -> Iterable[dict[str, Any]]:
    for name in _PARAMETER.findall(route.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(route: Route) -> Iterable[dict[str, Any]]:
    if route.query is not None:
        schema = route.query.model_json_schema()
        for name, described in schema["properties"].items():
            required = name in schema.get("required", ())
            yield {"name": name, "in": "query", "required": required, "schema": described}


def _body(route: Route, named: Mapping[type[BaseModel], Any]) -> dict[str, Any]:
    if route.request is not None:
        return {"application/json": {"schema": named[route.request]}}
    if route.form is not None:
        file = {
            "type": "object",
            "required": ["file"],
            "properties": {"file": {"type": "string", "format": "binary", "description": "The recording"}},
        }
        return {"multipart/form-data": {"schema": {"allOf": [file, named[route.form]]}}}
    return {route.body: {"schema": {"type": "string", "format": "binary"}}} if route.body else {}


def description_route(routes: Iterable[Route]) -> Route:
    """Build the route that serves the document, which describes that one too."""

    async def openapi(_request: web.Request) -> web.StreamResponse:
        """Describe the API."""
        return json_reply(document)

    route = Route("GET", "/openapi.json", openapi, "The description of this API")
    document = describe((*routes, route))
    return route
