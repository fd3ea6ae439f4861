"""The user's language that a text is written in."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wyoming_voice.text.script import LOOKED_AT, language_of

CASES = [
    ("Привет, как дела?", ["en", "ru"], "ru"),
    ("Hello, how are you?", ["ru", "en"], "en"),
    ("Включи Home, пожалуйста, прямо сейчас", ["en", "ru"], "ru"),
    ("Good morning to you, Иван", ["ru", "en"], "en"),
    ("Включи Home Assistant", ["ru", "en"], "ru"),
    ("Добрый день", ["uk", "ru"], "ru"),
    ("Эх, подъём", ["uk", "ru"], "ru"),
    ("Добрий день", ["ru", "uk"], "ru"),
    ("Їжак і ґанок", ["ru", "uk"], "uk"),
    ("Привіт", ["ru", "uk"], "uk"),
    ("Добры дзень, ўсё", ["ru", "be"], "be"),
    ("Здравей, как си", ["bg", "ru"], "bg"),
    ("Ћао, како си", ["ru", "sr"], "sr"),
    ("Zdravo, kako si", ["ru", "sr"], "sr"),
    ("Қалайсың", ["ru", "kk"], "kk"),
    ("Straße", ["en", "de"], "de"),
    ("Guten Tag", ["en", "de"], "en"),
    ("mañana", ["en", "es"], "es"),
    ("Où êtes-vous", ["en", "de", "fr"], "fr"),
    ("Łódź", ["en", "pl"], "pl"),
    ("İstanbul güneşli", ["en", "tr"], "tr"),
    ("Καλημέρα", ["en", "el"], "el"),
    ("مرحبا بك", ["en", "ar"], "ar"),
    ("چطوری، گل", ["ar", "fa"], "fa"),
    ("שלום", ["en", "he"], "he"),
    ("你好", ["en", "zh-CN"], "zh-CN"),
    ("你好", ["ja", "zh"], "ja"),
    ("日本語を話します", ["zh", "ja"], "ja"),
    ("カタカナ", ["en", "ja"], "ja"),
    ("안녕하세요", ["en", "ko"], "ko"),
    ("नमस्ते", ["en", "hi"], "hi"),
    ("გამარჯობა", ["en", "ka"], "ka"),
    ("Բարեւ", ["en", "hy"], "hy"),
    ("สวัสดี", ["en", "th"], "th"),
    ("Hello", ["en-GB", "en-US"], "en-GB"),
    ("Hello", ["en-us"], "en-us"),
    ("Salom", ["uz-Cyrl", "uz-Latn"], "uz-Latn"),
    ("Салом", ["uz-Latn", "uz-Cyrl"], "uz-Cyrl"),
    ("你好", ["zh-Hant-TW"], "zh-Hant-TW"),
    ("за\u0301мок", ["en", "ru"], "ru"),
    ("ПРИВЕТ", ["uk", "ru"], "uk"),
    ("Привет", ["en", "de"], None),
    ("Hello", ["ru"], None),
    ("Hello", [], None),
    ("", ["ru", "en"], None),
    ("123, 45%! 😀", ["ru", "en"], None),
]


@pytest.mark.parametrize(("text", "languages", "expected"), CASES)
def test_letters_tell_the_language(text: str, languages: list[str], expected: str | None) -> None:
    assert language_of(text, languages) == expected


def test_only_the_beginning_is_looked_at() -> None:
    assert language_of("a" * LOOKED_AT + "я" * 5_000, ["ru", "en"]) == "en"
    started = time.process_time()
    language_of("я" * 10_000_000, ["ru", "en"])
    assert time.process_time() - started < 0.5


@given(text=st.text(), languages=st.lists(st.sampled_from(["ru", "en", "zh", "ja", "sr", "ar", "x-y", ""])))
def test_the_answer_is_one_of_the_languages_or_none(text: str, languages: list[str]) -> None:
    assert language_of(text, languages) in {None, *languages}
