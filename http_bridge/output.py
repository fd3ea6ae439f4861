"""Files of speech and transcripts that clients fetch later: written whole, named by us, pruned by age and size."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from wyoming_voice.errors import EngineUnavailable

_NAME: Final = re.compile(r"(speech|stt)_[0-9TZ-]{1,40}(_raw)?\.(ogg|txt)")
_PART: Final = ".part"


@dataclass(frozen=True, slots=True)
class Outputs:
    """A folder of finished files. All methods block: call them in a thread."""

    folder: Path
    keep_seconds: float
    keep_bytes: int

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """Write a file that appears under its name only when it is complete.

        Raises EngineUnavailable where the disk refuses.
        """
        with disk(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, suffix=_PART, delete=False) as file:
                try:
                    yield file  # type: ignore[misc]  # it wraps a BinaryIO and is one to its callers
                    file.flush()
                    os.replace(file.name, self.folder / name)  # noqa: PTH105 - Path.replace is the same on a name
                except BaseException:
                    Path(file.name).unlink(missing_ok=True)
                    raise

    def find(self, name: str) -> Path | None:
        """Return the file of this name if it is one of ours: no path, no link, nothing else that lies there."""
        if _NAME.fullmatch(name) is None:
            return None
        path = self.folder / name
        return path if path.is_file() and not path.is_symlink() else None

    def prune(self, now: float) -> None:
        """Remove what is too old, then the oldest while there is too much.

        Raises EngineUnavailable where the disk refuses.
        """
        with disk(self.folder):
            files = sorted(self._files())
            total = sum(size for _, size, _ in files)
            for written, size, path in files:
                if now - written > self.keep_seconds or total > self.keep_bytes:
                    path.unlink(missing_ok=True)
                    total -= size

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """Yield when each file was written, its size, and where it is; another request may be pruning, too."""
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            with suppress(FileNotFoundError):
                if _ours(path):
                    yield path.stat().st_mtime, path.stat().st_size, path


@contextmanager
def disk(folder: Path | str) -> Iterator[None]:
    """Say what a disk refuses: it is full, or cannot be written."""
    try:
        yield
    except (ConnectionError, TimeoutError):
        raise  # the client's doing
    except OSError as error:
        raise EngineUnavailable(f"Nothing can be written to {folder}: {error.strerror or error}.") from error


def stamp() -> str:
    """Return the time for a name, to the microsecond, in UTC."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S-%fZ")


def _ours(path: Path) -> bool:
    return path.is_file() and (path.suffix == _PART or _NAME.fullmatch(path.name) is not None)
