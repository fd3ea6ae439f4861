"""The server that is measured: a child process, as a user runs it, with the engines of this machine."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import psutil
import yaml

from wyoming_voice.config import Settings
from wyoming_voice.survey import survey
from wyoming_voice.voices import Catalogue, Model, Voice, matches

ROOT: Final = Path(__file__).resolve().parent.parent
CONFIG: Final[Mapping[str, Any]] = {
    "languages": ["en", "ru"],
    "data_dir": str(ROOT / "data"),
    "log_level": "warning",
    "limits": {"connections_per_address": 512},  # all our clients are at one address
}
_SAMPLE_SECONDS: Final = 0.02
_ASK_SECONDS: Final = 0.002


@dataclass(slots=True)
class Memory:
    """Resident bytes at their peak while a block ran; what processes share is counted in each of them."""

    server: int = 0
    workers: int = 0
    """The sum over the workers."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs."""

    port: int
    process: psutil.Process

    def memory(self) -> Memory:
        """Look once."""
        engines = [
            child for child in self.process.children() if "wyoming_voice.engines.activity" not in child.cmdline()
        ]
        return Memory(self.process.memory_info().rss, sum(child.memory_info().rss for child in engines))

    async def settled(self) -> int:
        """Wait until the server's memory has not grown for a second, after what it does at its start; return it."""
        before = -1
        while (now := self.memory().server) > before:
            before = now
            await asyncio.sleep(1.0)
        return now

    @asynccontextmanager
    async def peak(self) -> AsyncIterator[Memory]:
        """Look fifty times a second while the block runs."""
        most = self.memory()

        async def look() -> None:
            while True:
                await asyncio.sleep(_SAMPLE_SECONDS)
                now = self.memory()
                most.server, most.workers = max(most.server, now.server), max(most.workers, now.workers)

        looking = asyncio.create_task(look(), name="look at the memory")
        try:
            yield most
        finally:
            looking.cancel()
            await asyncio.wait([looking])


@asynccontextmanager
async def serve(environ: Mapping[str, str] | None = None) -> AsyncIterator[Running]:
    """Run a server on a free port, and end it; what it says goes to standard error."""
    with tempfile.TemporaryDirectory(prefix="wyoming-voice-bench-") as folder:
        config = Path(folder) / "config.yml"
        config.write_text(yaml.safe_dump(dict(CONFIG)), "utf-8")
        port = _free_port()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "wyoming_voice", "serve", "--config", str(config)),
            *("--uri", f"tcp://127.0.0.1:{port}", "--http", "off"),
            stdout=asyncio.subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, **(environ or {})},
        )
        try:
            await _listening(port, process)
            yield Running(port, psutil.Process(process.pid))
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


async def _listening(port: int, process: asyncio.subprocess.Process) -> None:
    while process.returncode is None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(_ASK_SECONDS)
        else:
            writer.close()
            return
    raise RuntimeError("The server ended before it listened; above is what it says.")


@cache
def catalogue() -> Catalogue:
    """What this machine can say and hear, as the server finds it."""
    return survey(Settings.model_validate(CONFIG), {})


def voices(language: str) -> Sequence[Voice]:
    """The first voice of each engine for a language."""
    able = [voice for voice in catalogue().voices if any(matches(known, language) for known in voice.languages)]
    return list({voice.engine: voice for voice in reversed(able)}.values())[::-1]


def models(language: str) -> Sequence[Model]:
    """The engines that are ready and hear a language."""
    ready = [model for model in catalogue().models if model.missing is None]
    return [model for model in ready if any(matches(known, language) for known in model.languages)]
