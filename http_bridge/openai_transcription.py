"""OpenAI's dialect: ``POST /v1/audio/transcriptions`` and ``/v1/audio/translations``."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from wyoming_voice.engines.protocol import Heard

from .body import Upload, read_fields, read_upload
from .bridge import bridge_of
from .openai_model import engine_of
from .problem import FieldError
from .recording import Clock, Expected, Transcription, polished, recognise, recognising, settled, transcript_of
from .reply import json_reply
from .route import Route
from .sse import event_stream
from .subtitle import srt, vtt


class OpenaiTranscription(BaseModel):
    """What is known of a recording, and how its transcript is spelled."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    model: str | None = Field(default=None, description="One of OpenAI's names (the best engine), or an engine's")
    language: str | None = Field(
        default=None, description="What is spoken; default: the first of the user's languages that is heard"
    )
    prompt: str | None = Field(default=None, description="What was said before, or words to expect")
    keywords: list[str] = Field(default=[], alias="keywords[]", description="Names and terms to expect")
    response_format: Literal["json", "text", "srt", "vtt", "verbose_json"] = "json"
    timestamp_granularities: list[Literal["word", "segment"]] = Field(
        default=["segment"], alias="timestamp_granularities[]", description="What verbose_json gives times of"
    )
    stream: bool = Field(default=False, description="Send the transcript as events while it is recognised")

    def expected(self, model: str | None) -> Expected:
        """Put together what an engine is told."""
        return Expected(
            language=self.language or None,
            model=model,
            prompt=self.prompt or None,
            terms=tuple(self.keywords),
            word_times="word" in self.timestamp_granularities,
        )


class OpenaiTranscript(BaseModel):
    """A transcript; those of other formats are text, or have more."""

    text: str
    usage: dict[str, Any]


async def transcriptions(request: web.Request) -> web.StreamResponse:
    """Transcribe a recording of any format."""
    async with read_upload(request) as upload:
        asked = read_fields(upload.fields, OpenaiTranscription)
        model = engine_of(asked.model, bridge_of(request).settings)
        expected = settled(request, asked.expected(model))
        if asked.stream:
            return await _stream(request, upload, expected)
        heard = await recognise(request, upload.recording(), expected)
    return _spell(heard, asked)


async def translations(_request: web.Request) -> web.StreamResponse:
    """Refuse, and say why."""
    raise FieldError(
        "No engine here translates. For a transcript in the language that is spoken, use /v1/audio/transcriptions.",
        None,
    )


async def _stream(request: web.Request, upload: Upload, expected: Expected) -> web.StreamResponse:
    async with recognising(request, upload.recording(), expected, Clock()) as pieces:
        piece = await anext(pieces, None)  # whatever can be wrong with the request is raised here
        async with event_stream(request, _language(expected.language)) as events:
            heard: list[Heard] = []
            while piece is not None:
                delta = piece.text if transcript_of(heard) else piece.text.lstrip()
                heard.append(piece)
                if delta:
                    await events.send({"type": "transcript.text.delta", "delta": delta})
                piece = await anext(pieces, None)
            text = await polished(bridge_of(request), heard, expected)
            await events.send({"type": "transcript.text.done", "text": text})
    return events.reply


def _spell(heard: Transcription, asked: OpenaiTranscription) -> web.StreamResponse:
    headers = _language(heard.language)
    match asked.response_format:
        case "json":
            return json_reply({"text": heard.text, "usage": _usage(heard)}, headers=headers)
        case "verbose_json":
            return json_reply(_verbose(heard, asked.timestamp_granularities), headers=headers)
        case "srt":
            return web.Response(text=srt(heard), content_type="application/x-subrip", charset="utf-8", headers=headers)
        case "vtt":
            return web.Response(text=vtt(heard), content_type="text/vtt", charset="utf-8", headers=headers)
        case "text":
            return web.Response(text=heard.text + "\n", headers=headers)


def _language(language: str | None) -> Mapping[str, str]:
    """Say in every format what was taken to be spoken."""
    return {"Content-Language": language} if language and language.isascii() and language.isprintable() else {}


def _usage(heard: Transcription) -> dict[str, object]:
    return {"type": "duration", "seconds": round(heard.seconds, 3)}


def _verbose(heard: Transcription, granularities: list[Literal["word", "segment"]]) -> dict[str, object]:
    reply: dict[str, object] = {
        "task": "transcribe",
        "language": heard.language or "",
        "duration": round(heard.seconds, 3),
        "text": heard.text,
        "usage": _usage(heard),
    }
    if "segment" in granularities:
        reply["segments"] = [_segment(number, piece) for number, piece in enumerate(heard.pieces)]
    if "word" in granularities:
        reply["words"] = [
            {"word": word.text.strip(), "start": round(word.start, 3), "end": round(word.end, 3)}
            for piece in heard.pieces
            for word in piece.words
        ]
    return reply


def _segment(number: int, piece: Heard) -> dict[str, object]:
    """Spell a segment; what Whisper measures and others do not is there with the value of an ordinary one."""
    return {
        "id": number,
        "seek": 0,
        "start": round(piece.start, 3),
        "end": round(piece.end, 3),
        "text": piece.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": 0.0,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.0,
    }


ROUTES: Final = (
    Route(
        "POST",
        "/v1/audio/transcriptions",
        transcriptions,
        "OpenAI: transcribe a recording",
        form=OpenaiTranscription,
        reply=OpenaiTranscript,
        also=("text/plain", "application/x-subrip", "text/vtt", "text/event-stream"),
    ),
    Route("POST", "/v1/audio/translations", translations, "OpenAI: not here; says what is", reply=OpenaiTranscript),
)
