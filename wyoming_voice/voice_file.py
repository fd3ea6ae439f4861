"""A voice of the user's own as a folder: ``voice.yml`` and its recordings, written whole and read with suspicion.

Names are Unicode's composed form (NFC), as most keyboards write them; macOS decomposes those of files and addresses.
"""

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from .config_mistake import sentences
from .config_source import NotYaml, read_yaml
from .config_type import Language
from .engines.protocol import Reference
from .errors import BadRequest

_NAME: Final = re.compile(r"[^\W_]([\w .'-]{0,62}[^\W_])?")
_FILE: Final = re.compile(r"[\w-][\w.-]{0,99}")
_NAMES: Final = (
    "1 to 64 letters, digits, spaces, dots, hyphens and apostrophes, a letter or digit first and last, such as 'anna'"
)
_LONGEST_NAME: Final = 200  # bytes: a file system takes 255
_LARGEST: Final = 256 * 1024  # bytes of a voice.yml

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


def _beside(file: str) -> str:
    """Check that a file is one of the voice's folder."""
    if _FILE.fullmatch(file) is None:
        raise ValueError(f"must be a file of the same folder, such as reference.flac, not {file[:100]!r}")
    return file


class _Recording(BaseModel):
    model_config = ConfigDict(extra="forbid")
    audio: Annotated[str, AfterValidator(_beside)]
    text: Annotated[str | None, Field(max_length=LONGEST_TEXT)] = None


class _VoiceFile(BaseModel):
    """What voice.yml says."""

    model_config = ConfigDict(extra="forbid")
    engine: str | None = None
    languages: tuple[Language, ...] = ()
    references: Annotated[tuple[_Recording, ...], Field(max_length=MOST_REFERENCES)] = ()
    description: Annotated[str | None, Field(max_length=LONGEST_TEXT)] = None
    seed: Annotated[int | None, Field(ge=0, lt=2**32)] = None


class Damaged(Exception):
    """A folder that cannot be used, and why."""


def is_voice(path: Path) -> bool:
    """Tell whether a path could be a voice's folder."""
    return _NAME.fullmatch(composed(path.name)) is not None and not path.is_symlink() and path.is_dir()


def read_voice(path: Path) -> LibraryVoice:
    """Read a voice of the library; raises Damaged and OSError."""
    if not is_voice(path):
        raise Damaged(f"it is no folder whose name has {_NAMES}")
    return read_content(path)


def read_content(path: Path) -> LibraryVoice:
    """Read a voice's folder, whatever it is called; raises Damaged and OSError."""
    with (path / "voice.yml").open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise Damaged(f"voice.yml is larger than {_LARGEST} bytes")
    try:
        values, source = read_yaml(content.decode("utf-8-sig"), "voice.yml")
        if source.mistakes:
            raise Damaged(str(source.mistakes[0]))
        known = _VoiceFile.model_validate(values)
    except UnicodeDecodeError as error:
        raise Damaged("voice.yml: this is not UTF-8 text") from error
    except NotYaml as error:
        raise Damaged(f"voice.yml: {error}") from error
    except ValidationError as error:
        key, what = next(sentences(error, _VoiceFile))
        raise Damaged(": ".join(filter(None, ("voice.yml", ".".join(key), what)))) from error
    references = tuple(Reference(str(path / one.audio), one.text) for one in known.references)
    for reference in references:
        if not Path(reference.path).is_file():
            raise Damaged(f"{Path(reference.path).name} is missing")
    if not references and not known.description:
        raise Damaged("voice.yml has neither references nor a description")
    return LibraryVoice(
        name=composed(path.name),
        engine=known.engine,
        languages=known.languages,
        references=references,
        description=known.description,
        seed=known.seed,
    )


def safe_name(name: str) -> str:
    """Return a name as it is kept; raises BadRequest for one that cannot be a folder's."""
    name = composed(name.strip())
    if _NAME.fullmatch(name) is None or len(name.encode()) > _LONGEST_NAME:
        raise BadRequest(f"A voice's name has {_NAMES}.")
    return name


def composed(name: str) -> str:
    """Write a name as it is compared."""
    return unicodedata.normalize("NFC", name)


def write_voice(folder: Path, voice: LibraryVoice, recordings: Sequence[tuple[bytes, str | None]]) -> None:
    """Write a voice into an empty folder: recordings, FLAC, with what they say, and voice.yml."""
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


def _put(path: Path, content: bytes) -> None:
    """Write a file that is on the disk, whole, when this returns."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
