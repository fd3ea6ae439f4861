"""Deepgram's ``/v1/listen``: speech to text over WebSocket while the speech arrives, and over REST.

https://developers.deepgram.com/reference/speech-to-text/listen-streaming (2026)
"""

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, BinaryIO, Final, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, field_validator

from wyoming_voice.codec import wav_header
from wyoming_voice.endpoint import EndpointRules, Quiet, SpeechStarted
from wyoming_voice.errors import BadRequest
from wyoming_voice.speech import Finish
from wyoming_voice.voices import Catalogue

from .body import read_audio_body, read_fields
from .bridge import REQUEST_ID, bridge_of
from .deepgram_shape import alternative, metadata, model_id, model_info, paragraphs, rounded, utterances
from .deepgram_speak import wav_start
from .hearing import Asked, Sound, listen
from .listen import sound_of
from .recording import Expected, recognise, settled
from .reply import json_reply
from .route import Route
from .said import Done, Finalized, Said, Told

_SHORTEST: Final = 300
"""Milliseconds of silence that end an utterance at least: Deepgram's 10 would cut words into pieces that no engine here
understands."""
_OURS: Final = 500
_IN_MEMORY: Final = 1024 * 1024
_MULTI: Final = "multi"


class _Query(BaseModel):
    model_config = ConfigDict(extra="ignore")

    model: str | None = Field(default=None, description="An engine of /engines; a name of Deepgram's means any")
    language: str | None = Field(default=None, description="What is spoken; default and 'multi': the first of yours")
    keyterm: list[str] = Field(default=[], description="Names and words to expect")
    keywords: list[str] = Field(default=[], description="The same, as older models had it")
    encoding: Literal["linear16", "mulaw", "alaw"] | None = Field(
        default=None, description="Of raw audio; without it a recording in a container is expected"
    )
    sample_rate: Annotated[int, Field(ge=8000, le=192_000)] | None = Field(default=None, description="Of raw audio, Hz")
    channels: Annotated[int, Field(ge=1, le=8)] = Field(default=1, description="Of raw audio; they are mixed")
    numerals: bool | None = Field(default=None, description="Numbers in digits; default: listening.digits")
    callback: str | None = Field(default=None, description="Refused: nothing in a request names an address")

    @field_validator("callback")
    @classmethod
    def _no_callback(cls, callback: str | None) -> None:
        if callback:
            raise ValueError("This server calls nobody back; the transcript is in the reply.")

    def expected(self, catalogue: Catalogue) -> Expected:
        """Say what is to be heard."""
        ours = self.model if any(model.name == self.model for model in catalogue.models) else None
        language = None if self.language == _MULTI else self.language
        terms = (*self.keyterm, *(word.partition(":")[0] for word in self.keywords))  # word:boost
        finish = Finish(digits=self.numerals)
        return Expected(language=language or None, model=ours, terms=terms, finish=finish, word_times=True)


class DeepgramListenSocketQuery(_Query):
    """What will be heard, and what is wanted of it."""

    interim_results: bool = Field(default=False, description="Whether results that may change are wanted")
    endpointing: Annotated[int, Field(ge=0, le=10_000)] | Literal[False] | None = Field(
        default=None, description="Milliseconds of silence that end an utterance, 300 at least; false: no speech_final"
    )
    utterance_end_ms: Annotated[int, Field(ge=500, le=10_000)] | None = Field(
        default=None, description="Milliseconds of silence until UtteranceEnd; default: none is sent"
    )
    vad_events: bool = Field(default=False, description="Whether SpeechStarted is wanted")

    @field_validator("endpointing", mode="before")
    @classmethod
    def _not(cls, value: object) -> object:
        named = {"false": False, "true": None}
        return named.get(value.lower(), value) if isinstance(value, str) else value

    def rules(self) -> EndpointRules:
        """Say when speech ends."""
        trailing = max(_SHORTEST, self.endpointing) if self.endpointing else _OURS
        quiet = None if self.utterance_end_ms is None else self.utterance_end_ms / 1000
        return EndpointRules(trailing=trailing / 1000, quiet=quiet)


class DeepgramListenQuery(_Query):
    """What is in the body, and what is wanted of it."""

    utterances: bool = Field(default=False, description="Whether the pieces are wanted, too")
    paragraphs: bool = Field(default=False, description="Whether they are wanted as paragraphs")
    smart_format: bool = Field(default=False, description="The same; transcripts are made readable anyway")


class DeepgramTranscript(BaseModel):
    """A transcript in Deepgram's shape."""

    metadata: dict[str, object]
    results: dict[str, object]


