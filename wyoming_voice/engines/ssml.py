"""SSML made safe for a native library: well-formed, and only what it needs (https://www.w3.org/TR/speech-synthesis11/)."""

import re
from collections.abc import Callable
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import escape

from wyoming_voice.errors import BadRequest

_KEPT: Final[dict[str, dict[str, str]]] = {
    "p": {},
    "s": {},
    "break": {"strength": "none|(x-)?(weak|strong)|medium", "time": r"[\d.]{1,5}m?s"},
    "emphasis": {"level": "none|reduced|moderate|strong"},
    "prosody": {
        "rate": r"default|medium|(x-)?(slow|fast)|[+-]?\d{1,3}%",
        "pitch": r"default|medium|(x-)?(low|high)|[+-]?\d{1,3}%|[+-]?\d{1,2}st",
        "volume": r"default|medium|silent|(x-)?(soft|loud)|[+-]?\d{1,3}%",
    },
}
"""What is passed on, and the values that attributes may have; of other elements only the text."""

_SPELLED: Final = ("characters", "digits", "spell-out", "telephone")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")


class _Writer:
    """Handlers of an XML parser that write the document again."""

    def __init__(self, say: Callable[[str], str]) -> None:
        self.out: list[str] = []
        self.spoken: list[str] = []
        self._say = say
        self._aliased = 0
        self._spelled = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "sub" and "alias" in attributes and not self._aliased:
            self.text(attributes["alias"])
        self._aliased += bool(self._aliased or (tag == "sub" and "alias" in attributes))
        self._spelled += bool(self._spelled or (tag == "say-as" and attributes.get("interpret-as") in _SPELLED))
        if tag in _KEPT and not self._aliased:
            pairs = ((name, attributes.get(name, "")) for name in _KEPT[tag])
            said = (f' {name}="{value}"' for name, value in pairs if re.fullmatch(_KEPT[tag][name], value, re.ASCII))
            self.out.append(f"<{tag}{''.join(said)}>")

    def end(self, tag: str) -> None:
        if tag in _KEPT and not self._aliased:
            self.out.append(f"</{tag}>")
        self._aliased -= bool(self._aliased)
        self._spelled -= bool(self._spelled)

    def text(self, text: str) -> None:
        if not self._aliased:
            said = self._say(" ".join(text) if self._spelled else text)
            self.spoken.append(said)
            self.out.append(escape(said))


def clean(text: str, say: Callable[[str], str]) -> tuple[str, str]:
    """Return SSML in a ``speak`` element, its text passed through ``say``, and that text alone.

    eSpeak 1.52 crashes on broken tags and on ``say-as``, looks unknown values up past its tables, and opens the files
    that ``audio`` names: hence the short list of elements, and ``sub`` and ``say-as`` are done here. The text is
    parsed inside an element, where no document type, and so no entity, can be declared. Raises BadRequest where it is
    no XML.
    """
    writer, parser = _Writer(say), expat.ParserCreate()
    document = f"<speak>{_DECLARATION.sub('', text)}</speak>".encode("utf-8", "ignore")
    parser.buffer_text, parser.buffer_size = True, len(document)  # a word in one piece
    parser.StartElementHandler, parser.EndElementHandler = writer.start, writer.end
    parser.CharacterDataHandler = writer.text
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        raise BadRequest(f"The SSML is not well-formed ({error}). Mend it, or send it as plain text.") from error
    return f"<speak>{''.join(writer.out)}</speak>", "".join(writer.spoken)
