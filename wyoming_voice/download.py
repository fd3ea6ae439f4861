"""Fetch files over HTTP: what was interrupted goes on where it stopped, and what arrives is checked.

Own code and not huggingface_hub: two publishers in five are not the hub, a resumable download is needed for those
anyway, and the library would bring twelve packages into the server.
"""

import asyncio
import hashlib
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import BinaryIO, Final

import aiohttp

from .errors import EngineUnavailable
from .sources import Check, Published

_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)
_CHUNK: Final = 1024 * 1024
_PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before a broken connection is tried again, while not one byte more arrives."""
_LINE_SECONDS: Final = 5.0
PART: Final = ".part"
"""What the name of a file ends with while it grows."""


class Progress:
    """How much of something has arrived: a line that changes on a terminal, else one now and then."""

    def __init__(self, name: str, total: int | None, *, clock: Callable[[], float] = monotonic) -> None:
        self._name = name
        self._total = total
        self._clock = clock
        self._started = self._said = clock()
        self._arrived = self._fresh = 0

    def skip(self, size: int) -> None:
        """Count bytes that were there before."""
        self._arrived += size

    def add(self, size: int) -> None:
        """Count bytes that came now; negative: they have to come again."""
        self._arrived += size
        self._fresh += max(0, size)
        now = self._clock()
        if now - self._said >= (0.2 if sys.stderr.isatty() else _LINE_SECONDS):
            self._said = now
            self._show()

    def _show(self) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\033[K{self}")
        else:
            sys.stderr.write(f"{self}\n")
        sys.stderr.flush()

    def __str__(self) -> str:
        """Write bytes, speed and the time that is left."""
        speed = self._fresh / max(self._clock() - self._started, 1e-3)
        text = f"{self._name}: {megabytes(self._arrived)}"
        if self._total is None:
            return f"{text}, {megabytes(speed)}/s"
        left = int((self._total - self._arrived) / speed) if speed else 0
        return f"{text} of {megabytes(self._total)}, {megabytes(speed)}/s, {left // 60}:{left % 60:02d} left"

    def end(self) -> None:
        """Clear the line."""
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")


def megabytes(size: float) -> str:
    """Write a number of bytes for a person."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def session(token: str | None = None) -> aiohttp.ClientSession:
    """Open a session that honours the proxies of the environment; the token goes to the first host only."""
    headers = {"User-Agent": "wyoming-voice", "Accept-Encoding": "identity"}  # lengths and ranges are those of the file
    if token:
        headers["Authorization"] = f"Bearer {token}"  # aiohttp leaves it out where a redirect leads to another host
    return aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True, headers=headers)


async def fetch(http: aiohttp.ClientSession, file: Published, folder: Path, progress: Progress) -> None:
    """Bring a file into a folder, under its name only when it is whole; one that is there already is kept.

    Raises EngineUnavailable with what to do, and OSError where the disk refuses.
    """
    place = folder / file.path
    if Path(file.path).is_absolute() or ".." in Path(file.path).parts:
        raise EngineUnavailable(f"{file.url} has no file name that could be used; nothing was fetched.")
    if await has(folder, file):
        progress.skip(place.stat().st_size)
        return
    part = _part(place)
    progress.skip(_size(part))
    await _insist(http, file, part, progress)
    if file.check is not None and not await asyncio.to_thread(is_whole, part, file.check):
        await asyncio.to_thread(part.unlink)
        raise EngineUnavailable(
            f"{file.path} arrived damaged (its {file.check[0]} sum is not the published one) and was deleted. "
            f"Run the command again; if it stays so, {file.url} or what lies between is broken."
        )
    await asyncio.to_thread(part.rename, place)


