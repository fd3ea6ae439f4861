"""The server as a child process, as a user runs it, and clients of it."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml
from wyoming.client import AsyncTcpClient
from wyoming.event import Event

from wyoming_voice.engines.table import TABLE

ROOT = Path(__file__).resolve().parent.parent
FAKE = ROOT / "tests" / "fake"
DEADLINE = 20.0
"""Seconds that a test waits for anything; reaching it is a failure."""
_MARK = "WYOMING_VOICE_TEST"  # in the environment of a server and all that comes of it
_WARNINGS = "default,ignore::DeprecationWarning:wyoming.audio"  # it imports audioop where there is one
_COMPLAINTS = (
    "Traceback",
    "never retrieved",
    "never awaited",
    "Exception in callback",
    "Warning:",
    "Task was destroyed",
)


@dataclass(frozen=True, slots=True)
class Held:
    """What a server holds besides its memory."""

    descriptors: int
    peers: int
    workers: int
    files: tuple[str, ...]
    """Temporary ones."""

    def within(self, before: "Held") -> bool:
        """Whether nothing of what came after it is left."""
        return (
            self.descriptors <= before.descriptors
            and self.peers <= before.peers
            and self.workers == before.workers
            and self.files == before.files
        )


@dataclass(slots=True)
class ServerProcess:
    process: asyncio.subprocess.Process
    port: int
    folder: Path
    said: list[str] = field(default_factory=list)
    """What it printed to standard output at start."""
    temporary: Path = field(default_factory=Path)
    """Where its temporary files are."""

    @property
    def uri(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    @property
    def http(self) -> str:
        """The address of the bridge that it printed, without a slash at the end."""
        line = next(line for line in self.said if "HTTP API" in line)
        return line.rpartition(" ")[2]

    @property
    def log(self) -> Path:
        """Where the fake engines of :func:`only_fakes` write what they do."""
        return self.folder / "log"

    @property
    def complained(self) -> str:
        """What it wrote to standard error."""
        return (self.folder / "stderr").read_text(encoding="utf-8")

    @property
    def memory(self) -> int:
        """Resident bytes of the server alone."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def workers(self) -> list[psutil.Process]:
        """Return the engines' processes that run; what tells speech from silence for the server is none of them."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if child.is_running() and not _tells_speech(child)]

    def peers(self) -> list[int]:
        """Return the ports of the clients whose connections it holds."""
        connections = psutil.Process(self.process.pid).net_connections("tcp")
        return [connection.raddr.port for connection in connections if connection.raddr]

    def held(self) -> Held:
        """Count what it holds now."""
        process = psutil.Process(self.process.pid)
        files = tuple(sorted(str(path.relative_to(self.temporary)) for path in self.temporary.rglob("*")))
        return Held(process.num_fds(), len(self.peers()), len(self.workers()), files)

    def client(self) -> AsyncTcpClient:
        return AsyncTcpClient("127.0.0.1", self.port, connect_timeout=DEADLINE, read_timeout=DEADLINE)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def wait(self) -> int:
        async with asyncio.timeout(DEADLINE):
            return await self.process.wait()


def only_fakes(
    folder: Path,
    *,
    tts: Mapping[str, Any] | None = None,
    asr: Mapping[str, Any] | None = None,
    stress: Mapping[str, Any] | None = None,
    **more: object,
) -> dict[str, object]:
    """Make a configuration with the fake engines alone; they write to the log of a server in this folder.

    With ``stress`` the fake stress stands for silero-stress.
    """
    log = {"log": str(folder / "log")}
    engines: dict[str, object] = {spec.name: {"enabled": False} for spec in TABLE}
    engines["fake-stress"] = {"enabled": False}
    for name, settings in (("fake", tts or {}), ("fake-ears", asr or {})):
        engines[name] = {**settings, "options": {**log, **settings.get("options", {})}}
    if stress is not None:
        engines["silero-stress"] = {"type": "fake-stress", **stress, "options": {**log, **stress.get("options", {})}}
    return {"engines": engines, **more}


def _tells_speech(child: psutil.Process) -> bool:
    try:
        return "wyoming_voice.engines.activity" in child.cmdline()
    except psutil.NoSuchProcess:
        return False


@asynccontextmanager
async def run_server(
    folder: Path,
    config: Mapping[str, object] | None = None,
    *,
    fake: bool = True,
    uri: str = "tcp://127.0.0.1:0",
    http: str = "off",
) -> AsyncIterator[ServerProcess]:
    """Run the server on a free port with this configuration; ``http="127.0.0.1:0"`` opens the bridge, too.

    When the block is left it must end in order, leave no process behind, and have complained of nothing.
    """
    mark = uuid.uuid4().hex
    # Not below the folder: the path of a Unix socket may have 107 characters.
    temporary = Path(tempfile.mkdtemp(prefix="wv-"))
    process = await start(folder, config, fake=fake, uri=uri, http=http, mark=mark, temporary=temporary)
    server = ServerProcess(process, 0, folder, temporary=temporary)
    try:
        await _ready(server)
        yield server
    except BaseException:
        print(server.complained)
        raise
    finally:
        status = process.returncode
        if status is None:
            process.send_signal(signal.SIGINT)
            try:
                status = await server.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
                raise
        left = _processes(mark)
        for child in left:
            child.kill()
        files = [str(path) for path in temporary.rglob("*")]
        shutil.rmtree(temporary, ignore_errors=True)
    assert not left, f"processes are left: {left}"
    assert status == 0, f"the server ended with {status}:\n{server.complained}"
    assert not files, f"temporary files are left: {files}"
    assert not [said for said in _COMPLAINTS if said in server.complained], server.complained


async def start(
    folder: Path,
    config: Mapping[str, object] | None,
    *,
    fake: bool = True,
    uri: str,
    http: str = "off",
    mark: str = "",
    temporary: Path | None = None,
) -> asyncio.subprocess.Process:
    """Start the server and wait for nothing; its standard error goes to a file of the folder."""
    folder.mkdir(exist_ok=True)
    file = folder / "config.yml"
    file.write_text(yaml.safe_dump(dict(config or {})), encoding="utf-8")
    paths = [str(ROOT), *([str(FAKE)] if fake else [])]
    with (folder / "stderr").open("wb") as stderr:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "wyoming_voice", "serve", "--config", str(file), "--uri", uri, "--http", http),
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            env={
                **os.environ,
                **({"TMPDIR": str(temporary)} if temporary else {}),
                "PYTHONPATH": os.pathsep.join(paths),
                "PYTHONWARNINGS": _WARNINGS,
                _MARK: mark,
            },
            cwd=folder,
        )


async def _ready(server: ServerProcess) -> None:
    assert server.process.stdout is not None
    async with asyncio.timeout(DEADLINE):
        while line := (await server.process.stdout.readline()).decode():
            server.said.append(line.rstrip())
            if line.startswith("Or:"):
                break
    assert server.said, "the server ended before it was ready"
    server.port = int(server.said[0].rpartition(":")[2])


def _processes(mark: str) -> list[psutil.Process]:
    """Find the processes that a server left; one that died and waits for nobody to ask how is no process."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(_MARK) == mark:
                found.append(process)
        except psutil.Error:
            continue
    return found


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


async def until(condition: Callable[[], bool | Awaitable[bool]], seconds: float = DEADLINE) -> None:
    """Wait for something that no event tells of, such as what another process does."""
    async with asyncio.timeout(seconds):
        while not (await said if isinstance(said := condition(), Awaitable) else said):
            await asyncio.sleep(0.005)


async def log_line(path: Path, text: str, count: int = 1) -> None:
    """Wait until the fake engine's log has so many lines that begin with this."""
    await until(lambda: sum(line.startswith(text) for line in log_lines(path)) >= count)


def log_lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
