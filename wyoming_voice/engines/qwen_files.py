"""What Qwen3-TTS can do on this machine, read from its model's ``config.json``: no torch, nothing is loaded.

There are three kinds of models: CustomVoice has nine speakers, Base clones a recording, VoiceDesign follows a
description. Where the weights are missing the model's name says which kind it is, so that a configured engine is shown.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

from .protocol import Options
from .voices import EngineVoice
from .weights import DEFAULT_MODELS, weights_folder

ENGINE: Final = "qwen-tts"
Kind = Literal["base", "custom_voice", "voice_design"]

BATCH: Final = 4
"""Texts that are spoken at once, unless the option ``batch`` says otherwise."""
MOST: Final = 64
"""The largest ``batch``."""

LANGUAGES: Final[Mapping[str, str]] = {
    "zh": "chinese",
    "en": "english",
    "ru": "russian",
    "de": "german",
    "fr": "french",
    "es": "spanish",
    "it": "italian",
    "pt": "portuguese",
    "ja": "japanese",
    "ko": "korean",
}
"""The ten languages of the released models, by code and as the model calls them."""

REFERENCE_VOICE: Final = "reference"
"""The voice of a Base model whose options name a recording."""
DESIGNED_VOICE: Final = "designed"
"""The voice of a VoiceDesign model whose options describe one."""

# The speakers of the released CustomVoice models, with the language each grew up with. The first speaks what nobody
# else is at home in; Russian is a foreign language to all of them.
_SPEAKERS: Final[Mapping[str, tuple[str, str]]] = {
    "ryan": ("en", "a lively man"),
    "vivian": ("zh", "a bright young woman"),
    "serena": ("zh", "a warm young woman"),
    "uncle_fu": ("zh", "a seasoned man"),
    "dylan": ("zh", "a young man from Beijing, who speaks its dialect"),
    "eric": ("zh", "a lively man from Chengdu, who speaks Sichuanese"),
    "aiden": ("en", "a sunny American man"),
    "ono_anna": ("ja", "a playful Japanese woman"),
    "sohee": ("ko", "a warm Korean woman"),
}


@dataclass(frozen=True, slots=True)
class Model:
    """A model as its files, or failing those its name, describe it."""

    kind: Kind
    large: bool
    """1.7B; CustomVoice follows an instruction only then."""
    speakers: tuple[str, ...]
    languages: tuple[str, ...]
    """Codes of two letters."""


def model(options: Options) -> Model:
    """Describe the model that the options name, or the default one."""
    config = weights_folder(ENGINE, options) / "config.json"
    try:
        changed = config.stat().st_mtime_ns
    except OSError:
        return _by_name(str(options.get("model") or DEFAULT_MODELS[ENGINE]))
    return _by_config(config, changed) or _by_name(str(options.get("model") or DEFAULT_MODELS[ENGINE]))


@lru_cache(maxsize=8)
def _by_config(path: Path, _changed: int) -> Model | None:
    """Read a model's own description; None when it is damaged, which loading it will tell."""
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        talker = config["talker_config"]
        known = set(talker["codec_language_id"])
        speakers = sorted(talker["spk_id"], key=lambda name: (_rank(name), name))
        kind = config["tts_model_type"]
        large = "0b6" not in str(config["tts_model_size"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if kind not in ("base", "custom_voice", "voice_design"):
        return None
    return Model(kind, large, tuple(speakers), tuple(code for code, name in LANGUAGES.items() if name in known))


def _rank(speaker: str) -> int:
    return list(_SPEAKERS).index(speaker) if speaker in _SPEAKERS else len(_SPEAKERS)


def _by_name(name: str) -> Model:
    plain = name.lower().replace("-", "").replace("_", "")
    kind: Kind = "custom_voice" if "customvoice" in plain else "voice_design" if "voicedesign" in plain else "base"
    return Model(kind, "0.6b" not in plain, tuple(_SPEAKERS) if kind == "custom_voice" else (), tuple(LANGUAGES))


def voices(options: Options) -> Sequence[EngineVoice]:
    """Name the voices of the model: its speakers, or the one that the options bring a recording or a description of."""
    found = model(options)
    if found.kind == "custom_voice":
        return [_voice(speaker, found.languages) for speaker in found.speakers]
    if found.kind == "base" and options.get("voice_clone_ref_audio"):
        return [_voice(REFERENCE_VOICE, found.languages)]
    if found.kind == "voice_design" and options.get("voice_description"):
        return [_voice(DESIGNED_VOICE, found.languages)]
    return []


def _voice(name: str, languages: Sequence[str]) -> EngineVoice:
    home, described = _SPEAKERS.get(name, ("", "your own recording" if name == REFERENCE_VOICE else "a designed voice"))
    return EngineVoice(
        name=f"{ENGINE}-{name.replace('_', '-')}",
        voice=name,
        languages=tuple(sorted(languages, key=lambda code: code != home)),
        description=f"Qwen3-TTS · {name} ({described})",
        author="Qwen team, Alibaba Cloud",
        url="https://github.com/QwenLM/Qwen3-TTS",
        licence="Apache-2.0",
    )


def abilities(options: Options) -> frozenset[Literal["clone", "design", "style"]]:
    """Tell what the model can besides speaking."""
    found = model(options)
    if found.kind == "base":
        return frozenset({"clone"})
    if found.kind == "voice_design":
        return frozenset({"design", "style"})
    return frozenset({"style"}) if found.large else frozenset()


def seats(options: Options) -> int:
    """Return how many texts are spoken at once, in one batch: the option ``batch``. A wrong one is told by loading."""
    batch = options.get("batch", BATCH)
    return batch if isinstance(batch, int) and not isinstance(batch, bool) and 1 <= batch <= MOST else 1


def missing(options: Options) -> str | None:
    """Say that the weights are not there, and the command that fetches them."""
    folder = weights_folder(ENGINE, options)
    codec = "speech_tokenizer"
    needed = (
        "config.json",
        "generation_config.json",
        "*.safetensors",
        f"{codec}/config.json",
        f"{codec}/*.safetensors",
    )
    if all(any(folder.glob(name)) for name in needed):
        return None
    return (
        f"Qwen3-TTS has no weights in {folder}. Run: ./run.sh engines install qwen-tts --weights, or set the option "
        "model to the folder of a Qwen3-TTS model (engines: qwen-tts: options: {model: …})."
    )
