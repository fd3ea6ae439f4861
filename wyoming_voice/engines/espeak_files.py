"""The languages of eSpeak NG, read from its data folder: neither the library nor its Python package is loaded."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from .protocol import Options
from .voices import EngineVoice, lines

_FIRST: Final = ("ru", "en-us", "en-gb", "cmn")
_PLAIN: Final = re.compile(r"[a-z]{2,4}(-[a-z]{2}|-419)?")
"""A language, perhaps of a country: what Home Assistant lists. ``en-gb-x-rp`` is a kind of ``en-gb`` there."""
_NOT_REGIONS: Final = frozenset({"ru-cl"})  # espeak's "classic", not Chile
_NOT_OFFERED: Final = frozenset({"en-shaw"})  # reads the Shavian alphabet only
_UNSAID: Final = 10
"""The priority of a language that its file does not claim (``ca-va``: ``ca``); espeak's own are 1 … 10, 5 if unsaid."""
_SPEAKERS: Final = (*(f"f{n}" for n in range(1, 6)), *(f"m{n}" for n in range(1, 9)), "whisper", "whisperf")
"""The variants worth a list; the engine takes each one in its folder."""


@dataclass(frozen=True, slots=True)
class EspeakFile:
    """A language file of espeak."""

    voice: str
    """Our name of it: its language, or its file's name where another file has that language."""
    path: str
    """Relative to ``lang``: what the library loads it by."""
    title: str
    languages: tuple[str, ...]
    priority: int


def espeak_folder(options: Options | None = None) -> Path | None:
    """Where ``espeakng_loader`` keeps the library and ``espeak-ng-data``; None when it is not installed.

    In the worker it is on the path; the server looks into the engine's own environment first, if there is one.
    """
    own = Path(str((options or {}).get("data_dir", "data"))) / "engines" / "espeak"
    if options is not None and (own / "bin" / "python").exists():
        return next(own.glob("lib/python*/site-packages/espeakng_loader"), None)
    spec = find_spec("espeakng_loader")
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) if places else None


@cache
def espeak_files(folder: Path) -> dict[str, EspeakFile]:
    """Every language that espeak speaks, by the name of its voice, the preferred first; read once, in 10 ms."""
    root = folder / "espeak-ng-data" / "lang"
    files: dict[str, EspeakFile] = {}
    # A plain language before its variants: `cmn` keeps its name, `cmn-Latn-pinyin` is called after its file.
    for path in sorted((path for path in root.rglob("*") if path.is_file()), key=lambda path: (len(path.name), path)):
        if (file := _file(path, root)) is not None:
            taken = file.voice in files
            files.setdefault(path.name.lower() if taken else file.voice, file)
    named = (EspeakFile(voice, f.path, f.title, f.languages, f.priority) for voice, f in files.items())
    first = {name: place for place, name in enumerate(_FIRST)}
    order = sorted(named, key=lambda file: (first.get(file.voice, len(first)), file.priority, file.title))
    return {file.voice: file for file in order}


def _file(path: Path, root: Path) -> EspeakFile | None:
    title, dictionary, priorities = path.name, "", dict[str, int]()
    for key, value in lines(path, None):
        if key == "name":
            title = value
        elif key == "dictionary":
            dictionary = value
        elif key == "language":
            code, *number = value.split()
            priorities[code.lower()] = int(number[0]) if number else 5
    if not priorities:
        return None
    voice = next(iter(priorities))
    base = voice.split("-")[0]
    if not (root.parent / f"{dictionary or base}_dict").is_file():
        return None  # a language without its words (Faroese, Karakalpak): espeak loads it, and then crashes
    priority = priorities.setdefault(base, _UNSAID)
    return EspeakFile(voice, path.relative_to(root).as_posix(), title, tuple(priorities), priority)


def espeak(options: Options) -> Sequence[EngineVoice]:
    """Every language of eSpeak NG as a voice, Russian and English first; its variants are speakers."""
    folder = espeak_folder(options)
    return [
        EngineVoice(
            name=f"espeak-{file.voice}",
            voice=file.voice,
            languages=tuple(tag for tag in file.languages if _PLAIN.fullmatch(tag) and tag not in _NOT_REGIONS),
            description=f"eSpeak NG · {file.title}",
            author="The eSpeak NG project",
            url="https://github.com/espeak-ng/espeak-ng",
            licence="GPL-3.0",
            speakers=_SPEAKERS,
        )
        for file in (espeak_files(folder).values() if folder else ())
        if file.voice not in _NOT_OFFERED
    ]
