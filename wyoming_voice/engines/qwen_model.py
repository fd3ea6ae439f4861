"""A Qwen3-TTS model in memory: the package's modules, with our way to write prompts, to step and to decode."""

import importlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError

from wyoming_voice.errors import EngineUnavailable

from .protocol import Options
from .qwen_codec import Codec
from .qwen_files import BATCH, MOST, seats
from .qwen_prompt import PromptWriter
from .qwen_talker import Talker
from .qwen_voice import ClonedVoice, Cloner
from .torch_audio import import_torchaudio
from .torch_device import Placement, place

_LOGGER = logging.getLogger(__name__)

_WARM: Final = 4  # frames: the second one is the first that the talker steps to
_SAMPLING: Final[Mapping[str, tuple[type, float, float]]] = {
    "do_sample": (bool, 0, 1),
    "temperature": (float, 0.01, 5),
    "top_k": (int, 0, 10_000),
    "top_p": (float, 0.01, 1),
    "repetition_penalty": (float, 0.5, 5),
    "subtalker_dosample": (bool, 0, 1),
    "subtalker_temperature": (float, 0.01, 5),
    "subtalker_top_k": (int, 0, 10_000),
    "subtalker_top_p": (float, 0.01, 1),
}
"""The package's own names of what shapes the drawing of codes, each with its type and range."""


class QwenModel:
    """A loaded model: a batch of streams of frames, called from one thread."""

    def __init__(self, folder: Path, options: Options) -> None:
        """Load a model's folder. Raises EngineUnavailable for what is missing, broken or too large."""
        self.placement = place(options)
        import_torchaudio()
        for chatty in ("qwen_tts", "sox"):  # defaults that nobody uses, and a program that nobody needs
            logging.getLogger(chatty).setLevel(logging.ERROR)
        package = importlib.import_module("qwen_tts")
        try:
            self.package = package.Qwen3TTSModel.from_pretrained(
                str(folder),
                device_map=str(self.placement.device),
                dtype=self.placement.dtype,
                attn_implementation=self.placement.attention,
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise EngineUnavailable(
                f"Qwen3-TTS cannot load {folder} ({error}). If memory is too small, use the 0.6B model; else fetch the "
                "weights again: ./run.sh engines install qwen-tts --weights"
            ) from error
        self.package.model.eval()
        self.languages = frozenset(self.package.get_supported_languages() or ())
        self.codec = Codec(self.package.model.speech_tokenizer.model.decoder)
        self.writer = PromptWriter(self.package, _settings(options))
        compiles = bool(options.get("compile"))
        self.talker = Talker(
            self.package.model.talker,
            batch=_batch(options),
            graphs=_graphs(options, self.placement),
            compiles=compiles,
        )
        cache = Path(str(options.get("data_dir") or "data")) / "cache" / "qwen-tts"
        self.cloner = Cloner(self.package, self.codec, folder, cache)
        if self.placement.on_gpu or compiles:
            self.warm()

    def warm(self) -> None:
        """Speak a few frames to nobody: steps are compiled and captured before the first request, not in it."""
        match self.package.model.tts_model_type:
            case "custom_voice":
                prompt = self.writer.speaker("Да.", "auto", self.package.get_supported_speakers()[0], None)
            case "voice_design":
                prompt = self.writer.designed("Да.", "auto", "a voice")
            case _:
                width = self.package.model.config.speaker_encoder_config.enc_dim
                prompt = self.writer.cloned(
                    "Да.", "auto", ClonedVoice(torch.zeros(width), None, None, self.codec.stream())
                )
        self.talker.prepare(prompt.rest)
        stream = self.codec.stream()
        for _, frame in self.talker.frames(prompt, 0, _WARM):
            stream.push(frame[None])


def _batch(options: Options) -> int:
    batch = options.get("batch", BATCH)
    if batch != seats(options):
        raise EngineUnavailable(f"The option batch of qwen-tts must be 1 to {MOST}, not {batch!r}.")
    return seats(options)


def _graphs(options: Options, placement: Placement) -> bool:
    wanted = options.get("cuda_graphs")
    if wanted and not placement.on_gpu:
        _LOGGER.info("cuda_graphs are for a GPU: not used on %s", placement.device)
    return placement.on_gpu and wanted is not False


def _settings(options: Options) -> Mapping[str, object]:
    """Pick the options that shape the drawing of codes; what is left out is as the model's own files say."""
    settings: dict[str, object] = {}
    for name, (kind, least, most) in _SAMPLING.items():
        value = options.get(name)
        if value is None:
            continue
        if not isinstance(value, bool | int | float) or isinstance(value, bool) != (kind is bool):
            wanted = "true or false" if kind is bool else "a number"
            raise EngineUnavailable(f"The option {name} of qwen-tts must be {wanted}, not {value!r}.")
        if not least <= value <= most:
            raise EngineUnavailable(f"The option {name} of qwen-tts must be {least} to {most}, not {value}.")
        settings[name] = kind(value)
    return settings
