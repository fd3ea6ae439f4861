"""The library of voices that the user made: a folder each, with ``voice.yml`` and its recordings as FLAC.

A voice appears and goes whole: its folder is written beside its place and renamed, and removed the same way round.
Names are Unicode's composed form (NFC), as most keyboards write them; macOS decomposes those of files and addresses.
All methods block: call them in a thread.
"""

import logging
import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .config_source import NotYaml, read_yaml
from .config_type import Language
from .engines.protocol import Reference
from .engines.reference import LENT
from .errors import BadRequest, EngineUnavailable, UnknownVoice
from .hidden import delete_stale, hidden

_LOGGER = logging.getLogger(__name__)

_NAME: Final = re.compile(r"[^\W_]([\w .'-]{0,62}[^\W_])?")
_FILE: Final = re.compile(r"[\w-][\w.-]{0,99}")
_LONGEST_NAME: Final = 200  # bytes: a file system takes 255
_LARGEST: Final = 256 * 1024  # bytes of a voice.yml
_HIDDEN: Final = (".unfinished-", ".removed-", LENT)

MOST_REFERENCES: Final = 16
"""Recordings of one voice."""
LONGEST_TEXT: Final = 2000
"""Characters of what a recording says, or of a description."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryVoice:
    """A voice that the user made: of recordings, or of a description."""

    name: str
    engine: str | None = None
    """Who speaks with it; None: the first that can."""
    languages: tuple[str, ...] = ()
    """What it speaks; none: whatever the engine does."""
    references: tuple[Reference, ...] = ()
    description: str | None = None
    seed: int | None = None


class _Recording(BaseModel):
    model_config = ConfigDict(extra="forbid")
    audio: Annotated[str, Field(pattern=f"^{_FILE.pattern}$")]
    text: Annotated[str | None, Field(max_length=LONGEST_TEXT)] = None


class _VoiceFile(BaseModel):
    """What voice.yml says."""

    model_config = ConfigDict(extra="forbid")
    engine: str | None = None
    languages: tuple[Language, ...] = ()
    references: Annotated[tuple[_Recording, ...], Field(max_length=MOST_REFERENCES)] = ()
    description: Annotated[str | None, Field(max_length=LONGEST_TEXT)] = None
    seed: Annotated[int | None, Field(ge=0, lt=2**32)] = None


class _Damaged(Exception):
    """A folder that cannot be used, and why."""


@dataclass(frozen=True, slots=True)
class Library:
    """The user's voices below a folder."""

    folder: Path
    _told: set[tuple[str, str]] = field(default_factory=set)  # folders that were complained of

    def voices(self) -> Sequence[LibraryVoice]:
        """Read all voices; what is damaged is left out, and reported once."""
        return list(self._read())

    def add(self, voice: LibraryVoice, recordings: Sequence[tuple[bytes, str | None]]) -> LibraryVoice:
        """Keep a voice, its recordings FLAC with what they say.

        Raises BadRequest for a name that is taken, in whatever case, and for what could not be read again;
        EngineUnavailable where the disk refuses.
        """
        name = safe_name(voice.name)
        taken = BadRequest(f"There is a voice '{name}' already. Remove it, or choose another name.")
        place = self.folder / name
        with self._disk(), hidden(self.folder, ".unfinished-") as unfinished:
            if any(_normal(path.name).casefold() == name.casefold() for path in self._found()):
                raise taken
            self._write(unfinished, voice, recordings)
            try:
                made = _content(unfinished)
            except _Damaged as error:
                raise BadRequest(f"The voice cannot be kept: {error}.") from error
            try:
                unfinished.rename(place)  # fails where a folder with files is already
            except OSError:
                if place.exists():
                    raise taken from None
                raise
            _settle(self.folder)
        moved = tuple(replace(one, path=str(place / Path(one.path).name)) for one in made.references)
        return replace(made, name=name, references=moved)

    def remove(self, name: str) -> None:
        """Remove a voice; raises UnknownVoice, and EngineUnavailable where the disk refuses."""
        unknown = UnknownVoice(f"There is no voice of your own called '{name[:100]}'.")
        name = _normal(name)
        place = next((path for path in self._found() if _normal(path.name) == name), None)
        if place is None or not _is_voice(place):
            raise unknown
        with self._disk(), hidden(self.folder, ".removed-") as removed:
            try:
                place.rename(removed / place.name)
            except FileNotFoundError:
                raise unknown from None  # somebody else removed it just now
            _settle(self.folder)

    @contextmanager
    def lent(self) -> Iterator[Callable[[bytes], Path]]:
        """Yield what puts a recording of one request, a FLAC file, where engines find it until the block is left."""
        with ExitStack() as stack:
            with self._disk():
                folder = stack.enter_context(hidden(self.folder, LENT))

            def put(recording: bytes) -> Path:
                path = folder / f"{sha256(recording).hexdigest()[:32]}.flac"
                with self._disk():
                    path.write_bytes(recording)
                return path

            yield put

    def tidy(self) -> None:
        """Delete what a server that was killed has left behind, recordings of its requests among it."""
        for path in self._entries():
            if path.name.startswith(_HIDDEN):
                delete_stale(path)

    def _entries(self) -> list[Path]:
        try:
            return sorted(self.folder.iterdir())
        except OSError:
            return []  # no voice was made yet

    def _found(self) -> list[Path]:
        return [path for path in self._entries() if not path.name.startswith(".")]

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EngineUnavailable(
                f"Voices cannot be kept in {self.folder}: {error.strerror or error}. Mend that, or set data_dir."
            ) from error

    def _read(self) -> Iterator[LibraryVoice]:
        for path in self._found():
            try:
                yield _voice(path)
            except (_Damaged, OSError) as error:
                if (path.name, str(error)) not in self._told:
                    self._told.add((path.name, str(error)))
                    _LOGGER.warning("The voice in %s is left out: %s", path, error)

    def _write(self, folder: Path, voice: LibraryVoice, recordings: Sequence[tuple[bytes, str | None]]) -> None:
        names = ["reference.flac", *(f"reference-{number}.flac" for number in range(2, len(recordings) + 1))]
        written: dict[str, object] = {
            "engine": voice.engine,
            "languages": list(voice.languages) or None,
            "description": voice.description,
            "seed": voice.seed,
            "references": [
                {"audio": file, **({"text": text} if text else {})}
                for file, (_, text) in zip(names, recordings, strict=False)
            ],
        }
        content = {key: value for key, value in written.items() if value not in (None, [])}
        for file, (recording, _) in zip(names, recordings, strict=False):
            _put(folder / file, recording)
        _put(folder / "voice.yml", yaml.safe_dump(content, allow_unicode=True, sort_keys=False).encode())


