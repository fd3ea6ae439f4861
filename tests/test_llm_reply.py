"""What is a reply and what is nonsense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wyoming_voice.llm_reply import nonsense, room, stripped


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (" It is on.\n", "It is on."),
        ("<think>Let me see.\nHm.</think>\n\nIt is on.", "It is on."),
        ("<think>for ever and ever", ""),
        ("```text\nIt is on.\n```", "It is on."),
        ("It is `on`.", "It is `on`."),
    ],
)
def test_only_the_reply_is_left(reply: str, found: str) -> None:
    assert stripped(reply) == found


@pytest.mark.parametrize(
    ("reply", "wrong"),
    [
        ("", "is empty"),
        ("…", "is empty"),
        ("слово " * 200, "is much longer than its text"),
        ("I'm sorry, but I can't do that.", "is a refusal"),
        ("As an AI language model, I have no lamp.", "is a refusal"),
        ("Извините, я не могу помочь с этим.", "is a refusal"),
        ("Как языковая модель, я не знаю.", "is a refusal"),
        ("Свет включён.", None),
        ("I can help with that.", None),
        ("I'm sorry to hear it.", None),
    ],
)
def test_nonsense_is_told_from_a_reply(reply: str, wrong: str | None) -> None:
    assert nonsense(reply, "Включён ли свет?") == wrong


def test_a_refusal_that_was_in_the_text_is_none() -> None:
    assert nonsense("I am sorry, but it is closed.", "I am sorry, but it's closed.") is None


@given(st.text(max_size=300))
def test_a_text_itself_is_never_nonsense(text: str) -> None:
    assert len(text) <= room(text)
    assert nonsense(text, text) in (None, "is empty")
    assert len(stripped(text)) <= len(text)
