"""What is written in Markdown, made what is read aloud, while it still arrives.

No Markdown library reads a text token by token, and rendering is not the aim: a mark is dropped only where it is surely
a mark, so that «2 * 3», ``snake_case``, ``<3`` and other plain text stay as they are, byte for byte. Every rule decides
from the text before and a bounded piece after it, and waits while more text could change the decision; so it does not
matter how the text was cut into chunks, and the work is linear.

Chosen: ``[1]`` stays; a bare address is read as its domain; list items, headings and table rows are set apart by a
blank line, which :class:`wyoming_voice.text.split.SentenceSplitter` ends a sentence at.
"""

import html

import regex

from . import markup
from .markup import HELD, Emphasis


class _More(Exception):
    """More text could change the decision."""


class Cleaner:
    """Speakable text as soon as it is certain; text without markup comes out as it went in.

    Holds back at most about :data:`HELD` + 1,000 characters.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._text = "\n"  # the character before, then what is not judged yet
        self._at = 1
        self._final = False
        self._out: list[str] = []
        self._tail = "\n\n"  # the last two characters given
        self._mode = "text"  # or a table's "row", or fenced "code"
        self._fresh = True  # only marks so far on this line
        self._heading = False
        self._between = ""  # in a row: white space or a pipe not yet given
        self._swallow: regex.Pattern[str] | None = None
        self._dropped = False  # something just left: one of two spaces goes with it
        self._emphasis = Emphasis()
        self._retry = 0  # characters held back when it is worth looking again
        self._ends: dict[int, int] = {}  # where the visible part of a link ends: where the link does

    def feed(self, text: str) -> str:
        """Take some more text, give what is certain to be read aloud."""
        self._text += text
        held = len(self._text) - self._at
        ends = "<>" if self._text.startswith("<", self._at) else ") \n"
        if held < self._retry and not any(char in text for char in ends):
            return ""  # a long mark is still open; matching it again for every character would take quadratic time
        return self._clean()

    def finish(self) -> str:
        """Give what is left, and be ready for another text."""
        self._text += "\n"
        self._final = True
        left = self._clean()
        self._begin()
        return left

    def _clean(self) -> str:
        try:
            while self._at < len(self._text):
                self._step()
        except _More:
            pass
        held = len(self._text) - self._at
        self._retry = held + held // 8 if held > 256 else 0
        cut = self._at - 1
        self._text, self._at = self._text[cut:], 1
        self._ends = {at - cut: end - cut for at, end in self._ends.items() if at >= cut}
        given, self._out = "".join(self._out), []
        return given

    def _step(self) -> None:
        text = self._text
        if self._swallow is not None:
            rest = self._swallow.match(text, self._at)
            self._at = rest.end()
            if self._at < len(text):
                self._swallow = None
        elif self._fresh:
            self._line_start()
        else:
            found = markup.FINDS[self._mode].search(text, self._at)
            stop = found.start() if found else len(text)
            self._give(text[self._at : stop])
            self._at = stop
            if found:
                self._special(text[stop])

    def _look(self, pattern: "regex.Pattern[str]") -> "regex.Match[str] | None":
        """Match here; _More if it may still come to match."""
        edge = self._at + HELD + 1_000
        match = pattern.match(self._text, self._at, edge, partial=True)
        if match is None or not match.partial:
            return match
        if self._final or len(self._text) >= edge:
            return None
        raise _More

    def _next(self, at: int) -> str:
        if at < len(self._text):
            return self._text[at]
        raise _More

    def _give(self, text: str) -> None:
        if text and self._mode == "row":
            text = ("" if self._tail[-1].isspace() else self._between) + text
            self._between = ""
        elif text and self._dropped and text[0] == " " and self._tail[-1].isspace():
            text = text[1:]
            self._dropped = False
        if text:
            self._dropped = False
            self._out.append(text)
            self._tail = (self._tail + text)[-2:]

    def _drop(self, end: int) -> None:
        self._at = end
        self._dropped = True

    def _blank_line(self) -> None:
        while self._tail != "\n\n":
            self._give("\n")

    def _line_start(self) -> None:
        """Drop what marks the line; stay fresh where another mark may follow."""
        if mark := self._look(markup.FENCE):
            self._mode = "text" if self._mode == "code" else "code"
            self._drop(mark.end())
        elif self._mode == "code":
            self._fresh = False
        elif mark := self._look(markup.QUOTE) or self._separator() or self._look(markup.CHECKBOX):
            self._drop(mark.end())
        elif mark := self._look(markup.HEADING) or self._look(markup.BULLET):
            self._blank_line()
            self._heading = "#" in mark[0]
            self._drop(mark.end())
        elif mark := self._look(markup.ROW):
            self._mode, self._between = "row", ""
            self._at = mark.end()
            self._fresh = False
        else:
            self._fresh = False

    def _separator(self) -> "regex.Match[str] | None":
        return self._look(markup.SEPARATOR) if self._text[self._at - 1] == "\n" else None

    def _special(self, char: str) -> None:
        if self._at in self._ends:
            self._drop(self._ends.pop(self._at))
        elif char == "\n":
            self._line_end()
        elif not self._is_mark(char):
            self._symbol(char)

    def _is_mark(self, char: str) -> bool:
        """Whether a mark with a beginning and an end was here, and is dealt with."""
        if char in "[!" and (link := self._look(markup.LINK)):
            self._ends[link.start(1)] = link.end(1)
            self._at = self._text.index("[", self._at) + 1
        elif char == "&" and (entity := self._look(markup.ENTITY)):
            self._at = entity.end()
            self._give(markup.UNSPOKEN.sub("", html.unescape(entity[0]).replace("\xa0", " ")))
        elif char == "\\" and (escaped := self._look(markup.ESCAPED)):
            self._at = escaped.end()
            self._give(escaped[1])
        elif char in "0123456789#*" and (keycap := self._look(markup.KEYCAP)):
            self._drop(keycap.end())
        else:
            return self._tag() if char == "<" else char in "hHwWfF" and self._url()
        return True

    def _symbol(self, char: str) -> None:
        text, at = self._text, self._at
        if char in markup.RUN_CHARS:
            self._run(char)
        elif markup.UNSPOKEN.match(char):
            self._unspoken(char)
        elif self._mode == "row" and char in " \t|":
            self._between = ", " if char == "|" or self._between == ", " else " "
            self._at = at + 1
        else:
            separates = char == "|" and text[at - 1].isspace() and self._next(at + 1).isspace()
            self._at = at + 1
            self._give("," if separates else char)

    def _line_end(self) -> None:
        self._at += 1
        self._fresh = True
        if self._final and self._at == len(self._text):
            return
        if self._tail[-1] == "\n":
            self._emphasis = Emphasis()  # it ends with its paragraph
        apart = self._heading or self._mode == "row"
        self._heading = False
        self._mode = "code" if self._mode == "code" else "text"
        self._give("\n")
        if apart:
            self._blank_line()

    def _url(self) -> bool:
        """Give an address as its domain."""
        url = self._look(markup.URL)
        long = None if url else self._look(markup.LONG_URL)
        match = url or long
        if match is None:
            return False
        host, address = markup.domain(match[1], match[2])
        if not host:
            return False
        self._at += len(address)
        if long:
            self._swallow = markup.REST_OF_WORD
        self._give(host)
        return True

    def _tag(self) -> bool:
        if comment := self._look(markup.COMMENT):
            self._drop(comment.end())
        elif link := self._look(markup.AUTOLINK):
            self._ends[link.end() - 1] = link.end()
            self._at += 1
        elif tag := self._look(markup.TAG):
            name = tag[1].lower()
            self._drop(tag.end())
            if name == "br" and self._tail[-1] != "\n":
                self._give("\n")
            elif name in markup.BREAKING:
                self._blank_line()
            elif name in {"td", "th"}:
                self._give(" ")
        else:
            return False
        return True

    def _run(self, char: str) -> None:
        """Drop emphasis, and decoration of three and more; give what is neither."""
        text, at = self._text, self._at
        end = markup.SAME[char].match(text, at).end()
        if end - at >= 3:
            self._swallow = markup.SAME[char]
            if char not in "*`" and not self._tail[-1].isspace():
                self._give(" ")
            self._drop(end)
            return
        following = self._next(end)
        self._at = end
        if char not in "*_~`" or not self._emphasis.drops(char, end - at, text[at - 1], following):
            self._give(text[at:end])

    def _unspoken(self, char: str) -> None:
        """Drop an emoji, control or format character; a joiner is spelling in some scripts."""
        if char in "\u200c\u200d" and markup.JOINS.match(self._text[self._at - 1]):
            self._at += 1
            self._give(char)
        elif char.isspace():
            self._at += 1
            self._give(" ")
        else:
            self._drop(self._at + 1)
