"""The library of voices that the user made: a folder each, with ``voice.yml`` and its recordings as FLAC.

A voice appears and goes whole: its folder is written beside its place and renamed, and removed the same way round.
All methods block: call them in a thread.
"""

import logging
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .config_source import NotYaml, read_yaml
from .config_type import Language
from .engines.protocol import Reference
from .errors import BadRequest, EngineUnavailable, UnknownVoice

_LOGGER = logging.getLogger(__name__)

_NAME: Final = re.compile(r"[^\W_]([\w .'-]{0,62}[^\W_])?")
_FILE: Final = re.compile(r"[\w-][\w.-]{0,99}")
_LARGEST: Final = 64 * 1024  # bytes of a voice.yml
_KEPT: Final = 200  # recordings that came with a request, of which the latest are kept

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
        """Keep a voice, its recordings FLAC with what they say; raises BadRequest for a name that is taken."""
        name = safe_name(voice.name)
        place = self.folder / name
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=self.folder))
        try:
            self._write(unfinished, voice, recordings)
            unfinished.rename(place)  # fails where a folder with files is already
            _settle(self.folder)
        except OSError as error:
            if place.exists():
                raise BadRequest(f"There is a voice '{name}' already. Remove it, or choose another name.") from None
            raise EngineUnavailable(f"The voice cannot be kept in {self.folder}: {error.strerror or error}.") from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return self._voice(place)

    def remove(self, name: str) -> None:
        """Remove a voice; raises UnknownVoice."""
        place = self.folder / name
        if _NAME.fullmatch(name) is None or place.is_symlink() or not place.is_dir():
            raise UnknownVoice(f"There is no voice of your own called '{name}'.")
        hidden = Path(tempfile.mkdtemp(prefix=".removed-", dir=self.folder))
        place.rename(hidden / name)
        _settle(self.folder)
        shutil.rmtree(hidden)

    def keep(self, recording: bytes) -> Path:
        """Put a recording that came with a request, a FLAC file, where engines find it; the oldest make room."""
        cache = self.folder / ".requests"
        path = cache / f"{sha256(recording).hexdigest()[:32]}.flac"
        if path.exists():
            path.touch()
            return path
        cache.mkdir(parents=True, exist_ok=True)
        for old in sorted(cache.glob("*.flac"), key=lambda one: one.stat().st_mtime)[: 1 - _KEPT]:
            old.unlink(missing_ok=True)
        _put(path, recording)
        return path

    def _read(self) -> Iterator[LibraryVoice]:
        try:
            found = sorted(path for path in self.folder.iterdir() if not path.name.startswith("."))
        except OSError:
            return  # no voice was made yet
        for path in found:
            try:
                yield self._voice(path)
            except (_Damaged, OSError) as error:
                if (path.name, str(error)) not in self._told:
                    self._told.add((path.name, str(error)))
                    _LOGGER.warning("The voice in %s is left out: %s", path, error)

    def _voice(self, path: Path) -> LibraryVoice:
        if _NAME.fullmatch(path.name) is None or path.is_symlink() or not path.is_dir():
            raise _Damaged("it is not a folder with a name of letters, digits, spaces, dots and hyphens")
        described = path / "voice.yml"
        with described.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise _Damaged(f"voice.yml is larger than {_LARGEST} bytes")
        try:
            values, source = read_yaml(content.decode("utf-8"), "voice.yml")
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
            name=path.name,
            engine=known.engine,
            languages=known.languages,
            references=references,
            description=known.description,
            seed=known.seed,
        )

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


def safe_name(name: str) -> str:
    """Return a name as it is kept; raises BadRequest for one that cannot be a folder's."""
    name = unicodedata.normalize("NFC", name.strip())
    if _NAME.fullmatch(name) is None:
        raise BadRequest("A voice's name has 1 to 64 letters, digits, spaces, dots and hyphens, such as 'anna'.")
    return name


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
