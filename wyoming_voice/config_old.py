"""The flat config.yml of the tool that came before: its keys, and where each of them is now."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import yaml

from .config_source import Key, Source

_ENGINES: Final = {
    "qwen": {"tts": "qwen-tts", "asr": "qwen-asr"},
    "qwentts": {"tts": "qwen-tts"},
    "qwen3tts": {"tts": "qwen-tts"},
    "qwenasr": {"asr": "qwen-asr"},
    "qwen3asr": {"asr": "qwen-asr"},
    "whisper": {"asr": "faster-whisper"},
    "fasterwhisper": {"asr": "faster-whisper"},
}
"""What the older tool called engines whose name is another now."""
_MODELS: Final = ("qwen-tts", "qwen-asr", "silero", "orpheus", "gigaam")
"""Those that ``model_ttl_seconds`` was for."""

_KEYS: Final[Mapping[str, tuple[Key, ...]]] = {
    "output_dir": (("outputs", "folder"),),
    "use_llm_tts": (("text", "llm", "use_llm_tts"),),
    "use_llm_stt": (("text", "llm", "use_llm_stt"),),
    "llm_settings_path": (("text", "llm", "settings"),),
    "stt_silence_db": (("listening", "silence_db"),),
    "qwen_tts_model": (("engines", "qwen-tts", "options", "model"),),
    "qwen_tts_device": (("engines", "qwen-tts", "device"),),
    "qwen_tts_dtype": (("engines", "qwen-tts", "options", "dtype"),),
    "qwen_tts_attn_implementation": (("engines", "qwen-tts", "options", "attn_implementation"),),
    "qwen_asr_model": (("engines", "qwen-asr", "options", "model"),),
    "qwen_asr_device": (("engines", "qwen-asr", "device"),),
    "use_stress": (("text", "stress"),),
    "model_ttl_seconds": tuple(("engines", name, "ttl") for name in _MODELS),
    "voice_clone_ref_audio": (("engines", "qwen-tts", "options", "voice_clone_ref_audio"),),
    "voice_clone_ref_text": (("engines", "qwen-tts", "options", "voice_clone_ref_text"),),
}
_ELSEWHERE: Final = ("sample_rate", "tts_engine", "stt_engine", "stt_model", "stt_device", "llm_module_dir")
"""Those whose meaning hangs on another, or is gone."""

OLD_KEYS: Final = frozenset(_KEYS) | frozenset(_ELSEWHERE)


@dataclass(slots=True)
class Translation:
    """An old configuration in the new form."""

    values: dict[str, object]
    gone: list[str] = field(default_factory=list)
    """What has no place any more, in sentences."""


def is_old(source: Source) -> bool:
    """Tell whether a configuration has keys of the older tool."""
    return bool(OLD_KEYS & source.values.keys())


def in_new_form(moved: Translation) -> str:
    """Write a configuration as YAML, with what is gone as comments."""
    gone = "".join(f"# No longer: {sentence}\n" for sentence in moved.gone)
    return gone + yaml.safe_dump(moved.values, allow_unicode=True, sort_keys=False)


def translate(source: Source) -> Translation:
    """Move the old keys of a configuration to their new places, in it; what is set there already stays."""
    old = {key: source.values.pop(key) for key in sorted(OLD_KEYS & source.values.keys())}
    old = {key: value for key, value in old.items() if value is not None}
    moved = Translation(source.values)
    for name, key, value in _moves(old, moved):
        if not _is_set(source.values, key):
            source.put(key, value, source.place((name,)))
    return moved


def _moves(old: Mapping[str, object], moved: Translation) -> Iterator[tuple[str, Key, object]]:
    """Yield each old key, its new place, and its value there."""
    speaks, hears = _engine(old, "tts_engine", "tts"), _engine(old, "stt_engine", "asr")
    for name, value in old.items():
        for key in _KEYS.get(name, ()):
            yield name, key, value
    if preferred := [engine for engine in (speaks, hears) if engine]:
        yield "tts_engine" if speaks else "stt_engine", ("prefer",), preferred
    if "stt_model" in old:
        yield "stt_model", ("engines", hears or "gigaam", "options", "model"), old["stt_model"]
    if "stt_device" in old:
        yield "stt_device", ("engines", hears or "gigaam", "device"), old["stt_device"]
    if "sample_rate" in old and speaks == "silero":
        yield "sample_rate", ("engines", "silero", "options", "sample_rate"), old["sample_rate"]
    elif "sample_rate" in old:
        moved.gone.append("sample_rate: every voice has its own, and a request may ask for another")
    if "llm_module_dir" in old:
        moved.gone.append("llm_module_dir: what the model is told is in files now, configs/llm/prompts")


def _engine(old: Mapping[str, object], key: str, task: str) -> str | None:
    named = old.get(key)
    if named is None:
        return None
    folded = re.sub(r"[^a-z0-9]", "", str(named).lower())
    return _ENGINES.get(folded, {}).get(task) or str(named).lower().replace("_", "-")


def _is_set(values: object, key: Key) -> bool:
    for name in key:
        if not isinstance(values, dict) or values.get(name) is None:
            return False
        values = values[name]
    return True
