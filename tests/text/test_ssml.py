"""SSML for engines that cannot read it; what is not SSML is refused with a sentence."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wyoming_voice.errors import BadRequest
from wyoming_voice.text.ssml import DEPTH, strip_ssml

DOCUMENTS = [
    ("<speak>Привет</speak>", "Привет"),
    ("<speak>\n  Привет,\n  <emphasis>мир</emphasis>!\n</speak>", "Привет, мир!"),
    ('<?xml version="1.0" encoding="windows-1251"?>\n<speak version="1.1">Привет</speak>', "Привет"),
    ("\ufeff<speak>Hello</speak>", "Hello"),
    ("Привет <break/>мир", "Привет\nмир"),
    ('Раз<break time="500ms"/>два<break strength="none"/>три', "Раз\nдватри"),
    ("<p>Раз.</p><p>Два.</p>", "Раз.\n\nДва."),
    ("<p><s>Раз</s><s>Два</s></p>Три", "Раз\n\nДва\n\nТри"),
    ("<p>Раз</p><break/><p>Два</p>", "Раз\n\nДва"),
    ('Это <sub alias="Всемирный консорциум">W3C</sub>.', "Это Всемирный консорциум."),
    ('Это <sub alias="a"><b>c</b></sub> и <sub>d</sub>', "Это a и d"),
    ('<say-as interpret-as="date">1.2.2025</say-as> <prosody rate="slow">медленно</prosody>', "1.2.2025 медленно"),
    ('<phoneme alphabet="ipa" ph="x">слово</phoneme>', "слово"),
    ('<audio src="a.wav"><desc>гудок</desc>Би-би</audio><metadata>x</metadata>', "Би-би"),
    ("до<!-- тайна <b> -->после<?pi x?>", "допосле"),
    ("AT&amp;T &lt;3 &#1046;&#x416; &quot;&apos;", "AT&T <3 ЖЖ \"'"),
    ("<![CDATA[a < b & c]]>", "a < b & c"),
    ('<s:speak xmlns:s="http://www.w3.org/2001/10/synthesis"><s:p>Раз</s:p>два</s:speak>', "Раз\n\nдва"),
    ("просто текст", "просто текст"),
    ("", ""),
    ("<speak/>", ""),
    ("за\u0301мок", "за\u0301мок"),
]


@pytest.mark.parametrize(("document", "text"), DOCUMENTS)
def test_the_text_of_a_document_is_what_is_spoken(document: str, text: str) -> None:
    assert strip_ssml(document) == text


LAUGHS = '<!DOCTYPE speak [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><speak>&b;</speak>'
OUTSIDE = '<!DOCTYPE speak [<!ENTITY x SYSTEM "file:///etc/passwd">]><speak>&x;</speak>'
DTD = '<?xml version="1.0"?><!DOCTYPE speak SYSTEM "http://www.w3.org/x.dtd"><speak>a</speak>'


@pytest.mark.parametrize("document", [LAUGHS, OUTSIDE, DTD, '<speak><!ENTITY a "b">&a;</speak>'])
def test_document_types_and_entities_are_refused_and_named(document: str) -> None:
    with pytest.raises(BadRequest, match="document type or entity declarations"):
        strip_ssml(document)


@pytest.mark.parametrize(
    "document",
    ["<speak>", "<speak>a", "</speak>", "<p>a</s>", "a & b", "a < b", "</speak>a<speak>", "<speak>a</speak></speak>",
     "&nbsp;",
     "<p a=b>x</p>", '<p a="1" a="2"/>', "\x00", "<!-- a", "]]>", "<?xml version='1.0'?><?xml version='1.0'?>"],
)  # fmt: skip
def test_what_is_not_xml_is_refused_with_its_place(document: str) -> None:
    with pytest.raises(BadRequest, match=r"not well-formed XML: .+ at line 1, column \d+\. Close every tag"):
        strip_ssml(document)


def test_the_place_of_a_mistake_is_counted_in_the_text_as_sent() -> None:
    with pytest.raises(BadRequest, match="line 1, column 4"):
        strip_ssml("a & b")
    with pytest.raises(BadRequest, match="line 2, column 4"):
        strip_ssml("<speak>\na & b</speak>")


def test_half_a_character_is_refused() -> None:
    with pytest.raises(BadRequest, match="lone surrogate"):
        strip_ssml("a\ud800")


def test_elements_nest_to_a_depth_and_no_further() -> None:
    assert strip_ssml("<p>" * DEPTH + "a" + "</p>" * DEPTH) == "a"
    with pytest.raises(BadRequest, match="more than 100 elements inside one another"):
        strip_ssml("<p>" * (DEPTH + 1) + "a" + "</p>" * (DEPTH + 1))


@pytest.mark.parametrize("part", ["<p>", "<p></p>", "<break/>", " ", "&amp;", "<w> </w>", "<", "<!--", "<a ", "]"])
def test_hostile_documents_take_linear_time(part: str) -> None:
    started = time.process_time()
    with suppress(BadRequest):
        strip_ssml(part * (100_000 // len(part)))
    assert time.process_time() - started < 1


@given(text=st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        spoken = strip_ssml(text)
    except BadRequest:
        return
    assert spoken == spoken.strip()


@given(text=st.text(alphabet="абв abc&<>\"'.", max_size=80))
def test_escaped_text_comes_back(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert strip_ssml(f"<speak>{escaped}</speak>") == " ".join(text.split())
