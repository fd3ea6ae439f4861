"""The normaliser: tables of what a speaker would say, and the laws that hold for any text."""

import re
import time
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wyoming_voice.text.normalize import normalize, warm
from wyoming_voice.text.split import SentenceSplitter

Language = Literal["ru", "en"]
NOT_YET = "not yet: "


def cases(language: Language) -> list[tuple[str, str, str]]:
    """Read a table: what is written, what is said, and why; "not yet" marks what is known to be wrong."""
    lines = Path(__file__).with_name(f"normalize_{language}.tsv").read_text("utf-8").splitlines()
    return [(written, said, why) for written, said, why in (line.split("\t") for line in lines)]


def parameters(language: Language) -> list[object]:
    return [
        pytest.param(
            language,
            written,
            said,
            id=f"{language}-{written}",
            marks=[pytest.mark.xfail(strict=True, reason=why)] if why.startswith(NOT_YET) else [],
        )
        for written, said, why in cases(language)
    ]


@pytest.mark.parametrize(("language", "written", "said"), parameters("ru") + parameters("en"))
def test_it_is_read_as_a_speaker_would(language: Language, written: str, said: str) -> None:
    assert normalize(written, language) == said


@pytest.mark.parametrize("language", ["ru", "en"])
def test_tables_are_large_and_give_reasons(language: Language) -> None:
    table = cases(language)
    assert len({written for written, _, _ in table}) == len(table) >= 300
    assert all(why for _, _, why in table)


@pytest.mark.parametrize("language", ["ru", "en"])
def test_what_was_read_stays_as_it_is(language: Language) -> None:
    for written, _, _ in cases(language):
        once = normalize(written, language)
        assert normalize(once, language) == once


@pytest.mark.parametrize(
    "sentence",
    ["Всё хорошо.", "Привет,  как   дела?", "— Кто там?\t— Я!", "«Ёлка» — это ель…", "", " ", "Да-да, из-за неё."],
)
def test_plain_russian_comes_back_byte_for_byte(sentence: str) -> None:
    assert normalize(sentence, "ru") == sentence


@pytest.mark.parametrize(
    "sentence", ["It's fine.", "Hello,  how are   you?", "“Well,” she said — yes…", "", " ", "I am."]
)
def test_plain_english_comes_back_byte_for_byte(sentence: str) -> None:
    assert normalize(sentence, "en") == sentence


def test_other_languages_are_left_to_their_engines() -> None:
    assert normalize("Es sind 5 °C.", "de") == "Es sind 5 °C."


def test_an_engine_that_reads_latin_letters_gets_unknown_words_as_they_are() -> None:
    assert normalize("включи Blorkify и Spotify", "ru", frozenset({"latin"})) == "включи Blorkify и спотифай"
    assert normalize("включи Blorkify", "ru") == "включи блоркифи"


def test_an_english_phrase_is_left_whole_to_an_engine_that_reads_it() -> None:
    reads = frozenset({"latin"})
    assert normalize("One two.", "ru", reads) == "One two."
    assert normalize("Включи сцену Good Vibrations дома", "ru", reads) == "Включи сцену Good Vibrations дома"
    assert normalize("Открой Home Assistant в Chrome", "ru", reads) == "Открой хоум ассистант в хром"


def test_an_engine_that_reads_cyrillic_letters_gets_them_as_they_are() -> None:
    assert normalize("Play Кино", "en", frozenset({"cyrillic"})) == "Play Кино"


def test_british_english_has_its_and_and_its_dates() -> None:
    assert normalize("123 on 1/2/2026", "en-GB") == "one hundred and twenty-three on February first, twenty twenty-six"


@pytest.mark.parametrize("language", ["ru", "ru-RU", "RU_ru"])
def test_a_language_may_be_written_with_its_region(language: str) -> None:
    assert normalize("5 °C", language) == "пять градусов Цельсия"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Он ушёл, т. е. совсем. В 7 ч. было тихо.", ["Он ушёл, то есть совсем.", "В семь часов было тихо."]),
        ("Я живу в г. Москве. Это было 5 мин. назад.", ["Я живу в городе Москве.", "Это было пять минут назад."]),
        ("Родился в 1990 г. Потом уехал.", ["Родился в тысяча девятьсот девяностом году.", "Потом уехал."]),
    ],
)
def test_cutting_into_sentences_first_loses_nothing(text: str, said: list[str]) -> None:
    splitter = SentenceSplitter()
    assert [normalize(sentence, "ru") for sentence in splitter.feed(text) + splitter.finish()] == said


