"""The targets stand whatever hypothesis makes of the words that they know."""

import io
import json
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS
from wyoming_voice.audio import PcmFormat
from wyoming_voice.codec import Encoder

_SOUND: Final = PcmFormat(16_000, 2, 1)


def _file(kind: str) -> bytes:
    encoder = Encoder(kind, _SOUND)
    return encoder.feed(bytes(range(256)) * 40) + encoder.finish()


_PART: Final = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\nContent-Type: audio/wav\r\n\r\n'
WORDS: Final[dict[str, tuple[bytes, ...]]] = {
    "wyoming": (
        *(
            b'{"type": "',
            b"describe",
            b"transcript-chunk",
            b'"',
            b', "data": {',
            b"}",
            b"}\n",
            b"\n",
            b', "data_length": ',
        ),
        *(
            b', "payload_length": ',
            b"1",
            b"99999999999",
            b"-1",
            b"null",
            b'"text": ',
            b'"words": [',
            b"]",
            b'"\\ud800"',
        ),
    ),
    "websocket": (b'{"type": "Speak"', b', "text": ', b'"a"', b"}", b"[" * 50, b"NaN", b'"\\ud800"', b'{"type": 1}'),
    "json_body": (
        *(b'{"text": "a"', b', "input": ', b', "voice": ', b', "speed": ', b', "references": [', b"]", b"}", b"1e999"),
        *(b'"x"', b"null", b"{", b"[" * 100, b'"\\ud800"', b"\xff", b', "format": "wav"', b"true"),
    ),
    "form": (
        *(b"--b\r\n", _PART, b"\r\n--b", b"--\r\n", b"\r\n", b"Content-Transfer-Encoding: base64\r\n", b"\xff" * 20),
        *(
            b"Content-Type: multipart/mixed; boundary=c\r\n",
            b'name="',
            b"Content-Length: 99\r\n",
            b"a=b&",
            b"%ff",
            b"[]=1",
        ),
    ),
    "audio_body": (b"RIFF", b"\0" * 100),
    "audio": (
        *(_file(kind)[:3000] for kind in ("wav", "flac", "ogg", "opus", "mp3", "aac")),
        *(
            b"RIFF\xff\xff\xff\xffWAVE",
            b"fmt \x10\0\0\0",
            b"data",
            b"\xff" * 8,
            b"\0" * 64,
            b"OggS",
            b"fLaC",
            b"ftypM4A ",
        ),
    ),
    "ssml": (
        *(b"<speak>", b"</speak>", b"<sub alias='x'>", b"</sub>", b"<break/>", b"<!DOCTYPE a [", b"<!ENTITY a 'b'>"),
        *(
            b"&a;",
            b"&#0;",
            b"&amp;",
            b"<![CDATA[",
            b"]]>",
            b"<?xml version='1.0' encoding='utf-16'?>",
            b"<a:b>",
            b"\xff",
        ),
    ),
    "text": tuple(
        word.encode()
        for word in (
            *(
                "12:30",
                "31.12.2026",
                "5 км/ч",
                "№ 7",
                "$1,000.50",
                "XIV",
                "т.е.",
                "1/2",
                "+7 (999) 123-45-67",
                "10%",
                "-3°C",
            ),
            *(
                "e.g.",
                "1e9",
                "0x1F",
                "9" * 30,
                "²",
                "Ⅳ",
                "и",
                "the",
                "\u0301",
                "\u202e",
                "```",
                "**",
                "[a](b)",
                "http://a.b",
                "...",
                "1-2",
                "v1.2.3",
                "٣",
            ),
        )
    ),
    "configuration": (
        *(
            b"languages: ",
            b"[ru, en]",
            b"\nengines:\n  piper: ",
            b"{workers: 2}",
            b"\nlimits: {text: ",
            b"1}",
            b"\nvoices: {ru: a}",
        ),
        *(
            b"\nserver:\n  uri: ",
            b"tcp://h:1",
            b"\nhttp: ",
            b"&a",
            b"*a",
            b"!!python/object:os.system",
            b"{" * 30,
            b"\xff",
            b"\ndevices: ",
        ),
    ),
    "voice": (
        *(
            b"anna\n",
            b"..\n",
            b"a/b\n",
            b"references:\n- audio: ",
            b"reference.flac",
            b"../../x",
            b"\n  text: ",
            b"\ndescription: ",
        ),
        *(b"calm", b"\nseed: ", b"-1", b"1e9", b"\nengine: x", b"\nlanguages: [ru]", b"&a", b"\xff", b"\0"),
    ),
}

FOUND: Final[dict[str, tuple[bytes, ...]]] = {
    "wyoming": (json.dumps({"type": "\ud800"}).encode() + b"\n",),
    "text": ("Всего $1,000.250 и €1.000,250.".encode(),),
}
"""What was found to fail once."""


@pytest.mark.parametrize("name", TARGETS)
def test_target_stands_what_is_made_of_its_words(name: str) -> None:
    """Feed it for some seconds at most."""
    target = TARGETS[name]

    @settings(max_examples=60 if name in ("audio", "text") else 150, deadline=None, database=None)
    @given(st.lists(st.sampled_from(WORDS[name]) | st.binary(max_size=6), max_size=12).map(b"".join))
    def stands(sent: bytes) -> None:
        target(sent)

    stands()


@pytest.mark.parametrize(("name", "sent"), [(name, sent) for name, found in FOUND.items() for sent in found])
def test_what_once_failed_stands(name: str, sent: bytes) -> None:
    TARGETS[name](sent)


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "opus", "mp3", "aac"])
def test_a_recording_that_is_cut_or_changed_stands(kind: str) -> None:
    whole = _file(kind)

    @settings(max_examples=40, deadline=None, database=None)
    @given(
        st.lists(st.tuples(st.integers(0, len(whole) - 1), st.binary(min_size=1, max_size=8)), max_size=6), st.data()
    )
    def stands(changes: list[tuple[int, bytes]], more: st.DataObject) -> None:
        file = io.BytesIO(whole)
        for position, content in changes:
            file.seek(position)
            file.write(content)
        TARGETS["audio"](file.getvalue()[: more.draw(st.integers(0, len(whole)))])

    stands()
