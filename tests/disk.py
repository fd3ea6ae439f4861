"""Disks that are full, or that cannot be written."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, kilobytes: int, how: str = "rw") -> Iterator[None]:
    """Mount a disk of this size, where the machine lets us."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,{how}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def refuse(folder: Path, how: str) -> str:
    """Have a mounted disk be ``full`` or ``read-only`` from now on; returns what it says to whoever writes."""
    if how == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        return "Read-only file system"
    with (folder / "others").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return "No space left on device"


def mend(folder: Path, kilobytes: int = 4096) -> None:
    """Have a disk that was read-only, or full, take so much again."""
    subprocess.run(["mount", "-o", f"remount,rw,size={kilobytes}k", str(folder)], check=True)


@contextmanager
def refusing_disk(folder: Path, how: str) -> Iterator[str]:
    """Mount a disk that is ``full`` or ``read-only``; yields what it says to whoever writes."""
    with small_disk(folder, 8):
        yield refuse(folder, how)
