"""Qwen3-TTS: ten languages, cloned and designed voices (https://github.com/QwenLM/Qwen3-TTS).

A model of 0.6B or 1.7B parameters says frames of 80 ms, which a codec turns into sound. Audio leaves with the first
frame; for real time it takes a GPU.
"""

import hashlib
import logging
import re
import secrets
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
from wyoming.audio import AudioChunk

from wyoming_voice.errors import BadRequest, EngineUnavailable, UnknownVoice

from . import qwen_files
from .protocol import Options, Reference, Segment
from .qwen_sound import FRAME, NOTHING, Outlet, chunk
from .qwen_watch import FRAMES_PER_SECOND, Watch, budget, pieces
from .weights import weights_folder

if TYPE_CHECKING:
    from .qwen_codec import CodecStream
    from .qwen_talker import Prompt

    _Way = tuple[Callable[[str], Prompt], Callable[[], CodecStream]]

T = TypeVar("T")

_LOGGER = logging.getLogger(__name__)

_PACKET: Final = 12  # frames of the largest packet: one second
_ATTEMPTS: Final = 2
_LEAST: Final = 25  # frames that must fit behind a prompt
# Control characters, half characters, and what the tokenizer would take for marks of its own.
_DROPPED: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+|<\|[^|<>]*\|>|</?tts_\w+>|<tts_\w+>")


