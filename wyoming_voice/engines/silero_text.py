"""What Silero gets at once: phrases of a few hundred characters, cut where a person would breathe.

Its packages read a small SSML: https://github.com/snakers4/silero-models/wiki/SSML. Percents of rate and pitch are not
in that page but in the packages, versions 3 to 5; breaks are silence of our own, since Silero, too, ends a sentence
there.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import escape

from .ssml import clean

LIMIT: Final = 400
"""Characters of the longest phrase: the packages refuse 930 or fewer, depending on the speaker, and warn at 1,000."""
RATES: Final = (30, 200)
"""Percent: below it the words fall apart, above it sounds are lost."""
PITCHES: Final = (50, 200)
"""Percent: beyond it is no voice any more."""

_SENTENCE: Final = re.compile(r"(?:(?<![!?…])[!?…]+|(?<=\w{3})\.|(?<!\.)\.{2,})[\"'»”)\]]*\s+(?![\sа-яёa-z])")
"""The end of a sentence; a stop after one or two letters («ул.», "А. С.") may be an abbreviation's."""
_CLAUSE: Final = re.compile(r"[,;:—–][\"'»”)\]]*\s+")
_SPACE: Final = re.compile(r"\s+")
_DROPPED: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]+")  # a line break ends some packages
_ACUTE: Final = re.compile("([^\\W\\d_])\u0301")
_STRAY: Final = re.compile(r"\+(?![^\W\d_])")

# What Silero's own names mean in its packages.
_RATE_NAMES: Final = {"x-slow": 50, "slow": 80, "fast": 120, "x-fast": 150}
_PITCH_NAMES: Final = {"x-low": 60, "low": 80, "high": 120, "x-high": 140}
_STRENGTHS: Final = {"none": 0.0, "x-weak": 0.025, "weak": 0.075, "medium": 0.15, "strong": 0.3, "x-strong": 1.0}
_BORDERS: Final = {"s": _STRENGTHS["strong"], "p": _STRENGTHS["x-strong"]}
_TIME: Final = re.compile(r"(\d+\.?\d*|\.\d+)(m?s)")
_LONGEST_BREAK: Final = 5.0


@dataclass(frozen=True, slots=True)
class Span:
    """Text that is said in one manner."""

    text: str
    rate: int = 100
    """Percent of the voice's own."""
    pitch: int = 100

    def ssml(self) -> str:
        """Spell it for a package."""
        rate = f' rate="{self.rate}%"' if self.rate != 100 else ""
        pitch = f' pitch="{self.pitch - 100:+d}%"' if self.pitch != 100 else ""
        text = escape(self.text)
        return f"<prosody{rate}{pitch}>{text}</prosody>" if rate or pitch else text


@dataclass(frozen=True, slots=True)
class Phrase:
    """What the model is given at once."""

    spans: tuple[Span, ...]
    pause: float = 0.0
    """Seconds of silence after it."""

    @property
    def text(self) -> str:
        """Its text without markup."""
        return "".join(span.text for span in self.spans)

    @property
    def plain(self) -> bool:
        """Whether it needs no markup."""
        return all(span.rate == span.pitch == 100 for span in self.spans)

    def ssml(self) -> str:
        """Spell it for a package."""
        return f"<speak>{''.join(span.ssml() for span in self.spans)}</speak>"

    def part(self, start: int, end: int) -> "Phrase":
        """Cut a part out, by characters of the text; its last part keeps the pause."""
        spans, at = list[Span](), 0
        for span in self.spans:
            text = span.text[max(start - at, 0) : max(end - at, 0)]
            at += len(span.text)
            if text:
                spans.append(Span(text, span.rate, span.pitch))
        return Phrase(tuple(spans), self.pause if end >= at else 0.0)


def plain_phrases(text: str, speed: float, pitch: float) -> Iterator[Phrase]:
    """Cut plain text into phrases."""
    said = Span(prepare(text).strip(), _within(100 * speed, RATES), _within(100 * pitch, PITCHES))
    yield from cut(Phrase((said,)))


def ssml_phrases(text: str, speed: float, pitch: float) -> Iterator[Phrase]:
    """Cut an SSML document into phrases; raises BadRequest where it is no XML."""
    reader = _Reader(speed, pitch)
    document, _spoken = clean(text, prepare)
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text
    parser.Parse(document.encode(), True)
    for phrase in reader.finish():
        yield from cut(phrase)


