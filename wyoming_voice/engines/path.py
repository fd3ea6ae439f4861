"""Paths for native libraries that have little room for them."""

import os
from pathlib import Path
from typing import Final

_ROOM: Final = 100
"""Bytes: espeak cuts paths at 160 (N_PATH_HOME), names of the files in the folder included."""


def short(folder: Path) -> Path:
    """Name a folder in few bytes: itself, or an open descriptor of it where its own path is long (Linux).

    The descriptor stays open as long as the process lives: espeak reads a dictionary when its language is first spoken.
    """
    if len(os.fsencode(folder)) <= _ROOM:
        return folder
    return Path(f"/proc/self/fd/{os.open(folder, os.O_RDONLY)}")
