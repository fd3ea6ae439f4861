"""OpenAI's dialect: ``POST /v1/audio/speech`` and ``GET /v1/audio/voices``."""

import base64
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from wyoming_voice.link import SPEED
from wyoming_voice.speech import Utterance, once
from wyoming_voice.voices import Catalogue, VoiceChoice

from .body import read_json
from .bridge import bridge_of
from .openai_model import check_speaks, engine_of
from .reply import json_reply
from .route import Route
from .sound import AUDIO, speaking, stream_speech
from .sse import event_stream

OPENAI_VOICES: Final = frozenset("alloy ash ballad coral echo fable onyx nova sage shimmer verse marin cedar".split())
_PCM_RATE: Final = 24_000  # Hz: raw PCM says nothing of itself, so OpenAI's clients take it to be this


def _name(voice: Any) -> Any:
    return voice["id"] if isinstance(voice, dict) and "id" in voice else voice


VoiceName = Annotated[
    str,
    BeforeValidator(_name),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
            ]
        }
    ),
]


class OpenaiSpeech(BaseModel):
    """What to say, as OpenAI's clients ask for it."""

    model_config = ConfigDict(extra="ignore")

    input: str = Field(description="What to say")
    model: str | None = Field(default=None, description="One of OpenAI's names (the best engine), or an engine's")
    voice: VoiceName | None = Field(
        default=None, description="A name from /v1/audio/voices; OpenAI's own mean the default voice for the text"
    )
    instructions: str | None = Field(default=None, description="How to say it, for engines that can")
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = Field(
        default="mp3", description="pcm is 16 bit mono of 24 kHz, opus is in Ogg"
    )
    speed: Annotated[float, Field(ge=SPEED[0], le=SPEED[1])] = 1.0
    stream_format: Literal["audio", "sse"] = "audio"

    def utterance(self, catalogue: Catalogue) -> Utterance:
        """Build the request; raises UnknownEngine, EngineUnavailable."""
        engine = engine_of(self.model, catalogue.settings)
        return Utterance(
            text=once(self.input),
            voice=VoiceChoice(_voice(catalogue, engine, self.voice, self.input)),
            style=self.instructions or None,
            speed=self.speed,
            rate=_PCM_RATE if self.response_format == "pcm" else None,
        )


class OpenaiVoice(BaseModel):
    """A voice as lists show it."""

    id: str
    name: str


class OpenaiVoices(BaseModel):
    """The voices of the user's languages."""

    voices: list[OpenaiVoice]


async def speech(request: web.Request) -> web.StreamResponse:
    """Speak a text while it is made."""
    asked = await read_json(request, OpenaiSpeech)
    utterance = asked.utterance(bridge_of(request).app.voices.catalogue)
    if asked.stream_format == "audio":
        return await stream_speech(request, utterance, asked.response_format)
    return await _events(request, utterance, asked)


async def _events(request: web.Request, utterance: Utterance, asked: OpenaiSpeech) -> web.StreamResponse:
    async with (
        speaking(request, utterance, asked.response_format) as (_, file),
        event_stream(request) as events,
    ):
        async for encoded in file:
            await events.send({"type": "speech.audio.delta", "audio": base64.b64encode(encoded).decode()})
        length = len(asked.input)  # nobody counts tokens here: characters are what an utterance costs
        usage = {"input_tokens": length, "output_tokens": 0, "total_tokens": length}
        await events.send({"type": "speech.audio.done", "usage": usage})
    return events.reply


async def voices(request: web.Request) -> web.StreamResponse:
    """List the voices, as Open WebUI asks for them."""
    offered = bridge_of(request).app.voices.catalogue.offered
    return json_reply(OpenaiVoices(voices=[OpenaiVoice(id=voice.name, name=voice.description) for voice, _ in offered]))


def _voice(catalogue: Catalogue, engine: str | None, voice: str | None, text: str) -> str | None:
    """Return the name of the voice that is meant; None: the default one for the text."""
    if engine is not None:
        check_speaks(engine, catalogue)
    ours = any(known.name == voice for known in catalogue.voices)
    if voice and (ours or voice.lower() not in OPENAI_VOICES):
        return voice
    if engine is None:
        return None
    own = [known for known in catalogue.voices if known.engine == engine]
    return replace(catalogue, voices=own).voice(VoiceChoice(), text)[0].name


ROUTES: Final = (
    Route(
        "POST",
        "/v1/audio/speech",
        speech,
        "OpenAI: speak a text",
        request=OpenaiSpeech,
        media="audio/mpeg",
        also=(*AUDIO, "text/event-stream"),
    ),
    Route("GET", "/v1/audio/voices", voices, "OpenAI: the voices", reply=OpenaiVoices),
)
