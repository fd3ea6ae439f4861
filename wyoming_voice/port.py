"""Whether the server's ports are free, and who answers there if not. Every wait has a deadline."""

import asyncio
import errno
import os
from pathlib import Path
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from wyoming.info import Info

from . import __version__, client
from .config import Settings
from .errors import Deadline, VoiceError
from .machine import ANSWER_SECONDS, Finding, milliseconds
from .server import parse_uri

_OTHER_PORT: Final = "stop it, or set server.uri to another port"


async def wyoming_port(settings: Settings) -> tuple[Finding, bool]:
    """See whether the server could listen, or already does; returns that too."""
    uri = settings.server.uri
    where = parse_uri(uri)
    if isinstance(where, Path):
        if not where.exists():
            free = os.access(where.parent, os.W_OK)
            text = f"{uri} is free" if free else f"{where.parent} cannot be written to; set server.uri"
            return Finding("✓" if free else "✗", f"Wyoming: {text}"), False
    elif (reason := await _taken(*where)) is None:
        return Finding("✓", f"Wyoming: {uri} is free; start the server with ./run.sh"), False
    elif reason != errno.EADDRINUSE:
        return Finding("✗", f"Wyoming: cannot listen at {uri}: {os.strerror(reason)}; set server.uri"), False
    else:
        uri = f"tcp://{_reachable(where[0])}:{where[1]}"
    started = monotonic()
    try:
        info = await ask(uri)
    except VoiceError as error:
        if isinstance(where, Path) and where.is_socket() and isinstance(error.__cause__, ConnectionRefusedError):
            return Finding("✓", f"Wyoming: {uri} was left by a server that ended; the next one replaces it"), False
        return Finding("✗", f"Wyoming: {uri} is taken by a program that is no Wyoming server; {_OTHER_PORT}"), False
    return _who(info, uri, milliseconds(monotonic() - started))


async def ask(uri: str) -> Info:
    """Have a Wyoming server describe itself; raises VoiceError, also when it keeps talking of other things."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await client.describe(uri, ANSWER_SECONDS)
    except TimeoutError:
        raise Deadline(f"no answer within {ANSWER_SECONDS:g} s") from None


def _who(info: Info, uri: str, took: str) -> tuple[Finding, bool]:
    """Tell our server from others: its programs are attributed to this project."""
    programs = [*info.tts, *info.asr]
    ours = [program for program in programs if program.attribution.name == "wyoming-voice"]
    if not ours:
        names = ", ".join(dict.fromkeys(program.name for program in programs)) or "without a name"
        return Finding("✗", f"Wyoming: {uri} is taken by another Wyoming server ({names}); {_OTHER_PORT}"), False
    running = ours[0].version
    answers = f"Wyoming: the server wyoming-voice {running} answers at {uri} in {took}"
    if running != __version__:
        return Finding("!", f"{answers}; this is {__version__}, so start it again"), True
    return Finding("✓", answers), True


async def http_port(settings: Settings, *, serving: bool) -> Finding:
    """See whether the HTTP bridge could listen, or who does; ``serving``: our server runs."""
    if settings.http == "off":
        return Finding("✓", "HTTP: off")
    parts = urlsplit(f"//{settings.http}")
    host, port = str(parts.hostname), parts.port or 0
    reason = await _taken(host, port)
    if reason is None:
        more = "; the running server does not listen there" if serving else ""
        return Finding("!" if serving else "✓", f"HTTP: {settings.http} is free{more}")
    if reason != errno.EADDRINUSE:
        return Finding("✗", f"HTTP: cannot listen at {settings.http}: {os.strerror(reason)}; set http")
    if serving and (status := await _http_status(settings, f"{_reachable(host)}:{port}")):
        return Finding("✓", f"HTTP: the bridge answers at {settings.http} (status {status})")
    return Finding("✗", f"HTTP: {settings.http} is taken by another program; stop it, or set http to another port")


async def _http_status(settings: Settings, address: str) -> int | None:
    scheme = "https" if settings.bridge.tls.certificate else "http"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(ANSWER_SECONDS)) as session,
            session.get(f"{scheme}://{address}/health", ssl=False) as reply,  # who answers, not whether it is trusted
        ):
            return reply.status
    except (aiohttp.ClientError, TimeoutError):
        return None


async def _taken(host: str, port: int) -> int | None:
    """Try to listen as the server would; returns what the system says against it."""
    try:
        server = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, port, start_serving=False)
    except OSError as error:
        return error.errno or errno.EADDRNOTAVAIL
    server.close()
    await server.wait_closed()
    return None


def _reachable(host: str) -> str:
    """Give the address at which a server that listens on every one is asked."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host
