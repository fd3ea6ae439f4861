"""Orpheus: a LLaMA that speaks, laughs and sighs, in tokens of the codec SNAC (https://github.com/canopyai/Orpheus-TTS)."""

import logging
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from wyoming.audio import AudioChunk

from wyoming_voice.errors import BadRequest, EngineUnavailable, UnknownVoice

from .orpheus_files import codec_folder, missing, needs_reference, voice_names
from .orpheus_text import opening, pieces
from .orpheus_tokens import RATE, Framer, Prompt, Sampling, TokenSource, budget
from .protocol import Options, Segment
from .torch_device import place
from .weights import weights_folder

if TYPE_CHECKING:
    from .snac_codec import WindowDecoder

_LOGGER = logging.getLogger(__name__)

_PACKET: Final = {"cpu": 12, "cuda": 2}
"""Frames decoded in one go, at most: on a CPU the context costs half a second otherwise (``docs/engines.md``)."""
_NOTHING: Final = AudioChunk(rate=RATE, width=2, channels=1, audio=b"")
"""A step without sound, one for each token: between two steps the worker sees that nobody listens any more."""


class Orpheus:
    """Speaks with a model's named voices, or with those of recordings.

    Options: ``model`` and ``codec`` (a repository whose files were downloaded, or a folder), ``device``, ``dtype``,
    ``attn_implementation``; ``voices`` and ``languages`` of a fine-tune, ``needs_reference`` for one that only clones;
    ``style`` and ``styles`` (a name and what it puts before the text); ``temperature``, ``top_p``,
    ``repetition_penalty``; ``static_cache``, ``compile`` (GPU); ``completions_url`` and ``completions_model`` for a
    server that runs the model.
    """

    def __init__(self, options: Options) -> None:
        """Load the codec, and the model unless a server has it; raises EngineUnavailable."""
        if lacking := missing(options):
            raise EngineUnavailable(lacking)
        self._styles = _styles(options)
        sampling = _sampling(options)
        try:
            from . import snac_codec  # noqa: PLC0415
            from .orpheus_reference import ReferenceCodes  # noqa: PLC0415 (a worker's libraries)
        except ImportError as error:
            raise EngineUnavailable(
                f"Orpheus is not installed ({error}). Run: ./run.sh engines install orpheus"
            ) from error
        placement = place(options)
        folder = codec_folder(options)
        try:
            self._codec = snac_codec.SnacCodec(folder, str(placement.device))
            self._source = _source(options, sampling)
        except (OSError, RuntimeError, ValueError, KeyError) as error:  # what torch, snac and transformers raise
            raise EngineUnavailable(
                f"Orpheus does not load: {str(error)[:500]}. Download its weights again."
            ) from error
        self._window: Callable[[], WindowDecoder] = partial(
            snac_codec.WindowDecoder, self._codec.decode, _PACKET.get(placement.device.type, 2)
        )
        kept = Path(str(options["data_dir"])) / "cache" / "orpheus" if options.get("data_dir") else None
        self._references = ReferenceCodes(self._codec.encode, _state(folder / "pytorch_model.bin"), kept)
        self._needs_reference = needs_reference(options)
        self._voices = voice_names(options)
        self._style = str(options.get("style") or "")

    def synthesize(self, segment: Segment) -> Iterator[AudioChunk]:
        """Yield audio as soon as the first frames have their context; closing cancels after the token under way.

        Speed and pitch are not the model's to change. Raises BadRequest (a reference too few, without its text, or one
        that this model has no use for; an unknown style), UnknownVoice, and what a completion server has to say.
        """
        voice = self._voice(segment)
        sound = opening(segment.style or self._style, self._styles)
        texts = list(pieces(segment.text))
        if not texts:
            return
        examples = tuple(map(self._references.example, segment.references))
        seed = secrets.randbits(32) if segment.seed is None else segment.seed
        texts[0] = f"{sound} {texts[0]}".strip()
        for number, text in enumerate(texts):
            yield from self._speak(Prompt(text, voice, examples), (seed + number) % 2**32)

    def _voice(self, segment: Segment) -> str:
        """Return the name that stands before the text."""
        if self._needs_reference:
            if not segment.references:
                raise BadRequest(
                    "This Orpheus model speaks with the voice of a recording and has none of its own. Add a voice with "
                    "a recording and its text, or choose a fine-tuned model (engines: orpheus: options: model:)."
                )
            return ""
        if segment.references:
            raise BadRequest(
                "This Orpheus model speaks with its own voices and clones none. Choose the pretrained model, or set "
                "needs_reference: true for one that clones (engines: orpheus: options:)."
            )
        if segment.voice not in self._voices:
            raise UnknownVoice(f"Orpheus has no voice {segment.voice!r}. It has: {', '.join(self._voices)}.")
        return segment.voice

    def _speak(self, prompt: Prompt, seed: int) -> Iterator[AudioChunk]:
        framer, window = Framer(), self._window()
        tokens = self._source.tokens(prompt, budget(prompt.text), seed)
        with closing(tokens):
            for token in tokens:
                frame = None if token is None else framer.add(token)
                packet = None if frame is None else window.feed(frame)
                yield _NOTHING if packet is None else _chunk(packet)
        framer.finish()
        rest = window.finish()
        if rest is not None:
            yield _chunk(rest)
        if framer.skipped:
            _LOGGER.warning("%d tokens were out of order and are left out", framer.skipped)


