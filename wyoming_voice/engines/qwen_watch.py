"""Never endless: how long a text may sound, and what noise, silence and loops look like.

About one Base generation in 200 does not say its end (QwenLM/Qwen3-TTS #118, sgl-project/sglang-omni #1179) and would
go on for 163 s. Three measures, each far from what speech does: a budget by the length of the text, silence that lasts,
codes that repeat.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

FRAMES_PER_SECOND: Final = 12.5

_SLOWEST: Final = 6.0  # letters a second, half of a calm speaker's
_GRACE: Final = 4.0  # seconds besides: breath, hesitation, a long ending
_WEIGHTS: Final = {"N": 8.0, "P": 2.0, "S": 4.0}  # letters that a digit, a comma or a sign sounds like
_IDEOGRAPH: Final = 4.0  # and a character of Chinese, Japanese or Korean
_LONGEST: Final = 300.0  # letters that are generated at once: half a minute, for which the models were made

_SILENT: Final = 0.003  # root mean square of full scale: -50 dBFS
_PAUSE: Final = 6  # frames of silence that are a pause in speech, half a second; more are held back
_SILENCE: Final = 40  # frames of silence that nobody makes in a sentence: 3.2 s
_LOOP: Final = 25  # frames that repeat the same few codes: 2 s
_PERIOD: Final = 8  # frames of the longest loop that is looked for

_SENTENCE, _CLAUSE = ".!?…。！？", ";；:：,，、—"
_BREAK: Final = re.compile(r"(?<=[。！？；：，、])|\s+")


def weight(text: str) -> float:
    """Return how many letters a text sounds like."""
    return sum(_weight(character) for character in text)


def _weight(character: str) -> float:
    kind = unicodedata.category(character)
    if kind == "Lo" and unicodedata.east_asian_width(character) == "W":
        return _IDEOGRAPH
    return _WEIGHTS.get(kind[0], 1.0)


def budget(text: str) -> int:
    """Return how many frames a text may have, generously."""
    return int((_GRACE + weight(text) / _SLOWEST) * FRAMES_PER_SECOND)


def pieces(text: str) -> Iterator[str]:
    """Cut a text that is longer than can be spoken at once, after punctuation if there is any, else between words."""
    text = text.strip()
    while weight(text) > _LONGEST:
        end = _end(text)
        yield text[:end].strip()
        text = text[end:].strip()
    if text:
        yield text


def _end(text: str) -> int:
    """Return where the first piece of a long text ends."""
    room, far = _LONGEST, len(text)
    for index, character in enumerate(text):
        room -= _weight(character)
        if room < 0:
            far = max(index, 1)
            break
    breaks = [found.start() for found in _BREAK.finditer(text, 1, far) if found.start() > far // 3]
    for marks in (_SENTENCE, _CLAUSE):
        if marked := [end for end in breaks if text[end - 1] in marks]:
            return marked[-1]
    return (breaks or [far])[-1]


class Watch:
    """Looks at what is generated, and says what is wrong with it."""

    def __init__(self) -> None:
        self.audible = False
        """Whether anything was to be heard yet."""
        self._codes: list[int] = []
        self._silent = 0  # frames, up to now

    def repeats(self, code: int) -> bool:
        """Take the first code of a frame; tell whether the last two seconds are a loop of at most eight frames."""
        self._codes.append(code)
        last = self._codes[-_LOOP:]
        return len(last) == _LOOP and any(
            all(one == other for one, other in zip(last, last[period:], strict=False))
            for period in range(1, _PERIOD + 1)
        )

    def sound(self, frames: NDArray[np.float32]) -> int:
        """Take decoded frames, shape (n, samples); returns how many may go out: the rest is too long a pause."""
        passed = 0
        for index, frame in enumerate(frames):
            if np.sqrt(np.mean(frame**2)) >= _SILENT:
                self.audible, self._silent, passed = True, 0, index + 1
            else:
                self._silent += 1
                if self._silent <= _PAUSE:
                    passed = index + 1
        return passed

    @property
    def is_silent(self) -> bool:
        """Whether the silence has lasted too long."""
        return self._silent >= _SILENCE
