"""Run the server until it is told to stop: once to let speech under way finish, twice to end now."""

import argparse
import asyncio
import gc
import re
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol

from .app import App, open_app, open_server
from .config import Settings
from .discovery import announced
from .errors import BadRequest
from .invocation import typed
from .reload import on_hangup
from .server import Server
from .voices import Catalogue, first_of, matches

if TYPE_CHECKING:
    from http_bridge.server import BridgeServer

    from .handlers.mqtt import MqttDoor


_OTHER_DESCRIPTORS: Final = 512
"""For workers, files and libraries."""


_SOON: Final = 0.1  # seconds that need no explanation


class Door(Protocol):
    """A front door that lets what is under way finish."""

    async def drain(self, seconds: float) -> None:
        """Refuse new work from now on, and give the requests under way so many seconds to end."""
        ...


async def serve(settings: Settings, chosen: argparse.Namespace) -> int:
    """Open the front doors and wait for a signal to stop; SIGHUP reads the configuration again."""
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, number)
    _allow_descriptors(2 * settings.limits.connections + _OTHER_DESCRIPTORS)
    async with open_app(settings, chosen.read) as app:
        try:
            async with AsyncExitStack() as stack:
                reloading = on_hangup(app, lambda: signals.put_nowait(signal.SIGHUP))
                stack.callback(reloading.cancel)
                server = await stack.enter_async_context(open_server(app))
                bridge = await _open_bridge(app, stack)
                mqtt = await _open_mqtt(app, stack)
                _announce(app, server, bridge)
                gc.collect()
                gc.freeze()  # what is there now stays; a collection need not look at it, and keeps nobody waiting
                async with announced(settings, server.uris):
                    await signals.get()
                await _drain(server, [door for door in (bridge, mqtt) if door], settings.server.drain_timeout, signals)
        except OSError as error:
            raise BadRequest(
                f"Cannot listen{_where(error)}. Is it running already? "
                "Other addresses: --uri tcp://0.0.0.0:PORT --http HOST:PORT"
            ) from error
    return 0


def _where(error: OSError) -> str:
    """Say where nobody can listen, and why, of what asyncio says in a roundabout way."""
    said = error.strerror or str(error)
    bound = re.search(r"\('([^']+)', (\d+)[^)]*\): (.+)", said)
    return f" at {bound[1]}:{bound[2]}: {bound[3]}" if bound else f": {said}"


def _allow_descriptors(wanted: int) -> None:
    """Let this process have so many, as far as the machine does: a shell's usual 1,024 are less than two doors hold."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def _open_bridge(app: App, stack: AsyncExitStack) -> "BridgeServer | None":
    """Open the HTTP door where the settings want one; else its libraries are not imported."""
    if app.settings.http == "off":
        return None
    # In a thread, behind the other door: `describe` is answered while aiohttp and the codecs are imported.
    http = await asyncio.to_thread(import_module, "http_bridge.server")
    bridge: BridgeServer = await stack.enter_async_context(http.open_bridge(app))
    return bridge


async def _open_mqtt(app: App, stack: AsyncExitStack) -> "MqttDoor | None":
    """Open the MQTT door where a broker is named; where none is, its libraries are not imported either."""
    if app.settings.mqtt.broker is None:
        return None
    mqtt = await asyncio.to_thread(import_module, "wyoming_voice.handlers.mqtt")
    door: MqttDoor = await stack.enter_async_context(mqtt.open_mqtt(app))
    return door


async def _drain(
    server: Server, others: Sequence[Door], seconds: float, signals: "asyncio.Queue[signal.Signals]"
) -> None:
    drained = asyncio.create_task(_drain_doors([server, *others], seconds), name="drain")
    again = asyncio.create_task(signals.get(), name="second signal")
    done, _ = await asyncio.wait([drained, again], timeout=_SOON, return_when=asyncio.FIRST_COMPLETED)
    if not done:
        print(f"Stopping: what is being spoken has {seconds:g} s to finish; once more ends it now.", file=sys.stderr)
    await asyncio.wait([drained, again], return_when=asyncio.FIRST_COMPLETED)
    for task in (drained, again):
        task.cancel()
    await asyncio.wait([drained, again])


async def _drain_doors(doors: Sequence[Door], seconds: float) -> None:
    await asyncio.gather(*(door.drain(seconds) for door in doors))


def _announce(app: App, server: Server, bridge: "BridgeServer | None") -> None:
    catalogue = app.voices.catalogue
    lines = [
        f"Wyoming Voice listens at {', '.join(server.uris)}",
        *([] if bridge is None else [f"  web page and HTTP API: {bridge.url}"]),
        *_speaks(catalogue),
        *_hears(catalogue),
        *(f"  {key}: {sentence}" for key, sentence in catalogue.mistaken.items()),
        _next(server.uris[0].rpartition(":")[2]),
        'Or: ./run.sh say "Привет, мир!"   ./run.sh voices   ./run.sh doctor',
    ]
    print(typed("\n".join(lines)), flush=True)


def _next(port: str) -> str:
    return (
        "Next: in Home Assistant, Settings → Devices & services → Add integration → Wyoming Protocol, "
        f"this machine's address and port {port}."
    )


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
            reasons = first_of([(model.name, model.missing) for model in able if model.missing])
            lines.append(f"  hears  {language}: not yet. {reasons or catalogue.advice('asr')}")
    return lines
