"""Run the server until it is told to stop: once to let speech under way finish, twice to end now."""

import argparse
import asyncio
import signal
import sys

from .app import App, open_app, open_server
from .config import Settings
from .errors import BadRequest
from .server import Server
from .voices import Catalogue, matches


async def serve(settings: Settings, _chosen: argparse.Namespace) -> int:
    """Open the front doors and wait for a signal."""
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, number)
    async with open_app(settings) as app:
        try:
            async with open_server(app) as server:
                _announce(app, server)
                await signals.get()
                await _drain(server, settings.server.drain_timeout, signals)
        except OSError as error:
            raise BadRequest(
                f"Cannot listen at {settings.server.uri}: {error.strerror or error}. "
                "Is it running already? Another address: --uri tcp://0.0.0.0:PORT"
            ) from error
    return 0


async def _drain(server: Server, seconds: float, signals: "asyncio.Queue[signal.Signals]") -> None:
    print(f"Stopping: what is being spoken has {seconds:g} s to finish; once more ends it now.", file=sys.stderr)
    drained = asyncio.create_task(server.drain(seconds), name="drain")
    again = asyncio.create_task(signals.get(), name="second signal")
    await asyncio.wait([drained, again], return_when=asyncio.FIRST_COMPLETED)
    for task in (drained, again):
        task.cancel()
    await asyncio.wait([drained, again])


def _announce(app: App, server: Server) -> None:
    catalogue = app.voices.catalogue
    lines = [
        f"Wyoming Voice listens at {', '.join(server.uris)}",
        *_speaks(catalogue),
        *_hears(catalogue),
        "Next: in Home Assistant, Settings → Devices & services → Add integration → Wyoming Protocol, "
        f"this machine's address and port {server.uris[0].rpartition(':')[2]}.",
        'Or: ./run.sh say "Привет, мир!"   ./run.sh voices   ./run.sh doctor',
    ]
    print("\n".join(lines), flush=True)


def _speaks(catalogue: Catalogue) -> list[str]:
    lines = []
    for language in catalogue.settings.languages:
        voice = catalogue.speaking(language)
        if voice is None:
            lines.append(f"  speaks {language}: not yet; {catalogue.advice('tts')}")
        else:
            count = sum(any(matches(known, language) for known in kept) for _, kept in catalogue.offered)
            more = f" and {count - 1} more" if count > 1 else ""
            lines.append(f"  speaks {language}: {voice.name}{more}")
    return lines


def _hears(catalogue: Catalogue) -> list[str]:
    lines = []
    for language in catalogue.settings.languages:
        able = [model for model in catalogue.models if any(matches(known, language) for known in model.languages)]
        ready = [model.name for model in able if model.missing is None]
        if ready:
            lines.append(f"  hears  {language}: {', '.join(ready)}")
        else:
            reasons = [model.missing for model in able if model.missing]
            lines.append(f"  hears  {language}: not yet. {' '.join(reasons) or catalogue.advice('asr')}")
    return lines