@dataclass(frozen=True, slots=True)
class _Spelling:
    """A session in Deepgram's words."""

    query: DeepgramListenSocketQuery
    request_id: str
    model: str

    def __call__(self, said: Said) -> Iterator[Mapping[str, object]]:
        match said:
            case SpeechStarted() if self.query.vad_events:
                yield {"type": "SpeechStarted", "channel": [0], "timestamp": rounded(said.start)}
            case Told():
                yield self._results(said)
            case Quiet():
                yield {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": rounded(said.end)}
            case Finalized(answered=False):
                yield self._results(Told((), said.now, said.now, final=True, finalized=True))
            case Done():
                yield {"type": "Metadata", **metadata(self.request_id, self.model, said.seconds)}

    def _results(self, told: Told) -> Mapping[str, object]:
        return {
            "type": "Results",
            "channel_index": [0, 1],
            "start": rounded(told.start),
            "duration": rounded(told.end - told.start),
            "is_final": told.final,
            "speech_final": told.last and self.query.endpointing is not False,
            "from_finalize": told.finalized,
            "channel": {"alternatives": [alternative(told.pieces, told.text)]},
            "metadata": {
                "request_id": self.request_id,
                "model_info": model_info(self.model),
                "model_uuid": model_id(self.model),
            },
        }


async def listen_socket(request: web.Request) -> web.StreamResponse:
    """Transcribe speech while it arrives, as Deepgram does."""
    query = read_fields(_fields(request), DeepgramListenSocketQuery)
    catalogue = bridge_of(request).app.voices.catalogue
    expected = settled(request, query.expected(catalogue))
    model, _ = catalogue.model(expected.model, expected.language)
    asked = Asked(
        sound=query.encoding and sound_of(query.encoding, query.sample_rate, query.channels),
        rules=query.rules(),
        expected=expected,
        interim=query.interim_results,
        hello=None,
        spell=_Spelling(query, request[REQUEST_ID], model.name),
        close="CloseStream",
    )
    return await listen(request, asked, say_errors=False)


async def listen_rest(request: web.Request) -> web.StreamResponse:
    """Transcribe a recording, as Deepgram does."""
    query = read_fields(_fields(request), DeepgramListenQuery)
    if request.content_type == "application/json":
        raise BadRequest("Send the recording itself as the body: this server opens no addresses.")
    catalogue = bridge_of(request).app.voices.catalogue
    expected = settled(request, query.expected(catalogue))
    model, _ = catalogue.model(expected.model, expected.language)
    async with read_audio_body(request) as body:
        digest = await asyncio.to_thread(_digest, body)
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
            recording = body
            if query.encoding is not None:
                recording = spool  # type: ignore[assignment]  # a spool is a BinaryIO
                await asyncio.to_thread(
                    _put_head, body, recording, sound_of(query.encoding, query.sample_rate, query.channels)
                )
            heard = await recognise(request, recording, expected)
    best = alternative(heard.pieces, heard.text)
    if query.paragraphs or query.smart_format:
        best["paragraphs"] = paragraphs(heard)
    results: dict[str, object] = {"channels": [{"alternatives": [best], "detected_language": heard.language}]}
    if query.utterances:
        results["utterances"] = list(utterances(heard))
    described = metadata(request[REQUEST_ID], model.name, heard.seconds, digest)
    return json_reply(DeepgramTranscript(metadata=described, results=results))


def _fields(request: web.Request) -> dict[str, object]:
    """Read the query; what may come several times is a list."""
    fields: dict[str, object] = dict(request.query)
    return {**fields, **{name: request.query.getall(name, []) for name in ("keyterm", "keywords")}}


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while piece := file.read(_IN_MEMORY):
        digest.update(piece)
    file.seek(0)
    return digest.hexdigest()


def _put_head(body: BinaryIO, file: BinaryIO, sound: Sound) -> None:
    """Make raw audio a file that says what it is."""
    fmt = sound.fmt
    file.write(wav_header(fmt, None) if sound.law is None else wav_start(sound.law, fmt.rate, fmt.channels))
    shutil.copyfileobj(body, file)
    file.seek(0)


ROUTES: Final = (
    Route(
        "GET",
        "/v1/listen",
        listen_socket,
        "Transcribe speech while it arrives, in Deepgram's dialect (a WebSocket)",
        query=DeepgramListenSocketQuery,
        websocket=True,
    ),
    Route(
        "POST",
        "/v1/listen",
        listen_rest,
        "Transcribe a recording, in Deepgram's dialect",
        query=DeepgramListenQuery,
        reply=DeepgramTranscript,
        body="application/octet-stream",
    ),
)
