"""SSML (W3C Speech Synthesis Markup Language 1.1) for engines that cannot read it, and checked for those that can.

Read by expat's own handlers, in one pass: a document type is refused, so there are no entities to expand or to fetch,
and nothing of the document is kept but its text. ``defusedxml`` would bring a tree and a dependency for the same.
"""

import re
from typing import Final
from xml.parsers import expat

from wyoming_voice.errors import BadRequest

DEPTH: Final = 100
"""Most elements inside one another."""

_ROOT = "<speak>"  # around every document, so that a fragment is one, too
_DECLARATION = re.compile(r"\s*<\?xml\s[^>]{0,200}\?>")
_SILENT = frozenset({"desc", "lexicon", "lookup", "meta", "metadata", "title"})
_BLOCKS = frozenset({"speak", "p", "paragraph", "s", "sentence"})


def strip_ssml(text: str) -> str:
    """Text of an SSML document, or of a fragment without ``<speak>``; raises BadRequest with what is wrong with it.

    Sentences and paragraphs are set apart by a blank line, a break is a new line, other white space is one space.
    """
    document = _Document()
    document.read(text)
    return document.spoken()


class _Document:
    """The text of a document while it is read."""

    def __init__(self) -> None:
        self._blocks: list[tuple[str, list[str]]] = [("", [])]  # what stands before a block, and its text
        self._depth = 0
        self._silent = 0  # the depth of the element whose content is not spoken

    def read(self, text: str) -> None:
        parser = expat.ParserCreate("utf-8")  # the text is decoded already, whatever its declaration says
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        declaration = _DECLARATION.match(text := text.removeprefix("\ufeff"))
        body = " " * declaration.end() + text[declaration.end() :] if declaration else text
        try:
            parser.Parse(f"{_ROOT}{body}</speak>".encode(), True)
        except UnicodeEncodeError as error:
            raise BadRequest("The SSML text holds half a character (a lone surrogate). Send it as UTF-8.") from error
        except expat.ExpatError as error:
            raise BadRequest(_sentence(text, error)) from error

    def spoken(self) -> str:
        before = ""
        lines: list[str] = []
        for gap, parts in self._blocks:
            before = max(before, gap, key=len)
            if line := " ".join("".join(parts).split()):
                lines += ([before] if lines else []) + [line]
                before = ""
        return "".join(lines)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > DEPTH + 1:
            raise BadRequest(f"The SSML text has more than {DEPTH} elements inside one another. Nest fewer.")
        name = tag.rpartition(":")[2].lower()
        if self._silent:
            return
        if name == "sub" and "alias" in attributes:
            self._characters(attributes["alias"])
            self._silent = self._depth
        elif name in _SILENT:
            self._silent = self._depth
        elif name == "break" and attributes.get("strength") != "none":
            self._blocks.append(("\n", []))
        elif name in _BLOCKS:
            self._blocks.append(("\n\n", []))

    def _end(self, tag: str) -> None:
        if self._silent == self._depth:
            self._silent = 0
        elif not self._silent and tag.rpartition(":")[2].lower() in _BLOCKS:
            self._blocks.append(("\n\n", []))
        self._depth -= 1

    def _characters(self, text: str) -> None:
        if not self._silent:
            self._blocks[-1][1].append(text)


def _sentence(text: str, error: expat.ExpatError) -> str:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return (
            "The SSML text has a document type or entity declarations, which are not allowed. Leave out <!DOCTYPE …>."
        )
    what = expat.errors.messages[error.code]
    column = error.offset + 1 - (len(_ROOT) if error.lineno == 1 else 0)
    return (
        f"The SSML text is not well-formed XML: {what} at line {error.lineno}, column {max(1, column)}. "
        "Close every tag, and write & as &amp; and < as &lt;; named entities other than these do not exist."
    )
