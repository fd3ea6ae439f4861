"""``WS /tts/speak-streaming``: text to speech while the text arrives."""

from collections.abc import Callable, Mapping
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from wyoming.audio import AudioChunk

from wyoming_voice.link import PITCH, SEEDS, SPEED
from wyoming_voice.speech import Utterance, Wanted, once
from wyoming_voice.voices import VoiceChoice

from .body import read_fields
from .bridge import REQUEST_ID, bridge_of
from .contract import SPEAKING, contract_route
from .route import Route
from .speaking import Dialect, Report, raw_frame, speak, wav_frame


class SpeakQuery(BaseModel):
    """How to speak to this socket."""

    model_config = ConfigDict(extra="ignore")

    voice: str | None = Field(default=None, description="A name from /voices; default: by the script of the text")
    language: str | None = Field(default=None, description="Choose the voice by language: ru, en, …")
    speaker: str | None = Field(default=None, description="Of a voice that has several")
    style: str | None = Field(default=None, description="How to say it, in words, for engines that can")
    speed: Annotated[float, Field(ge=SPEED[0], le=SPEED[1])] = Field(default=1.0, description="1: the voice's own")
    pitch: Annotated[float, Field(ge=PITCH[0], le=PITCH[1])] = Field(default=1.0, description="1: the voice's own")
    seed: Annotated[int, Field(ge=0, lt=SEEDS)] | None = Field(
        default=None, description="The same text with the same seed sounds the same, with engines that draw lots"
    )
    sample_rate: Annotated[int, Field(ge=8000, le=48_000)] | None = Field(
        default=None, description="Hz; default: the voice's own"
    )
    encoding: Literal["linear16", "mulaw", "alaw"] | None = Field(
        default=None, description="Raw audio without a header; default: WAV files of 16-bit PCM"
    )
    container: Literal["wav", "none"] | None = Field(default=None, description="none: raw audio, as with encoding")
    use_stress: bool | None = Field(default=None, description="Mark stressed vowels; default: text.stress")
    use_llm_tts: bool | None = Field(
        default=None,
        validation_alias=AliasChoices("use_llm_tts", "use_llm"),
        description="Have the language model rewrite the text; default: text.llm.use_llm_tts",
    )

    def utterance(self) -> Utterance:
        """Build what every utterance of the session has in common."""
        choice = VoiceChoice(self.voice, self.language, self.speaker)
        return Utterance(
            text=once(""),
            voice=choice,
            style=self.style,
            speed=self.speed,
            pitch=self.pitch,
            seed=self.seed,
            rate=self.sample_rate,
            wanted=Wanted(llm=self.use_llm_tts, stress=self.use_stress),
        )

    def frame(self) -> Callable[[AudioChunk], bytes]:
        """Choose what a binary message is."""
        if self.encoding in ("mulaw", "alaw"):
            return raw_frame(self.encoding)
        return raw_frame(None) if self.encoding or self.container == "none" else wav_frame


async def speak_streaming(request: web.Request) -> web.StreamResponse:
    """Speak text while it arrives."""
    query = read_fields(dict(request.query), SpeakQuery)
    asked = query.utterance()
    bridge_of(request).app.voices.catalogue.voice(asked.voice)  # a mistake in it is a proper reply, not a close code
    metadata = {
        "type": "Metadata",
        "request_id": request[REQUEST_ID],
        "voice": query.voice,
        "encoding": query.encoding or "linear16",
        "container": "wav" if query.frame() is wav_frame else "none",
    }
    return await speak(request, asked, Dialect(metadata, query.frame(), _flushed), say_errors=True)


def _flushed(report: Report) -> Mapping[str, object]:
    return {
        "type": "Flushed",
        "sequence_id": report.sequence_id,
        "sample_rate": report.sample_rate,
        "elapsed_s": round(report.elapsed, 3),
        "bytes": report.size,
    }


ROUTES: Final = (
    Route("GET", "/tts/speak-streaming", speak_streaming, SPEAKING.summary, query=SpeakQuery, websocket=True),
    contract_route(SPEAKING),
)
