"""What this server offers: voices, engines that listen, and the engines behind both as they are set up here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from .config import EngineSettings
from .engines.protocol import Reference
from .engines.table import ANY_LETTERS, BOTH, LOADS, Ability, EngineSpec

HOME: Final = "https://github.com/OHF-Voice/wyoming"


@dataclass(frozen=True, slots=True)
class Place:
    """An engine as this server is set up to use it, on this machine or elsewhere."""

    name: str
    settings: EngineSettings
    spec: EngineSpec | None
    """None: a Wyoming server at ``settings.uri``."""
    options: Mapping[str, object]
    missing: str | None
    """What keeps it from working, and the command that mends it."""
    abilities: frozenset[Ability] = frozenset()
    environment: tuple[int, int] | None = None
    """Which Python environment of its own it has, another when that was made anew; None: it has none."""

    @property
    def is_here(self) -> bool:
        """Whether its workers compute on this machine."""
        return self.spec is not None and self.settings.launcher == "process"

    @property
    def start_timeout(self) -> float:
        """Seconds that a worker may take to load."""
        if self.settings.start_timeout is not None:
            return self.settings.start_timeout
        return LOADS if self.spec is None else self.spec.loads(self.options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A name that a user can choose, its languages, and the engine behind it."""

    name: str
    engine: str
    voice: str
    """The engine's own name of it."""
    languages: tuple[str, ...]
    description: str
    author: str = ""
    url: str = HOME
    licence: str = ""
    speakers: tuple[str, ...] = ()
    version: str | None = None
    ssml: bool = False
    """Whether its engine understands SSML."""
    reads: frozenset[str] = ANY_LETTERS
    """The foreign letters that its engine reads itself; a server elsewhere is left to it."""
    stress: str | None = None
    """The mark of a stressed vowel that its engine understands."""
    paces: frozenset[str] = BOTH
    """Which of speed and pitch its engine does itself; a server elsewhere is asked for both."""
    references: tuple[Reference, ...] = ()
    """Recordings of a cloned voice."""
    design: str | None = None
    """A designed voice in words."""
    seed: int | None = None
    missing: str | None = None
    """What keeps its engine from working, and the command that mends it."""

    @property
    def own(self) -> bool:
        """Whether the user made it: cloned or designed."""
        return bool(self.references or self.design)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """An engine that listens, and what it hears."""

    name: str
    engine: str
    languages: tuple[str, ...]
    description: str
    author: str = ""
    url: str = HOME
    missing: str | None = None
    """What keeps it from working, and the command that mends it."""
    detects: bool = False
    """It finds out the language by itself."""

    @property
    def hears_any(self) -> bool:
        """Whether it is ready and need not be told what is spoken."""
        return self.detects and self.missing is None


@dataclass(frozen=True, slots=True)
class VoiceChoice:
    """What a request says about the voice it wants."""

    name: str | None = None
    language: str | None = None
    speaker: str | None = None
    references: tuple[Reference, ...] = ()
    """Recordings of a voice to speak with."""
    description: str | None = None
    """A voice to speak with, in words."""

    @property
    def open(self) -> bool:
        """Whether the text decides."""
        return not (self.name or self.language or self.references or self.description)


def speaks_all(place: Place, languages: Iterable[str]) -> bool:
    """Tell whether an engine speaks these languages with a voice that a user brings."""
    known = () if place.spec is None else place.spec.languages
    return all(any(matches(one, language) for one in known) for language in languages)


def matches(known: str, asked: str) -> bool:
    """Tell whether who knows one language serves the other: one of them may leave the region open."""
    known, asked = known.casefold().replace("_", "-"), asked.casefold().replace("_", "-")
    return known == asked or known == asked.partition("-")[0] or known.partition("-")[0] == asked


def canonical(tag: str) -> str:
    """Write a language tag as BCP 47 recommends: ``en-US``, ``zh-Hant``."""
    first, *rest = tag.split("-")
    return "-".join([first, *(part.upper() if len(part) == 2 else part.title() for part in rest)])
