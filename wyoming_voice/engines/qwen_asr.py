"""Qwen3-ASR (https://github.com/QwenLM/Qwen3-ASR): thirty languages, and text while it is heard."""

import logging
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from wyoming_voice.errors import BadRequest, EngineUnavailable

from .gate import Speech, SpeechGate
from .protocol import HEARD_RATE, Heard, Options, Piece, Word
from .qwen_asr_aligner import Aligner
from .qwen_asr_files import ENGINE, aligner_folder, language_code, language_name, missing
from .qwen_asr_text import TEXT_TAG, Hears, Transcript, budget, context, forced, known, language_in
from .qwen_asr_transformers import TransformersRecogniser
from .qwen_asr_vllm import VllmRecogniser
from .torch_device import place
from .weights import weights_folder

_LOGGER = logging.getLogger(__name__)

_HEAD_TOKENS: Final = 16
"""``language Indonesian<asr_text>`` is five."""
_BACKENDS: Final = ("transformers", "vllm")


class Recogniser(Protocol):
    """A loaded model."""

    processor: Any
    """The package's own: the template of a conversation, and the tokenizer."""

    def listen(self, samples: NDArray[np.float32]) -> Hears:
        """Take a recording, shape (n,), 16 kHz."""
        ...


class QwenAsr:
    """A Qwen3-ASR model. A step is a token; before the first, a window of the recording, or a part of the prompt.

    Options: ``model`` (a repository of the hub whose weights are installed, or a folder), ``device``, ``dtype``,
    ``attn_implementation``, ``max_tokens`` (1024), ``aligner`` (the model for the times of words: a repository or a
    folder; the released one where it is installed), ``backend`` (``transformers``, ``vllm``), ``vllm`` (its arguments).
    """

    def __init__(self, options: Options) -> None:
        """Load the model; raise EngineUnavailable where there is none or it does not load."""
        backend = str(options.get("backend") or _BACKENDS[0])
        if backend not in _BACKENDS:
            raise EngineUnavailable(f"There is no backend {backend!r}. Set it to one of: {', '.join(_BACKENDS)}.")
        most = options.get("max_tokens", 1024)
        if not isinstance(most, int) or most < 1:
            raise EngineUnavailable(f"The option max_tokens of qwen-asr must be a whole number above 0, not {most!r}.")
        if lacking := missing(options):
            raise EngineUnavailable(lacking)
        self._gate = SpeechGate()
        self._most = most
        self._options = options
        self._aligner: Aligner | None = None
        folder = weights_folder(ENGINE, options)
        self._model: Recogniser = (
            VllmRecogniser(folder, options) if backend == "vllm" else TransformersRecogniser(folder, place(options))
        )
        self._tokenizer: Any = self._model.processor.tokenizer
        self._tag = int(self._tokenizer.convert_tokens_to_ids(TEXT_TAG))

    def transcribe(self, piece: Piece) -> Iterator[Heard]:
        """Yield words as they are recognised; raise BadRequest for languages that the model does not know.

        Each Heard has the times of all the speech; what has the times of words, where they are asked for and an aligner
        is installed, comes last and has no text. One without text or words says that the recording is being read.
        """
        language = _name(piece.language)
        # A model whose language is forced cannot say that nobody speaks, and invents something.
        speech = self._gate.speech(piece.samples)
        if speech is None:
            return
        seconds = len(speech.samples) / HEARD_RATE
        times = (speech.moment(0.0), speech.moment(seconds))
        hears, prompt = self._model.listen(speech.samples), self._prompt(piece)
        head = forced(language) if language else (yield from self._head(hears, prompt, times))
        heard = language_in(head)
        code = language_code(heard)
        transcript = Transcript(self._tokenizer, known(piece.prefix, self._tokenizer) if code else "")
        for text in self._texts(hears, prompt + head, transcript, budget(seconds, self._most)):
            yield Heard(text, *times, language=code)
        if piece.word_times and (words := self._words(speech, transcript.text, heard)):
            yield Heard("", *times, language=code, words=words)

    def _prompt(self, piece: Piece) -> str:
        """Return the conversation up to where the model answers, in the template that came with it."""
        expected = context(piece.prompt, piece.terms, self._tokenizer)
        turns = [
            {"role": "system", "content": expected},
            {"role": "user", "content": [{"type": "audio", "audio": ""}]},
        ]
        return str(self._model.processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False))

    def _head(self, hears: Hears, prompt: str, times: tuple[float, float]) -> Generator[Heard, None, str]:
        """Let the model name the language; returns nothing where it does not, and answers with text or nothing."""
        tokens: list[int] = []
        with closing(hears(prompt, _HEAD_TOKENS)) as found:
            for token in found:
                if token is None:
                    yield Heard("", *times)
                    continue
                tokens.append(token)
                if token == self._tag:
                    return str(self._tokenizer.decode(tokens, skip_special_tokens=True))
        return ""

    def _texts(self, hears: Hears, prompt: str, transcript: Transcript, most: int) -> Iterator[str]:
        if transcript.prefix:
            yield transcript.begin()
        with closing(hears(prompt + transcript.prefix, most)) as tokens:
            for token in tokens:
                if token is None:
                    yield ""
                    continue
                if text := transcript.add(token):
                    yield text
                if transcript.loops:
                    break
        if transcript.loops or len(transcript) == most:
            _LOGGER.warning("a transcript did not end and was cut after %s tokens", len(transcript))
        if text := transcript.finish():
            yield text

    def _words(self, speech: Speech, text: str, language: str) -> tuple[Word, ...]:
        """Find the times of words, with a model that is loaded when it is wanted first."""
        if self._aligner is None:
            folder = aligner_folder(self._options)
            if folder is None:
                return ()
            self._aligner = Aligner(folder, place(self._options))
        return self._aligner.words(speech, text, language)


def _name(language: str | None) -> str | None:
    """Return the model's name of a language; None where it shall find out; raises BadRequest."""
    if language is None:
        return None
    name = language_name(language)
    if name is None:
        raise BadRequest(f"Qwen3-ASR does not hear {language}: choose another engine for this language.")
    return name
