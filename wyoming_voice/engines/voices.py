"""The voices that each engine has on this machine, found from files: no engine and no native library is loaded here."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .protocol import Options

# fmt: off
WHISPER_LANGUAGES: Final = (
    "af", "am", "ar", "as", "az", "ba", "be", "bg", "bn", "bo", "br", "bs", "ca", "cs", "cy", "da", "de", "el", "en",
    "es", "et", "eu", "fa", "fi", "fo", "fr", "gl", "gu", "ha", "haw", "he", "hi", "hr", "ht", "hu", "hy", "id", "is",
    "it", "ja", "jw", "ka", "kk", "km", "kn", "ko", "la", "lb", "ln", "lo", "lt", "lv", "mg", "mi", "mk", "ml", "mn",
    "mr", "ms", "mt", "my", "ne", "nl", "nn", "no", "oc", "pa", "pl", "ps", "pt", "ro", "ru", "sa", "sd", "si", "sk",
    "sl", "sn", "so", "sq", "sr", "su", "sv", "sw", "ta", "te", "tg", "th", "tk", "tl", "tr", "tt", "uk", "ur", "uz",
    "vi", "yi", "yo", "zh",
)
# fmt: on
"""What every multilingual Whisper hears, in its own codes (``jw`` is Javanese); models called ``….en`` hear English."""


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


def lines(path: Path, separator: str | None) -> Iterator[tuple[str, str]]:
    """Yield the keys and values of a text file of settings; ``//`` begins a comment."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        parts = line.split("//")[0].strip().split(separator, 1)
        if len(parts) == 2:
            yield parts[0].strip(), parts[1].strip()


# RHVoice

RHVOICE_FREE: Final = ("elena", "anna", "irina", "aleksandr", "slt", "clb", "bdl", "alan")
"""The freely licensed voices, the best first; others speak only if named."""

_RHVOICE_LANGUAGES: Final = {
    "Russian": ("ru", "русский"),
    "English": ("en", "English"),
    "Ukrainian": ("uk", "українська"),
    "Georgian": ("ka", "ქართული"),
    "Esperanto": ("eo", "Esperanto"),
    "Kyrgyz": ("ky", "кыргызча"),
    "Tatar": ("tt", "татарча"),
    "Brazilian-Portuguese": ("pt-br", "português"),
    "Macedonian": ("mk", "македонски"),
    "Albanian": ("sq", "shqip"),
    "Polish": ("pl", "polski"),
    "Czech": ("cs", "čeština"),
    "Slovak": ("sk", "slovenčina"),
    "Croatian": ("hr", "hrvatski"),
    "Serbian": ("sr", "српски"),
    "Uzbek": ("uz", "oʻzbekcha"),
}
"""What ``voice.info`` calls a language; its own file carries no code."""

_RHVOICE_REGIONS: Final = {"slt": "en-us", "clb": "en-us", "bdl": "en-us", "alan": "en-gb"}
_RHVOICE_LIBRARIES: Final = ("/usr/lib/*-linux-gnu*", "/usr/lib64", "/usr/lib", "/usr/local/lib")


def rhvoice_library(options: Options) -> str | None:
    """Find the native library: the option ``library``, else where distributions put it. The newest, or None."""
    if named := options.get("library"):
        return str(named) if Path(str(named)).is_file() else None
    found = (path for folder in _RHVOICE_LIBRARIES for path in Path("/").glob(f"{folder[1:]}/libRHVoice.so.*"))
    return max((str(path) for path in found), default=None)


def rhvoice_folder(options: Options) -> Path:
    """Where RHVoice's ``languages`` and ``voices`` are: the option ``folder``, else the distribution's."""
    return Path(str(options.get("folder") or "/usr/share/RHVoice"))


def rhvoice(options: Options) -> Sequence[EngineVoice]:
    """RHVoice's voices: the freely licensed ones, or those that the option ``voices`` names, in its order."""
    named = options.get("voices")
    wanted = tuple(str(name).lower() for name in named) if isinstance(named, list | tuple) else RHVOICE_FREE
    if rhvoice_library(options) is None:
        return ()
    folder = rhvoice_folder(options) / "voices"
    return [_rhvoice_voice(path) for name in wanted if (path := folder / name / "voice.info").is_file()]


