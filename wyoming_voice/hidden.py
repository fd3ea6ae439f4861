"""Hidden folders of a process: gone when it is done with them, and found by others when it was killed."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_STALE: Final = 60.0  # seconds: a new one may not be locked yet


@contextmanager
def hidden(folder: Path, prefix: str) -> Iterator[Path]:
    """Make a folder in another one for as long as the block lasts, locked; what was renamed away stays."""
    folder.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=prefix, dir=folder))
    descriptor = os.open(place, os.O_RDONLY)
    try:
        with suppress(OSError):  # a network's file system may have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(descriptor)


def delete_stale(place: Path) -> None:
    """Delete a folder of :func:`hidden` that no process holds any more."""
    with suppress(OSError):  # it is held, or gone
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if abs(time.time() - os.fstat(descriptor).st_mtime) > _STALE:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(place, ignore_errors=True)
        finally:
            os.close(descriptor)
