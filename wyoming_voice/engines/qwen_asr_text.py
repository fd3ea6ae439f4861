"""What goes into Qwen3-ASR as text and what comes out of it: decided from tokens, without torch."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Final, Protocol

TEXT_TAG: Final = "<asr_text>"
"""Between ``language Russian`` and the transcript."""
_HEAD: Final = "language "

# Qwen's own streaming takes back five tokens of what it heard before, and characters that these cut in two.
_ROLLBACK: Final = 5
_HINT_TOKENS: Final = 512
"""Of the prompt and of the terms, each: a CPU needs 7 ms for every one of them, the first time."""

# A second of speech is 3 to 12 tokens; in scripts that the vocabulary spells out, Hindi and Thai, up to 25.
_TOKENS_A_SECOND: Final = 25.0
_TOKENS_AT_LEAST: Final = 32

# The same again and again is how a model that lost its way never ends. The package cuts 20 repetitions afterwards; text
# that was told cannot be taken back, so what may become a loop is held until it is known.
_PERIOD: Final = 20
_SUSPECT: Final = (12, 3)
_LOOP: Final = (24, 6)


class Tokenizer(Protocol):
    """What is used of a Hugging Face tokenizer."""

    def encode(self, text: str, *, add_special_tokens: bool = ...) -> list[int]:
        """Return the tokens of a text."""
        ...

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool = ...) -> str:
        """Return the text of tokens; bytes that are no UTF-8 become U+FFFD."""
        ...

    def get_added_vocab(self) -> dict[str, int]:
        """Return the tokens that mean something to the model."""
        ...


Hears = Callable[[str, int], Generator[int | None]]
"""The tokens that follow a prompt (with its place for the recording, which is known): at most so many, and none that
ends the transcript. Before the first, None for each step of reading. Closing it cancels before the next step."""


def budget(seconds: float, most: int) -> int:
    """How many tokens a recording may have before it is an invention."""
    return min(most, round(_TOKENS_AT_LEAST + _TOKENS_A_SECOND * seconds))


def context(prompt: str | None, terms: Sequence[str], tokenizer: Tokenizer) -> str:
    """Return what the system's turn says: the end of the prompt, and as many terms as there is room for."""
    chosen: list[str] = []
    for term in terms:
        if len(tokenizer.encode(", ".join([*chosen, term]), add_special_tokens=False)) > _HINT_TOKENS:
            break
        chosen.append(term)
    before = tokenizer.encode(plain(prompt or "", tokenizer), add_special_tokens=False)[-_HINT_TOKENS:]
    said = tokenizer.decode(before, skip_special_tokens=True).strip("\ufffd \n")
    return "\n".join(part for part in (said, plain(", ".join(chosen), tokenizer)) if part)


def plain(text: str, tokenizer: Tokenizer) -> str:
    """Leave out what the model would read as the end of a turn or as a place for a recording."""
    for token in tokenizer.get_added_vocab():
        text = text.replace(token, " ")
    return text


def known(prefix: str, tokenizer: Tokenizer) -> str:
    """Return what is kept of a transcript of a shorter recording: all but its last tokens, which may be mistaken."""
    tokens = tokenizer.encode(plain(prefix, tokenizer).strip(), add_special_tokens=False)
    for end in range(len(tokens) - _ROLLBACK, 0, -1):
        text = tokenizer.decode(tokens[:end], skip_special_tokens=True)
        if not text.endswith("\ufffd"):
            return text
    return ""


def language_in(head: str) -> str:
    """Return the language that the model names in ``language Russian<asr_text>``."""
    return head.removesuffix(TEXT_TAG).strip().removeprefix(_HEAD.strip()).strip()


def forced(language: str) -> str:
    """Return the head that makes the model write a language."""
    return f"{_HEAD}{language}{TEXT_TAG}"


class Transcript:
    """Tokens in, text out that is never taken back; it begins and ends with a word."""

    def __init__(self, tokenizer: Tokenizer, prefix: str) -> None:
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._told = 0  # tokens that are text already
        self._waiting = prefix  # what is told before the next word
        self.prefix = prefix
        """What the model is told that it said already."""
        self.text = ""
        """All that was told."""

    def __len__(self) -> int:
        return len(self._tokens)

    @property
    def loops(self) -> bool:
        """Whether it only repeats itself by now."""
        return _repeats(self._tokens, *_LOOP)

    def begin(self) -> str:
        """Return the prefix: it will not change."""
        return self._tell()

    def add(self, token: int) -> str:
        """Return the text that is certain with this token, which may be none."""
        self._tokens.append(token)
        return "" if _repeats(self._tokens, *_SUSPECT) else self._tell()

    def finish(self) -> str:
        """Return the rest: what was waiting for more, but no loop and no half of a character."""
        if self.loops:
            return ""
        return self._tell(last=True)

    def _tell(self, *, last: bool = False) -> str:
        text = self._tokenizer.decode(self._tokens[self._told :], skip_special_tokens=True)
        if text.endswith("\ufffd"):
            if not last:
                return ""
            text = text.rstrip("\ufffd")
        self._told = len(self._tokens)
        waiting = self._waiting + text
        if not self.text:
            waiting = waiting.lstrip()
        told = waiting.rstrip()
        self._waiting = waiting[len(told) :]
        self.text += told
        return told


def _repeats(tokens: Sequence[int], least: int, times: int) -> bool:
    """Whether tokens end with a repetition at least so long, of at least so many times the same."""
    for period in range(1, _PERIOD + 1):
        needed = max(least, times * period)
        if len(tokens) < needed:
            return False
        end = tokens[-needed:]
        if end[period:] == end[:-period]:
            return True
    return False


def spelled(text: str, words: Iterable[str]) -> Iterator[str]:
    """Yield words, which an aligner stripped of their punctuation, as the text spells them."""
    position = 0
    for word in words:
        start, end = position, text.find(word, position)
        if end < 0:
            yield word
            continue
        position = end + len(word)
        while position < len(text) and not (text[position].isalnum() or text[position].isspace()):
            position += 1
        yield text[start:position].strip()
