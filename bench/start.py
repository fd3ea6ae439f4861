"""How long until the server answers, and until an engine can be asked."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple

import psutil

from wyoming_voice.launch import ProcessLauncher

from .ask import connect, describe
from .report import Table, median, ms, progress
from .server import CONFIG, catalogue, serve

_COLD: Final = 2
_AGAIN: Final = 5
_LONGEST: Final = 120.0  # seconds


class Started(NamedTuple):
    """One start, in seconds."""

    seconds: float
    processor: float
    """Processor time of its process, which what else runs on the machine does not lengthen much."""


async def start() -> Table:
    """Start servers and workers, one after the other."""
    cold, again = [], []
    with tempfile.TemporaryDirectory(prefix="wyoming-voice-bench-") as folder:
        for number in range(_COLD):
            progress(f"server, first start {number + 1}")
            cold.append(await _answered({"PYTHONPYCACHEPREFIX": str(Path(folder) / str(number))}))
        for number in range(_AGAIN):
            progress(f"server, start {number + 1}")
            again.append(await _answered({"PYTHONPYCACHEPREFIX": str(Path(folder) / "0")}))
    rows = [
        ("server: process → describe answered", *_figures(max(cold), again)),
        *[await _worker(name) for name, place in catalogue().places.items() if place.spec and place.missing is None],
    ]
    return Table(
        "Start, milliseconds",
        ("what", "first", "again, p50", "of it processor time", "times"),
        rows,
        "Server: first is without any compiled bytecode, Python's own included. Goals: describe within 1 s of the "
        "process starting, a second start within 2 s. Worker: from starting the process until it has loaded its "
        "engine and listens; first may read the engine's files from the disk.",
    )


async def _answered(environ: dict[str, str]) -> Started:
    environ["PYTHONDONTWRITEBYTECODE"] = ""  # or the second start would be a first one
    started = perf_counter()
    async with serve(environ) as server, connect(server.port) as client:
        await describe(client)
        return Started(perf_counter() - started, _processor(server.process))


async def _worker(name: str) -> tuple[str, ...]:
    place = catalogue().places[name]
    assert place.spec is not None, "an engine of this machine"
    seconds = []
    with ProcessLauncher(Path(CONFIG["data_dir"])) as launcher:
        for number in range(_AGAIN + 1):
            progress(f"worker of {name}, start {number + 1}")
            started = perf_counter()
            worker = await launcher.start(place.spec, place.options, _LONGEST)
            seconds.append(Started(perf_counter() - started, _processor(psutil.Process(worker.pid))))
            await worker.stop()
            await worker.ended()
    return f"worker: {name}", *_figures(seconds[0], seconds[1:])


def _processor(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _figures(first: Started, again: Sequence[Started]) -> tuple[str, ...]:
    seconds, processor = median([one.seconds for one in again]), median([one.processor for one in again])
    return ms(first.seconds), ms(seconds), ms(processor), str(len(again))
