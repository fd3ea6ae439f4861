"""Give an engine a Python environment of its own, and take it away again.

What counts is the folder's name: an environment is made in a hidden folder beside its place and renamed when it works,
so a running server sees it whole or not at all. That is safe because only its ``bin/python`` is ever run, which finds
its packages relative to itself; the scripts of packages, whose first lines name the old folder, are removed.
"""

import asyncio
import fcntl
import importlib
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from .config import Settings
from .config_mistake import guess
from .engines.table import EngineSpec, engines, environment
from .errors import BadRequest, Busy, EngineUnavailable, UnknownEngine

_REQUIREMENTS: Final = Path(__file__).with_name("engines") / "requirements"
_RHVOICE_SCRIPT: Final = Path(__file__).resolve().parent.parent / "scripts" / "install-rhvoice.sh"
_RHVOICE_PACKAGES: Final = "librhvoice5 rhvoice-russian rhvoice-english"
_TRY_SECONDS: Final = 120.0
"""How long the new packages may take to be imported: minutes on a slow disk, the first time."""
_REASONS: Final = (
    (("No space left on device", "Disk quota exceeded"), "the disk is full. Make room and run the command again."),
    (
        (
            *("NewConnectionError", "Failed to establish a new connection", "Temporary failure in name resolution"),
            *("ConnectTimeout", "Read timed out", "ProxyError", "NameResolutionError"),
        ),
        "PyPI is not reachable. Connect this machine to the internet, or name a mirror in PIP_INDEX_URL.",
    ),
    (
        ("No matching distribution found",),
        f"there is no release of a package for Python {sys.version_info[0]}.{sys.version_info[1]} on this machine.",
    ),
)
"""What pip writes, and what it means."""


async def install(settings: Settings, name: str) -> int:
    """Install an engine; an environment that is there already is made anew.

    Raises UnknownEngine, BadRequest for an engine that is not ours to install, and EngineUnavailable with the reason.
    """
    spec = _spec(settings, name)
    if spec.name == "rhvoice":
        return await _install_rhvoice()
    requirements = _REQUIREMENTS / f"{spec.name}.txt"
    if not requirements.is_file():
        raise BadRequest(f"{spec.description} has no environment of its own. To install it: {spec.install}")
    own = environment(settings.data_dir, spec.name)
    with _disk_errors(own), _locked(own.parent):
        unfinished = own.with_name(f".{spec.name}.unfinished")
        _delete(unfinished)
        try:
            await _build(spec, requirements, unfinished)
            _put_in_place(unfinished, own)
        finally:
            _delete(unfinished)
    _say(f"{spec.description} is installed in {own} ({_megabytes(own)} MB).")
    options = {**settings.engine(name).options, "data_dir": str(settings.data_dir)}
    _say(spec.ready(options) or "A server that is running offers it within 15 seconds.")
    return 0


async def remove(settings: Settings, name: str) -> int:
    """Remove an engine's own environment; raises UnknownEngine."""
    spec = _spec(settings, name)
    if spec.name == "rhvoice":
        print(f"RHVoice belongs to the system. To remove it: sudo apt-get remove {_RHVOICE_PACKAGES}")
        return 1
    own = environment(settings.data_dir, spec.name)
    if not own.exists():
        shared = all(find_spec(module) for module in spec.modules)
        where = f" It is installed in the server's own Python, {sys.prefix}." if shared else ""
        _say(f"{spec.description} has no environment of its own in {own.parent}: nothing to remove.{where}")
        return 1
    with _disk_errors(own), _locked(own.parent):
        freed = _megabytes(own)
        hidden = own.with_name(f".{spec.name}.unfinished")
        _delete(hidden)
        own.rename(hidden)
        _delete(hidden)
    _say(f"{spec.description} is removed from {own}; {freed} MB are free again. Its weights and voices are kept.")
    return 0


def _spec(settings: Settings, name: str) -> EngineSpec:
    """Find the engine of the table that a name stands for, which may be a name of the user's own."""
    configured = settings.engines.get(name)
    if configured is not None and configured.uri is not None:
        raise BadRequest(f"The engine {name} runs at {configured.uri}; there is nothing to install or to remove here.")
    spec = engines().get((configured and configured.type) or name)
    if spec is None:
        raise UnknownEngine(f"There is no engine '{name}'{guess(name, engines())} There are {', '.join(engines())}.")
    return spec


