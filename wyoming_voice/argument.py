"""Recordings that the command line names, and what they say."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .enrol import Recording
from .errors import BadRequest

_RECORDINGS: Final = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac", ".webm"})


def pairs(
    audio: Sequence[str] | None, texts: Sequence[str] | None, audio_option: str, text_option: str
) -> list[Recording]:
    """Put recordings and what they say together, in the order of the command line; raises BadRequest."""
    audio, texts = audio or (), texts or ()
    if len(texts) > len(audio):
        raise BadRequest(f"There are more {text_option} than {audio_option}.")
    for name in audio:
        if not Path(name).is_file():
            raise BadRequest(f"{audio_option}: there is no file {name}.")
    padded = [*texts, *[None] * (len(audio) - len(texts))]
    return [Recording(Path(name), text) for name, text in zip(audio, padded, strict=True)]


def folder_of_pairs(folder: Path) -> list[Recording]:
    """Read a folder of recordings, each with a text file of the same name beside it where what it says is known."""
    if not folder.is_dir():
        raise BadRequest(f"--ref-dir: there is no folder {folder}.")
    found = sorted(path for path in folder.iterdir() if _is_recording(path))
    if not found:
        raise BadRequest(f"--ref-dir: there is no recording in {folder} ({', '.join(sorted(_RECORDINGS))}).")
    said = ((path, path.with_suffix(".txt")) for path in found)
    return [Recording(path, _read(text) if text.is_file() else None) for path, text in said]


def _is_recording(path: Path) -> bool:
    return path.suffix.lower() in _RECORDINGS and not path.name.startswith(".")  # a Mac leaves ._x.wav beside x.wav


def _read(text: Path) -> str:
    try:
        return text.read_text("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise BadRequest(f"--ref-dir: {text} is not UTF-8 text; save it as UTF-8.") from None
