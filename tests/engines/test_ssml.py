import pytest
from hypothesis import given
from hypothesis import strategies as st

from wyoming_voice.engines.ssml import clean
from wyoming_voice.errors import BadRequest


def cleaned(text: str) -> str:
    return clean(text, lambda said: said)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("привет", "привет"),
        ("<?xml version='1.0'?><speak>a &amp; b</speak>", "a &amp; b"),
        ("<p><s>a</s></p>", "<p><s>a</s></p>"),
        ('a<break time="1.5s" strength="huge"/>b', 'a<break time="1.5s"></break>b'),
        ('<prosody rate="+20%" pitch="9e9Hz">a</prosody>', '<prosody rate="+20%">a</prosody>'),
        ('<emphasis level="very">a</emphasis>', "<emphasis>a</emphasis>"),
        ('<audio src="/etc/passwd">a</audio><mark name="m"/><voice name="x">b</voice>', "ab"),
        ('<sub alias="два &lt; три">x<sub alias="y">z</sub><p/></sub>!', "два &lt; три!"),
        ('<say-as interpret-as="characters">abc</say-as> d', "a b c d"),
        ('<say-as interpret-as="tts:char">abc</say-as>', "abc"),
        ('<say-as interpret-as="digits">12<p>34</p></say-as>5', "1 2<p>3 4</p>5"),
    ],
)
def test_only_what_is_safe_is_passed_on(text: str, expected: str) -> None:
    assert cleaned(text) == f"<speak>{expected}</speak>"


@pytest.mark.parametrize(
    "text", ["<p>", "</p>", "a & b", "<", "&nbsp;", "<!DOCTYPE x [<!ENTITY y 'z'>]><speak>&y;</speak>"]
)
def test_what_is_no_xml_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="well-formed"):
        cleaned(text)


def test_text_is_what_is_said_and_passes_the_filter_in_one_piece() -> None:
    pieces: list[str] = []

    def say(text: str) -> str:
        pieces.append(text)
        return text.upper()

    assert clean("a&amp;b<p>c</p>", say) == ("<speak>A&amp;B<p>C</p></speak>", "A&BC")
    assert pieces == ["a&b", "c"]


@given(st.text())
def test_any_text_is_cleaned_or_refused(text: str) -> None:
    try:
        once = cleaned(text)
    except BadRequest:
        return
    assert cleaned(once) == once
