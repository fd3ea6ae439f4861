"""Python environments for engines, filled by uv (https://docs.astral.sh/uv) with exactly what their requirements say.

Only an environment's ``bin/python`` is ever run, which finds its packages relative to itself: so it may be made in one
folder and moved to another, and the scripts of packages, whose first lines name the old folder, are removed. Large
files are hard links into uv's cache, shared between environments, where both are on one filesystem.
"""

import asyncio
import json
import os
import pty
import shutil
import signal
import sys
from ast import literal_eval
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import uv

from .engines.table import EngineSpec
from .errors import EngineUnavailable

_REQUIREMENTS: Final = Path(__file__).with_name("engines") / "requirements"
_IMPORTS: Final = Path(__file__).with_name("engines") / "imports.py"
_TRY_SECONDS: Final = 300.0
"""How long the new packages may take to be imported: minutes on a slow disk, the first time."""
_ASK_SECONDS: Final = 30.0
_KEPT: Final = 64 * 1024
"""Bytes of what uv says that are kept to explain a failure."""
_TORCH_INDEX: Final = "download.pytorch.org"
_UNREACHABLE: Final = ("error sending request", "dns error", "Connect", "timed out", "tunnel", "Failed to fetch")
_FULL: Final = ("No space left on device", "Disk quota exceeded", "os error 28", "os error 122")


@dataclass(frozen=True, slots=True)
class Seen:
    """What an environment's torch says of this machine."""

    torch: str | None
    """Its version, with its build (``2.13.0+cpu``); None: there is none."""
    gpus: tuple[str, ...]

    def __str__(self) -> str:
        """Write it down for a person; empty without torch."""
        if self.torch is None:
            return ""
        return f"torch {self.torch}" + (f" sees {', '.join(self.gpus)}" if self.gpus else ", no GPU")


def requirements(engine: str) -> Path | None:
    """Return the file of what an engine's environment has; None: it can have none of its own."""
    file = _REQUIREMENTS / f"{engine}.txt"
    return file if file.is_file() else None


def asked_for(file: Path) -> list[str]:
    """List what a requirements file asks for by itself: what stands before "What these bring along"."""
    wanted = file.read_text("utf-8").partition("# What these")[0].splitlines()
    return [line for line in wanted if line and not line.startswith("#") and ";" not in line]


def is_made_of(folder: Path, file: Path) -> bool:
    """Tell whether an environment was made of these requirements as they are now."""
    made = folder / file.name
    return made.is_file() and made.read_bytes() == file.read_bytes()


async def build(spec: EngineSpec, file: Path, folder: Path, turn: asyncio.Lock) -> Seen:
    """Make an environment in a folder and see that its packages can be imported; one uv at a time takes its ``turn``.

    Raises EngineUnavailable with the reason.
    """
    async with turn:
        tool = _uv()
        await _must(spec, [tool, "venv", "--quiet", "--no-project", "--python", sys.executable, str(folder)])
        await _fill(spec, tool, file, folder)
    for script in (folder / "bin").iterdir():
        if not script.name.startswith("python"):
            script.unlink()
    shutil.copyfile(file, folder / file.name)
    try:
        return await look(spec, folder / "bin" / "python", _TRY_SECONDS)
    except EngineUnavailable as error:
        raise EngineUnavailable(f"{spec.description} was not installed: {error.text}") from error


async def look(spec: EngineSpec, python: Path, seconds: float) -> Seen:
    """Import an engine's packages in its own Python; raises EngineUnavailable: the system may lack a library."""
    command = [str(python), "-I", str(_IMPORTS), "wyoming", "numpy", *spec.modules]
    try:
        async with asyncio.timeout(seconds):
            status, said = await _run(command)
    except TimeoutError:
        raise EngineUnavailable(f"importing its packages takes longer than {seconds:g} s.") from None
    last = said.strip().rpartition("\n")[2]
    if status != 0:
        raise EngineUnavailable(f"its packages do not load here. {last}")
    seen = json.loads(last)
    return Seen(seen["torch"], tuple(seen["gpus"]))


def _uv() -> str:
    try:
        return uv.find_uv_bin()
    except FileNotFoundError as error:
        raise EngineUnavailable(
            f"uv, which installs engines, is not beside {sys.executable}. Run: {sys.executable} -m pip install uv"
        ) from error