def _source(options: Options, sampling: Sampling) -> TokenSource:
    if url := options.get("completions_url"):
        from .orpheus_server import KEY, CompletionTokens  # noqa: PLC0415 (an alternative)

        model = str(options.get("completions_model") or options.get("model") or "orpheus")
        return CompletionTokens(str(url), model, sampling, os.environ.get(KEY))
    from .orpheus_lm import LlamaTokens  # noqa: PLC0415 (a worker's library, and a slow one)

    placement = place(options)
    compiled = bool(options.get("compile"))
    if compiled and not placement.on_gpu:
        _LOGGER.warning("compile is not used on a CPU, where it takes minutes and makes nothing faster")
    return LlamaTokens(
        weights_folder("orpheus", options),
        placement,
        sampling,
        static=bool(options.get("static_cache")),
        compiled=compiled and placement.on_gpu,
    )


def _sampling(options: Options) -> Sampling:
    return Sampling(
        temperature=_number(options, "temperature", 0.6, 0.0, 2.0),
        top_p=_number(options, "top_p", 0.9, 0.01, 1.0),
        repetition_penalty=_number(options, "repetition_penalty", 1.1, 1.0, 2.0),
    )


def _number(options: Options, name: str, usual: float, least: float, most: float) -> float:
    value = options.get(name)
    if value is None:
        return usual
    if not isinstance(value, int | float) or not least <= value <= most:
        raise EngineUnavailable(
            f"The option {name} of Orpheus must be a number from {least:g} to {most:g}, not {value!r}."
        )
    return float(value)


def _styles(options: Options) -> dict[str, str]:
    """Read the option ``styles``: a name, and what is put before the text for it."""
    named = options.get("styles") or {}
    if not isinstance(named, dict):
        raise EngineUnavailable("The option styles of Orpheus must be a mapping, such as {cheerful: <laugh>}.")
    return {str(name).strip().lower(): str(text) for name, text in named.items()}


def _state(path: Path) -> str:
    """Describe a file so that another version of it is told from this one."""
    stat = path.stat()
    return f"{path.parent.name} {stat.st_size} {stat.st_mtime_ns}"


def _chunk(samples: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> AudioChunk:
    steps = np.rint(samples * 32767.0).clip(-32768, 32767).astype("<i2")
    return AudioChunk(rate=RATE, width=2, channels=1, audio=steps.tobytes())
