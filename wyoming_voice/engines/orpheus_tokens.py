"""The token layout of Orpheus: its prompt, and its audio tokens in frames of seven. Nothing here needs torch.

Source: the published decoder and notebooks (https://github.com/canopyai/Orpheus-TTS).
"""

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

RATE: Final = 24_000
"""Hertz."""
SAMPLES: Final = 2_048
"""Samples that a frame becomes: 85 ms, so that real time is 82 tokens a second."""
CODES: Final = 4_096
"""How many codes each place of a frame has."""
PLACES: Final = 7

_CUSTOM: Final = 128_256
"""``<custom_token_0>``: the first id that is no text; the ids above are written ``<custom_token_N>``."""
_AUDIO: Final = 128_266
"""The first code of a frame's first place."""
_HUMAN: Final = 128_259
_TEXT_ENDS: Final = 128_009
_TURN_ENDS: Final = (_TEXT_ENDS, 128_260, 128_261, 128_257)
"""End of text, end of the human's turn, start of the model's, start of speech."""
_SPEECH_ENDS: Final = (128_258, 128_262)
"""End of speech, end of the model's turn."""
STOP: Final = frozenset(_SPEECH_ENDS)
"""Either ends the audio."""
STOP_WORDS: Final = tuple(f"<custom_token_{token - _CUSTOM}>" for token in _SPEECH_ENDS)

_SECONDS: Final = 2.5
_SECONDS_PER_CHARACTER: Final = 0.25  # a third of the speed of slow speech: what takes longer has lost its way

Frame = tuple[int, ...]
"""Seven codes, 0 … 4095, of 12, 24, 48, 48, 24, 48 and 48 Hz."""


@dataclass(frozen=True, slots=True)
class Example:
    """A recording whose voice the model goes on with."""

    text: str
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is asked to say."""

    text: str
    voice: str = ""
    """The name before the text; empty: none, as the pretrained model and fine-tunes to one voice want it."""
    examples: tuple[Example, ...] = ()

    def ids(self, encode: Callable[[str], Sequence[int]]) -> list[int]:
        """Lay it out in ids; ``encode`` gives those of a text, with the beginning-of-text token before them."""
        return [token for part in self._parts() for token in (encode(part) if isinstance(part, str) else [part])]

    def written(self) -> str:
        """Write the same down for a server that has the tokenizer."""
        return "".join(f"<|begin_of_text|>{part}" if isinstance(part, str) else _name(part) for part in self._parts())

    def _parts(self) -> Iterator[str | int]:
        for example in self.examples:
            yield _HUMAN
            yield example.text
            yield from (*_TURN_ENDS, *audio_ids(example.frames), *_SPEECH_ENDS)
        yield _HUMAN
        yield f"{self.voice}: {self.text}" if self.voice else self.text
        yield from _TURN_ENDS


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn."""

    temperature: float
    """0: the likeliest, always."""
    top_p: float
    repetition_penalty: float


class TokenSource(Protocol):
    """Where audio tokens come from: a model in this process, or a server."""

    def tokens(self, prompt: Prompt, limit: int, seed: int) -> Generator[int | None, None, None]:
        """Yield at most ``limit`` ids until the speech ends, None while there is none yet; closing cancels at once.

        Raises VoiceError.
        """
        ...


def budget(text: str) -> int:
    """Return how many tokens a text may become, so that a model that has lost its way comes to an end."""
    seconds = _SECONDS + _SECONDS_PER_CHARACTER * len(text)
    return PLACES * round(seconds * RATE / SAMPLES)


def audio_ids(frames: Sequence[Frame]) -> list[int]:
    """Return the ids of frames."""
    return [_AUDIO + place * CODES + code for frame in frames for place, code in enumerate(frame)]


def _name(token: int) -> str:
    return "<|eot_id|>" if token == _TEXT_ENDS else f"<custom_token_{token - _CUSTOM}>"


class Framer:
    """Audio tokens in, frames out. A token that does not fit is skipped and counted; a first code begins anew."""

    def __init__(self) -> None:
        self.skipped = 0
        """Tokens that became no sound."""
        self._codes: list[int] = []

    def add(self, token: int) -> Frame | None:
        """Take a token; returns the frame that it completes."""
        place, code = divmod(token - _AUDIO, CODES)
        if place == 0:
            self.finish()
        if place != len(self._codes):
            self.skipped += 1
            return None
        self._codes.append(code)
        if len(self._codes) < PLACES:
            return None
        frame, self._codes = tuple(self._codes), []
        return frame

    def finish(self) -> None:
        """Drop the frame under way."""
        self.skipped += len(self._codes)
        self._codes = []


class TokenText:
    """Text that a server streams, cut anywhere, back into ids."""

    _TOKEN: Final = re.compile(r"<custom_token_(\d{1,5})>")
    _OPEN: Final = re.compile(r"<[^<>]{0,20}\Z")

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, text: str) -> list[int]:
        """Return the ids that are complete; what is no token is id -1, which no frame takes."""
        text = self._rest + text
        opened = self._OPEN.search(text)
        self._rest = text[opened.start() :] if opened else ""
        found, at = [], 0
        for token in self._TOKEN.finditer(text):
            found += [-1] * bool(text[at : token.start()].strip()) + [_CUSTOM + int(token[1])]
            at = token.end()
        return found + [-1] * bool(text[at : len(text) - len(self._rest)].strip())
