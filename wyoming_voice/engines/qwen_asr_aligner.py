"""The times of words by Qwen3-ForcedAligner: one pass over a recording and its transcript."""

from pathlib import Path
from typing import Any

from .gate import Speech
from .protocol import HEARD_RATE, Word
from .qwen_asr_encoder import restore_windows
from .qwen_asr_text import spelled
from .qwen_asr_transformers import load
from .torch_device import Placement


class Aligner:
    """The model that says when the words of a transcript were spoken, in steps of 80 ms."""

    def __init__(self, folder: Path, placement: Placement) -> None:
        """Load the model; raise EngineUnavailable when it does not load."""
        from qwen_asr import Qwen3ForcedAligner  # noqa: PLC0415 (a worker's library)

        self._package: Any = load(Qwen3ForcedAligner, folder, placement)
        self._package.model.eval()
        restore_windows(self._package.model.thinker.audio_tower)
        known = self._package.get_supported_languages()
        self._languages = None if known is None else frozenset(known)

    def words(self, speech: Speech, text: str, language: str) -> tuple[Word, ...]:
        """Return the words of a text with their times; none in a language that the model does not know."""
        if self._languages is not None and language.lower() not in self._languages:
            return ()
        if not any(map(str.isalnum, text)):
            return ()
        (found,) = self._package.align((speech.samples, HEARD_RATE), text, language)
        words = spelled(text, (item.text for item in found))
        return tuple(
            Word(word, speech.moment(item.start_time), speech.moment(item.end_time))
            for word, item in zip(words, found, strict=True)
        )
