"""Deepgram's ``/v1/speak``: text to speech over WebSocket while the text arrives, and over REST.

https://developers.deepgram.com/reference/text-to-speech/speak-streaming (2026)
"""

import string
import struct
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Final, Literal
from urllib.parse import quote

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, field_validator

from wyoming_voice.companding import WAV_TAG, Law, compand
from wyoming_voice.errors import BadRequest, UnknownVoice
from wyoming_voice.link import SPEED
from wyoming_voice.speech import Utterance, once
from wyoming_voice.voices import Catalogue, VoiceChoice

from .body import read_fields, read_json
from .bridge import REQUEST_ID, STREAMING, bridge_of
from .deepgram_shape import VERSION, model_id
from .reply import write
from .route import Route
from .sound import AUDIO, speaking, stream_speech
from .speaking import Dialect, Report, raw_frame, speak

_ASCII: Final = string.printable.replace("%", "")
"""What a header shows as it is: other letters of a voice's name would be read in as many ways as there are clients."""
_RATES: Final = {"linear16": 24_000, "mulaw": 8000, "alaw": 8000, "mp3": 22_050, "opus": 48_000, "flac": 22_050}
"""Sample rates where none is asked for."""
_FILES: Final = {
    ("linear16", None): "wav",
    ("linear16", "wav"): "wav",
    ("linear16", "none"): "pcm",
    ("mp3", None): "mp3",
    ("mp3", "none"): "mp3",
    ("opus", None): "opus",
    ("opus", "ogg"): "opus",
    ("flac", None): "flac",
    ("aac", None): "aac",
}


class _Query(BaseModel):
    model_config = ConfigDict(extra="ignore")

    model: str | None = Field(default=None, description="A voice; one of Deepgram's means a voice of its language")
    sample_rate: Annotated[int, Field(ge=8000, le=48_000)] | None = Field(default=None, description="Hz")
    speed: Annotated[float, Field(ge=SPEED[0], le=SPEED[1])] = Field(default=1.0, description="1: the voice's own")
    callback: str | None = Field(default=None, description="Refused: nothing in a request names an address")

    @field_validator("callback")
    @classmethod
    def _no_callback(cls, callback: str | None) -> None:
        if callback:
            raise ValueError("This server calls nobody back; the audio is in the reply.")


class DeepgramSpeakSocketQuery(_Query):
    """How to speak to this socket."""

    encoding: Literal["linear16", "mulaw", "alaw"] = Field(default="linear16", description="Of the binary messages")
    container: Literal["none"] = Field(default="none", description="Binary messages have no header")


class DeepgramSpeakQuery(_Query):
    """How to speak."""

    encoding: Literal["linear16", "mulaw", "alaw", "mp3", "opus", "flac", "aac"] | None = Field(
        default=None, description="mp3 unless a container or a sample rate says otherwise"
    )
    container: Literal["wav", "ogg", "none"] | None = Field(default=None, description="A file, or raw audio")


class DeepgramText(BaseModel):
    """What to say."""

    model_config = ConfigDict(extra="ignore")

    text: str = Field(description="What to say")


def choose_voice(catalogue: Catalogue, model: str | None) -> tuple[VoiceChoice, str]:
    """Choose by a model: a voice of ours, else one for its language (``aura-2-thalia-en``); raises UnknownVoice.

    Returns it with the name to show.
    """
    choice = VoiceChoice(model)
    try:
        return choice, catalogue.voice(choice)[0].name if model else catalogue.settings.server.name
    except UnknownVoice:
        _, dash, language = (model or "").rpartition("-")
        if not dash or catalogue.speaking(language) is None:
            raise
        choice = VoiceChoice(language=language)
        return choice, catalogue.voice(choice)[0].name


