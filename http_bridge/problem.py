"""How errors are spelled over HTTP and WebSocket: one table, one body, everywhere."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from wyoming_voice.errors import Busy, Internal, TooLarge, VoiceError

from .bridge import REQUEST_ID, STREAMING, bridge_of
from .reply import json_reply

_LOGGER = logging.getLogger(__name__)

STATUS: Final = {
    "bad-request": 400,
    "unauthorized": 401,
    "unknown-voice": 404,
    "unknown-engine": 404,
    "too-large": 413,
    "unsupported-audio": 415,
    "busy": 429,
    "engine-unavailable": 503,
    "worker-lost": 502,
    "deadline": 504,
    "internal": 500,
}
"""HTTP status of every error code; a test walks the errors."""

CLOSE: Final = {
    "bad-request": 1008,
    "unauthorized": 1008,
    "unknown-voice": 1008,
    "unknown-engine": 1008,
    "too-large": 1009,
    "unsupported-audio": 1003,
    "busy": 1013,
    "engine-unavailable": 1013,
    "worker-lost": 1011,
    "deadline": 1011,
    "internal": 1011,
}
"""WebSocket close code of every error code."""

_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}

_PARAMS: Final = {"unknown-voice": "voice", "unknown-engine": "model"}

MISTAKE: Final = "The server made a mistake; its log says more."

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FieldError(VoiceError):
    """A field of the request is wrong."""

    code = "bad-request"

    def __init__(self, text: str, param: str | None) -> None:
        super().__init__(text)
        self.param = param


def body(error: VoiceError) -> dict[str, dict[str, str | None]]:
    """Build the one body that every error has, OpenAI's."""
    status = STATUS[error.code]
    return {
        "error": {
            "message": error.text,
            "type": _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error"),
            "param": error.param if isinstance(error, FieldError) else _PARAMS.get(error.code),
            "code": error.code,
        }
    }


def response(error: VoiceError) -> web.Response:
    """Build the reply for an error."""
    headers = {"Retry-After": str(math.ceil(error.retry_after))} if isinstance(error, Busy) else {}
    if error.code == "unauthorized":
        headers["WWW-Authenticate"] = "Bearer"
    return json_reply(body(error), status=STATUS[error.code], headers=headers)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a route raises into its reply; after the first byte has gone, break off, so that it shows."""
    try:
        with bridge_of(request).told_of_the_end():
            return await handler(request)
    except web.HTTPException as error:
        return _http_problem(error)
    except VoiceError as error:
        failure = error
    except asyncio.CancelledError:
        raise  # the client has left
    except ConnectionError:
        return _broken_off(request)  # so it has, and aiohttp would log a mistake of ours
    except Exception:
        name = request.get(REQUEST_ID, "")
        _LOGGER.exception("%s %s %s ended by a mistake of the server", name, request.method, request.path)
        failure = Internal(MISTAKE)
    return _broken_off(request) if STREAMING in request else response(failure)


def _broken_off(request: web.Request) -> web.StreamResponse:
    """Close the connection in the middle of a reply, which is how a client sees that it is not whole."""
    if request.transport is not None:
        request.transport.abort()
    return request.get(STREAMING) or web.Response()


def _http_problem(error: web.HTTPException) -> web.StreamResponse:
    """Give aiohttp's own refusals (404, 405, 413) the same body."""
    if error.status < 400:
        raise error
    if error.status == 413:
        return response(TooLarge("The request is larger than it may be (limits.upload)."))
    text = {
        404: "There is nothing at this address; /docs lists what there is.",
        405: "This address does not take this method.",
    }
    message = text.get(error.status, error.reason)
    kind = _TYPES.get(error.status, "invalid_request_error")
    described = {"error": {"message": message, "type": kind, "param": None, "code": "bad-request"}}
    kept = {name: value for name, value in error.headers.items() if name == "Allow"}
    return json_reply(described, status=error.status, headers=kept)
