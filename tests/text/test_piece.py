"""Sentences of a text as it was written."""

from hypothesis import given
from hypothesis import strategies as st

from wyoming_voice.text.piece import Pieces

TEXTS = st.text(st.sampled_from("абв АБ. ! ?\n\t\u00a0\u2029#*-`|«»😀a1"), max_size=200)


def pieces(*parts: str) -> list[tuple[str, str]]:
    cutter = Pieces()
    found = [pair for part in parts for pair in cutter.feed(part)]
    return found + cutter.finish()


def test_a_text_comes_in_sentences() -> None:
    found = pieces("Да. Нет,  так.\n\n# Ещё\nСлово")
    assert [sentence for _, sentence in found] == ["Да.", "Нет,  так.", "# Ещё", "Слово", ""]
    assert [space for space, _ in found] == ["", " ", "\n\n", "\n", ""]


@given(TEXTS)
def test_joined_they_are_the_text(text: str) -> None:
    assert "".join(space + sentence for space, sentence in pieces(text)) == text


@given(TEXTS, st.lists(st.integers(0, 200), max_size=5))
def test_cutting_the_text_anywhere_changes_nothing(text: str, cuts: list[int]) -> None:
    ends = sorted(cut for cut in cuts if cut <= len(text))
    parts = [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]
    assert pieces(*parts) == pieces(text)
