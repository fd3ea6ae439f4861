"""Names that were nearly heard: near misses are mended, ordinary words stay."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import Speech
from wyoming_voice.text.terms import by_ear, correct

TERMS = ["Алиса", "Spotify", "Wi-Fi", "Home Assistant", "Умка", "Яндекс Станция", "Ксения", "Валетудо", "Zigbee"]
NAMES = ["Dashwood", "Jarvis", "Zigbee", "Home Assistant", "Alexa", "Elinor", "Norland"]


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        ("Алиаса, включи спотифай", "Алиса, включи Spotify"),
        ("включи споти фай", "включи Spotify"),
        ("вай фай не работает", "Wi-Fi не работает"),
        ("обнови хоум асистент", "обнови Home Assistant"),
        ("яндекс станцыя молчит", "Яндекс Станция молчит"),
        ("валютудо, поехали", "Валетудо, поехали"),
    ],
)
def test_near_misses_are_mended_in_russian(heard: str, meant: str) -> None:
    assert correct(heard, TERMS, "ru") == meant


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        ("mister john dashwud", "mister john Dashwood"),
        ("hey jarvus, turn it on", "hey Jarvis, turn it on"),
        ("the zigby lamp", "the Zigbee lamp"),
        ("home asistant is on", "Home Assistant is on"),
        ("norlund park", "Norland park"),
    ],
)
def test_near_misses_are_mended_in_english(heard: str, meant: str) -> None:
    assert correct(heard, NAMES, "en") == meant


@pytest.mark.parametrize(
    "text",
    ["Умку не видно", "Ксению позови", "лиса у дома", "алый закат", "дома ассистент", "", "станция метро", "ум", "25"],
)
def test_other_words_and_forms_stay(text: str) -> None:
    assert correct(text, TERMS, "ru") == text


def test_what_could_be_two_terms_stays() -> None:
    assert correct("валютудо дома", ["Валетудо", "Валетуто"], "ru") == "валютудо дома"
    assert correct("валютудо дома", ["Валетудо"], "ru") == "Валетудо дома"


def test_without_a_dictionary_only_the_spelling_is_taken() -> None:
    assert correct("spotifi spotify", ["Spotify"], "de") == "spotifi spotify"


@pytest.mark.speech
def test_ordinary_speech_is_left_alone(speech: Speech) -> None:
    """None of a household's names is in these recordings: every change would be a mistake."""
    changed = {}
    for language, terms in (("ru", TERMS), ("en", NAMES[1:5])):
        for recording in speech.of(language):
            text = recording["transcript"]
            if (found := correct(text, terms, language)) != text:
                changed[recording["file"]] = found
    assert changed == {}, json.dumps(changed, ensure_ascii=False)


@settings(deadline=None)
@given(st.text(max_size=120), st.lists(st.text(max_size=20), max_size=6), st.sampled_from(["ru", "en", "de"]))
def test_no_text_and_no_term_is_too_odd(text: str, terms: list[str], language: str) -> None:
    correct(text, terms, language)
    assert correct(text, [], language) == text
    by_ear(text, language)


@settings(deadline=None)
@given(st.lists(st.sampled_from("включи свет лампа алиаса спотифай кухня дзинь умка".split()), max_size=12))
def test_as_many_words_come_out_as_went_in(words: list[str]) -> None:
    found: Any = correct(" ".join(words), ["Алиса", "Spotify", "Умка"], "ru").split()
    assert len(found) == len(words)
