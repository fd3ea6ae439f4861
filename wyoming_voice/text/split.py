"""Text that still arrives, cut into sentences for speech.

Own rules, after measuring what exists. razdel 0.5 has the better rules for Russian and lends us its abbreviations, but
decides on whole texts with ten characters to the right of every stop, never splits at a line break or where a space is
missing, and knows little English. sentence-stream 1.3 is incremental, but splits after «ул.» and "vs.", does not split
before an opening quote, has no limit of length, and searches its whole buffer again for every token (20,000 full stops
one by one: 17 s). Of the tables in ``tests/text/test_split.py`` razdel gets 73 % right, sentence-stream 65 %.

Each stop, line break and blank line is judged once, in order, from the sentence before it and at most
:data:`LOOKAHEAD` characters after it; a judgement is made only when more text could not change it. So it does not
matter how the text was cut into chunks, and the work is linear.
"""

import re
import unicodedata
from typing import Final

from .abbreviation import HEAD, HEAD_PAIRS, PREFIXES, STARTERS, SUFFIXES, TAIL, TAIL_PAIRS, UNFINISHED, UNITS

WORD: Final = 16
LOOKAHEAD: Final = 2 * WORD + 4
"""Most characters after a stop that its judgement may wait for: opening marks, then one word.

Two are the rule: the space and the first letter of the next sentence. Only what may be initials ("A. S. He"), a stop
without a space ("One.Two") or a list ("1. ") takes a word more; a blank line takes none.
"""

_PARAGRAPH = "\u2029"  # stands for a blank line in the buffer, where white space is one character wide
_HARD = "。！？｡।॥؟۔።។։"  # no abbreviation ends with these, and scripts without capitals need no space after them
_STOPS = ".!?…‼⁇⁈⁉" + _HARD
_CLOSERS = "\"'»›”’“)]}」』）》】〕〉"
_OPENERS = "\"'«‹“„”‘’([{「『（《*_`~¿¡"
_MARK = re.compile(rf"[{_STOPS}]+(?: ?[»›)\]}}]|[{re.escape(_CLOSERS)}])*|[\n{_PARAGRAPH}]")
_STOPPED = re.compile(rf"[{_STOPS}](?: ?[{re.escape(_CLOSERS)}])*$")
_OPENING = re.compile(rf"(?:« |[{re.escape(_OPENERS)}])*([-–—―]+ ?)?(?:« |[{re.escape(_OPENERS)}])*")
_LETTERS = re.compile(r"[^\W\d_]+")
_SPOKEN = re.compile(r"[^\W_]")
_LAST = re.compile(r"(?:(?<![^\W\d_])([^\W\d_]{1,3})\. ?)?(?<![^\W\d_])([^\W\d_]+)$")
_PLAIN_WORD = re.compile(rf"(?:^|[\s{re.escape(_OPENERS)}—–-])([^\W\d_]{{2,}}(?:['’][^\W\d_]+)?)$")
_INITIAL = re.compile(rf"(?:^|[\s.{re.escape(_OPENERS)}—–-])[^\W\d_]$")  # but not °C
_ENDS_WORD = re.compile(r"[^\w@/\\=#(\[<&~%.:]|[.:](?:\s|$)")  # not what a name or an address goes on with
_NUMBER_BEFORE = re.compile(r"\d ?$")
# An item's number or letter, alone so far: "1.", "2.3.", «а)», "IV.", "- 1."
_LONE = re.compile(r"[-–—*•\s]*(?:\(?(?:\d{1,3}|[^\W\d_]|[IVXLC]{2,5})[.)]+ ?)+|[-–—*•+#>\s]+")
_ITEM = re.compile(r"(?:[-*•·▪◦‣+>#]{1,6}|([–—―])|\(?(?:\d{1,3}|[^\W\d_])[.)]) ")
_ITEM_BEGUN = re.compile(r"[-*•·▪◦‣+>#–—―]{1,6}|\(?(?:\d{1,3}|[^\W\d_])?[.)]?")
_CLAUSE = re.compile(r"[,;:—–](?=\s)|[，、；：،؛]")
_RUNS = re.compile(r"\s+|\S+")
_WRAPPED = 60  # characters of a line that was probably broken for width, not for sense


