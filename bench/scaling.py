"""What it costs that an engine is elsewhere: at an address, at one of two, on a Ray cluster; all on this machine."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Final

import psutil

from wyoming_voice.config import EngineRay
from wyoming_voice.launch import Cluster, ProcessLauncher

from .ask import Spoken, speak
from .report import Table, median, mib, ms, progress, quantile
from .server import CONFIG, ROOT, Running, catalogue, serve, voices
from .text import LONG, SHORT

_ENGINE: Final = "espeak"
_RUNS: Final = 60
_STARTS: Final = 3
_LONGEST: Final = 120.0  # seconds
_LOCAL: Final = "a worker process"


async def scaling() -> Table:
    """Speak through each kind of server in turn, so that what else the machine does meets all alike."""
    rows = []
    voice = next(voice.name for voice in voices("en") if voice.engine == _ENGINE)
    async with AsyncExitStack() as stack:
        servers = {_LOCAL: await stack.enter_async_context(serve())}
        far = [servers[_LOCAL], await stack.enter_async_context(serve())]
        servers["one address"] = await stack.enter_async_context(serve(_elsewhere(far[1:])))
        servers["two addresses"] = await stack.enter_async_context(serve(_elsewhere(far)))
        if find_spec("ray") is not None:
            address = await stack.enter_async_context(_cluster())
            servers["a Ray cluster"] = await stack.enter_async_context(serve(_on_ray(address)))
        for server in servers.values():
            await _offered(server, voice)
        for name, text in (("short", SHORT["en"]), ("long", LONG["en"])):
            progress(f"{voice}, {name} sentence, {_RUNS} times in {len(servers)} ways")
            rows += await _rows(servers, voice, name, text)
    return Table(
        "An engine elsewhere, one client, milliseconds",
        (
            "sentence",
            "the engine is",
            "first audio p50",
            "p95",
            "last audio p50",
            "p95",
            "more a request",
            "more a chunk",
        ),
        rows,
        "Everything is on this machine, so a network's own time is not in it. more a request: to the first audio, "
        f"beside {_LOCAL}, median of the differences of neighbouring runs; more a chunk: from the first to the last "
        "audio, likewise, by the number of chunks. An address is another wyoming-voice, which has worker processes.",
    )


async def _rows(servers: Mapping[str, Running], voice: str, name: str, text: str) -> list[tuple[str, ...]]:
    runs: list[dict[str, Spoken]] = []
    for number in range(_RUNS + 2):
        run = {way: await speak(server.port, text, voice) for way, server in servers.items()}
        if number >= 2:  # the first fill caches
            runs.append(run)
    rows = []
    for way in servers:
        first, last = [run[way].first for run in runs], [run[way].last for run in runs]
        request = median([run[way].first - run[_LOCAL].first for run in runs])
        chunk = median([(_between(run[way]) - _between(run[_LOCAL])) / run[way].chunks for run in runs])
        more = ("", "") if way == _LOCAL else (ms(request), f"{chunk * 1000:.2f}")
        figures = (median(first), quantile(first, 0.95), median(last), quantile(last, 0.95))
        heading = f"{name}, {runs[0][way].audio:.1f} s, {median([run[way].chunks for run in runs]):.0f} chunks"
        rows.append((heading, way, *map(ms, figures), *more))
    return rows


def _between(spoken: Spoken) -> float:
    return spoken.last - spoken.first


async def starting() -> Table:
    """Start workers as a process and on the cluster, and look at what holds them here."""
    place = catalogue().places[_ENGINE]
    assert place.spec is not None, "an engine of this machine"
    rows = []
    async with AsyncExitStack() as stack:
        ways: dict[str, Cluster | None] = {_LOCAL: None}
        if find_spec("ray") is not None:
            ways["a Ray cluster"] = Cluster(await stack.enter_async_context(_cluster()), EngineRay(num_cpus=0))
        launcher = stack.enter_context(ProcessLauncher(Path(CONFIG["data_dir"])))
        for way, cluster in ways.items():
            seconds, memory = [], []
            for number in range(_STARTS):
                progress(f"worker of {_ENGINE}, {way}, start {number + 1}")
                started = perf_counter()
                worker = await launcher.start(place.spec, place.options, _LONGEST, cluster)
                seconds.append(perf_counter() - started)
                memory.append(psutil.Process(worker.pid).memory_info().rss)
                await worker.stop()
                await worker.ended()
            rows.append((way, ms(seconds[0]), ms(median(seconds)), mib(median(memory))))
    return Table(
        "A worker of eSpeak starts",
        ("as", "first, ms", "p50, ms", "memory here, MiB"),
        rows,
        "memory here: of the process that is the worker, or that holds it on the cluster.",
    )


def _elsewhere(far: list[Running]) -> Mapping[str, str]:
    uris = json.dumps([f"tcp://127.0.0.1:{server.port}" for server in far])
    return {
        "WYOMING_VOICE__ENGINES__ESPEAK__ENABLED": "false",
        "WYOMING_VOICE__ENGINES__FAR": f"{{uri: {uris}, task: tts}}",
    }


def _on_ray(address: str) -> Mapping[str, str]:
    return {
        "WYOMING_VOICE__ENGINES__ESPEAK": "{launcher: ray, workers: {min: 1, max: 1}, ray: {num_cpus: 0}}",
        "WYOMING_VOICE__RAY__ADDRESS": address,
    }


async def _offered(server: Running, voice: str) -> None:
    """Wait until the voice speaks: servers elsewhere are asked for their voices, clusters place workers."""
    async with asyncio.timeout(_LONGEST):
        while True:
            try:
                await speak(server.port, "Ready.", voice)
            except RuntimeError:
                await asyncio.sleep(0.1)
            else:
                return


@asynccontextmanager
async def _cluster() -> AsyncIterator[str]:
    """Run a cluster of one node beside its head, that of the tests; yields its address."""
    progress("a Ray cluster")
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:
        environ = {"RAY_TMPDIR": folder, "HOME": folder, "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
        with (Path(folder) / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, str(ROOT / "tests" / "ray_cluster.py")),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**os.environ, **environ},
            )
        assert process.stdin is not None, "it was started with a pipe"
        assert process.stdout is not None, "it was started with a pipe"
        try:
            address = (await process.stdout.readline()).decode().strip()
            process.stdin.write(b"grow 1\n")
            await process.stdout.readline()
            yield address
        finally:
            process.stdin.close()
            await process.wait()