async def _fill(spec: EngineSpec, tool: str, file: Path, folder: Path) -> None:
    """Install the packages: torch from the index of the build that suits the machine, or from where the user says."""
    environ = {**os.environ}
    if places := await _find_links():
        environ["UV_FIND_LINKS"] = places
    _, cache = await _run([tool, "cache", "dir"])
    if _filesystem(Path(cache.strip())) != _filesystem(folder):
        environ.setdefault("UV_LINK_MODE", "copy")
        print(
            f"uv's cache {cache.strip()} is on another disk: packages are copied (see UV_CACHE_DIR).", file=sys.stderr
        )
    # The file overrides what packages ask of each other too: some pin what they never use.
    command = [tool, "pip", "install", "--python", str(folder / "bin" / "python"), "--requirements", str(file)]
    command += ["--overrides", str(file)]
    backend = [] if "UV_TORCH_BACKEND" in environ or _torch_lies_in(places) else ["--torch-backend", "auto"]
    status, said = await _run([*command, *backend], environ=environ, shown=True)
    if status != 0 and backend and _TORCH_INDEX in said and any(sign in said for sign in _UNREACHABLE):
        print(f"{_TORCH_INDEX} is not reachable: taking the torch of PyPI, made for CUDA.", file=sys.stderr)
        status, said = await _run(command, environ=environ, shown=True)
    if status != 0:
        raise EngineUnavailable(f"{spec.description} was not installed: {reason(said)}")


async def _must(spec: EngineSpec, command: list[str]) -> None:
    status, said = await _run(command)
    if status != 0:
        raise EngineUnavailable(f"{spec.description} was not installed: {reason(said)}")


async def _find_links() -> str:
    """Return where packages are besides an index: by uv's own setting, else by pip's, which uv does not read."""
    if named := os.environ.get("UV_FIND_LINKS"):
        return named
    if named := os.environ.get("PIP_FIND_LINKS"):
        return ",".join(named.split())
    if find_spec("pip") is None:
        return ""
    with suppress(TimeoutError):
        async with asyncio.timeout(_ASK_SECONDS):
            # `config get` of pip 23 does not look into the file that PIP_CONFIG_FILE names.
            _, said = await _run([sys.executable, "-m", "pip", "config", "list"])
            values = [line.partition("=")[2] for line in said.splitlines() if line.startswith("global.find-links=")]
            return ",".join(literal_eval(values[-1]).split()) if values else ""
    return ""


def _filesystem(path: Path) -> int:
    """Return the number of the filesystem that a path is on or would be on."""
    return next(place for place in (path, *path.parents) if place.exists()).stat().st_dev


def _torch_lies_in(places: str) -> bool:
    """Tell whether torch is one of the packages that a user keeps; of what is not a folder here nobody knows."""
    folders = [Path(place.removeprefix("file://")) for place in places.split(",") if place]
    return any(not folder.is_dir() or any(folder.glob("torch-*.whl")) for folder in folders)


def reason(said: str) -> str:
    """Say why uv failed, by what it said."""
    if any(sign in said for sign in _FULL):
        return "the disk is full. Make room and run the command again: it goes on from what was downloaded."
    if any(sign in said for sign in _UNREACHABLE):
        return "PyPI is not reachable. Connect this machine to the internet, or name a mirror in UV_DEFAULT_INDEX."
    if "No solution found" in said:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        because = " ".join(said.partition("No solution found")[2].partition("Because")[2].split())
        return (
            f"there is no release of a package for Python {version} on this machine. uv says: {because or said.strip()}"
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error:")]
    return f"uv says: {(errors or lines)[-1]}" if lines else "uv failed, and says nothing about it."


async def _run(command: list[str], *, environ: dict[str, str] | None = None, shown: bool = False) -> tuple[int, str]:
    """Run a child; returns its status and what it said, which is also ``shown`` as it comes, as to a terminal on one.

    Cancelling ends the child and its children.
    """
    terminal = shown and sys.stderr.isatty()
    ours, theirs = pty.openpty() if terminal else os.pipe()
    if terminal:
        _same_size(theirs)
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=theirs,
            stderr=asyncio.subprocess.STDOUT,
            env=environ,
            process_group=0,
            close_fds=False,  # the lock of the folder that it fills, which is to hold for as long as it does
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    copying = asyncio.create_task(asyncio.to_thread(_copy, ours, shown=shown), name="what the child says")
    try:
        said = await asyncio.shield(copying)
    finally:
        if process.returncode is None and not copying.done():
            os.killpg(process.pid, signal.SIGKILL)
        await copying
        await process.wait()
    assert process.returncode is not None, "it has ended"
    return process.returncode, said.decode("utf-8", "replace")


def _copy(descriptor: int, *, shown: bool) -> bytes:
    """Read to the end, showing it if asked to; returns the last of it."""
    said = b""
    with open(descriptor, "rb", buffering=0) as source, suppress(OSError):  # a terminal's end is an error
        while received := source.read(_KEPT):
            said = (said + received)[-_KEPT:]
            if shown:
                sys.stderr.buffer.write(received)
                sys.stderr.buffer.flush()
    return said


def _same_size(terminal: int) -> None:
    """Give a terminal the size of ours: uv draws its progress to fit."""
    size = os.get_terminal_size(sys.stderr.fileno())
    with suppress(OSError):
        import termios  # noqa: PLC0415

        termios.tcsetwinsize(terminal, (size.lines, size.columns))