def prepare(text: str) -> str:
    """Make text safe for a package: white space is a space, a stressed vowel has ``+`` before it, other ``+`` go."""
    return _STRAY.sub("", _ACUTE.sub(r"+\1", _DROPPED.sub(" ", text)))


def cut(phrase: Phrase, limit: int = LIMIT) -> Iterator[Phrase]:
    """Cut a phrase that is too long at its sentences, a longer sentence at clauses, then words; a word stays whole."""
    text, start = phrase.text, 0
    if len(text) <= limit:
        yield phrase
        return
    for sentence in [match.end() for match in _SENTENCE.finditer(text)] + [len(text)]:
        while sentence - start > limit:
            end = _breath(text, start, start + limit)
            yield phrase.part(start, end)
            start = end
        if sentence > start:
            yield phrase.part(start, sentence)
            start = sentence


def halves(phrase: Phrase) -> tuple[Phrase, Phrase] | None:
    """Cut a phrase that the model refused near its middle, between words; None: it is a single word."""
    text = phrase.text
    for mark in (_SENTENCE, _CLAUSE, _SPACE):
        middle = len(text) // 2
        ends = [match.end() for match in mark.finditer(text) if match.start() and match.end() < len(text)]
        end = min(ends, key=lambda place: abs(place - middle), default=0)
        if end and (mark is _SPACE or middle // 2 <= end <= middle + middle // 2):
            return phrase.part(0, end), phrase.part(end, len(text))
    return None


def _breath(text: str, start: int, end: int) -> int:
    """Find the end of the last clause, else word, before ``end``; an endless word is cut, but no mark off its vowel."""
    for mark in (_CLAUSE, _SPACE):
        ends = [match.end() for match in mark.finditer(text, start, end)]
        if ends:
            return ends[-1]
    return end - (text[end - 1] == "+")


class _Reader:
    """Handlers of an XML parser that collect phrases."""

    def __init__(self, speed: float, pitch: float) -> None:
        self._manners = [(speed, pitch)]
        self._done: list[Phrase] = []
        self._spans: list[Span] = []
        self._due = 0.0  # seconds of silence, if something follows

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "prosody":
            rate, pitch = self._manners[-1]
            factors = _factor(attributes.get("rate"), _RATE_NAMES), _factor(attributes.get("pitch"), _PITCH_NAMES)
            self._manners.append((rate * factors[0], pitch * factors[1]))
        elif tag == "break":
            self._end()
            self._rest(_pause(attributes))
        else:
            self._border(tag)

    def end(self, tag: str) -> None:
        if tag == "prosody":
            self._manners.pop()
        else:
            self._border(tag)

    def text(self, text: str) -> None:
        rate, pitch = self._manners[-1]
        self._spans.append(Span(text, _within(100 * rate, RATES), _within(100 * pitch, PITCHES)))

    def finish(self) -> Sequence[Phrase]:
        """Return the phrases; after the last there is no pause but a break."""
        self._end()
        return self._done

    def _border(self, tag: str) -> None:
        if tag in _BORDERS:
            self._end()
            self._due = max(self._due, _BORDERS[tag])

    def _end(self) -> None:
        """End a phrase, if there is one; only now does the end of a paragraph before it become a pause."""
        phrase = Phrase(tuple(self._spans))
        self._spans = []
        if phrase.text.strip():
            if self._done:
                self._rest(self._due)
            self._due = 0.0
            self._done.append(phrase)

    def _rest(self, pause: float) -> None:
        last = self._done.pop() if self._done else Phrase(())
        self._done.append(Phrase(last.spans, max(last.pause, pause)))


def _factor(value: str | None, names: dict[str, int]) -> float:
    """Read a rate or a pitch that ``clean`` let through: a name, ``80%``, ``+20%``, ``-2st``."""
    if value is None or value in ("default", "medium"):
        return 1.0
    if value in names:
        return names[value] / 100
    number = int(value.rstrip("%st"))
    if value.endswith("st"):
        return float(2.0 ** (number / 12))
    return float(1 + number / 100 if value[0] in "+-" else number / 100)


def _pause(attributes: dict[str, str]) -> float:
    time = _TIME.fullmatch(attributes.get("time", ""))
    if time is None:
        return _STRENGTHS[attributes.get("strength", "medium")]
    return min(float(time[1]) / (1000 if time[2] == "ms" else 1), _LONGEST_BREAK)


def _within(percent: float, limits: tuple[int, int]) -> int:
    return round(min(max(percent, limits[0]), limits[1]))
