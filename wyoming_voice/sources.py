"""Where the weights of engines are published: repositories of the Hugging Face hub, or single files."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from .engines import gigaam_files
from .engines.orpheus_files import CODEC, codec_folder
from .engines.protocol import Options
from .engines.voices import piper_folder, whisper_shelf
from .engines.weights import DEFAULT_MODELS, weights_folder
from .errors import BadRequest

Check = tuple[Literal["sha256", "md5", "git", "zip"], str]
"""How to tell that a file arrived whole: a digest, git's name of its content, or (``zip``) the sums that it carries."""


@dataclass(frozen=True, slots=True)
class Published:
    """A file as it is published."""

    url: str
    path: str
    """Below the model's folder."""
    size: int | None = None
    check: Check | None = None


@dataclass(frozen=True, slots=True)
class Repository:
    """Files of a model in a repository of the hub."""

    name: str
    patterns: tuple[str, ...] = ("*.json", "*.safetensors", "*.txt", "*.jinja", "*.model")
    """Which of them are needed: some keep the states of training beside the model, which are larger than it."""
    below: str = ""
    """Only this folder of it, with what it has itself."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model, where it belongs and where it comes from."""

    name: str
    folder: Path
    source: Repository | tuple[Published, ...]
    shared: bool = False
    """Other models lie in the same folder, in files that begin with their names."""

    @property
    def files(self) -> list[Path]:
        """Its files that are here."""
        return [path for path in self.folder.rglob(f"{self.name}.*" if self.shared else "*") if path.is_file()]

    @property
    def is_here(self) -> bool:
        """Tell whether it was brought here."""
        return bool(self.files)

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(path.stat().st_size for path in self.files)


ENGINES: Final = (*DEFAULT_MODELS, "piper", "faster-whisper")
"""The engines whose weights are fetched apart from their packages."""

_GIGAAM_URL: Final = "https://cdn.chatwm.opensmodel.sberdevices.ru/GigaAM"
_GIGAAM_MD5: Final = {  # as https://github.com/salute-developers/GigaAM lists them
    "v2_rnnt": "547460139acfebd842323f59ed54ab54",
    "v2_ctc": "e00f59cb5d39624fb30d1786044795bf",
}
_SILERO_URL: Final = "https://models.silero.ai/models/tts"
_PIPER_VOICES: Final = {
    "ru": "ru_RU-irina-medium",
    "en": "en_US-lessac-medium",
    "uk": "uk_UA-ukrainian_tts-medium",
    "de": "de_DE-thorsten-medium",
    "fr": "fr_FR-siwis-medium",
    "es": "es_ES-davefx-medium",
}
_WHISPER: Final = {
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "distil-large-v3": "Systran/faster-distil-whisper-large-v3",
}


def hub() -> str:
    """Return the address of the Hugging Face hub, or of the mirror that HF_ENDPOINT names."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def wanted(engine: str, options: Options, languages: Sequence[str] = ()) -> tuple[Wanted, ...]:
    """Return the models that an engine with these options loads; none where its packages bring all that it needs.

    A model that the options name by a path is the user's own, and is not among them. Raises BadRequest for a name that
    cannot be a model's.
    """
    if engine == "piper":
        return _piper(options, languages)
    if engine not in ENGINES:
        return ()
    name = str(options.get("model") or DEFAULT_MODELS.get(engine, "small"))
    if engine == "faster-whisper":
        repository = Repository(_WHISPER.get(name, name if "/" in name else f"Systran/faster-whisper-{name}"))
        models = [Wanted(name, whisper_shelf(options) / name.replace("/", "--"), _with(repository, "*.bin"))]
    else:
        models = [Wanted(name, weights_folder(engine, options), _source(engine, name, options))]
    if engine == "qwen-asr" and options.get("aligner"):
        name = str(options["aligner"])
        models.append(Wanted(name, weights_folder(engine, {**options, "model": name}), Repository(name)))
    if engine == "orpheus":
        name = str(options.get("codec") or CODEC)
        models.append(Wanted(name, codec_folder(options), Repository(name, ("config.json", "pytorch_model.bin"))))
    return tuple(model for model in models if _is_ours(model.folder, options))


def _source(engine: str, name: str, options: Options) -> Repository | tuple[Published, ...]:
    if engine == "silero":
        return (Published(f"{_SILERO_URL}/{_silero_language(name)}/{name}.pt", f"{name}.pt", check=("zip", "")),)
    if engine == "gigaam":
        return _gigaam(name, options)
    if "/" not in name:
        raise BadRequest(f"'{name}' is neither a folder nor a repository of the Hugging Face hub (OWNER/NAME).")
    return Repository(name)


def _gigaam(name: str, options: Options) -> Repository | tuple[Published, ...]:
    backends = gigaam_files.backends(name)
    if options.get("backend") == "torch" and "torch" in backends:
        check: Check | None = ("md5", _GIGAAM_MD5[name]) if name in _GIGAAM_MD5 else None
        return (Published(f"{_GIGAAM_URL}/{name}.ckpt", f"{name}.ckpt", check=check),)
    quantization = str(options["quantization"]) if options.get("quantization") else None
    version = name.partition("_")[0]
    return Repository(f"istupakov/gigaam-{version}-onnx", tuple(gigaam_files.files(name, "onnx", quantization)))


def _silero_language(name: str) -> str:
    """Return the folder of a model of silero.ai: its name's part that is no version, ``ru`` for the many-tongued."""
    parts = [part for part in name.split("_") if part.isalpha()]
    return parts[0] if len(parts) == 1 and len(parts[0]) <= 3 and parts[0] != "cis" else "ru"


def _piper(options: Options, languages: Sequence[str]) -> tuple[Wanted, ...]:
    """Return the voice that is named, or one for each language."""
    folder = piper_folder(options)
    named = options.get("model")
    names = [str(named)] if named else [_PIPER_VOICES[code] for code in languages if code in _PIPER_VOICES]
    if folder is None:
        return ()
    return tuple(Wanted(name, folder, _piper_source(name), shared=True) for name in names)


def _piper_source(name: str) -> Repository:
    parts = name.split("-")
    if len(parts) != 3:
        raise BadRequest(f"'{name}' is no voice of Piper: they are named like ru_RU-irina-medium.")
    below = f"{parts[0].partition('_')[0]}/{parts[0]}/{parts[1]}/{parts[2]}"
    return Repository("rhasspy/piper-voices", (f"{name}.onnx", f"{name}.onnx.json"), below)


def _with(repository: Repository, pattern: str) -> Repository:
    return replace(repository, patterns=(*repository.patterns, pattern))


def _is_ours(folder: Path, options: Options) -> bool:
    data_dir = Path(str(options.get("data_dir") or "data"))
    return folder.is_relative_to(data_dir)
