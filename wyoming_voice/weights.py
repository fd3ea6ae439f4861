"""Bring the weights of engines to their folders, from the internet or from a folder, and take them away again."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

import aiohttp

from .download import PART, Progress, fetch, has, is_whole, megabytes, refused, session
from .errors import EngineUnavailable
from .folder import delete, disk_errors, locked, put_in_place, size, take_away, unfinished
from .sources import Published, Repository, Wanted, hub

_YES: Final = ("1", "ON", "YES", "TRUE")
"""What huggingface_hub takes for yes in HF_HUB_OFFLINE."""
_SPARE: Final = 100_000_000
"""Bytes that shall stay free on the disk."""


async def bring(model: Wanted, source: Path | None = None) -> None:
    """Fetch a model, or take it from a folder; what is there and whole is kept, what was interrupted goes on.

    Raises EngineUnavailable with what to do, and Busy.
    """
    with disk_errors(model.folder), locked(model.folder.parent):
        made = unfinished(model.folder)
        if source is not None:
            delete(made)
            await asyncio.to_thread(_take, model, source, made)
        elif not await _fetch(model, made):
            _say(f"{model.name} is there already, and whole: {model.folder}.")
            return
        _place(made, model)
    _say(f"{model.name} is in {model.folder}.")


def drop(model: Wanted) -> int:
    """Delete a model, and what an interrupted fetch left of it; returns the bytes that are free again."""
    made = unfinished(model.folder)
    if not model.folder.exists() and not made.exists():
        return 0
    with disk_errors(model.folder), locked(model.folder.parent):
        freed = size(made)
        delete(made)
        if not model.shared:
            return freed + (take_away(model.folder) if model.folder.exists() else 0)
        freed += model.size
        for path in model.files:
            path.unlink()
        return freed


async def _fetch(model: Wanted, made: Path) -> bool:
    """Fetch what a model lacks into a hidden folder; returns whether it lacked anything."""
    async with _opened(model) as http:
        files = await _listed(http, model)
        if model.is_here:
            _say(f"{model.name} is there, {megabytes(model.size)}: comparing it with what is published …")
        lacking = [file for file in files if not await has(model.folder, file)]
        if not lacking:
            return False
        _only(lacking, made)
        sizes = [file.size for file in lacking]
        total = sum(size for size in sizes if size is not None) if None not in sizes else None
        _room(made, total)
        _say(f"Fetching {model.name}: {len(lacking)} files{f', {megabytes(total)}' if total is not None else ''} …")
        progress = Progress(model.name, total)
        try:
            for file in lacking:
                await fetch(http, file, made, progress)
        finally:
            progress.end()
    return True


def _only(lacking: Sequence[Published], made: Path) -> None:
    """Delete what an interrupted fetch has left and what is not lacking any more: it may be of an older revision."""
    wanted = {made / f"{file.path}{end}" for file in lacking for end in ("", PART)}
    for path in [path for path in made.rglob("*") if path.is_file() and path not in wanted]:
        path.unlink()


def _room(folder: Path, total: int | None) -> None:
    """Make the folder, and see that what is to come has room there."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    there = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if total is not None and total - there > free - _SPARE:
        raise EngineUnavailable(
            f"{folder.parent} has {megabytes(free)} free, and {megabytes(total - there)} are to come. "
            "Make room (or set data_dir), and run the command again."
        )


def _place(made: Path, model: Wanted) -> None:
    """Put what arrived in its place: the whole folder at once, or file by file where one is there."""
    if not model.folder.exists():
        put_in_place(made, model.folder)
        return
    for path in sorted(path for path in made.rglob("*") if path.is_file() and path.suffix != PART):
        target = model.folder / path.relative_to(made)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
    delete(made)


@asynccontextmanager
async def _opened(model: Wanted) -> AsyncIterator[aiohttp.ClientSession]:
    on_hub = isinstance(model.source, Repository)
    if on_hub and os.environ.get("HF_HUB_OFFLINE", "").upper() in _YES:
        raise EngineUnavailable(
            f"HF_HUB_OFFLINE is set, so {model.name} was not fetched. --weights-from FOLDER takes it from a folder."
        )
    async with session(_token() if on_hub else None) as http:
        yield http


def _token() -> str | None:
    """Find the user's token of the hub where huggingface_hub does."""
    if token := os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN"):
        return token.strip()
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    file = Path(os.environ.get("HF_TOKEN_PATH") or home / "token")
    return (file.read_text("utf-8").strip() or None) if file.is_file() else None