def _part(place: Path) -> Path:
    """Return where a file grows, in a folder that is there."""
    place.parent.mkdir(parents=True, exist_ok=True)
    return place.with_name(f"{place.name}{PART}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


async def _insist(http: aiohttp.ClientSession, file: Published, part: Path, progress: Progress) -> None:
    """Fetch a file in as many connections as it takes; a server that cannot be reached at all is not tried again."""
    pauses: Iterator[float] = iter(())
    while True:
        before = _size(part)
        try:
            with _unreachable(file.url):
                return await _continue(http, file, part, progress)
        except EngineUnavailable as error:
            pause = 0.0
            if _size(part) > before:
                pauses = iter(_PAUSES)
            else:
                pause = next(pauses, -1.0)
            if pause < 0 or not isinstance(error.__cause__, _BROKEN):
                raise
        await asyncio.sleep(pause)


_BROKEN: Final = (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, TimeoutError)
"""What happens to connections, and may not happen to the next one."""


@contextmanager
def _unreachable(url: str) -> Iterator[None]:
    host = url.split("/")[2]
    try:
        yield
    except (aiohttp.ClientError, TimeoutError) as error:
        raise EngineUnavailable(
            f"{host} is not reachable or breaks the connection ({type(error).__name__}: {error}). Run the command "
            "again: it goes on where it stopped. Without internet: --weights-from FOLDER takes what was fetched."
        ) from error


async def _continue(http: aiohttp.ClientSession, file: Published, part: Path, progress: Progress) -> None:
    """Append to a file what it lacks; starts over where the server cannot go on."""
    there = _size(part)
    if file.size is not None and there >= file.size:
        if there == file.size:
            return
        await asyncio.to_thread(part.unlink)  # longer than published: another file's
        progress.add(-there)
        there = 0
    async with http.get(file.url, headers={"Range": f"bytes={there}-"} if there else {}) as response:
        if response.status == 416:  # nothing is behind the end: it is whole, as far as one can know
            return
        refused(response, file.url)
        if response.status != 206 and there:
            progress.add(-there)
        with _open(part, more=response.status == 206) as target:
            async for received in response.content.iter_chunked(_CHUNK):
                await asyncio.to_thread(target.write, received)
                progress.add(len(received))
    if file.size is not None and _size(part) < file.size:
        raise aiohttp.ClientPayloadError(f"it ends after {_size(part)} of {file.size} bytes")


def _open(part: Path, *, more: bool) -> BinaryIO:
    return part.open("ab" if more else "wb")


def refused(response: aiohttp.ClientResponse, url: str) -> None:
    """Raise EngineUnavailable where a server says no."""
    if response.status in (401, 403):
        raise EngineUnavailable(
            f"{url} is not given to everybody (HTTP {response.status}). Accept the model's licence on its page, make a "
            "token there (Settings, Access Tokens), and run: HF_TOKEN=… ./run.sh engines install NAME --weights"
        )
    if response.status == 404:
        raise EngineUnavailable(f"There is nothing at {url}. Is the model's name right?")
    if response.status >= 400:
        raise EngineUnavailable(f"{url} answers HTTP {response.status} {response.reason}. Run the command again later.")


async def has(folder: Path, file: Published) -> bool:
    """Tell whether a folder has a file as it is published now: gigabytes are read for that, where a sum is known."""
    place = folder / file.path
    if not place.is_file() or file.size not in (None, place.stat().st_size):
        return False
    return file.check is None or await asyncio.to_thread(is_whole, place, file.check)


def is_whole(path: Path, check: Check) -> bool:
    """Compare a file with what its publisher says of it."""
    kind, expected = check
    if kind == "zip":
        try:
            with zipfile.ZipFile(path) as archive:
                return archive.testzip() is None
        except (zipfile.BadZipFile, EOFError):
            return False
    with path.open("rb") as source:
        if kind == "git":  # git hashes "blob", the length and the content
            digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
            while received := source.read(_CHUNK):
                digest.update(received)
            return digest.hexdigest() == expected
        return hashlib.file_digest(source, kind).hexdigest() == expected
