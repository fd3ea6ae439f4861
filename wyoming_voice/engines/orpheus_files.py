"""What Orpheus can do on this machine, by its options and files: no torch, nothing is loaded.

The fine-tuned models speak with voices by name; the pretrained ones go on with the voice of a recording.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from .protocol import Options
from .voices import EngineVoice
from .weights import DEFAULT_MODELS, weights_folder

ENGINE: Final = "orpheus"
CODEC: Final = "hubertsiuzdak/snac_24khz"
VOICES: Final = ("tara", "leah", "jess", "leo", "dan", "mia", "zac", "zoe")
"""Those of the released English model, in the order that its authors recommend."""
LANGUAGES: Final = ("en",)


def needs_reference(options: Options) -> bool:
    """Tell whether the model has no voices of its own: the option ``needs_reference``, else its name."""
    asked = options.get("needs_reference")
    return "pretrain" in _name(options).lower() if asked is None else bool(asked)


def codec_folder(options: Options) -> Path:
    """Where the audio codec is: the option ``codec``, a repository or a path."""
    return weights_folder(ENGINE, {**options, "model": options.get("codec") or CODEC})


def voice_names(options: Options) -> tuple[str, ...]:
    """Return the names that the model knows; an empty one is the voice of a model that has only one."""
    if needs_reference(options):
        return ()
    named = options.get("voices")
    return VOICES if named is None else (_words(named) or ("",))


def voices(options: Options) -> Sequence[EngineVoice]:
    """Name the voices: the released model's, or those of the option ``voices`` in the languages of ``languages``."""
    languages = _words(options.get("languages")) or LANGUAGES
    return [
        EngineVoice(
            name=f"{ENGINE}-{voice.lower()}" if voice else ENGINE,
            voice=voice,
            languages=tuple(language.lower() for language in languages),
            description=f"Orpheus · {voice or _name(options).rpartition('/')[2]}",
            author="Canopy Labs",
            url="https://github.com/canopyai/Orpheus-TTS",
            licence="Apache-2.0 (on Llama 3.2, which has a licence of its own)",
        )
        for voice in voice_names(options)
    ]


def abilities(options: Options) -> frozenset[Literal["clone", "design", "style"]]:
    """Tell what the model can besides speaking: every one laughs and sighs, the pretrained ones clone."""
    return frozenset({"clone", "style"}) if needs_reference(options) else frozenset({"style"})


def missing(options: Options) -> str | None:
    """Say which weights are not there, and the command that fetches them; a completion server has the model's."""
    folder, codec = weights_folder(ENGINE, options), codec_folder(options)
    model = _has(folder, "config.json", "tokenizer.json", "*.safetensors")
    if not options.get("completions_url") and not model:
        return _lacks("no weights", folder, "model")
    if not _has(codec, "config.json", "pytorch_model.bin"):
        return _lacks("no audio codec", codec, "codec")
    return None


def _has(folder: Path, *patterns: str) -> bool:
    return all(any(folder.glob(pattern)) for pattern in patterns)


def _lacks(what: str, folder: Path, option: str) -> str:
    return (
        f"Orpheus has {what} in {folder}. Run: ./run.sh engines install orpheus --weights, or set the option {option} "
        f"to a folder that has (engines: orpheus: options: {{{option}: …}})."
    )


def _name(options: Options) -> str:
    return str(options.get("model") or DEFAULT_MODELS[ENGINE])


def _words(named: object) -> tuple[str, ...]:
    """Read a list of names, also one that is written as a single word."""
    words = named if isinstance(named, list | tuple) else [] if named is None else [named]
    return tuple(str(word).strip() for word in words if str(word).strip())
