"""Folders that are there whole or not at all: made in a hidden place beside theirs, and renamed when they are done."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import Busy, EngineUnavailable


def unfinished(place: Path) -> Path:
    """Return the hidden folder beside a place in which it is made."""
    return place.with_name(f".{place.name}.unfinished")


def put_in_place(made: Path, place: Path) -> None:
    """Rename a folder to its place; the one that was there makes way."""
    old = place.with_name(f".{place.name}.old")
    delete(old)
    if place.exists():
        place.rename(old)
    made.rename(place)
    delete(old)


def take_away(place: Path) -> int:
    """Delete a folder, gone for all others at once; returns the bytes that it had."""
    freed = size(place)
    hidden = unfinished(place)
    delete(hidden)
    place.rename(hidden)
    delete(hidden)
    return freed


def delete(folder: Path) -> None:
    """Delete a folder with all that is in it, if there is one; of a link only the link."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def size(folder: Path) -> int:
    """Count the bytes of a folder's files on the disk, those too that other folders share by hard links."""
    return sum(path.lstat().st_size for path in folder.rglob("*"))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
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
def disk_errors(place: Path) -> Iterator[None]:
    """Say in a sentence that a place cannot be changed; raises EngineUnavailable."""
    try:
        yield
    except OSError as error:
        raise EngineUnavailable(
            f"Cannot change {place}: {error.strerror or error}. Mend that (or set data_dir), and run the command again."
        ) from error
