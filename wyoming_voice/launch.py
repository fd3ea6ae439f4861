"""Start workers: as a process of this machine, or as an address where somebody else runs one."""

import asyncio
import itertools
import json
import logging
import os
import re
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from .client import describe
from .config import EngineRay
from .engines.table import EngineSpec, environment
from .errors import EngineUnavailable, VoiceError, WorkerLost, from_code

_LOGGER = logging.getLogger(__name__)

_BOOT: Final = Path(__file__).with_name("boot.py")
_RAY: Final = Path(__file__).with_name("ray_launch.py")
_STOP_SECONDS: Final = 1.0
"""A worker has nothing to save: it ends at once unless it is in the middle of native code."""
_PROBE_SECONDS: Final = 5.0
"""How often a server elsewhere is asked whether it is there."""
_WARNING: Final = re.compile(r"WARNING wyoming_voice\.[\w.]+: ")  # as worker.py formats it; never with a text in it
_LAST_WORDS: Final = 15  # lines of a worker's standard error that are kept to explain why it did not start


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Ray cluster, and what of it each worker gets."""

    address: str
    share: EngineRay


@dataclass(slots=True)
class ProcessWorker:
    """A child process that ends when its standard input does, which also happens when we die."""

    name: str
    uri: str
    _process: asyncio.subprocess.Process = field(repr=False)
    _log: "asyncio.Task[None]" = field(repr=False)
    _stopped: bool = field(default=False, repr=False)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    async def ended(self) -> None:
        """Wait until it has ended; says how in the log when that was not asked for."""
        status = await self._process.wait()
        await self._log
        if status < 0 and not self._stopped:
            _LOGGER.info("The worker %s was ended by %s", self.name, signal.Signals(-status).name)

    async def stop(self) -> None:
        """Close its standard input, and kill it a second later if need be."""
        assert self._process.stdin is not None, "it was started with a pipe"
        self._stopped = True
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
        await self._process.wait()


class ProcessLauncher:
    """Starts workers that listen on Unix sockets in a private temporary folder; leaving its block removes it."""

    def __init__(self, data_dir: Path, warned: Callable[[str], object] = lambda _engine: None) -> None:
        """``warned`` is told the engine when one of its workers warns of something."""
        self._data_dir = data_dir
        self._warned = warned
        self._folder = tempfile.TemporaryDirectory(prefix="wyoming-voice-")
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._folder.cleanup()

    async def start(
        self, spec: EngineSpec, options: Mapping[str, object], seconds: float, cluster: Cluster | None = None
    ) -> ProcessWorker:
        """Start a worker and wait for its announcement; raises EngineUnavailable with what it said.

        On a cluster it is a process here, too: the one that holds the worker there.
        """
        name = f"{spec.name}-{next(self._numbers)}"
        if cluster is None:
            uri = f"unix://{self._folder.name}/{name}.sock"
            command = [
                *(interpreter(self._data_dir, spec.name), "-P", str(_BOOT)),
                *("--uri", uri, "--entry", spec.entry, "--task", spec.task, "--options", json.dumps(options)),
                *("--seats", str(spec.seats(options))),
            ]
        else:
            command = [sys.executable, "-P", str(_RAY), json.dumps(_asked(spec, options, seconds, cluster))]
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            )
        except OSError as error:  # no memory, no more processes or files, an environment that is half there
            raise EngineUnavailable(f"No process for {spec.description} can be started: {error}.") from error
        return await self._announced(spec, name, process, seconds)

    async def _announced(
        self, spec: EngineSpec, name: str, process: asyncio.subprocess.Process, seconds: float
    ) -> ProcessWorker:
        words: deque[str] = deque(maxlen=_LAST_WORDS)
        log = asyncio.create_task(_copy_log(process, name, words, lambda: self._warned(spec.name)), name=f"log {name}")
        worker = ProcessWorker(name, "", process, log)
        try:
            async with asyncio.timeout(seconds):
                assert process.stdout is not None, "it was started with a pipe"
                announced = await process.stdout.readline()
                if not announced:
                    await process.wait()
                    await log
        except TimeoutError:
            await worker.stop()
            raise EngineUnavailable(
                f"{spec.description} was not ready within {seconds:g} s (engines.{spec.name}.start_timeout)."
            ) from None
        except asyncio.CancelledError:
            await worker.stop()
            raise
        if not announced:
            last = "\n".join(words)
            raise EngineUnavailable(
                f"{spec.description} does not load (exit status {process.returncode}). "
                f"To mend it: {spec.install}. Its last words: {last or 'none'}"
            )
        said = json.loads(announced)
        if "uri" not in said:
            await worker.stop()
            raise from_code(said["code"], said["text"])
        worker.uri = said["uri"]
        _LOGGER.info("Worker %s is ready (process %s)", name, process.pid)
        return worker


def _asked(spec: EngineSpec, options: Mapping[str, object], seconds: float, cluster: Cluster) -> dict[str, object]:
    """Say what is to be started on a cluster, as ``ray_launch.py`` takes it."""
    share = cluster.share
    return {
        "address": cluster.address,
        "share": share.model_dump(exclude={"data_dir"}),
        "seconds": seconds,
        "engine": spec.name,
        "description": spec.description,
        "entry": spec.entry,
        "task": spec.task,
        "seats": spec.seats(options),
        "options": options if share.data_dir is None else {**options, "data_dir": share.data_dir},
    }


def interpreter(data_dir: Path, engine: str) -> str:
    """Find the Python that has an engine's packages: an environment of its own, or else ours."""
    own = environment(data_dir, engine) / "bin" / "python"
    return str(own) if own.exists() else sys.executable