async def _build(spec: EngineSpec, requirements: Path, folder: Path) -> None:
    """Make an environment in a folder and see that its packages can be imported."""
    if find_spec("pip") is None:
        raise EngineUnavailable(f"{sys.executable} has no pip, which installs engines. Run: python -m ensurepip")
    _say(f"Installing {spec.description} into an environment of its own: {', '.join(_direct(requirements))} …")
    await asyncio.to_thread(_make, folder)
    log = folder / "pip.log"
    pip = ["--python", str(folder), "--no-input", "--disable-pip-version-check", "--retries", "2", "--log", str(log)]
    wanted = ["install", "--no-warn-script-location", "--requirement", str(requirements)]
    status, _ = await _run(
        [sys.executable, "-m", "pip", *pip, *wanted],
        output=sys.stderr.fileno() if sys.stderr.isatty() else asyncio.subprocess.DEVNULL,
        env={**os.environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"},
    )
    if status != 0:
        raise EngineUnavailable(f"{spec.description} was not installed: {_reason(log)}")
    log.unlink(missing_ok=True)
    for script in (folder / "bin").iterdir():
        if not script.name.startswith("python"):
            script.unlink()
    await _try(spec, folder)


def _make(folder: Path) -> None:
    try:
        venv = importlib.import_module("venv")
    except ImportError as error:
        raise EngineUnavailable(
            f"{sys.executable} cannot make environments: it has no module venv. Debian: sudo apt install python3-venv"
        ) from error
    venv.create(folder, symlinks=True, with_pip=False)


async def _try(spec: EngineSpec, folder: Path) -> None:
    """Import what was installed, in its own Python: a library of the system may be missing."""
    modules = ", ".join((*spec.modules, "wyoming", "numpy"))
    try:
        async with asyncio.timeout(_TRY_SECONDS):
            status, said = await _run([str(folder / "bin" / "python"), "-I", "-c", f"import {modules}"])
    except TimeoutError:
        raise EngineUnavailable(
            f"{spec.description} was not installed: importing it takes longer than {_TRY_SECONDS:g} s."
        ) from None
    if status != 0:
        last = said.strip().rpartition("\n")[2]
        raise EngineUnavailable(f"{spec.description} was not installed: its packages do not load here. {last}")


async def _run(command: list[str], *, output: int | None = None, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a child; returns its status, and what it said unless it has an ``output``. Cancelling ends its children."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE if output is None else output,
        stderr=asyncio.subprocess.STDOUT,
        env=env,
        process_group=0,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    assert process.returncode is not None, "it has ended"
    return process.returncode, (said or b"").decode("utf-8", "replace")


def _put_in_place(made: Path, own: Path) -> None:
    """Rename an environment to its place; the one that was there makes way."""
    old = own.with_name(f".{own.name}.old")
    _delete(old)
    if own.exists():
        own.rename(old)
    made.rename(own)
    _delete(old)


def _delete(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one installation at a time touch a folder; raises Busy."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"Another installation works in {folder}; wait until it has ended.") from None
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _disk_errors(own: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EngineUnavailable(
            f"Cannot change {own}: {error.strerror or error}. Mend that (or set data_dir), and run the command again."
        ) from error


def _reason(log: Path) -> str:
    """Say why pip failed, by its log."""
    said = log.read_text("utf-8", "replace") if log.is_file() else ""
    for signs, sentence in _REASONS:
        if any(sign in said for sign in signs):
            return sentence
    errors = [line.partition("ERROR: ")[2] for line in said.splitlines() if "ERROR: " in line]
    return f"pip says: {errors[-1]}" if errors else "pip failed, and says nothing about it."


def _direct(requirements: Path) -> list[str]:
    """List what a file asks for by itself: what stands before "What these bring along"."""
    wanted = requirements.read_text("utf-8").partition("# What these")[0].splitlines()
    return [line for line in wanted if line and not line.startswith("#")]


def _megabytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*")) // 1_000_000


async def _install_rhvoice() -> int:
    """Run the script of the checkout as root, else say what to run: RHVoice is a library of the system."""
    if not _RHVOICE_SCRIPT.is_file():
        print("RHVoice belongs to the system. Debian, with non-free in its sources, Ubuntu with universe:")
        print(f"  sudo apt-get update\n  sudo apt-get install --no-install-recommends {_RHVOICE_PACKAGES}")
        return 1
    if os.geteuid() != 0:
        print(f"RHVoice belongs to the system, so installing it needs root. Run:\n  sudo sh {_RHVOICE_SCRIPT}")
        return 1
    return (await _run(["sh", str(_RHVOICE_SCRIPT)], output=sys.stderr.fileno()))[0]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