async def speak_socket(request: web.Request) -> web.StreamResponse:
    """Speak text while it arrives, as Deepgram does."""
    query = read_fields(dict(request.query), DeepgramSpeakSocketQuery)
    choice, name = choose_voice(bridge_of(request).app.voices.catalogue, query.model)
    asked = Utterance(text=once(""), voice=choice, speed=query.speed, rate=query.sample_rate or _RATES[query.encoding])
    metadata = {
        "type": "Metadata",
        "request_id": request[REQUEST_ID],
        "model_name": name,
        "model_version": VERSION,
        "model_uuid": model_id(name),
    }
    law: Law | None = None if query.encoding == "linear16" else query.encoding
    return await speak(request, asked, Dialect(metadata, raw_frame(law), _flushed), say_errors=False)


def _flushed(report: Report) -> Mapping[str, object]:
    return {"type": "Flushed", "sequence_id": report.sequence_id}


async def speak_rest(request: web.Request) -> web.StreamResponse:
    """Speak a text, as Deepgram does."""
    query = read_fields(dict(request.query), DeepgramSpeakQuery)
    text = (await read_json(request, DeepgramText)).text
    choice, name = choose_voice(bridge_of(request).app.voices.catalogue, query.model)
    encoding = query.encoding or ("linear16" if query.container in ("wav", "none") else "mp3")
    if query.encoding is None and query.container == "ogg":
        encoding = "opus"
    rate = query.sample_rate or _RATES.get(encoding)
    asked = Utterance(text=once(text), voice=choice, speed=query.speed, rate=rate)
    headers = {
        "dg-request-id": request[REQUEST_ID],
        "dg-model-name": quote(name, safe=_ASCII),
        "dg-model-uuid": model_id(name),
        "dg-char-count": str(len(text)),
    }
    if encoding in ("mulaw", "alaw"):
        if query.container == "ogg":
            raise BadRequest(f"{encoding} comes as wav or with no container (none).")
        law: Law = "mulaw" if encoding == "mulaw" else "alaw"
        return await _stream_companded(request, asked, law, headers, wav=query.container != "none")
    kind = _FILES.get((encoding, query.container))
    if kind is None:
        raise BadRequest(f"There is no {encoding} in the container {query.container}; leave the container out.")
    return await stream_speech(request, asked, kind, headers)


async def _stream_companded(
    request: web.Request, asked: Utterance, law: Law, headers: Mapping[str, str], *, wav: bool
) -> web.StreamResponse:
    async with speaking(request, asked, "pcm") as (sound, audio):
        mime = "audio/wav" if wav else "audio/basic" if law == "mulaw" else "audio/x-alaw"
        reply = web.StreamResponse(headers={"Content-Type": mime, "X-Sample-Rate": str(sound.rate), **headers})
        await reply.prepare(request)
        request[STREAMING] = reply
        async for part in _companded(audio, law, wav_start(law, sound.rate) if wav else b""):
            await write(request, reply, part)
        await reply.write_eof()
    return reply


async def _companded(audio: AsyncIterator[bytes], law: Law, header: bytes) -> AsyncIterator[bytes]:
    if header:
        yield header
    async for pcm in audio:
        yield compand(pcm, law)


def wav_start(law: Law, rate: int, channels: int = 1) -> bytes:
    """Begin a WAV file of µ-law or A-law that ends where the stream does."""
    shape = struct.pack("<HHIIHHH", WAV_TAG[law], channels, rate, rate * channels, channels, 8, 0)
    unknown = 0xFFFFFFFF
    return (
        struct.pack("<4sI4s4sI", b"RIFF", unknown, b"WAVE", b"fmt ", len(shape))
        + shape
        + struct.pack("<4sII", b"fact", 4, unknown)
        + struct.pack("<4sI", b"data", unknown)
    )


ROUTES: Final = (
    Route(
        "GET",
        "/v1/speak",
        speak_socket,
        "Speak text while it arrives, in Deepgram's dialect (a WebSocket)",
        query=DeepgramSpeakSocketQuery,
        websocket=True,
    ),
    Route(
        "POST",
        "/v1/speak",
        speak_rest,
        "Speak a text, in Deepgram's dialect",
        request=DeepgramText,
        query=DeepgramSpeakQuery,
        media="audio/mpeg",
        also=AUDIO,
    ),
)
