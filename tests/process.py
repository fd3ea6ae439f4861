"""The server as a child process, as a user runs it, and clients of it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from wyoming.client import AsyncTcpClient
from wyoming.event import Event

ROOT = Path(__file__).resolve().parent.parent
FAKE = ROOT / "tests" / "fake"
DEADLINE = 20.0
"""Seconds that a test waits for anything; reaching it is a failure."""


@dataclass(slots=True)
class ServerProcess:
    process: asyncio.subprocess.Process
    port: int
    said: list[str] = field(default_factory=list)
    """What it printed to standard output at start."""

    def client(self) -> AsyncTcpClient:
        return AsyncTcpClient("127.0.0.1", self.port, connect_timeout=DEADLINE, read_timeout=DEADLINE)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def wait(self) -> int:
        async with asyncio.timeout(DEADLINE):
            return await self.process.wait()


@asynccontextmanager
async def run_server(
    folder: Path, config: Mapping[str, object] | None = None, *, fake: bool = True
) -> AsyncIterator[ServerProcess]:
    """Run the server on a free port with this configuration; it must end in order when the block is left."""
    file = folder / "config.yml"
    file.write_text(yaml.safe_dump(dict(config or {})), encoding="utf-8")
    paths = [str(ROOT), *([str(FAKE)] if fake else [])]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "wyoming_voice", "serve", "--config", str(file), "--uri", "tcp://127.0.0.1:0"),
        "--http",
        "off",
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        cwd=folder,
    )
    try:
        yield await _ready(process)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            try:
                async with asyncio.timeout(DEADLINE):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
                raise


async def _ready(process: asyncio.subprocess.Process) -> ServerProcess:
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE):
        said = []
        while line := (await process.stdout.readline()).decode():
            said.append(line.rstrip())
            if line.startswith("Or:"):
                break
    assert said, "the server ended before it was ready"
    return ServerProcess(process, int(said[0].rpartition(":")[2]), said)


async def read_until(client: AsyncTcpClient, *kinds: str) -> list[Event]:
    """Read events up to the first of one of these kinds; fails when the server closes before it."""
    events = []
    while (event := await client.read_event()) is not None:
        events.append(event)
        if event.type in kinds:
            return events
    raise AssertionError(f"the server closed after {[event.type for event in events]}")


async def read_all(client: AsyncTcpClient) -> list[Event]:
    """Read events until the server closes."""
    events = []
    while (event := await client.read_event()) is not None:
        events.append(event)
    return events


async def log_line(path: Path, text: str) -> None:
    """Wait until the fake engine's log has a line that begins with this."""
    async with asyncio.timeout(DEADLINE):
        while not any(line.startswith(text) for line in log_lines(path)):
            await asyncio.sleep(0.005)


def log_lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