async def _copy_log(
    process: asyncio.subprocess.Process, name: str, words: "deque[str]", warned: Callable[[], object]
) -> None:
    """Pass on what a worker writes: what our engines warn of for everybody, libraries' talk for who looks for it."""
    assert process.stderr is not None, "it was started with a pipe"
    while True:
        try:
            line = await process.stderr.readline()
        except ValueError:  # a line longer than the reader's limit: what fits was dropped, go on behind it
            continue
        if not line:
            return
        text = line.decode("utf-8", "replace").rstrip()
        words.append(text)
        if (warning := _WARNING.match(text)) is not None:
            warned()
            _LOGGER.warning("%s: %s", name, text[warning.end() :])
        else:
            _LOGGER.debug("%s: %s", name, text)


@dataclass(slots=True)
class AddressWorker:
    """A Wyoming server that somebody else runs; it has ended for us once it does not describe itself any more."""

    uri: str
    _probing: "asyncio.Task[None]" = field(repr=False)

    @property
    def pid(self) -> None:
        """None: it is not a process of ours."""
        return

    async def ended(self) -> None:
        """Wait until it does not answer, or we let go of it."""
        await asyncio.wait([self._probing])

    async def stop(self) -> None:
        """Let go of it."""
        self._probing.cancel()


async def _probe(uri: str, step_timeout: float) -> None:
    """Ask a server every now and then until it does not answer.

    One that computes in its event loop answers late: it has as long as a step of its engine may take.
    """
    while True:
        await asyncio.sleep(_PROBE_SECONDS)
        try:
            await describe(uri, step_timeout)
        except VoiceError as error:
            _LOGGER.info("The Wyoming server at %s is gone: %s", uri, error.text)
            return


async def reach(name: str, uri: str, seconds: float, step_timeout: float) -> AddressWorker:
    """See that a Wyoming server answers; raises EngineUnavailable."""
    try:
        await describe(uri, seconds)
    except WorkerLost as error:
        raise EngineUnavailable(f"The engine {name} does not answer at {uri}. Is it running?") from error
    except VoiceError as error:
        raise EngineUnavailable(f"The engine {name} at {uri} says: {error.text}") from error
    return AddressWorker(uri, asyncio.create_task(_probe(uri, step_timeout), name=f"probe {uri}"))
