"""The library of voices that the user made: a folder each, with ``voice.yml`` and its recordings as FLAC.

A voice appears and goes whole: its folder is written beside its place and renamed, and removed the same way round.
Who speaks with it meanwhile has links to its recordings in a folder of its own, which is gone once that is over.
All methods block: call them in a thread.
"""

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from .engines.protocol import Reference
from .engines.reference import LENT
from .errors import BadRequest, EngineUnavailable, UnknownVoice
from .hidden import delete_stale, hidden
from .voice_file import Damaged, LibraryVoice, composed, is_voice, read_content, read_voice, safe_name, write_voice

_LOGGER = logging.getLogger(__name__)

_SPEAKING: Final = ".speaking-"
"""What folders begin with whose recordings are a voice's of the library, for as long as a request speaks with it."""
_HIDDEN: Final = (".unfinished-", ".removed-", _SPEAKING, LENT)


@dataclass(frozen=True, slots=True)
class Library:
    """The user's voices below a folder."""

    folder: Path
    cache: Path | None = None
    """Where engines keep what they compute of recordings."""
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
            if any(composed(path.name).casefold() == name.casefold() for path in self._found()):
                raise taken
            write_voice(unfinished, voice, recordings)
            try:
                made = read_content(unfinished)
            except Damaged as error:
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
        name = composed(name)
        place = next((path for path in self._found() if composed(path.name) == name), None)
        if place is None or not is_voice(place):
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

    @contextmanager
    def held(self, references: Sequence[Reference]) -> Iterator[tuple[Reference, ...]]:
        """Yield the recordings of a voice where they stay until the block is left, whoever removes it meanwhile.

        Where the disk takes neither links nor copies, they stay where they are. Raises UnknownVoice for a voice that
        was removed just now.
        """
        with ExitStack() as stack:
            held = tuple(references)
            try:
                before = [(one.path, Path(one.path).stat()) for one in references]
                stack.callback(self._let_go, before)
                folder = stack.enter_context(hidden(self.folder, _SPEAKING))
                held = tuple(replace(one, path=_linked(one.path, folder)) for one in references)
            except FileNotFoundError:
                raise UnknownVoice("This voice was removed just now.") from None
            except OSError as error:
                _LOGGER.debug("A voice that speaks is not kept from being removed: %s", error)
            yield held

    def _let_go(self, before: Sequence[tuple[str, os.stat_result]]) -> None:
        """Forget once more what was computed of a voice, if that was after it was removed."""
        if not all(_is_still(path, known) for path, known in before):
            try:
                self.forget_computed()
            except EngineUnavailable as error:
                _LOGGER.warning("%s", error.text)

    def forget_computed(self) -> None:
        """Delete what is computed again when it is needed: nobody here knows which of it was made of which recording.

        What is just being written goes too, or was left by a worker that was killed. Raises EngineUnavailable.
        """
        try:
            for path in () if self.cache is None else self.cache.glob("*/*"):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise EngineUnavailable(
                f"The voice is removed, but what was computed of its recordings is still in {self.cache}: "
                f"{error.strerror or error}. Delete that folder."
            ) from error

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
                yield read_voice(path)
            except (Damaged, OSError) as error:
                why = f"voice.yml: {error.strerror}" if isinstance(error, OSError) else str(error)
                if (path.name, why) not in self._told:
                    self._told.add((path.name, why))
                    _LOGGER.warning("The voice in %s is left out: %s", path, why)


def _linked(path: str, folder: Path) -> str:
    """Have a file in another folder too, under its name."""
    place = folder / Path(path).name
    try:
        place.hardlink_to(path)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without links
        shutil.copyfile(path, place)
    return str(place)


def _is_still(path: str, known: os.stat_result) -> bool:
    """Tell whether a file is the one that it was."""
    try:
        return os.path.samestat(Path(path).stat(), known)
    except OSError:
        return False


def _settle(folder: Path) -> None:
    """Have a folder's entries written to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
