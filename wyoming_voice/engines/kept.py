"""What engines compute of a user's recordings and keep on disk, so that it need not be computed again."""

import logging
import os
import tempfile
from pathlib import Path

_LOGGER = logging.getLogger(__name__)


def keep(path: Path, content: bytes) -> None:
    """Write a file that is under its name whole or not at all, also where two workers write the same one at once.

    A disk that is full or cannot be written costs the time to compute it again, and is warned of; nothing is raised.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        _LOGGER.warning(
            "a cloned voice cannot be kept in %s (%s); it is computed again next time",
            path.parent,
            error.strerror or error,
        )
