"""The bytes of a peer to events and back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wyoming.audio import AudioChunk
from wyoming.event import Event

from wyoming_voice.errors import BadRequest, TooLarge
from wyoming_voice.wire import PART_BYTES, EventLimits, EventParser, encode

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
EVENTS = st.builds(
    Event,
    type=st.text(min_size=1),
    data=st.dictionaries(st.text(), JSON, max_size=4),
    payload=st.none() | st.binary(min_size=1, max_size=300),
)


def parse(*chunks: bytes, limits: EventLimits | None = None) -> list[Event]:
    parser = EventParser(limits or EventLimits())
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    return [*events, *parser.finish()]


@given(st.lists(EVENTS, max_size=4), st.lists(st.integers(1, 200), min_size=1, max_size=20))
def test_events_survive_any_cutting(events: list[Event], sizes: list[int]) -> None:
    whole = b"".join(map(encode, events))
    chunks, position, turn = [], 0, 0
    while position < len(whole):
        size = sizes[turn % len(sizes)]
        chunks.append(whole[position : position + size])
        position, turn = position + size, turn + 1
    assert parse(*chunks) == events


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_else(noise: bytes) -> None:
    try:
        parse(noise)
    except (BadRequest, TooLarge):
        pass


def test_our_frames_are_read_by_the_stock_reader() -> None:
    import io

    from wyoming.event import read_event

    chunk = AudioChunk(rate=16_000, width=2, channels=1, audio=b"abcd")
    assert read_event(io.BytesIO(encode(chunk.event()))) == chunk.event()


def test_an_old_client_puts_everything_into_the_header() -> None:
    assert parse(b'{"type":"synthesize","data":{"text":"hi"}}\n') == [Event(type="synthesize", data={"text": "hi"})]


def test_data_after_the_header_is_merged_over_it() -> None:
    data = b'{"b": 2}'
    header = json.dumps({"type": "x", "data": {"a": 1, "b": 1}, "data_length": len(data)}).encode()
    assert parse(header + b"\n" + data) == [Event(type="x", data={"a": 1, "b": 2})]


def test_a_last_header_may_lack_its_newline() -> None:
    assert parse(b'{"type":"describe"}') == [Event(type="describe")]


def test_blank_lines_are_skipped() -> None:
    assert parse(b'\n \r\n{"type":"ping"}\r\n\n') == [Event(type="ping")]


@pytest.mark.parametrize(
    "header",
    [
        "nonsense",
        "GET / HTTP/1.1",
        "[]",
        "7",
        "null",
        "{}",
        '{"type": 7}',
        '{"type": ""}',
        '{"type": null}',
        '{"type": "x", "data": []}',
        '{"type": "x", "data": "y"}',
        '{"type": "x", "data_length": -1}',
        '{"type": "x", "data_length": "7"}',
        '{"type": "x", "data_length": 1.5}',
        '{"type": "x", "payload_length": true}',
        '{"type": "x", "payload_length": NaN}',
        '{"type": "x", "data": {"rate": Infinity}}',
        '{"type": "x", "data": ' + "[" * 20_000 + "]" * 20_000 + "}",
        '{"type": "x", "payload_length": ' + "9" * 5_000 + "}",
    ],
)
def test_what_is_no_event_is_refused(header: str) -> None:
    with pytest.raises(BadRequest):
        parse(header.encode() + b"\n")


def test_what_is_not_utf8_is_refused() -> None:
    with pytest.raises(BadRequest):
        parse(b'{"type": "\xff\xfe"}\n')


def test_data_that_is_no_object_is_refused() -> None:
    with pytest.raises(BadRequest):
        parse(b'{"type": "x", "data_length": 2}\n[]')


@pytest.mark.parametrize("name", ["data_length", "payload_length"])
def test_an_announcement_over_the_limit_is_refused_before_it_comes(name: str) -> None:
    parser = EventParser(EventLimits(data=100, payload=100))
    with pytest.raises(TooLarge):
        list(parser.feed(json.dumps({"type": "x", name: 4_000_000_000}).encode() + b"\n"))


def test_an_endless_header_is_refused_at_its_limit() -> None:
    parser = EventParser(EventLimits(header=1000))
    with pytest.raises(TooLarge):
        for _ in range(2000):
            list(parser.feed(b'{"type'))


def test_events_before_a_wrong_one_are_delivered() -> None:
    parser = EventParser(EventLimits())
    events: list[Any] = []
    with pytest.raises(BadRequest):
        events.extend(parser.feed(b'{"type":"ping"}\nnonsense\n'))
    assert events == [Event(type="ping")]


def test_an_event_is_partial_until_its_last_byte() -> None:
    parser = EventParser(EventLimits())
    whole = encode(Event(type="x", data={"a": 1}, payload=b"123"))
    assert not parser.partial
    seen = [(list(parser.feed(part)), parser.partial) for part in (whole[:-1], whole[-1:])]
    assert [(len(events), partial) for events, partial in seen] == [(0, True), (1, False)]


def test_what_unicode_cannot_say_is_still_written() -> None:
    assert parse(encode(Event(type="pong", data={"text": "\ud800"})))[0].data == {"text": "?"}


def test_much_audio_in_one_event_comes_in_parts_as_it_arrives() -> None:
    sent = b"ab" * PART_BYTES + b"rest"
    sound = {"rate": 16_000, "width": 2, "channels": 1}
    frame = encode(Event(type="audio-chunk", data=sound, payload=sent)) + encode(Event(type="audio-stop"))
    parser = EventParser(EventLimits())
    early = list(parser.feed(frame[: PART_BYTES + 200]))
    assert [len(event.payload or b"") for event in early] == [PART_BYTES]
    assert parser.partial
    *parts, stop = early + list(parser.feed(frame[PART_BYTES + 200 :]))
    assert b"".join(part.payload or b"" for part in parts) == sent
    assert all((part.type, part.data) == ("audio-chunk", sound) for part in parts)
    assert stop.type == "audio-stop"
    assert not parser.partial


def test_a_large_payload_of_another_event_stays_whole() -> None:
    event = Event(type="image-chunk", payload=bytes(2 * PART_BYTES))
    assert parse(encode(event)) == [event]


def test_more_lists_than_any_request_has_are_refused_and_as_many_brackets_as_a_text_has_are_not() -> None:
    with pytest.raises(TooLarge, match="brackets"):
        parse(encode(Event(type="synthesize", data={"text": "a", "more": [[]] * 100_001})))
    (event,) = parse(encode(Event(type="synthesize", data={"text": "[" * 99_999})))
    assert event.data["text"] == "[" * 99_999