def _rhvoice_voice(path: Path) -> EngineVoice:
    info = dict(lines(path, "="))
    stem, name, language = path.parent.name, info.get("name", path.parent.name), info.get("language", "")
    code, native = _RHVOICE_LANGUAGES.get(language, (language.lower(), language))
    codes = (_RHVOICE_REGIONS.get(stem, code), code, code.split("-")[0])
    free = stem in RHVOICE_FREE
    return EngineVoice(
        name=f"rhvoice-{stem}",
        voice=name,
        languages=tuple(dict.fromkeys(codes)),
        description=f"RHVoice · {name} ({native})",
        author="RHVoice contributors",
        url="https://rhvoice.org",
        licence="LGPL-2.1+" if free else "not free: see the copyright file of its package",
        version=f"{info.get('format', 0)}.{info.get('revision', 0)}",
    )


def rhvoice_missing(options: Options) -> str | None:
    """Say what RHVoice lacks here, and the command that installs it."""
    if rhvoice_library(options) is None:
        where = f" at {options['library']}" if options.get("library") else ""
        return f"RHVoice is not installed (no libRHVoice{where}). Run: ./run.sh engines install rhvoice"
    if not rhvoice(options):
        folder = rhvoice_folder(options) / "voices"
        asked = "of those that the option voices names" if options.get("voices") else "freely licensed"
        return f"RHVoice has no voice {asked} in {folder}. Run: ./run.sh engines install rhvoice"
    return None


# Piper


def piper_folder(options: Options) -> Path | None:
    """Where Piper's voices are: the option ``folder``, else ``piper`` below the server's ``data_dir``."""
    if folder := options.get("folder"):
        return Path(str(folder)).expanduser()
    return Path(str(options["data_dir"])) / "piper" if options.get("data_dir") else None


def piper(options: Options) -> Sequence[EngineVoice]:
    """Piper's voices: each ``NAME.onnx`` that has its ``NAME.onnx.json`` beside it."""
    folder = piper_folder(options)
    found = sorted(folder.glob("*.onnx")) if folder else []
    return [voice for path in found if (voice := _piper_voice(path, Path(f"{path}.json"))) is not None]


def _piper_voice(model: Path, described: Path) -> EngineVoice | None:
    """Describe a voice by its JSON; None when that is absent or no Piper voice's."""
    try:
        info = json.loads(described.read_text(encoding="utf-8"))
        language = info.get("language") or {}
        code = str(language.get("code") or info["espeak"]["voice"]).lower().replace("_", "-")
        family = str(language.get("family") or code.split("-")[0]).lower()
        native = language.get("name_native") or language.get("name_english") or code
        quality = info.get("audio", {}).get("quality")
        spoken_by = str(info.get("dataset") or model.stem)
        speakers = tuple(str(speaker) for speaker in info.get("speaker_id_map") or ())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return EngineVoice(
        name=model.stem,
        voice=model.stem,
        languages=tuple(dict.fromkeys((code, family))),
        description=f"Piper · {spoken_by} ({', '.join(str(part) for part in (native, quality) if part)})",
        author="Piper voices",
        url="https://huggingface.co/rhasspy/piper-voices",
        licence="see the voice's MODEL_CARD",
        speakers=speakers,
        version=str(info["piper_version"]) if info.get("piper_version") else None,
    )


def piper_missing(options: Options) -> str | None:
    """Say that there is no voice to speak with, and where to put one."""
    if piper(options):
        return None
    folder = piper_folder(options)
    where = f"in {folder}" if folder else "(no folder is set)"
    return (
        f"Piper has no voice {where}. Run: ./run.sh engines install piper --weights, or put a NAME.onnx and its "
        "NAME.onnx.json there (https://huggingface.co/rhasspy/piper-voices)"
    )


# faster-whisper


def whisper_shelf(options: Options) -> Path:
    """Where Whisper models are looked for, a folder each, and downloaded to."""
    return Path(str(options.get("data_dir") or "data")) / "faster-whisper"


def whisper_folder(options: Options) -> Path | None:
    """Find the CTranslate2 model that the option ``model`` names (a path, or a folder of the shelf), else the first."""
    shelf = whisper_shelf(options)
    named = options.get("model")
    folders = [shelf / Path(str(named)).expanduser()] if named else sorted(shelf.glob("*"))
    # Without its tokenizer.json faster-whisper would ask the hub for one.
    needed = ("model.bin", "config.json", "tokenizer.json")
    return next((folder for folder in folders if all((folder / name).is_file() for name in needed)), None)


def whisper_missing(options: Options) -> str | None:
    """Say that there is no model to hear with, and where to put one; a model that may be downloaded is not missing."""
    if options.get("download") is True or whisper_folder(options) is not None:
        return None
    named = f" {options['model']}" if options.get("model") else ""
    return (
        f"faster-whisper has no model{named} in {whisper_shelf(options)}. Run: ./run.sh engines install faster-whisper "
        "--weights, or put a folder with a CTranslate2 model there (model.bin, config.json, tokenizer.json)"
    )
