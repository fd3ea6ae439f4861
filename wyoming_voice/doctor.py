"""Check the installation: one line for each finding, and what to do about it. Every wait has a deadline.

What needs other packages than ``cli.py`` does is imported once they are known to be there.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Final

from . import __version__
from .config import Settings
from .machine import ANSWER_SECONDS, Finding, configuration, folder, gpu, packages

_COLOURS: Final = {"✓": "32", "!": "33", "✗": "31"}


async def doctor(settings: Settings, chosen: argparse.Namespace) -> int:
    """Check everything and print as it goes; returns 1 when something does not work."""
    wrong = 0
    async with aclosing(_findings(settings, chosen.config)) as findings:
        async for finding in findings:
            _progress("")
            print(f"{_mark(finding.mark)} {finding.text}", flush=True)
            wrong += finding.mark == "✗"
    print(f"\n{wrong} to mend: see the lines with ✗." if wrong else "\nEverything that is set up works.")
    return 1 if wrong else 0


async def _findings(settings: Settings, named: str | None) -> AsyncGenerator[Finding, None]:
    yield Finding("✓", f"wyoming-voice {__version__}, Python {sys.version.split()[0]} ({sys.executable})")
    complete = packages()
    yield complete
    yield configuration(named)
    yield folder(settings.data_dir)
    if complete.mark == "✓":
        async with aclosing(_working(settings)) as findings:
            async for finding in findings:
                yield finding
    devices = {name: engine.device for name, engine in settings.engines.items() if engine.enabled}
    yield await gpu([f"{name} ({device})" for name, device in devices.items() if device.startswith("cuda")])


async def _working(settings: Settings) -> AsyncGenerator[Finding, None]:
    """Try the engines and the ports."""
    from .app import open_app  # noqa: PLC0415 - see above
    from .launch import ProcessLauncher  # noqa: PLC0415
    from .port import http_port, wyoming_port  # noqa: PLC0415
    from .trial import languages, trial  # noqa: PLC0415

    async with open_app(settings) as app:
        with suppress(TimeoutError):  # a server elsewhere that keeps us waiting is named below
            async with asyncio.timeout(2 * ANSWER_SECONDS):
                await app.voices.look()
        catalogue = app.voices.catalogue
        with ProcessLauncher(settings.data_dir) as launcher:
            for place in catalogue.places.values():
                _progress(f"trying {place.name} …")
                yield await trial(place, catalogue, launcher)
    for finding in languages(catalogue):
        yield finding
    _progress("looking at the ports …")
    finding, serving = await wyoming_port(settings)
    yield finding
    yield await http_port(settings, serving=serving)


def _mark(mark: str) -> str:
    """Colour a mark on a terminal that wants colours (https://no-color.org)."""
    plain = not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return mark if plain else f"\033[{_COLOURS[mark]}m{mark}\033[0m"


def _progress(text: str) -> None:
    """Show what is being looked at, on one line of a terminal and nowhere else."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
