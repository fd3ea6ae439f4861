"""Wyoming events to bytes and back, without I/O.

A frame is a JSON line, then ``data_length`` bytes of JSON merged over its ``data``, then ``payload_length`` raw bytes
(https://github.com/OHF-Voice/wyoming). The stock reader has no limits; this one keeps to them while it reads, so that
memory grows with what a peer sends and not with what it announces.
"""

import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

import wyoming
from wyoming.event import Event

from .errors import BadRequest, TooLarge

PART_BYTES: Final = 64 * 1024
"""Audio that is passed on at once: a megabyte of 1 kHz is half an hour, and to convert it keeps everybody waiting."""


@dataclass(frozen=True, slots=True)
class EventLimits:
    """The largest event a peer may send, in bytes."""

    header: int = 64 * 1024
    data: int = 1024 * 1024
    payload: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Header:
    type: str
    data: dict[str, object]
    data_length: int
    payload_length: int


class EventParser:
    """The bytes of one peer, as they come, to events."""

    def __init__(self, limits: EventLimits) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._searched = 0  # no newline before this index
        self._header: _Header | None = None

    @property
    def partial(self) -> bool:
        """Whether an event has begun and is not complete."""
        return bool(self._buffer) or self._header is not None

    def feed(self, received: bytes | memoryview) -> Generator[Event, None, None]:
        """Yield the events that ``received`` completes; raises BadRequest or TooLarge at the first wrong one.

        The iterator must be exhausted or closed before the next call, which goes on where it was closed. An
        ``audio-chunk`` with more than :data:`PART_BYTES` comes as several, each as soon as it is there.
        """
        self._buffer += received
        start = 0
        try:
            while True:
                if self._header is None:
                    end = self._buffer.find(b"\n", start + self._searched)
                    if end - start > self._limits.header or (end < 0 and self._pending(start) > self._limits.header):
                        raise TooLarge(f"An event's header may have {self._limits.header} bytes.")
                    if end < 0:
                        self._searched = self._pending(start)
                        return
                    line, start, self._searched = bytes(self._buffer[start:end]), end + 1, 0
                    if not line.strip():
                        continue
                    self._header = self._parse_header(line)
                header = self._header
                middle = start + header.data_length
                rest = max(0, header.payload_length - PART_BYTES) if header.type == "audio-chunk" else 0
                stop = middle + header.payload_length - rest
                if len(self._buffer) < stop:
                    return
                if header.data_length:
                    header.data.update(_parse_object(bytes(self._buffer[start:middle]), "An event's data"))
                payload = bytes(memoryview(self._buffer)[middle:stop]) if header.payload_length else None
                start = stop
                self._header = _Header(header.type, header.data, 0, rest) if rest else None
                yield Event(type=header.type, data=header.data, payload=payload)
        finally:
            del self._buffer[:start]

    def finish(self) -> Iterator[Event]:
        """Yield a last event that lacks only its newline, as ``printf … | nc`` sends it."""
        if self._header is None and self._buffer.strip():
            yield from self.feed(b"\n")

    def _pending(self, start: int) -> int:
        return len(self._buffer) - start

    def _parse_header(self, line: bytes) -> _Header:
        fields = _parse_object(line, "An event")
        kind = fields.get("type")
        if not isinstance(kind, str) or not kind:
            raise BadRequest('An event must have a "type", a name such as "describe".')
        data = fields.get("data")
        if data is None:
            data = {}
        if not isinstance(data, dict):
            raise BadRequest('The "data" of an event must be an object.')
        header = _Header(kind, data, _length(fields, "data_length"), _length(fields, "payload_length"))
        for what, length, limit in (
            ("data", header.data_length, self._limits.data),
            ("payload", header.payload_length, self._limits.payload),
        ):
            if length > limit:
                raise TooLarge(f"The {what} of an event may have {limit} bytes, not {length}.")
        return header


def encode(event: Event) -> bytes:
    """Write one event as the frame that every Wyoming peer reads."""
    header: dict[str, object] = {"type": event.type, "version": wyoming.__version__}
    data = _ENCODER.encode(event.data).encode("utf-8", "replace") if event.data else b""
    if data:
        header["data_length"] = len(data)
    payload = event.payload or b""
    if payload:
        header["payload_length"] = len(payload)
    return b"".join((json.dumps(header).encode(), b"\n", data, payload))


def _parse_object(text: bytes, what: str) -> dict[str, object]:
    if len(text) > MOST_CONTAINERS < text.count(b"[") + text.count(b"{"):
        raise TooLarge(f"{what} may have {MOST_CONTAINERS} opening brackets.")
    try:
        parsed = _DECODER.decode(text.decode("utf-8"))
    except (ValueError, RecursionError):
        raise BadRequest(f"{what} must be a JSON object; see https://github.com/OHF-Voice/wyoming.") from None
    if not isinstance(parsed, dict):
        raise BadRequest(f"{what} must be a JSON object; see https://github.com/OHF-Voice/wyoming.")
    return parsed


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


# Made once: :mod:`json` makes another one for each call that has options, and that takes as long as a header does.
_DECODER: Final = json.JSONDecoder(parse_constant=_refuse)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False)
_MOST: Final = 2**31
MOST_CONTAINERS: Final = 100_000
"""Brackets in an object's JSON, also in its texts: a megabyte of empty lists takes 60 ms, most of it for the garbage
collector, which looks at each."""


def _length(fields: dict[str, object], name: str) -> int:
    length = fields.get(name)
    if length is None:
        return 0
    if isinstance(length, bool) or not isinstance(length, int) or length < 0:
        raise BadRequest(f'The "{name}" of an event must be a whole number of bytes, 0 or more.')
    return min(length, _MOST)
