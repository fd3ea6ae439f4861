"""Phrases for Silero: cut where a person would breathe, and nothing lost."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wyoming_voice.engines.silero_text import LIMIT, Phrase, Span, cut, halves, plain_phrases, prepare, ssml_phrases
from wyoming_voice.errors import BadRequest

TEXTS = st.text(st.sampled_from("абвгАБ" * 3 + '+.,;:!?…»")- \n\t1x'), max_size=600)


def phrase(text: str) -> Phrase:
    return Phrase((Span(text),))


def parts(text: str, limit: int) -> list[str]:
    return [part.text for part in cut(phrase(text), limit)]


def test_a_text_that_fits_is_said_at_once() -> None:
    assert parts("Раз, два. Три! Четыре?", 22) == ["Раз, два. Три! Четыре?"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Первое. Второе! Третье", ["Первое. ", "Второе! ", "Третье"]),
        ("Идём на ул. Ленина, она близко.", ["Идём на ул. Ленина, ", "она близко."]),
        ("Это сказал А. С. Пушкин. Да.", ["Это сказал А. С. ", "Пушкин. ", "Да."]),
        ("Раз, два, три, четыре пять шесть", ["Раз, два, три, ", "четыре пять шесть"]),
        ("Раз два три четыре пять шесть", ["Раз два три четыре ", "пять шесть"]),
        ("«Стой!» Он не стоял… и шёл.", ["«Стой!» ", "Он не стоял… и шёл."]),
    ],
)
def test_cuts_are_at_sentences_then_clauses_then_words(text: str, found: list[str]) -> None:
    assert parts(text, 20) == found


def test_an_endless_word_is_cut_but_no_mark_from_its_vowel() -> None:
    assert parts("бб" + "б+а" * 20, 10)[0] == "бб" + "б+аб+аб+"[:7].removesuffix("+")


@given(TEXTS, st.integers(8, 60))
def test_nothing_is_lost_and_no_word_is_cut(text: str, limit: int) -> None:
    text = prepare(text)
    found = parts(text, limit)
    assert "".join(found) == text
    assert all(len(part) <= limit for part in found)
    for before, after in pairwise(found):
        whole = (before.split(" ")[-1] + after.split(" ")[0]) if not before.endswith(" ") else ""
        assert len(whole) == 0 or len(before) >= limit - 1, "only a word that is too long itself"


@given(TEXTS)
def test_halves_are_the_whole(text: str) -> None:
    text = prepare(text)
    found = halves(phrase(text))
    if found is not None:
        assert found[0].text + found[1].text == text
        assert min(len(part.text) for part in found) > 0


def test_a_word_has_no_halves() -> None:
    assert halves(phrase("слово")) is None
    assert halves(phrase("слово ")) is None


def test_halves_are_cut_near_the_middle_at_the_best_place() -> None:
    first, second = halves(phrase("Раз, два три. Четыре пять, шесть.")) or (None, None)
    assert (first and first.text, second and second.text) == ("Раз, два три. ", "Четыре пять, шесть.")


@pytest.mark.parametrize(
    ("text", "found"),
    [("за\u0301мок", "з+амок"), ("2 + 2", "2  2"), ("+", ""), ("C++", "C"), ("a\r\n\0b", "a b"), ("вод+а", "вод+а")],
)
def test_text_is_made_safe(text: str, found: str) -> None:
    assert prepare(text) == found


def test_speed_and_pitch_are_percents_within_what_a_model_can_do() -> None:
    (found,) = plain_phrases("Раз & два", 1.5, 0.8)
    assert found.ssml() == '<speak><prosody rate="150%" pitch="-20%">Раз &amp; два</prosody></speak>'
    (found,) = plain_phrases("Раз", 4.0, 4.0)
    assert found.spans == (Span("Раз", 200, 200),)
    (found,) = plain_phrases("Раз", 1.0, 1.0)
    assert found.plain
    assert found.ssml() == "<speak>Раз</speak>"


def test_a_document_becomes_phrases_with_pauses() -> None:
    text = (
        "<speak><p>Раз <prosody rate='slow'>два <prosody pitch='high'>три</prosody></prosody></p>"
        "<s>Четыре</s><s>пять</s><break time='1.5s'/></speak>"
    )
    assert list(ssml_phrases(text, 1.0, 1.0)) == [
        Phrase((Span("Раз "), Span("два ", 80), Span("три", 80, 120)), 1.0),
        Phrase((Span("Четыре"),), 0.3),
        Phrase((Span("пять"),), 1.5),
    ]


@pytest.mark.parametrize(
    ("attributes", "pause"),
    [
        ("", 0.15),
        ("strength='none'", 0.0),
        ("time='250ms'", 0.25),
        ("time='.5s'", 0.5),
        ("time='99s'", 5.0),
        ("time='1.2.3s'", 0.15),
        ("time='soon' strength='strong'", 0.3),
    ],
)
def test_a_break_lasts_as_long_as_it_says(attributes: str, pause: float) -> None:
    first, _ = ssml_phrases(f"раз<break {attributes}/>два", 1.0, 1.0)
    assert first.pause == pause
    (silence, _) = ssml_phrases(f"<break {attributes}/>раз", 1.0, 1.0)
    assert silence == Phrase((), pause)


def test_a_long_document_is_cut_and_keeps_its_manners() -> None:
    found = list(ssml_phrases(f"<p><prosody rate='fast'>{'Раз два три. ' * 60}</prosody></p><p>Конец</p>", 1.0, 1.0))
    assert len(found) == 61
    assert {span.rate for part in found[:-1] for span in part.spans} == {120}
    assert [part.pause for part in found[-3:]] == [0.0, 1.0, 0.0]
    assert max(len(part.text) for part in found) <= LIMIT


def test_broken_ssml_is_refused() -> None:
    with pytest.raises(BadRequest, match="not well-formed"):
        list(ssml_phrases("<p>раз", 1.0, 1.0))


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "text", ["!" * 100_000, "." * 100_000, "а." * 50_000, ", " * 50_000, "«»" * 50_000, "+" * 100_000]
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    assert "".join(part.text for part in plain_phrases(text, 1.0, 1.0)) == prepare(text).strip()
