"""Sentences of a text as it was written, with what is between them: joined, they are the text again.

For steps before Markdown is taken off; ``clean.py`` and ``split.py`` together make sentences to be spoken.
"""

from .split import SentenceSplitter


class Pieces:
    """Pairs of white space and a sentence, while the text arrives; the last one's sentence is empty."""

    def __init__(self) -> None:
        self._splitter = SentenceSplitter()
        self._raw = ""

    def feed(self, text: str) -> list[tuple[str, str]]:
        """Take some more text, give what is complete."""
        self._raw += text
        return self._cut(self._splitter.feed(text))

    def finish(self) -> list[tuple[str, str]]:
        """Give what is left, and be ready for another text."""
        found = self._cut(self._splitter.finish())
        rest, self._raw = self._raw, ""
        return [*found, (rest, "")]

    def _cut(self, sentences: list[str]) -> list[tuple[str, str]]:
        found, at = list[tuple[str, str]](), 0
        for sentence in sentences:
            start = at
            while self._raw[start].isspace():
                start += 1
            end, left = start, sum(not char.isspace() for char in sentence)
            while left:  # the splitter changes white space and nothing else
                left -= not self._raw[end].isspace()
                end += 1
            found.append((self._raw[at:start], self._raw[start:end]))
            at = end
        self._raw = self._raw[at:]
        return found
