"""What marks look like, for ``clean.py``: patterns that end for certain, so that a partial match means "wait".

A pattern never ends with something that could still grow: it ends with a character or looks ahead at one. ``regex``
is what makes this work: it has partial matches, possessive repeats and the emoji properties of Unicode.
"""

from typing import Final

import regex

HELD: Final = 2_000
"""Most characters that wait for a mark to close, at an address or a tag; 200 for the text of a link, 1–2 as a rule."""

_TAGS = (
    "a|abbr|b|big|blockquote|body|br|center|cite|code|del|details|div|em|font|footer|h[1-6]|head|header|hr|html|i|img|ins|"
    "kbd|li|main|mark|ol|p|pre|q|s|samp|section|small|span|strong|sub|summary|sup|table|tbody|td|th|thead|tr|tt|u|ul|var"
)
BREAKING = frozenset(
    ("blockquote", "div", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "ol", "p", "pre",
     "section", "table", "tr", "ul")
)  # fmt: skip
_URL_END = r"\s<>\"«»“”`\[\]{}|*"
# Text presentation is what the symbols kept here have in ordinary prose: © ® ™ ‼ ⁉ ℹ and arrows
_UNSPOKEN = (
    r"[\p{Emoji_Presentation}\p{Regional_Indicator}\p{Emoji_Modifier}[\p{Extended_Pictographic}--[©®™‼⁉ℹ\u2190-\u21ff]]"
    r"\p{Cf}\p{Cs}[\p{Cc}--[\t\n\r]]\ufe00-\ufe0f\u20e3]"
)
RUN_CHARS = "`*_~=•·#─━═▬—–-"
SAME = {char: regex.compile(f"[{char}]*+") for char in RUN_CHARS}
_SPECIAL = (
    rf"[\[\]<>&\\|\n{RUN_CHARS}]|!(?=\[|\Z)|[0-9](?=[\ufe0f\u20e3]|\Z)|{_UNSPOKEN}|(?<![\p{{L}}\p{{N}}_])[hHwWfF]"
)
FINDS = {
    "text": regex.compile(rf"(?V1){_SPECIAL}"),
    "row": regex.compile(rf"(?V1)[ \t]|{_SPECIAL}"),
    "code": regex.compile(rf"(?V1)\n|{_UNSPOKEN}"),
}
_INDENT = r"[ \t]{0,40}+"
FENCE = regex.compile(rf"{_INDENT}(?:`{{3,9}}|~{{3,9}})[^`~\n]{{0,60}}+\n")
QUOTE = regex.compile(rf"{_INDENT}>{{1,20}}+(?=[ \t\n])")
HEADING = regex.compile(rf"{_INDENT}#{{1,6}}+(?=[ \t\n])")
SEPARATOR = regex.compile(r"(?=[|:\-+ \t]{0,300}?(?:--|\|[ \t]*:?-))[|:\-+ \t]{3,300}+\r?(?=\n)")
BULLET = regex.compile(rf"{_INDENT}(?:[-*+](?=[ \t\n])|[•▪◦‣●○■►▶➤✓✔✗✘](?=[^•]))")
CHECKBOX = regex.compile(rf"{_INDENT}\[[ xX]\](?=[ \t])")
ROW = regex.compile(rf"{_INDENT}\|")
_URL_PART = r"(?:[^\s()]|\([^\s()]{0,500}+\))"
LINK = regex.compile(
    r"!?\[[^\[\]\n]{0,200}+(?:\[[^\[\]\n]{0,100}+\](?:\([^\s()]{0,500}+\))?[^\[\]\n]{0,100}+)?"
    rf"(\]\([ ]?<?{_URL_PART}{{0,{HELD}}}+(?:[ ](?:\"[^\"\n]{{0,200}}+\"|'[^'\n]{{0,200}}+'))?[ ]?\))"
)
URL = regex.compile(rf"(?i)((?:https?|ftp)://|www\.)([^\W_][^{_URL_END}]{{0,{HELD}}}+)(?=[{_URL_END}])")
LONG_URL = regex.compile(rf"(?i)((?:https?|ftp)://|www\.)([^\W_][^{_URL_END}]{{{HELD}}})")
_VALUE = r"(?:\"[^\"<>]*+\"|'[^'<>]*+'|[^\s\"'<>=]++)"
TAG = regex.compile(rf"(?i)</?({_TAGS})(?:\s{{1,9}}+[\w:-]{{1,40}}+\s?=\s?{_VALUE})*+\s?/?>")
COMMENT = regex.compile(r"<!--(?:[^-<]|-(?!->)|<(?!!--))*+-->")
AUTOLINK = regex.compile(r"<(?:https?|ftp)://[^\s<>]++>")
ENTITY = regex.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
KEYCAP = regex.compile(r"[0-9#*]\ufe0f?\u20e3")
ESCAPED = regex.compile(r"\\([*_`~#|\[\]<>])")
UNSPOKEN = regex.compile(rf"(?V1){_UNSPOKEN}")
REST_OF_WORD = regex.compile(r"\S*+")
JOINS = regex.compile(r"[\p{Arabic}\p{Syriac}\p{Devanagari}\p{Bengali}\p{Gujarati}\p{Tamil}\p{Telugu}\p{Kannada}"
                       r"\p{Malayalam}\p{Sinhala}\p{Khmer}\p{Myanmar}]")  # fmt: skip


def domain(scheme: str, rest: str) -> tuple[str, str]:
    """Domain of an address, and the address without the punctuation of the sentence around it."""
    address = rest.rstrip(".,;:!?…'’)")
    if address.count("(") > address.count(")") and rest[len(address) :].startswith(")"):
        address += ")"
    host = regex.split(r"[/?#\\]", address, maxsplit=1)[0].rpartition("@")[2].partition(":")[0]
    if scheme.lower() == "www." and "." not in host:
        host = ""
    return regex.sub(r"(?i)^www\.", "", host), scheme + address


class Emphasis:
    """Marks that are open; CommonMark's flanking rules, narrower where plain text has the same characters."""

    def __init__(self) -> None:
        self._opened: dict[str, int] = {}

    def drops(self, char: str, count: int, before: str, after: str) -> bool:
        """Whether this is a run of ``*``, ``_``, ``~`` or a backtick opens or closes."""
        opened = self._opened.get(char, 0)
        if (char == "~" and count != 2) or (before.isspace() and after.isspace()):
            return False
        if before.isalnum() and after.isalnum():  # 5*4, snake_case; but «при**вет**»
            inside = (char == "*" and count == 2) or (opened > 0 and char != "_")
            if not inside or not (before.isalpha() and after.isalpha()):
                return False
            self._opened[char] = max(0, opened - count) if opened else count
            return True
        if opened > 0 and not before.isspace() and not after.isalnum():
            self._opened[char] = max(0, opened - count)
            return True
        opens = not before.isalnum() and before not in "./\\=&@" and not after.isspace() and after not in ".,;:!?)]}»/"
        if opens:
            self._opened[char] = opened + count
        return opens
