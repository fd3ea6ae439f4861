"""What Qwen3-ASR hears and where its weights lie: no torch, nothing is loaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from .protocol import Options
from .weights import weights_folder

ENGINE: Final = "qwen-asr"
ALIGNER: Final = "Qwen/Qwen3-ForcedAligner-0.6B"
"""The released model that finds the times of words."""

NAMES: Final[Mapping[str, str]] = {
    "en": "English",
    "ru": "Russian",
    "zh": "Chinese",
    "yue": "Cantonese",
    "ar": "Arabic",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "es": "Spanish",
    "fa": "Persian",
    "fi": "Finnish",
    "fil": "Filipino",
    "fr": "French",
    "hi": "Hindi",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "mk": "Macedonian",
    "ms": "Malay",
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "sv": "Swedish",
    "th": "Thai",
    "tr": "Turkish",
    "vi": "Vietnamese",
}
"""The thirty languages of the released models, by code and as the model calls them."""

# Other codes of these languages, and of dialects that the model writes as one of them: the model card names 22 Chinese
# ones. In Hong Kong and Macau "zh" means Cantonese to whoever speaks.
_ALSO: Final[Mapping[str, str]] = {
    "zh-hk": "yue",
    "zh-mo": "yue",
    "zh-yue": "yue",
    **dict.fromkeys(("cmn", "wuu", "nan", "hsn", "gan", "hak", "cjy", "cdo", "hui"), "zh"),
    **dict.fromkeys(("arb", "apc", "apd", "ary", "arz", "acm", "ajp", "afb"), "ar"),
    **dict.fromkeys(("pes", "prs"), "fa"),
    **dict.fromkeys(("gsw", "bar"), "de"),
    "tl": "fil",
    "in": "id",
    "zsm": "ms",
    "mo": "ro",
}


def language_name(code: str) -> str | None:
    """Return the model's name of a language (BCP 47); None: it does not know it."""
    known = code.lower().replace("_", "-")
    family = known.partition("-")[0]
    found = _ALSO.get(known) or _ALSO.get("-".join(known.split("-")[:2])) or _ALSO.get(family, family)
    return NAMES.get(found)


def language_code(name: str) -> str | None:
    """Return the code of a language that the model names; None for ``None``, which is what it says of no speech."""
    return next((code for code, known in NAMES.items() if known.lower() == name.strip().lower()), None)


def aligner_folder(options: Options) -> Path | None:
    """Where the model that finds the times of words lies: the one that is named, or the released one if it is there."""
    named = options.get("aligner")
    folder = weights_folder(ENGINE, {**options, "model": str(named or ALIGNER)})
    return folder if named or _is_complete(folder) else None


def missing(options: Options) -> str | None:
    """Say which weights are not there, and the command that fetches them."""
    folder, aligner = weights_folder(ENGINE, options), aligner_folder(options)
    if not _is_complete(folder):
        return (
            f"Qwen3-ASR has no weights in {folder}. Run: ./run.sh engines install qwen-asr --weights, or set the "
            "option model to the folder of a Qwen3-ASR model (engines: qwen-asr: options: {model: …})."
        )
    if aligner and not _is_complete(aligner):
        return (
            f"Qwen3-ASR has no aligner in {aligner}. Leave out the option aligner, and for the times of words run: "
            f"./run.sh engines install qwen-asr --weights --model {ALIGNER}"
        )
    return None


def _is_complete(folder: Path) -> bool:
    return (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))
