"""Stress marks: there and back, and never a word lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wyoming_voice.text.normalize import normalize
from wyoming_voice.text.stress import ACUTE, Mark, bare, marked, merge, protect, spell

# Letters and marks as they come in texts, and enough other characters to stumble over.
TEXTS = st.text(st.sampled_from("абвгеёоуияАОЯ" + "+" * 4 + ACUTE + " -,.2xC\n"), max_size=40)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Открой зам+ок.", "Открой замо́к."),
        ("+озеро и вод+а", "о́зеро и вода́"),
        ("+Я в+ижу, +и он в+идит", "Я́ ви́жу, и́ он ви́дит"),
        ("сине-зел+ёный", "сине-зелё́ный"),
        ("Зам+ОК", "ЗамО́К"),
        ("бо́льшая", "бо́льшая"),
    ],
)
def test_marks_by_hand_survive_the_normaliser(text: str, found: str) -> None:
    assert protect(text) == found
    assert normalize(found, "ru", frozenset()) == found


@pytest.mark.parametrize("text", ["2+2", "А+О", "А+Б", "C++", "х+у", "а + о", "3+а", "x+о", "кот+", "+7 900", "+ он"])
def test_a_sum_is_no_mark(text: str) -> None:
    assert protect(text) == text


@pytest.mark.parametrize(("mark", "found"), [("+", "зам+ок"), (ACUTE, "замо́к"), (None, "замок")])
def test_a_voice_gets_the_mark_that_it_understands(mark: Mark | None, found: str) -> None:
    assert spell("зам+ок", mark) == found


def test_marks_are_taken_over() -> None:
    assert merge("Открой замок.", "Откр+ой зам+ок.") == "Откр+ой зам+ок."
    assert merge("Еще елка.", "Ещ+ё +ёлка.") == "Ещ+ё +ёлка."


def test_a_mark_of_the_user_wins() -> None:
    assert merge("Открой з+амок.", "Откр+ой зам+ок.") == "Откр+ой з+амок."


@pytest.mark.parametrize(
    "rewritten", ["", "Откр+ой.", "Открой дверь.", "Открой  замок.", "Замок открой.", "Открой замок"]
)
def test_other_words_are_not_taken_over(rewritten: str) -> None:
    assert merge("Открой замок.", rewritten) == "Открой замок."


@given(TEXTS)
def test_marks_go_there_and_back(text: str) -> None:
    once = protect(text)
    assert protect(once) == once
    assert once.replace("+", "").replace(ACUTE, "") == text.replace("+", "").replace(ACUTE, "")
    assert marked(spell(marked(once), ACUTE)) == marked(once)
    assert spell(text, "+") == text


@given(TEXTS, TEXTS)
def test_no_word_is_lost_in_a_merge(sentence: str, rewritten: str) -> None:
    assert merge(sentence, sentence) == sentence
    found = merge(sentence, rewritten)
    assert bare(found).replace("ё", "е") == bare(sentence).replace("ё", "е")
