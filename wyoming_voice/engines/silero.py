"""Silero: small, quick voices for Russian and other languages (https://github.com/snakers4/silero-models).

A model is a package of torch that brings its own code, loaded as its authors do. One call speaks a phrase and cannot be
interrupted; closing the iterator cancels before the next phrase.
"""

import inspect
import logging
import pickle
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from wyoming.audio import AudioChunk

from wyoming_voice.errors import BadRequest, EngineUnavailable, UnknownVoice

from .protocol import Options, Segment
from .silero_files import RANDOM, RATES, silero_file, silero_missing
from .silero_text import Phrase, halves, plain_phrases, ssml_phrases
from .torch_device import place

_LOGGER = logging.getLogger(__name__)

_FLAGS: Final = ("put_accent", "put_yo", "put_stress_homo", "put_yo_homo")
_PEAK: Final = 0.9
"""Of full scale: 1 dB of room for resampling and lossy codecs."""
_MOST: Final = 2.0
"""The most that a quiet voice is made louder."""
_FADE: Final = 0.005
"""Seconds at both ends of a phrase, which the model need not begin or end at zero."""
_DAMAGED: Final = (OSError, RuntimeError, ImportError, LookupError, ValueError, AttributeError, pickle.UnpicklingError)


class Silero:
    """Speaks with the speakers of one model.

    Options: ``model``, an id such as ``v5_5_ru`` or a path; ``sample_rate`` (48000, what the models make themselves;
    24000 or 8000 is filtered down from it and saves no time), ``device``, ``threads``, ``seed`` of the speaker
    ``random``, ``speakers`` of a model that is not in the list, and ``put_accent``, ``put_yo``, ``put_stress_homo``,
    ``put_yo_homo`` where the model has them (on, as its authors have them).
    """

    def __init__(self, options: Options) -> None:
        file = silero_file(options)
        if missing := silero_missing(options):
            raise EngineUnavailable(missing)
        assert file is not None, "silero_missing has seen it"
        self._sample_rate = _one_of(options, "sample_rate", RATES, default=RATES[-1])
        self._seed = _whole(options, "seed", least=0) or 0
        self._model = _load(file, options)
        self._arguments = frozenset(inspect.signature(self._model.apply_tts).parameters)
        self._flags = self._read_flags(options, file.stem)
        self._speakers = tuple(str(name) for name in self._model.speakers)
        self._letters = _letters(self._model)
        self._gains: dict[str, float] = {}

    def synthesize(self, segment: Segment) -> Iterator[AudioChunk]:
        """Yield a chunk for each phrase as it is made.

        Raises UnknownVoice, BadRequest for broken SSML, and BadRequest after everything else was said where some of the
        text has no letter that the model knows.
        """
        speaker = segment.speaker or segment.voice
        if speaker not in self._speakers:
            raise UnknownVoice(
                f"The Silero model has no speaker {speaker!r}. It has: {', '.join(self._speakers[:12])}."
            )
        read = ssml_phrases if segment.ssml else plain_phrases
        lost = 0
        for phrase in read(segment.text, segment.speed, segment.pitch):
            if any(character.isalnum() for character in phrase.text):
                for sound in self._say(phrase, speaker, segment.seed):
                    lost += sound is None
                    if sound is not None:
                        yield self._chunk(self._even(speaker, sound))
            if phrase.pause:
                yield self._chunk(np.zeros(round(phrase.pause * self._sample_rate), np.float32))
        if lost:
            raise BadRequest(
                f"Silero left out {lost} {'part' if lost == 1 else 'parts'} of the text: it knows the letters of its "
                "model's language only, and neither digits nor other letters. Switch text: normalize: on, or choose a "
                "voice of the text's language."
            )

    def _say(self, phrase: Phrase, speaker: str, seed: int | None) -> Iterator[NDArray[np.float32] | None]:
        """Yield the sound of a phrase, in more than one piece where the model refuses it; None: it came out empty."""
        waiting = deque([phrase])
        while waiting:
            phrase = waiting.popleft()
            if not any(character.isalnum() for character in phrase.text):
                continue
            try:
                sound = self._apply(phrase, speaker, self._seed if seed is None else seed)
            except _TooLongError:
                smaller = halves(phrase)
                if smaller is None:
                    yield None
                else:
                    waiting.extendleft(reversed(smaller))
                continue
            yield sound

    def _apply(self, phrase: Phrase, speaker: str, seed: int) -> NDArray[np.float32] | None:
        """Have the model say a phrase; None where nothing is left of it."""
        if speaker == RANDOM:
            import torch  # noqa: PLC0415 - a worker's library

            torch.manual_seed(seed)  # else each phrase would have a voice of its own
        # Text without a letter that it knows is refused as plain text; as SSML it is the sound of a full stop.
        known = not self._letters or not self._letters.isdisjoint(phrase.text.lower())
        marked = known and not phrase.plain and "ssml_text" in self._arguments
        said = {"ssml_text": phrase.ssml()} if marked else {"text": phrase.text}
        try:
            sound = self._model.apply_tts(**said, speaker=speaker, sample_rate=self._sample_rate, **self._flags)
        except ValueError as error:
            if str(error):
                raise
            return None  # its way of saying that nothing is left of the text
        except Exception as error:  # the packages raise nothing narrower
            if "too long" not in str(error):
                raise
            raise _TooLongError from error
        samples: NDArray[np.float32] = sound.detach().reshape(-1).float().cpu().numpy()
        return samples if len(samples) and np.isfinite(samples).all() else None

    def _even(self, speaker: str, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give a phrase the loudness of those before it.

        One gain for a speaker: what brings the loudest phrase so far to the peak. It never rises again, and where a
        phrase is louder than all before it falls from its first sample to the first that would be too loud, so there is
        no step. Kept between segments, because the sentences of a text come one by one.
        """
        before = self._gains.get(speaker)
        loudness = np.abs(samples)
        gain = min(_MOST if before is None else before, _PEAK / max(float(loudness.max()), 1e-6))
        self._gains[speaker] = gain
        envelope = np.full(len(samples), gain, np.float32)
        if before is not None and gain < before:
            fall = int(np.argmax(loudness * before > _PEAK)) + 1
            envelope[:fall] = np.linspace(before, gain, fall, dtype=np.float32)
        fade = min(round(_FADE * self._sample_rate), len(samples) // 2)
        ramp = np.linspace(0, 1, fade, endpoint=False, dtype=np.float32)
        envelope[:fade] *= ramp
        envelope[len(samples) - fade :] *= ramp[::-1]
        return samples * envelope

    def _chunk(self, samples: NDArray[np.float32]) -> AudioChunk:
        pcm = np.rint(samples.clip(-1, 1) * 32767).astype("<i2").tobytes()
        return AudioChunk(rate=self._sample_rate, width=2, channels=1, audio=pcm)

    def _read_flags(self, options: Options, model: str) -> dict[str, bool]:
        """Return the flags that the options set and this version knows."""
        asked = {name: options[name] for name in _FLAGS if options.get(name) is not None}
        for name, value in asked.items():
            if not isinstance(value, bool):
                raise EngineUnavailable(f"engines: silero: options: {name} must be true or false, not {value!r}.")
            if name not in self._arguments:
                _LOGGER.warning("the Silero model %s has no %s, which is not used", model, name)
        return {name: bool(value) for name, value in asked.items() if name in self._arguments}


class _TooLongError(Exception):
    """The model refused a phrase for its length."""


def _load(file: Path, options: Options) -> Any:
    """Load a package; it may change torch's number of threads, which is ours to choose."""
    try:
        import torch  # noqa: PLC0415 - a worker's library
        from torch.package import PackageImporter  # noqa: PLC0415
    except ImportError as error:
        raise EngineUnavailable(f"Silero is not installed ({error}). Run: ./run.sh engines install silero") from error
    device = place(options).device
    threads = _whole(options, "threads", least=1) or torch.get_num_threads()
    try:
        model = PackageImporter(str(file)).load_pickle("tts_models", "model")
        model.to(device)
    except _DAMAGED as error:
        raise EngineUnavailable(
            f"Silero cannot load {file} ({type(error).__name__}: {error}). Remove the file, and run: "
            "./run.sh engines install silero --weights"
        ) from error
    torch.set_num_threads(threads)
    return model


def _letters(model: Any) -> frozenset[str]:
    """Find the letters that a package knows, lower case; version 5 has a list for each package inside it."""
    parts = [model, *(getattr(model, "packages", None) or ())]
    symbols = "".join(str(getattr(part, "symbols", "")) for part in parts)
    return frozenset(symbol for symbol in symbols.lower() if symbol.isalpha())


def _one_of(options: Options, name: str, choices: tuple[int, ...], *, default: int) -> int:
    value = options.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or value not in choices:
        named = ", ".join(map(str, choices))
        raise EngineUnavailable(f"engines: silero: options: {name} must be one of {named}, not {value!r}.")
    return int(str(value))


def _whole(options: Options, name: str, *, least: int) -> int | None:
    value = options.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise EngineUnavailable(
            f"engines: silero: options: {name} must be a whole number from {least} up, not {value!r}."
        )
    return value
