"""A crowd for a while: ``python -m bench.load [--minutes 10] [--clients 1,16,64,256] [--engines installed|fake]``.

Three tables. How long clients of every kind wait, by how many they are; whether memory and descriptors stay where they
were while a crowd asks for minutes; and whether a short command is served while others want everything. Ends with 1
where a promise was missed. ``fake`` engines take no time, so that what is measured is the server.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from time import monotonic, perf_counter
from typing import Any, Final

from wyoming_voice.engines.table import TABLE

from .ask import hear, speak
from .crowd import Crowd, Wishes
from .door import Doors, open_doors
from .fairness import fairness
from .lag import lag
from .recording import RATE, recordings
from .report import Table, machine, median, met, mib, ms, progress, quantile
from .server import CONFIG, ROOT, models, voices

_STEP_SECONDS: Final = 20.0
"""For which each number of clients asks."""
_SOAK_CLIENTS: Final = 32
_WARM: Final = 0.2
"""The share of a soak in which caches and allocators may still grow."""
_FLAT: Final = 8 * 2**20
"""Bytes that the median of a soak's last quarter may be above that of the quarter after it was warm."""


@asynccontextmanager
async def _opened(engines: str) -> AsyncIterator[tuple[Doors, Wishes]]:
    """Run a server with engines that are awake."""
    config: dict[str, Any] = {**CONFIG, "limits": {"connections": 600, "connections_per_address": 600, "audio": 4000}}
    environ: Mapping[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="wyoming-voice-soak-") as folder:
        if engines == "fake":
            environ = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'fake'}"}
            config |= {"data_dir": folder, "engines": {spec.name: {"enabled": False} for spec in TABLE}}
            wishes = Wishes("fake-en", "One two three four five.", "fake-ears", "en", _tone(2.0))
        else:
            shortest = min((one for one in recordings() if one.language == "en"), key=lambda one: one.seconds)
            voice, model = voices("en")[-1].name, models("en")[0].name
            wishes = Wishes(voice, "The light in the kitchen is on.", model, "en", shortest.pcm[: 2 * RATE * 4])
        async with open_doors(config, environ) as doors:
            await speak(doors.server.port, wishes.text, wishes.voice)
            await hear(doors.server.port, wishes.pcm, wishes.language, wishes.model)
            yield doors, wishes


def _tone(seconds: float) -> bytes:
    return b"\x00\x40\x00\xc0" * round(seconds * RATE / 2)


async def crowds(engines: str, sizes: list[int]) -> tuple[Table, bool]:
    """Measure crowds of several sizes."""
    rows = []
    for size in sizes:
        async with _opened(engines) as (doors, wishes):
            crowd = Crowd(doors, wishes)
            progress(f"{size} clients for {_STEP_SECONDS:g} s")
            async with doors.server.peak() as memory, lag(doors.server.port) as lags:
                await crowd.ask(size, _STEP_SECONDS)
            seen = crowd.seen
            waits = [
                [second for name, all_of in seen.latencies.items() if what in name for second in all_of]
                for what in ("speak", "hear")
            ]
            errors = ", ".join(f"{code} {count}" for code, count in seen.errors.items()) or "none"
            rows.append(
                (
                    *(str(size), str(seen.requests), str(seen.left)),
                    *(ms(quantile(wait, share)) if wait else "–" for wait in waits for share in (0.5, 0.95, 0.99)),
                    *(ms(quantile(lags["server"], 0.99)), ms(quantile(lags["bare"], 0.99))),
                    *(mib(memory.server), errors),
                )
            )
    return Table(
        f"Mixed clients, {engines} engines",
        (
            *("clients", "answered", "left", "first audio p50, ms", "p95", "p99", "transcript p50, ms", "p95", "p99"),
            *("ping p99, ms", "of a bare server", "server, MiB", "errors"),
        ),
        rows,
        "They speak and listen over Wyoming, HTTP and WebSocket in turn, as fast as somebody talks; a fifth of the "
        "requests is left in the middle. The clients are a process of the same machine.",
    ), True


async def soak(engines: str, minutes: float) -> tuple[Table, bool]:
    """Look at memory and descriptors while a crowd asks for minutes."""
    async with _opened(engines) as (doors, wishes):
        process = doors.server.process
        crowd = Crowd(doors, wishes)
        await crowd.ask(_SOAK_CLIENTS, min(10.0, minutes * 6))  # every kind of request once
        before = process.num_fds()
        began, samples = monotonic(), list[tuple[float, int]]()

        async def look() -> None:
            while True:
                samples.append((monotonic() - began, process.memory_info().rss))
                await asyncio.sleep(minutes * 60 / 400)

        looking = asyncio.create_task(look(), name="look at the memory")
        progress(f"{_SOAK_CLIENTS} clients for {minutes:g} minutes")
        await crowd.ask(_SOAK_CLIENTS, minutes * 60)
        looking.cancel()
        await asyncio.wait([looking])
        after = await _settled(doors, before)
    total = samples[-1][0]
    early = [rss for at, rss in samples if _WARM * total <= at < (_WARM + 0.25) * total]
    late = [rss for at, rss in samples if at >= 0.75 * total]
    growth = median(late) - median(early)
    flat, closed = growth < _FLAT, after <= before
    errors = ", ".join(f"{code} {count}" for code, count in crowd.seen.errors.items()) or "none"
    row = (
        *(f"{minutes:g}", str(crowd.seen.requests), str(crowd.seen.left), mib(median(early)), mib(median(late))),
        *(f"{growth / 2**20:+.1f}", met(flat), str(before), str(after), met(closed), errors),
    )
    head = (
        *("minutes", "answered", "left", "server early, MiB", "late", "growth, MiB", f"below {mib(_FLAT)} MiB"),
        *("descriptors before", "after", "no more", "errors"),
    )
    return Table(f"{_SOAK_CLIENTS} clients for a while, {engines} engines", head, [row]), flat and closed


async def _settled(doors: Doors, before: int) -> int:
    """Count descriptors once what was left has been noticed."""
    for _ in range(50):
        if doors.server.process.num_fds() <= before:
            break
        await asyncio.sleep(0.1)
    return doors.server.process.num_fds()


async def _measure(chosen: argparse.Namespace) -> int:
    promises = []
    started = perf_counter()
    if chosen.clients:
        promises.append(await crowds(chosen.engines, chosen.clients))
    if chosen.minutes:
        promises.append(await soak(chosen.engines, chosen.minutes))
    async with _opened(chosen.engines) as (doors, wishes):
        promises.append(await fairness(doors.server, wishes, chosen.engines))
    for table, _ in promises:
        print(f"{table}\n", flush=True)
    progress(f"{perf_counter() - started:.0f} s")
    return 0 if all(kept for _, kept in promises) else 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description="A crowd for a while.")
    parser.add_argument("--minutes", type=float, default=10.0, help="of the soak; 0: none")
    parser.add_argument(
        "--clients",
        type=lambda text: [int(part) for part in text.split(",") if part],
        default=[1, 16, 64, 256],
        help="crowds, by comma; empty: none",
    )
    parser.add_argument("--engines", choices=("installed", "fake"), default="installed")
    chosen = parser.parse_args()
    print(f"{machine()}\n", flush=True)
    return asyncio.run(_measure(chosen))


if __name__ == "__main__":
    sys.exit(main())
