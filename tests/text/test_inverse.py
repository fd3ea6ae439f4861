"""Numbers in digits: what people write so, and nothing else."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wyoming_voice.text.inverse import digits
from wyoming_voice.text.normalize import normalize
from wyoming_voice.text.russian.numeral import numerals

RUSSIAN = """
двадцать пять градусов | 25 градусов
разбуди меня в семь тридцать | разбуди меня в 7:30
в девятнадцать ноль пять | в 19:05
в семь часов тридцать минут | в 7 часов 30 минут
тысяча девятьсот восемьдесят четвёртый год | 1984 год
в две тысячи двадцать шестом году | в 2026 году
минус пять градусов | -5 градусов
двадцати двух | 22
двадцатью пятью | 25
ноль целых пять десятых градуса | 0,5 градуса
Двадцать одна целая и пять сотых. | 21,05.
двадцать два с половиной | 22,5
яркость двадцать процентов, громкость тридцать | яркость 20 процентов, громкость 30
Двадцать одна лампа | 21 лампа
с двадцати до тридцати | с 20 до 30
с десяти до восемнадцати тридцати | с 10 до 18:30
двадцать первого мая | 21 мая
первого мая | 1 мая
на двадцать первом этаже | на 21-м этаже
пятнадцатый канал | 15-й канал
с двадцать пятого по тридцатое июня | с 25-го по 30 июня
пять миллионов двести тысяч | 5200000
пять миллионов рублей | 5 миллионов рублей
две тысячи рублей | 2000 рублей
пин-код один два три четыре | пин-код 1 2 3 4
восемь девятьсот двенадцать триста сорок пять | 8 912 345
таймер на пять минут | таймер на 5 минут
сто пять, двести | 105, 200
"""
ENGLISH = """
twenty five degrees | 25 degrees
set it to twenty-one point five degrees | set it to 21.5 degrees
at seven thirty | at 7:30
wake me up at six forty five a.m. | wake me up at 6:45 a.m.
in nineteen eighty four | in 1984
a hundred and five dollars | 105 dollars
two thousand twenty six | 2026
minus five degrees | -5 degrees
five minutes and ten seconds | 5 minutes and 10 seconds
the twenty first of May | the 21st of May
one two three four | 1 2 3 4
Twenty percent. | 20 percent.
"""
AS_IT_WAS = {
    "ru": (
        "у меня один вопрос", "два слова о семью", "сорока прилетела", "тысяча извинений", "второй раз", "миллион роз",
        "первый и седьмой", "включи свет", "", "три поросёнка", "сотый раз", "пять десятых",
    ),
    "en": ("wait a second", "no one is home", "I have two cats", "the first floor", "one of them", "a dozen", ""),
}  # fmt: skip


def cases(table: str, language: str) -> list[tuple[str, str, str]]:
    return [(language, *map(str.strip, line.split("|", 1))) for line in table.strip().splitlines()]  # type: ignore[misc]


@pytest.mark.parametrize(("language", "heard", "written"), cases(RUSSIAN, "ru") + cases(ENGLISH, "en"))
def test_numbers_are_written_as_people_write_them(language: str, heard: str, written: str) -> None:
    assert digits(heard, language) == written
    assert digits(written, language) == written


@pytest.mark.parametrize(("language", "text"), [(lang, text) for lang, texts in AS_IT_WAS.items() for text in texts])
def test_words_of_their_own_stay(language: str, text: str) -> None:
    assert digits(text, language) == text


def test_other_languages_stay() -> None:
    assert digits("zwanzig Grad", "de") == "zwanzig Grad"


@settings(deadline=None)
@given(st.integers(10, 999_999))
def test_what_the_normaliser_says_is_written_again(number: int) -> None:
    said = normalize(f"{number} рублей", "ru")
    assert digits(said, "ru").split()[0] == str(number)


WORDS = st.lists(
    st.sampled_from([*list(numerals())[::7], *"целых десятых с половиной в минус часов мая года свет , .".split()])
)


@settings(deadline=None)
@given(WORDS)
def test_no_other_word_is_lost(words: list[str]) -> None:
    text = " ".join(words)
    found = digits(text, "ru")
    kept = "свет часов мая года".split()
    assert [word for word in re.findall(r"\w+", found) if word in kept] == [word for word in words if word in kept]
    assert digits(found, "ru") == found


@settings(deadline=None)
@given(st.text(max_size=200), st.sampled_from(["ru", "en"]))
def test_no_text_is_too_odd(text: str, language: str) -> None:
    digits(text, language)


def test_long_texts_take_linear_time() -> None:
    text = "двадцать пять тысяч один два " * 5000
    assert len(digits(text, "ru")) > 10_000