def _is_voice(path: Path) -> bool:
    return _NAME.fullmatch(_normal(path.name)) is not None and not path.is_symlink() and path.is_dir()


def _voice(path: Path) -> LibraryVoice:
    if not _is_voice(path):
        raise _Damaged("it is not a folder with a name of letters, digits, spaces, dots and hyphens")
    return _content(path)


def _content(path: Path) -> LibraryVoice:
    """Read a voice's folder; raises _Damaged and OSError."""
    with (path / "voice.yml").open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise _Damaged(f"voice.yml is larger than {_LARGEST} bytes")
    try:
        values, source = read_yaml(content.decode("utf-8-sig"), "voice.yml")
        if source.mistakes:
            raise _Damaged(str(source.mistakes[0]))
        known = _VoiceFile.model_validate(values)
    except (UnicodeDecodeError, NotYaml, ValidationError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else error
        raise _Damaged(f"voice.yml: {what}") from error
    references = tuple(Reference(str(path / one.audio), one.text) for one in known.references)
    for reference in references:
        if not Path(reference.path).is_file():
            raise _Damaged(f"{Path(reference.path).name} is missing")
    if not references and not known.description:
        raise _Damaged("voice.yml has neither references nor a description")
    return LibraryVoice(
        name=_normal(path.name),
        engine=known.engine,
        languages=known.languages,
        references=references,
        description=known.description,
        seed=known.seed,
    )


def safe_name(name: str) -> str:
    """Return a name as it is kept; raises BadRequest for one that cannot be a folder's."""
    name = _normal(name.strip())
    if _NAME.fullmatch(name) is None or len(name.encode()) > _LONGEST_NAME:
        raise BadRequest("A voice's name has 1 to 64 letters, digits, spaces, dots and hyphens, such as 'anna'.")
    return name


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _put(path: Path, content: bytes) -> None:
    """Write a file that is on the disk, whole, when this returns."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _settle(folder: Path) -> None:
    """Have a folder's entries written to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
