"""What is said over our WebSockets, as a page for people and programs: ``GET …/protocol``."""

from typing import Final

from aiohttp import web
from pydantic import BaseModel, Field

from .problem import CLOSE
from .reply import json_reply
from .route import Route


class MessageContract(BaseModel):
    """A message and what it means."""

    type: str = Field(description="Of a JSON message; `binary` is a binary one")
    fields: dict[str, str] = Field(default={}, description="Its other fields, and what they mean")
    meaning: str


class SocketContract(BaseModel):
    """What is said over a WebSocket."""

    path: str
    summary: str
    client: list[MessageContract] = Field(description="What a client may send")
    server: list[MessageContract] = Field(description="What it gets")
    close_codes: dict[str, int] = Field(description="How the socket is closed, by the code of the error")


def _message(kind: str, meaning: str, **fields: str) -> MessageContract:
    return MessageContract(type=kind, meaning=meaning, fields=fields)


_WARNING: Final = _message(
    "Warning", "A message made no sense and was ignored.", code="INVALID_MESSAGE or UNKNOWN_MESSAGE", description="Why"
)
_ERROR: Final = _message("Error", "What went wrong; the socket is closed after it.", code="Of the error", message="Why")
_CLOSE: Final = {"none": 1000, **CLOSE}

SPEAKING: Final = SocketContract(
    path="/tts/speak-streaming",
    summary="Speak text while it arrives (a WebSocket; /tts/speak-streaming/protocol describes it)",
    client=[
        _message("Speak", "Some more text, cut anywhere; complete sentences are spoken at once.", text="The text"),
        _message("Flush", "The utterance ends: its rest is spoken, then Flushed comes."),
        _message("Clear", "Forget all text and audio; Cleared comes, and no audio of before after it."),
        _message("Close", "Speak what is there, then close."),
    ],
    server=[
        _message(
            "Metadata",
            "The first message.",
            request_id="As in the log",
            voice="As it was asked for, or null",
            encoding="linear16, mulaw or alaw",
            container="wav: each binary message is a WAV file; none: raw audio",
        ),
        _message("binary", "Up to a quarter of a second of audio, in order: a whole WAV file, or raw audio."),
        _message(
            "Flushed",
            "All audio of an utterance has been sent.",
            sequence_id="Counts Flushed and Cleared, from 0",
            sample_rate="Hz; null: there was nothing to say",
            elapsed_s="Seconds since the utterance's first message",
            bytes="Of its binary messages",
        ),
        _message("Cleared", "Text and audio are forgotten.", sequence_id="Counts Flushed and Cleared, from 0"),
        _WARNING,
        _ERROR,
    ],
    close_codes=_CLOSE,
)

_PLACE: Final = {"start": "Seconds from the beginning of the stream", "end": "Seconds, too"}

LISTENING: Final = SocketContract(
    path="/stt/listen-streaming",
    summary="Transcribe speech while it arrives (a WebSocket; /stt/listen-streaming/protocol describes it)",
    client=[
        _message("binary", "Some more sound in the encoding of the query, cut anywhere."),
        _message("Finalize", "Transcribe what was said so far, now; Finalized comes after it."),
        _message("KeepAlive", "No sound for now; the socket stays open."),
        _message("Close", "Transcribe the rest, then close."),
    ],
    server=[
        _message("Metadata", "The first message.", request_id="As in the log", language="That is expected", model="…"),
        _message("SpeechStarted", "Somebody has begun to speak.", start=_PLACE["start"]),
        _message("Partial", "What was said so far in this utterance; it may still change.", text="…", **_PLACE),
        _message(
            "Final",
            "What was said; it does not change. An utterance has several when it is long, none when it was no speech.",
            text="The transcript",
            **_PLACE,
            language="That was heard, or null",
            words="word, start, end, confidence of each, where the engine tells them",
            last="Whether the utterance ends with it",
        ),
        _message("UtteranceEnd", "Nobody speaks any more, and every Final of the utterance was sent.", end="Seconds"),
        _message("Finalized", "All that was said before Finalize has been transcribed."),
        _WARNING,
        _ERROR,
    ],
    close_codes=_CLOSE,
)


def contract_route(contract: SocketContract) -> Route:
    """Make the page of a WebSocket."""

    async def page(_request: web.Request) -> web.StreamResponse:
        """Describe the messages in both directions, and the close codes."""
        return json_reply(contract)

    path = f"{contract.path}/protocol"
    return Route("GET", path, page, f"What is said over {contract.path}", reply=SocketContract)
