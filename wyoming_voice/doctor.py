"""Check the installation: one line for each finding, and what to do about it. Every wait has a deadline.

What needs other packages than ``cli.py`` does is imported once they are known to be there.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing, suppress
from time import monotonic
from typing import TYPE_CHECKING, Final, NoReturn

from . import __version__
from .config import Settings
from .invocation import typed
from .machine import ANSWER_SECONDS, Finding, configuration, folder, gpu, packages

if TYPE_CHECKING:
    from .launch import ProcessLauncher
    from .voices import Catalogue, Place

_AT_ONCE: Final = 4
"""Engines that load at the same time, if there are as many cores: each takes memory."""
_TELL_SECONDS: Final = 0.5
_COLOURS: Final = {"✓": "32", "!": "33", "✗": "31"}


async def doctor(settings: Settings, chosen: argparse.Namespace) -> int:
    """Check everything and print as it goes; returns 1 when something does not work."""
    wrong = 0
    async with aclosing(_findings(settings, chosen.config)) as findings:
        async for finding in findings:
            _progress("")
            print(f"{_mark(finding.mark)} {typed(finding.text)}", flush=True)
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
    from .rehearsal import rehearse  # noqa: PLC0415
    from .trial import languages  # noqa: PLC0415

    async with open_app(settings) as app:
        _progress("looking for engines …")
        with suppress(TimeoutError):  # a server elsewhere that keeps us waiting is named below
            async with asyncio.timeout(2 * ANSWER_SECONDS):
                await app.voices.look()
        catalogue = app.voices.catalogue
        with ProcessLauncher(settings.data_dir) as launcher:
            async with aclosing(_tried(catalogue, launcher)) as tried:
                async for finding in tried:
                    yield finding
    for finding in languages(catalogue):
        yield finding
    yield await rehearse(settings.listening.vad)
    _progress("looking at the ports …")
    finding, serving = await wyoming_port(settings)
    yield finding
    yield await http_port(settings, serving=serving)


async def _tried(catalogue: "Catalogue", launcher: "ProcessLauncher") -> AsyncGenerator[Finding, None]:
    """Try all engines, several at once; yields what was found in the order of the table."""
    from .trial import trial, unasked  # noqa: PLC0415 - see above

    cores = asyncio.Semaphore(min(_AT_ONCE, os.cpu_count() or 1))
    gpu_memory = asyncio.Semaphore(1)  # each of two models may fit, and not both
    under_way: dict[str, None] = {}

    async def attempt(place: "Place") -> Finding:
        if place.settings.uri is not None:
            turn = asyncio.Semaphore(1)  # it works elsewhere, we only wait
        else:
            turn = cores if place.settings.device == "cpu" else gpu_memory
        async with turn:
            under_way[place.name] = None
            try:
                return await trial(place, catalogue, launcher)
            finally:
                del under_way[place.name]

    places = catalogue.places.values()
    others = [place.name for place in places if unasked(place, catalogue.settings)]
    tried = [place for place in places if place.name not in others]
    tasks = [asyncio.create_task(attempt(place), name=f"trial of {place.name}") for place in tried]
    telling = asyncio.create_task(_tell(under_way), name="progress")
    try:
        for task in tasks:
            yield await task
        if others:
            how = "Run: ./run.sh engines install NAME --weights"
            yield Finding("✓", f"more engines, not installed: {', '.join(others)}. {how}")
    finally:
        for task in (*tasks, telling):
            task.cancel()
        await asyncio.gather(*tasks, telling, return_exceptions=True)


async def _tell(under_way: Collection[str]) -> NoReturn:
    """Show what is being tried and for how long: the first import of torch takes a while."""
    started = monotonic()
    while True:
        _progress(f"trying {', '.join(under_way)} … {monotonic() - started:.0f} s" if under_way else "")
        await asyncio.sleep(_TELL_SECONDS)


def _mark(mark: str) -> str:
    """Colour a mark on a terminal that wants colours (https://no-color.org)."""
    plain = not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return mark if plain else f"\033[{_COLOURS[mark]}m{mark}\033[0m"


def _progress(text: str) -> None:
    """Show what is being looked at, on one line of a terminal and nowhere else."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
