"""The voices that each engine has on this machine, found from files: no engine and no native library is loaded here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .protocol import Options

WHISPER_LANGUAGES: Final = ("ru", "en")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineVoice:
    """A voice as its engine offers it."""

    name: str
    """What a user chooses; unique over all engines, stable (it is kept in Home Assistant's settings)."""
    voice: str
    """The engine's own name of it, as :attr:`Segment.voice` carries it."""
    languages: tuple[str, ...]
    """BCP 47, lower-case language first."""
    description: str
    """What a person reads in a list."""
    author: str
    url: str
    licence: str
    speakers: tuple[str, ...] = ()
    version: str | None = None


def rhvoice(_options: Options) -> Sequence[EngineVoice]:
    return ()


def rhvoice_missing(_options: Options) -> str | None:
    return "not yet"


def piper(_options: Options) -> Sequence[EngineVoice]:
    return ()


def piper_missing(_options: Options) -> str | None:
    return "not yet"


def espeak(_options: Options) -> Sequence[EngineVoice]:
    return ()


def whisper_missing(_options: Options) -> str | None:
    return "not yet"
