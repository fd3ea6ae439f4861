"""Stress marks by silero-stress: every word's stressed vowel, homographs by the sentence around them.

https://github.com/snakers4/silero-stress; its models are in the wheel, nothing is downloaded. It sees a copy of the
text in which nothing can confuse it, and only its marks (and ``ё``, where they are wanted) are taken over: whatever it
does to the copy, no letter of the text is lost.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any, Final

from wyoming_voice.errors import EngineUnavailable

from .protocol import Options

MARK: Final = "+"
_LANGUAGES: Final = {"ru": "ru", "uk": "ukr", "be": "bel"}
"""BCP 47 and the names of its models."""
_WORD: Final = re.compile(r"[\w+]+")
_ACUTE: Final = re.compile("([^\\W\\d_])\u0301")
_LONG_WORD: Final = re.compile(r"[\w+]{41,}")  # it thinks for seconds about a word of 600 letters
_PIECE: Final = re.compile(r"\s*(?:\S.{0,999}(?!\S)|\S.{0,999})\s*", re.DOTALL)  # and its work grows with the square
_VOWELS: Final = frozenset("аоуыэиеяёюіїєАОУЫЭИЕЯЁЮІЇЄ")
_PUNCTUATION: Final = frozenset("«»…–—„“”’ʼ№")


class SileroStress:
    """Marks the stressed vowels of Russian, Ukrainian and Belarusian text with ``+``.

    Options: ``yo``: write ``ё`` where ``е`` was written for it (Russian). Without it such a word stays unmarked, since
    its stress is on the ``ё`` that is not there. ``threads``: 1, as its authors have it. Measured on two busy cores: a
    command takes 1 ms with one thread and 260 ms with two, which wait for each other after every small step.
    """

    def __init__(self, options: Options) -> None:
        self._yo = options.get("yo") is True
        self._threads = _threads(options)
        try:
            import torch  # noqa: PLC0415 - a worker's library
            from silero_stress import load_accentor  # noqa: PLC0415
        except ImportError as error:
            raise EngineUnavailable(
                f"silero-stress is not installed ({error}). Run: ./run.sh engines install silero-stress"
            ) from error
        self._set_num_threads: Callable[[int], None] = torch.set_num_threads
        self._load: Callable[[str], Any] = load_accentor
        self._accentors = dict[str, Any]()
        self._accentor("ru")("Замок.")  # the first sentence takes a tenth of a second longer

    def rewrite(self, text: str, language: str | None) -> str:
        """Put ``+`` before stressed vowels; words that carry a mark keep it, a combining acute becomes ``+``, too.

        A text in another language comes back as it was. The result is in Unicode's form NFC.
        """
        code = (language or "ru").split("-")[0].lower()
        if code not in _LANGUAGES:
            return text
        accentor = self._accentor(code)
        prepared = _ACUTE.sub(r"+\1", unicodedata.normalize("NFC", text))
        return "".join(self._marked(piece, accentor) for piece in _pieces(prepared))

    def _accentor(self, code: str) -> Any:
        """Load the model of a language when it is first asked for."""
        if code not in self._accentors:
            self._accentors[code] = self._load(_LANGUAGES[code])
            self._set_num_threads(self._threads)  # its import and its models each choose one, for the whole process
        return self._accentors[code]

    def _marked(self, text: str, accentor: Any) -> str:
        shown = _LONG_WORD.sub(lambda word: "_" * len(word[0]), "".join(map(_shown, text)))
        if not any(letter in _VOWELS for letter in shown):
            return text
        before, after = list(_WORD.finditer(shown)), _WORD.findall(accentor(shown))
        if len(before) != len(after):
            return text
        parts, at = list[str](), 0
        for word, marked in zip(before, after, strict=True):
            parts += (text[at : word.start()], self._word(text[word.start() : word.end()], marked))
            at = word.end()
        return "".join([*parts, text[at:]])

    def _word(self, word: str, marked: str) -> str:
        """Take the marks over to a word, if they fit its letters; a word with a mark keeps that alone."""
        letters = marked.replace(MARK, "")
        if MARK in word or len(letters) != len(word):
            return word
        restored = [mine == "е" and its == "ё" for mine, its in zip(word.lower(), letters.lower(), strict=False)]
        if any(restored) and not self._yo:
            return word
        marks = {len(part.replace(MARK, "")) for part in _before_marks(marked)}
        spelled = [its if yo else mine for mine, its, yo in zip(word, letters, restored, strict=True)]
        return "".join(
            MARK + letter if place in marks and letter in _VOWELS else letter for place, letter in enumerate(spelled)
        )


def _threads(options: Options) -> int:
    value = options.get("threads", 1)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise EngineUnavailable(
            f"engines: silero-stress: options: threads must be a whole number from 1 up, not {value!r}."
        )
    return value


def _pieces(text: str) -> Iterator[str]:
    """Cut a text at white space into at most about 1,000 characters; joined, they are the text."""
    end = 0
    for piece in _PIECE.finditer(text):
        yield piece[0]
        end = piece.end()
    yield text[end:]


def _before_marks(marked: str) -> Iterator[str]:
    return (marked[: mark.start()] for mark in re.finditer(re.escape(MARK), marked))


def _shown(character: str) -> str:
    """Stand-in for a character, one for one: what the model's own rules would stumble over is a low line."""
    if character.isspace():
        return " "
    plain = character.isascii() or "\u0400" <= character <= "\u052f" or character in _PUNCTUATION
    return character if plain and len(character.lower()) == 1 else "_"
