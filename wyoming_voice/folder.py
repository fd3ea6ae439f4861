"""Folders that are there whole or not at all: made in a hidden place beside theirs, and renamed when they are done."""

import ctypes
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .errors import Busy, EngineUnavailable

_UNFINISHED: Final = ".unfinished"
_HERE: Final = -100  # AT_FDCWD of fcntl.h
_EXCHANGE: Final = 2  # RENAME_EXCHANGE of linux/fs.h


def unfinished(place: Path) -> Path:
    """Return the hidden folder beside a place in which it is made."""
    return place.with_name(f".{place.name}{_UNFINISHED}")


def put_in_place(made: Path, place: Path) -> None:
    """Rename a folder to its place; the one that was there makes way, and there is always one of them."""
    if not place.exists():
        made.rename(place)
    elif _exchange(made, place):
        delete(made)
    else:  # for an instant neither is there
        old = place.with_name(f".{place.name}.old{_UNFINISHED}")
        delete(old)
        place.rename(old)
        made.rename(place)
        delete(old)


def _exchange(one: Path, other: Path) -> bool:
    """Have two folders change places at once (renameat2(2)); returns False where the system cannot."""
    exchange = getattr(ctypes.CDLL(None), "renameat2", None)  # of glibc 2.28 and later
    return exchange is not None and exchange(_HERE, bytes(one), _HERE, bytes(other), _EXCHANGE) == 0


def tidy(shelf: Path) -> int:
    """Delete what was being made in a folder when somebody was killed; returns the bytes that it had."""
    left = list(shelf.glob(f".*{_UNFINISHED}"))
    freed = sum(map(size, left))
    for path in left:
        delete(path)
    return freed


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
    """Let one installation at a time touch a folder; raises Busy.

    Children that take what is inheritable (``close_fds=False``) keep it locked when their parent is killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    os.set_inheritable(descriptor, True)
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
