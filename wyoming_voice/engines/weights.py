"""Which weights an engine's models consist of, and where they lie: one rule for server, workers and installer.

Everything is below ``<data_dir>/weights/<engine>/<model>``, where a repository's ``/`` becomes ``--``; a path in the
option ``model`` wins. Piper and faster-whisper keep to their own folders (``voices.py``).
"""

from pathlib import Path
from typing import Final

from .protocol import Options

DEFAULT_MODELS: Final = {
    "qwen-tts": "Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice",
    "qwen-asr": "Qwen/Qwen3-ASR-0.6B",
    "gigaam": "v3_e2e_rnnt",
    "silero": "v5_5_ru",
    "orpheus": "unsloth/orpheus-3b-0.1-ft",
}
"""What an engine loads when its option ``model`` is left out."""


def weights_folder(engine: str, options: Options) -> Path:
    """Return the folder (or the file, where the user names one) of an engine's model, whether it is there or not.

    ``options["model"]`` is a repository of the Hugging Face hub, an engine's own short name, or a path; left out: the
    engine's default. ``options["data_dir"]`` is the server's.
    """
    model = str(options.get("model") or DEFAULT_MODELS.get(engine, engine))
    named = Path(model).expanduser()
    if named.is_absolute() or model.startswith(".") or named.exists():
        return named
    return Path(str(options.get("data_dir") or "data")) / "weights" / engine / model.replace("/", "--")