PIECES = st.sampled_from(
    "0 1 2 5 7 21 100 2026 1,5 3.14 1/2 12:30 01.02.2026 ½ −5 + - – = % ° °C $ € ₽ руб. кг км/ч кВт·ч тыс. "
    "млн ч. мин. с к в от "
    "до около между и г. ул. д. т. е. гг. век XIX IV V глава Пётр час часа часов минуту книг новых году "
    "январь мая @ . , : ; / "
    "\\ _ # № & ( ) « » \" ' 5-й 20-го 90-е 5-дневный kWh W USB Wi-Fi iPhone sensor.kitchen a@b.com "
    "192.168.1.1 +7 8 916 "
    "ГИБДД НАТО ² ~ < > x × am pm St. Dr. No. Jan 5th 1990s 's thousand million\u00a0\u0301".split(" ")
)
FICKLE = {
    "мин.",
    "г.",
    "д.",
    "т.",
    "ГИБДД",
    "НАТО",
    "IV",
    "XIX",
    "W",
    "V",
    "USB",
}  # judged by digits or capitals that are gone then
SOUP = st.lists(st.tuples(PIECES, st.sampled_from(["", " "])), max_size=14).map(
    lambda parts: "".join(a + b for a, b in parts)
)


@settings(max_examples=600, deadline=None)
@given(st.one_of(SOUP, st.text(max_size=60)), st.sampled_from(["ru", "en"]))
@example("١٢٣ ٤٥ °C", "ru")
@example("5 \ud800", "en")
def test_nothing_makes_it_raise_and_no_digit_is_left(text: str, language: str) -> None:
    assert not re.search("[0-9]", normalize(text, language))


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES.filter(lambda piece: piece not in FICKLE), max_size=12), st.sampled_from(["ru", "en"]))
def test_what_came_out_comes_out_again(parts: list[str], language: str) -> None:
    once = normalize(" ".join(parts), language)
    assert normalize(once, language) == once


WORDS = st.sampled_from("кухня свет включён уже дверь открыта сегодня тепло робот комната датчик окна".split())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(WORDS, st.integers(0, 10**7).map(str), st.just("5 °C"), st.just("20%")), max_size=12))
def test_words_between_numbers_are_kept_in_their_order(parts: list[str]) -> None:
    said = normalize(" ".join(parts), "ru").split()
    words = iter(said)
    assert all(word in words for word in parts if word.isalpha())
    assert not re.search(r"[0-9%°]", " ".join(said))


HOSTILE = (
    "1", "x", "А", ".", "-", "1 ", "1.", "1,", "1-", "1:", "1/", "а.", "a.", "a_", "a@", "т. ", "I", "$", "№", "+7 ",
    "ГИБДД ",
    "5 г. ", "с 1 по ", "XIX ", "½", "wi-", "5 новых ", "aB", "1%", "(1)", "\u0301",
)  # fmt: skip


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("piece", HOSTILE)
def test_work_grows_with_the_text_and_no_faster(language: Language, piece: str) -> None:
    warm(language)
    small, large = (piece * (size // len(piece)) for size in (4_000, 32_000))
    normalize(small, language)
    spent = [_seconds(small, language), _seconds(large, language)]
    assert spent[1] < max(8 * 4 * spent[0], 0.3)  # eight times the text; quadratic work would take 64 times as long


def _seconds(text: str, language: Language) -> float:
    started = time.process_time()
    normalize(text, language)
    return time.process_time() - started


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("piece", ["1", "x", "А", ".", "а", "0."])
def test_a_hundred_thousand_of_one_character_take_well_under_a_second(language: Language, piece: str) -> None:
    warm(language)
    assert _seconds(piece * (100_000 // len(piece)), language) < 1.5
