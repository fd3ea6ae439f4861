"""Measure, and print the tables: ``python -m bench [TABLE…]``."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

from .accuracy import accuracy
from .activity import activity
from .ahead import ahead
from .clients import clients, limit
from .describing import connections, describing
from .engines import engines
from .http import http, streams
from .latency import latency
from .listening import listening
from .long import long
from .normalize import text
from .outside import outside
from .report import Table, machine, progress
from .scaling import scaling, starting
from .start import start
from .steps import steps
from .upload import upload

TABLES: Final[dict[str, tuple[Callable[[], Awaitable[Table]], ...]]] = {
    "latency": (latency,),
    "describe": (describing, connections),
    "clients": (clients, limit),
    "listening": (listening,),
    "ahead": (ahead,),
    "activity": (activity,),
    "long": (long,),
    "text": (text, steps),
    "accuracy": (accuracy,),
    "engines": (engines,),
    "outside": (outside,),
    "start": (start,),
    "scaling": (scaling, starting),
    "http": (http,),
    "streams": (streams,),
    "upload": (upload,),
}


async def _measure(names: list[str]) -> None:
    for name in names:
        progress(f"{name} …")
        started = monotonic()
        for measure in TABLES[name]:
            print(f"{await measure()}\n", flush=True)
        progress(f"{name}: {monotonic() - started:.0f} s")


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run.sh bench", description="Measure this machine; see docs/benchmarks.md.")
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"only these: {', '.join(TABLES)}")
    asked = parser.parse_args().tables
    unknown = [name for name in asked if name not in TABLES]
    if unknown:
        parser.error(f"no such table: {', '.join(unknown)}; there are {', '.join(TABLES)}")
    print(f"{machine()}\n", flush=True)
    asyncio.run(_measure(asked or list(TABLES)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
