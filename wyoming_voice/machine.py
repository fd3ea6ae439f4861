"""What the machine offers: packages, settings, disk, a GPU. Needs no package, to say which one is missing."""

import asyncio
import os
import re
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final, Literal

ANSWER_SECONDS: Final = 5.0
"""For whoever should answer at once: a port, another server, nvidia-smi."""
_CHECKOUT: Final = Path(__file__).resolve().parent.parent
_ROOM: Final = 1_000_000_000
"""Bytes free that engines and outputs can live with."""
_NO_ROOM: Final = 50_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    mark: Literal["✓", "!", "✗"]
    """All is well; something could be better; something does not work."""
    text: str


def packages() -> Finding:
    """Look for what the server needs itself; engines look after their own."""
    try:
        wanted = requires("wyoming-voice") or []
    except PackageNotFoundError:  # a checkout that runs without having been installed
        wanted = tomllib.loads((_CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    absent = []
    for requirement in wanted:
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        if "extra ==" not in requirement:
            try:
                version(name)
            except PackageNotFoundError:
                absent.append(name)
    if absent:
        mend = f"{sys.executable} -m pip install {' '.join(absent)}"
        return Finding("✗", f"packages: {', '.join(absent)} missing. Run: {mend}")
    return Finding("✓", "packages: complete; audio files are decoded by PyAV, ffmpeg is not needed")


def configuration(named: str | None) -> Finding:
    """Name the file that ``cli.py`` has read; a mistake in it was reported there."""
    name = named or os.environ.get("WYOMING_VOICE_CONFIG")
    path = Path(name) if name else _CHECKOUT / "config.yml"
    keys = sum(name.startswith("WYOMING_VOICE__") for name in os.environ)
    more = f", and {keys} from the environment" if keys else ""
    return Finding("✓", f"settings: {path.absolute() if path.exists() else 'the defaults'}{more}")


def folder(path: Path) -> Finding:
    there = next(place for place in (path, *path.parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            free = shutil.disk_usage(there).free
    except OSError as error:
        mend = f"sudo install -d -o {os.geteuid()} {path} gives it to this user; or set data_dir to another folder"
        return Finding("✗", f"data_dir: cannot write to {there}: {error.strerror}. {mend}")
    if free < _ROOM:
        mark: Literal["!", "✗"] = "✗" if free < _NO_ROOM else "!"
        return Finding(mark, f"data_dir: {path} has {free / 1e6:.0f} MB free; make room, or set data_dir elsewhere")
    return Finding("✓", f"data_dir: {path}, writable, {free / 1e9:.0f} GB free")


async def gpu(wanted_by: Sequence[str]) -> Finding:
    """Ask nvidia-smi; no GPU matters only to the engines that are set up for one."""
    names = await _gpus() if shutil.which("nvidia-smi") else ()
    if names:
        return Finding("✓", f"GPU: {', '.join(names)}")
    if wanted_by:
        return Finding(
            "!",
            f"GPU: nvidia-smi sees none, but {', '.join(wanted_by)} should run on one; set engines.NAME.device: cpu",
        )
    return Finding("✓", "GPU: none seen; nothing that is set up needs one")


async def _gpus() -> Sequence[str]:
    process = await asyncio.create_subprocess_exec(
        *("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return ()
    return [line.strip() for line in said.decode("utf-8", "replace").splitlines()] if process.returncode == 0 else ()


def milliseconds(seconds: float) -> str:
    """Write a short time."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