class SentenceSplitter:
    """Sentences as soon as they are over; white space inside becomes one space, nothing else is lost.

    ``limit``: characters of the longest sentence; a longer one is cut at its last clause mark, else space, else word.
    Holds back at most ``limit`` + :data:`LOOKAHEAD` characters.
    """

    def __init__(self, limit: int = 400) -> None:
        assert limit > 0, "a sentence has at least one character"
        self._limit = limit
        self._begin()

    def _begin(self) -> None:
        self._text = ""
        self._gap = ""  # white space not yet in the text: none, a space, a line break, or a blank line that already is
        self._start = 0  # of the sentence, in the text
        self._at = 0  # marks before this are judged
        self._column = 0  # characters before the sentence on its line

    def feed(self, text: str) -> list[str]:
        """Take some more text, give the sentences that are now complete."""
        self._take(text)
        return self._split(final=False)

    def finish(self) -> list[str]:
        """Give what is left, and be ready for another text."""
        found = self._split(final=True)
        self._advance(len(self._text), found)
        self._begin()
        return found

    def _take(self, text: str) -> None:
        parts = [self._text]
        for run in _RUNS.findall(text):
            if not run.isspace():
                parts += (self._gap.strip(_PARAGRAPH), run)
                self._gap = ""
            elif self._gap != _PARAGRAPH:
                breaks = (self._gap + run).count("\n") + 2 * run.count(_PARAGRAPH)
                self._gap = " " if not breaks else "\n" if breaks == 1 else _PARAGRAPH
                if self._gap == _PARAGRAPH:
                    parts.append(_PARAGRAPH)  # already a boundary, whatever comes
        self._text = "".join(parts)

    def _split(self, *, final: bool) -> list[str]:
        found: list[str] = []
        self._advance(self._start, found)
        while True:
            edge = self._start + self._limit
            mark = _MARK.search(self._text, self._at, edge)
            if mark is None or self._crosses(mark, edge):
                self._at = mark.start() if mark else min(edge, len(self._text))
                if len(self._text) <= edge:
                    break
                self._advance(self._clause_end(edge), found)
                continue
            self._at = mark.start()
            over = self._is_over(mark, final=final)
            if over is None:
                break
            self._at = mark.end()
            if over:
                self._advance(mark.end(), found)
        self._text = self._text[self._start :]
        self._at -= self._start
        self._start = 0
        return found

    def _advance(self, end: int, found: list[str]) -> None:
        """End the sentence at ``end``; the next begins after the white space there."""
        if sentence := self._text[self._start : end].replace("\n", " ").replace(_PARAGRAPH, " ").strip():
            found.append(sentence)
        while end < len(self._text) and self._text[end].isspace():
            end += 1
        last = max(self._text.rfind("\n", self._start, end), self._text.rfind(_PARAGRAPH, self._start, end))
        self._column = end - last - 1 if last >= 0 else self._column + end - self._start
        self._start = end
        self._at = max(self._at, end)

    def _crosses(self, mark: re.Match[str], edge: int) -> bool:
        """Whether stops and what closes after them go on beyond ``edge``."""
        grows = mark[0][0] in _STOPS and mark.end() == edge < len(self._text)
        return grows and self._text[edge] in _STOPS + _CLOSERS

    def _clause_end(self, edge: int) -> int:
        """Where to cut a sentence that goes on beyond ``edge``."""
        window = self._text[self._start : edge + 1]
        ends = [mark.end() for mark in _CLAUSE.finditer(window) if mark.end() < len(window)]
        space = max(window.rfind(char) for char in (" ", "\n", _PARAGRAPH))
        for end in (ends[-1] if ends else 0, space):
            if end > 0 and _SPOKEN.search(window, 0, end):
                return self._start + end
        return edge

    def _is_over(self, mark: re.Match[str], *, final: bool) -> bool | None:  # noqa: PLR0911  one a rule
        """Whether the sentence ends with this mark; None: more text could change the answer."""
        text, end = self._text, mark.end()
        left, stop = text[self._start : mark.start()], mark[0]
        if end == len(text) and stop != _PARAGRAPH:
            return False if final else None  # the rest is given by finish()
        lone = end - self._start <= WORD and _LONE.fullmatch(text, self._start, end) is not None
        if lone or stop == _PARAGRAPH:
            return not lone
        if stop == "\n":
            return self._line_is_over(left, end, final=final)
        if not _SPOKEN.search(left):
            return False
        if text[end] == _PARAGRAPH:
            return True
        if any(char in _HARD for char in stop):
            return text[end] not in "と、，,"  # 「行く。」と言った
        if text[end].isspace():
            return self._begins_after_space(left, stop, end, final=final)
        return self._begins_without_space(left, end, final=final)

    def _begins_after_space(self, left: str, stop: str, end: int, *, final: bool) -> bool | None:  # noqa: PLR0911  one a rule
        text = self._text
        opening = _OPENING.match(text, end + 1, end + 1 + WORD)
        assert opening is not None, "the pattern matches nothing, too"
        at = opening.end()
        if at == end + 1 + WORD:
            return True
        if at == len(text):
            return False if final else None
        char, dash = text[at], opening[1] is not None
        if char.islower():  # «— сказал он» and "etc. and", but not "Yes. iPhones"
            if at + 1 == len(text):
                return False if final else None
            return text[at + 1].isupper() and not dash
        if dash and stop[-1] in _CLOSERS and char.isalpha():
            return False  # «Привет!» — Иван улыбнулся
        if not char.isalnum() and unicodedata.category(char)[0] != "S":
            return False  # a comma, another stop: the sentence goes on
        if stop.rstrip(_CLOSERS + " ") != ".":
            return True
        return self._is_full_stop(left, at, closed=stop != ".", final=final)

    def _is_full_stop(self, left: str, at: int, *, closed: bool, final: bool) -> bool | None:
        """Whether "." after ``left`` is more than an abbreviation's; ``closed``: a quote or bracket closes after it."""
        last = _LAST.search(left[-2 * WORD :])
        if last is None:
            return True
        pair, word = f"{last[1]}.{last[2]}", last[2]
        capital = self._text[at].isalpha()
        if pair in TAIL_PAIRS or left.endswith(" и пр"):
            return capital
        if pair not in HEAD_PAIRS and word.isupper() and not closed and _INITIAL.search(left[-2:]):
            return self._starts_sentence(at, final=final)
        if pair in HEAD_PAIRS or word in HEAD:
            unit = word in UNITS and _NUMBER_BEFORE.search(left[: -len(word)][-2:]) is not None
            return capital and (closed or unit)
        return capital or word not in TAIL

    def _starts_sentence(self, at: int, *, final: bool) -> bool | None:
        """Whether the word at ``at`` usually begins a sentence."""
        word = _LETTERS.match(self._text, at, at + WORD)
        if word is None:
            return False
        if word.end() == len(self._text):
            return word[0] in STARTERS if final else None
        return word[0] in STARTERS and self._text[word.end()] != "."  # «А. И. Герцен»

    def _begins_without_space(self, left: str, end: int, *, final: bool) -> bool | None:
        """«Привет.Как дела», but not "example.Com", "U.S.A" or "System.Out.println"."""
        text = self._text
        before = _PLAIN_WORD.search(left[-2 * WORD :])
        if not text[end].isupper() or before is None or before[1] in HEAD | TAIL | PREFIXES:
            return False
        word = _LETTERS.match(text, end, end + WORD)
        assert word is not None, "a capital is a letter"
        if word.end() == end + WORD:
            return True
        if not (word[0][1:].islower() or word[0].isupper()):
            return False
        known = word[0] not in SUFFIXES and word[0].lower() not in SUFFIXES
        if word.end() == len(text):
            return known if final else None
        after = text[word.end() : word.end() + 2]
        if after in {".", ":"} and not final:
            return None
        return known and _ENDS_WORD.match(after) is not None and (len(word[0]) > 1 or after[0] != ".")

    def _line_is_over(self, left: str, at: int, *, final: bool) -> bool | None:  # noqa: PLR0911  one a rule
        """Whether a line break after ``left`` ends the thought; else it only wraps the sentence."""
        text = self._text
        item = _ITEM.match(text, at)
        if item is None and not final and _ITEM_BEGUN.fullmatch(text, at):
            return None
        opening = _OPENING.match(text, at, at + WORD)
        assert opening is not None, "the pattern matches nothing, too"
        first = opening.end()
        if first == len(text):
            return True if final else None
        if item is not None and (item[1] is None or left[-1] in ".!?…:;," or not text[first].islower()):
            return True
        if _STOPPED.search(left[-WORD:]):
            return False  # judged as a stop: «ул.» at the end of a line
        if left[-1] in ":;" or text[first].islower():
            return left[-1] in ":;"
        if left[-1] in ",-–—([{«„" or left.rsplit(None, 1)[-1].lower() in UNFINISHED:
            return False
        width = self._column + len(left) if "\n" not in left else len(left) - left.rfind("\n") - 1
        return width < _WRAPPED