async def _listed(http: aiohttp.ClientSession, model: Wanted) -> list[Published]:
    """List the files of a model; of a repository those of its newest revision, with their sizes and sums."""
    source = model.source
    if not isinstance(source, Repository):
        return list(source)
    revision = str((await _json(http, f"{hub()}/api/models/{source.name}/revision/main"))["sha"])
    inside = f"/{source.below}" if source.below else ""
    tree: Any = await _json(http, f"{hub()}/api/models/{source.name}/tree/{revision}{inside}?recursive=1")
    published = [_published(source, revision, entry) for entry in tree if entry["type"] == "file"]
    files = [file for file in published if any(fnmatch(file.path, pattern) for pattern in source.patterns)]
    if not files:
        raise EngineUnavailable(f"The repository {source.name} has none of {', '.join(source.patterns)}.")
    return files


def _published(source: Repository, revision: str, entry: dict[str, Any]) -> Published:
    path = str(entry["path"])
    lfs = entry.get("lfs")
    return Published(
        url=f"{hub()}/{source.name}/resolve/{revision}/{path}",
        path=path.removeprefix(f"{source.below}/") if source.below else path,
        size=int(entry["size"]),
        check=("sha256", str(lfs["oid"])) if lfs else ("git", str(entry["oid"])),
    )


async def _json(http: aiohttp.ClientSession, url: str) -> Any:
    host = url.split("/")[2]
    try:
        async with http.get(url) as response:
            refused(response, url)
            return await response.json()
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise EngineUnavailable(
            f"{host} is not reachable ({type(error).__name__}: {error}). Connect this machine to the internet, name a "
            "mirror in HF_ENDPOINT, or take what was fetched elsewhere: --weights-from FOLDER."
        ) from error


def _take(model: Wanted, source: Path, made: Path) -> None:
    """Link or copy a model's files from a user's folder; raises EngineUnavailable where they are not all there."""
    found = {target: path for path, target in _found(model, source)}
    if not found:
        names = ", ".join(_patterns(model))
        raise EngineUnavailable(f"{model.name} is not in {source}: a folder with its files is wanted ({names}).")
    if lacking := list(_lacking(model, found)):
        raise EngineUnavailable(f"{source} has only a part of {model.name}. What it lacks: {', '.join(lacking)}.")
    for target, path in found.items():
        if path.suffix == ".safetensors" and not _ends_right(path):
            raise EngineUnavailable(f"{path} is damaged: it is not as long as it says itself. Copy it again.")
        place = made / target
        place.parent.mkdir(parents=True, exist_ok=True)
        _link(path.resolve(), place)


def _lacking(model: Wanted, found: Mapping[Path, Path]) -> Iterator[str]:
    """Yield what a model lacks: files wanted by name, weights beside a config.json, and parts that an index names."""
    patterns = _patterns(model)
    by_name = [Path(pattern) for pattern in patterns if "*" not in pattern and pattern != "config.json"]
    yield from (str(name) for name in by_name if name not in found)
    kinds = [pattern for pattern in patterns if pattern in ("*.safetensors", "*.bin")]
    if not kinds:
        return
    if Path("config.json") not in found:
        yield "config.json"
    for target, path in found.items():
        beside = [other.name for other in found if other.parent == target.parent]
        if target.name == "config.json" and not any(fnmatch(name, kind) for name in beside for kind in kinds):
            yield str(target.with_name(" or ".join(kinds)))
        if target.name == "model.safetensors.index.json":
            yield from (str(target.with_name(part)) for part in _parts(path) if part not in beside)


def _parts(index: Path) -> list[str]:
    """Return the files that weights are spread over; raises EngineUnavailable for an index that is damaged."""
    try:
        return sorted({str(part) for part in json.loads(index.read_text("utf-8"))["weight_map"].values()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineUnavailable(f"{index} is damaged. Copy it again.") from error


def _ends_right(path: Path) -> bool:
    """Tell whether a safetensors file ends where its header says (https://github.com/huggingface/safetensors#format)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= size - 8:
            return False
        try:
            header: dict[str, Any] = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError):
            return False
    return size == 8 + length + max(ends, default=0)


def _found(model: Wanted, source: Path) -> Iterator[tuple[Path, Path]]:
    """Yield a model's files and where they belong: below a folder of the model's name, or in the folder itself."""
    names = (model.name.replace("/", "--"), model.name.rpartition("/")[2])
    folder = next((source / name for name in names if (source / name).is_dir()), source)
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and any(fnmatch(str(inside), pattern) for pattern in _patterns(model)):
            yield path, inside
    if not isinstance(model.source, Repository):
        for file in model.source:
            if (folder / file.path).is_file() and file.check and not is_whole(folder / file.path, file.check):
                raise EngineUnavailable(f"{folder / file.path} is damaged: its {file.check[0]} sum is another one.")


def _patterns(model: Wanted) -> tuple[str, ...]:
    return model.source.patterns if isinstance(model.source, Repository) else tuple(file.path for file in model.source)


def _link(path: Path, place: Path) -> None:
    try:
        os.link(path, place)
    except OSError:  # another disk, or one that has no links
        shutil.copyfile(path, place)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
