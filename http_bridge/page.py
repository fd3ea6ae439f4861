"""The web page and Swagger UI: files of this package and of flask-swagger-ui, and nothing from another host.

All their addresses are relative, so that they work behind a prefix such as Home Assistant's ingress.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from aiohttp import web

from wyoming_voice.errors import EngineUnavailable

from .bridge import bridge_of
from .reply import file_reply
from .route import Route

_FOLDER: Final = Path(__file__).parent / "web"
_FILES: Final = {path.name: path for path in _FOLDER.iterdir() if path.is_file()}
_MIMES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
"""Said by us: some machines' own tables have none, or a wrong one, and a browser runs no module of another type."""


def _swagger() -> Mapping[str, Path]:
    """Find the files of Swagger UI in the installed package, which is never imported: it would want Flask."""
    spec = find_spec("flask_swagger_ui")
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    found = [Path(place) / "dist" / name for place in places for name in ("swagger-ui-bundle.js", "swagger-ui.css")]
    return {path.name: path for path in found if path.is_file()}


_SWAGGER: Final = _swagger()


async def index(request: web.Request) -> web.StreamResponse:
    """Show the web page."""
    return _file(request, _FILES["index.html"])


async def asset(request: web.Request) -> web.StreamResponse:
    """Fetch a part of the web page."""
    return _known(request, _FILES)


async def docs(request: web.Request) -> web.StreamResponse:
    """Show this description as a page in which every request can be tried."""
    if not _SWAGGER:
        raise EngineUnavailable("Swagger UI is not installed. Run: pip install flask-swagger-ui")
    return _file(request, _FILES["docs.html"])


async def docs_asset(request: web.Request) -> web.StreamResponse:
    """Fetch a part of Swagger UI."""
    return _known(request, _SWAGGER)


def _known(request: web.Request, files: Mapping[str, Path]) -> web.StreamResponse:
    path = files.get(request.match_info["name"])
    if path is None:
        raise web.HTTPNotFound
    return _file(request, path)


def _file(request: web.Request, path: Path) -> web.StreamResponse:
    headers = {
        "Content-Type": _MIMES[path.suffix],
        "Cache-Control": "no-cache",  # asked for again each time, and answered with 304
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    if path.suffix == ".html":
        headers["Content-Security-Policy"] = _policy(bridge_of(request).settings.bridge.cors)
    return file_reply(request, path, headers)


def _policy(friends: tuple[str, ...]) -> str:
    """Let the page load from here alone, and be framed by Home Assistant's ingress (same origin) and our friends."""
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",  # Swagger UI draws its icons so
            "font-src 'self' data:",
            "connect-src 'self' blob:",
            "media-src 'self' blob:",
            "base-uri 'none'",
            "form-action 'none'",
            " ".join(["frame-ancestors 'self'", *friends]),
        ]
    )


ROUTES: Final = (
    Route("GET", "/", index, "The web page", media="text/html"),
    Route("GET", "/web/{name}", asset, "A part of the web page", media="text/javascript"),
    Route("GET", "/docs", docs, "This description, to try out", media="text/html"),
    Route("GET", "/docs/{name}", docs_asset, "A part of Swagger UI", media="text/javascript"),
)