class QwenTts:
    """Speaks with one model: CustomVoice (its speakers), Base (recordings) or VoiceDesign (descriptions).

    Options: ``model`` (a repository or a folder), ``device``, ``dtype``, ``attn_implementation``, ``cuda_graphs``,
    ``compile``, ``first_frames`` of the first packet, ``language``, the package's own for drawing codes
    (``temperature`` …), ``voice_clone_ref_audio`` and ``voice_clone_ref_text`` for Base, ``voice_description`` for
    VoiceDesign.
    """

    def __init__(self, options: Options) -> None:
        if missing := qwen_files.missing(options):
            raise EngineUnavailable(missing)
        try:
            from .qwen_model import QwenModel  # noqa: PLC0415 - torch is imported in the worker's thread, and nowhere else
        except ImportError as error:
            raise EngineUnavailable(
                f"Qwen3-TTS is not installed ({error}). Run: ./run.sh engines install qwen-tts"
            ) from error
        self._options = options
        self._files = qwen_files.model(options)
        self._model = QwenModel(weights_folder(qwen_files.ENGINE, options), options)
        self._first = _first_frames(options, on_gpu=self._model.placement.on_gpu)
        self.cut = 0
        """How many times speech was cut because it would not end."""
        self.retried = 0
        """How many times it began again with another seed, before anything was heard."""

    def synthesize(self, segment: Segment) -> Iterator[AudioChunk]:
        """Yield 24 kHz audio as frames are made, and an empty chunk for each frame that waits for more: cancel there.

        Raises UnknownVoice, and BadRequest where a recording or a description is missing, unusable or not for this
        model.
        """
        lay_out, begin = yield from self._voice(segment)
        seed = segment.seed
        if seed is None:
            # A voice in words is another one with another seed; it stays the same from sentence to sentence.
            seed = _number(segment.description) if segment.description else secrets.randbits(32)
        for text in pieces(_DROPPED.sub(" ", segment.text)):
            if any(character.isalnum() for character in text):
                with _memory():
                    yield from self._speak(text, lay_out(text), begin, seed)

    def _voice(self, segment: Segment) -> "Generator[AudioChunk, None, _Way]":
        """Find out how to lay out a text for the voice, and what its sound continues."""
        language, writer = self._language(segment), self._model.writer
        match self._files.kind:
            case "custom_voice":
                speaker = self._speaker(segment)
                return lambda text: writer.speaker(text, language, speaker, segment.style), self._model.codec.stream
            case "voice_design":
                described = self._described(segment)
                return lambda text: writer.designed(text, language, described), self._model.codec.stream
            case _:
                voice = yield from _quietly(self._model.cloner.voice(self._references(segment)))
                return lambda text: writer.cloned(text, language, voice), voice.decoded.branch

    def _language(self, segment: Segment) -> str:
        code = str(self._options.get("language") or segment.language or "auto").lower()
        name = qwen_files.LANGUAGES.get(code.replace("_", "-").split("-")[0], code)
        return name if name in self._model.languages else "auto"

    def _speaker(self, segment: Segment) -> str:
        if segment.references:
            raise BadRequest(
                "This Qwen3-TTS model has speakers of its own and clones no voice; the Base models do. Set the option "
                "model of qwen-tts to Qwen/Qwen3-TTS-12Hz-0.6B-Base or Qwen/Qwen3-TTS-12Hz-1.7B-Base."
            )
        if segment.description:
            raise BadRequest(
                "This Qwen3-TTS model has speakers of its own and follows no description of a voice; VoiceDesign does. "
                "Set the option model of qwen-tts to Qwen/Qwen3-TTS-12Hz-1.7B-VoiceDesign."
            )
        name = segment.speaker or segment.voice or self._files.speakers[0]
        if name.lower() not in self._files.speakers:
            raise UnknownVoice(f"Qwen3-TTS has no voice {name!r}. It has: {', '.join(self._files.speakers)}.")
        return name.lower()

    def _references(self, segment: Segment) -> tuple[Reference, ...]:
        if segment.references:
            return segment.references
        if segment.description:
            raise BadRequest(
                "This Qwen3-TTS model clones recordings and follows no description of a voice; VoiceDesign does. "
                "Set the option model of qwen-tts to Qwen/Qwen3-TTS-12Hz-1.7B-VoiceDesign."
            )
        if segment.voice not in ("", qwen_files.REFERENCE_VOICE):
            raise UnknownVoice(f"Qwen3-TTS has no voice {segment.voice!r}: its Base model speaks with recordings.")
        if audio := self._options.get("voice_clone_ref_audio"):
            text = self._options.get("voice_clone_ref_text")
            return (Reference(str(audio), str(text) if text else None),)
        raise BadRequest(
            "This Qwen3-TTS model clones a recording, and there is none. Add a voice (voices add NAME --audio FILE), "
            "or set voice_clone_ref_audio."
        )

    def _described(self, segment: Segment) -> str:
        if segment.references:
            raise BadRequest(
                "This Qwen3-TTS model follows a description and clones no voice; the Base models do. Set the option "
                "model of qwen-tts to Qwen/Qwen3-TTS-12Hz-0.6B-Base or Qwen/Qwen3-TTS-12Hz-1.7B-Base."
            )
        if segment.voice not in ("", qwen_files.DESIGNED_VOICE):
            raise UnknownVoice(
                f"Qwen3-TTS has no voice {segment.voice!r}: its VoiceDesign model speaks with descriptions."
            )
        described = segment.description or self._options.get("voice_description")
        if not described:
            raise BadRequest(
                "This Qwen3-TTS model needs a description of the voice, such as 'a calm old man with a deep voice'. "
                "Send one with the request, or set voice_description."
            )
        return f"{described} {segment.style}" if segment.style else str(described)

    def _speak(
        self, text: str, prompt: "Prompt", begin: "Callable[[], CodecStream]", seed: int
    ) -> Generator[AudioChunk, None, None]:
        """Speak one piece of text; once more with another seed when nothing but trouble came."""
        room = self._model.talker.capacity - prompt.embeds.shape[1]
        if room < _LEAST:
            raise BadRequest("What describes the voice or the style is too long. Use a few sentences.")
        most = min(budget(text), room)
        for attempt in range(_ATTEMPTS):
            watch = Watch()
            trouble = yield from self._attempt(prompt, begin(), watch, seed + attempt, most)
            if watch.audible and trouble is None:
                return
            if watch.audible or attempt + 1 == _ATTEMPTS:
                self.cut += 1
                _LOGGER.warning("speech was cut, %d times so far: %s", self.cut, trouble or "nothing was to be heard")
                return
            self.retried += 1
            _LOGGER.warning("speech begins again with another seed, %d times so far: %s", self.retried, trouble)

    def _attempt(
        self, prompt: "Prompt", stream: "CodecStream", watch: Watch, seed: int, most: int
    ) -> Generator[AudioChunk, None, str | None]:
        """Yield the audio of a prompt; returns what was wrong with it, if anything was."""
        import torch  # noqa: PLC0415

        outlet, packet = Outlet(), list[torch.Tensor]()
        size, count, trouble = self._first, 0, None
        with closing(self._model.talker.frames(prompt, seed, most)) as frames:
            for first, frame in frames:
                packet.append(frame)
                count += 1
                if watch.repeats(first):
                    trouble = f"the same codes again and again after {count / FRAMES_PER_SECOND:.1f} s"
                    packet.clear()
                    break
                if len(packet) < size:
                    yield chunk(NOTHING)
                    continue
                samples = stream.push(torch.stack(packet))
                yield chunk(outlet.take(samples, watch.sound(samples.reshape(-1, FRAME))))
                packet.clear()
                size = min(2 * size, _PACKET)
                if watch.is_silent:
                    trouble = f"silence after {count / FRAMES_PER_SECOND:.1f} s"
                    break
        if trouble is None and count == most:
            trouble = f"no end after {count / FRAMES_PER_SECOND:.1f} s"
        samples = stream.push(torch.stack(packet)) if packet else NOTHING
        rest = outlet.take(samples, watch.sound(samples.reshape(-1, FRAME)))
        yield chunk(np.concatenate([rest, outlet.end()]))
        return trouble


def _quietly(steps: Generator[None, None, T]) -> Generator[AudioChunk, None, T]:
    """Do steps that make no sound."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            returned: T = done.value
            return returned
        yield chunk(NOTHING)


@contextmanager
def _memory() -> Iterator[None]:
    """Say what to do where a GPU's memory is full; torch's own error is a page long."""
    try:
        yield
    except RuntimeError as error:
        if "out of memory" not in str(error):
            raise
        raise EngineUnavailable(
            "The GPU's memory is full. Use the 0.6B model, or load fewer engines there (devices: NAME: loaded)."
        ) from error


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:4], "big")


def _first_frames(options: Options, *, on_gpu: bool) -> int:
    """Choose how many frames the first packet has: decoding them one by one costs a CPU much more than two at once."""
    first = options.get("first_frames")
    if first is None:
        return 1 if on_gpu else 2
    if not isinstance(first, int) or not 1 <= first <= _PACKET:
        raise EngineUnavailable(f"The option first_frames of qwen-tts must be 1 to {_PACKET}, not {first!r}.")
    return first
