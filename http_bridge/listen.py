"""``WS /stt/listen-streaming``: speech to text while the speech arrives."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from wyoming_voice.audio import PcmFormat
from wyoming_voice.endpoint import EndpointRules, SpeechStarted
from wyoming_voice.speech import Finish

from .body import read_fields
from .bridge import REQUEST_ID, bridge_of
from .contract import LISTENING, contract_route
from .hearing import Asked, Sound, listen
from .recording import Expected, settled
from .route import Route
from .said import Finalized, Said, Told

RATES: Final = {"linear16": 16_000, "mulaw": 8000, "alaw": 8000}
"""Sample rates where none is named."""


class ListenQuery(BaseModel):
    """What will be heard, and what is wanted of it."""

    model_config = ConfigDict(extra="ignore")

    language: str | None = Field(default=None, description="What is spoken: ru, en, …; default: the first of yours")
    model: str | None = Field(default=None, description="An engine from /engines")
    prompt: str | None = Field(default=None, description="What was said before, or what it is about")
    encoding: Literal["linear16", "mulaw", "alaw"] = Field(
        default="linear16", description="Of the binary messages: 16-bit little-endian PCM, µ-law or A-law"
    )
    sample_rate: Annotated[int, Field(ge=8000, le=192_000)] | None = Field(
        default=None, description="Hz; default: 16000 for linear16, 8000 for the others"
    )
    channels: Annotated[int, Field(ge=1, le=8)] = Field(default=1, description="Interleaved; they are mixed")
    interim_results: bool = Field(default=True, description="Whether Partial messages are wanted")
    endpointing: Annotated[int, Field(ge=200, le=5000)] = Field(
        default=500, description="Milliseconds of silence that end an utterance"
    )
    digits: bool | None = Field(default=None, description="Numbers in digits; default: listening.digits")
    correct_terms: bool | None = Field(
        default=None, description="Take what was nearly an expected name for it; default: listening.correct_terms"
    )
    use_llm_stt: bool | None = Field(
        default=None,
        validation_alias=AliasChoices("use_llm_stt", "use_llm"),
        description="Have the language model mend Final transcripts; default: text.llm.use_llm_stt",
    )

    def expected(self) -> Expected:
        """Say what is to be heard."""
        finish = Finish(correct_terms=self.correct_terms, llm=self.use_llm_stt, digits=self.digits)
        return Expected(language=self.language, model=self.model, prompt=self.prompt, finish=finish, word_times=True)


async def listen_streaming(request: web.Request) -> web.StreamResponse:
    """Transcribe speech while it arrives."""
    query = read_fields(dict(request.query), ListenQuery)
    expected = settled(request, query.expected())
    model, language = bridge_of(request).app.voices.catalogue.model(expected.model, expected.language)
    hello = {"type": "Metadata", "request_id": request[REQUEST_ID], "language": language, "model": model.name}
    asked = Asked(
        sound=sound_of(query.encoding, query.sample_rate, query.channels),
        rules=EndpointRules(trailing=query.endpointing / 1000),
        expected=expected,
        interim=query.interim_results,
        hello=hello,
        spell=_spell,
        close="Close",
    )
    return await listen(request, asked, say_errors=True)


def sound_of(encoding: Literal["linear16", "mulaw", "alaw"], rate: int | None, channels: int) -> Sound:
    """Describe binary messages."""
    fmt = PcmFormat(rate or RATES[encoding], 2, channels)
    return Sound(fmt, None if encoding == "linear16" else encoding)


def _spell(said: Said) -> Iterator[Mapping[str, object]]:
    match said:
        case SpeechStarted():
            yield {"type": "SpeechStarted", "start": round(said.start, 3)}
        case Told(final=False):
            yield _transcript("Partial", said)
        case Told():
            if said.text:
                yield _transcript("Final", said)
            if said.last:
                yield {"type": "UtteranceEnd", "end": round(said.end, 3)}
        case Finalized():
            yield {"type": "Finalized"}


def _transcript(kind: str, told: Told) -> Mapping[str, object]:
    words = [word for piece in told.pieces for word in piece.words]
    return {
        "type": kind,
        "text": told.text,
        **({"raw": told.raw} if told.final else {}),
        "start": round(told.start, 3),
        "end": round(told.end, 3),
        "language": next((piece.language for piece in told.pieces if piece.language), None),
        "words": [
            {"word": word.text, "start": round(word.start, 3), "end": round(word.end, 3), "confidence": word.confidence}
            for word in words
        ],
        **({"last": told.last} if told.final else {}),
    }


ROUTES: Final = (
    Route("GET", "/stt/listen-streaming", listen_streaming, LISTENING.summary, query=ListenQuery, websocket=True),
    contract_route(LISTENING),
)
