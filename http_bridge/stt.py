"""``POST /stt``: a recording to a transcript."""

import asyncio
import time
from typing import Final

from aiohttp import web
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from wyoming_voice.speech import Finish

from .body import read_fields, read_upload
from .bridge import Bridge, bridge_of
from .output import stamp
from .recording import Expected, Transcription, recognise
from .reply import json_reply
from .route import Route


class TranscriptionForm(BaseModel):
    """What is known of a recording."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    language: str | None = Field(default=None, description="What is spoken: ru, en, …; default: the first of yours")
    model: str | None = Field(default=None, description="An engine from /engines")
    context: str | None = Field(default=None, description="What it is about")
    prompt: str | None = Field(default=None, description="What was said before, or words to expect")
    terms: list[str] = Field(default=[], alias="terms[]", description="Names and words to expect")
    correct_terms: bool | None = Field(
        default=None, description="Take what was nearly an expected name for it; default: listening.correct_terms"
    )
    digits: bool | None = Field(default=None, description="Numbers in digits; default: listening.digits")
    use_llm_stt: bool | None = Field(
        default=None,
        validation_alias=AliasChoices("use_llm_stt", "use_llm"),
        description="Have the language model mend it; default: text.llm.use_llm_stt",
    )

    def expected(self) -> Expected:
        """Put it together."""
        said = " ".join(part for part in (self.context, self.prompt) if part)
        return Expected(
            language=self.language or None,
            model=self.model or None,
            prompt=said or None,
            terms=tuple(self.terms),
            word_times=True,
            finish=Finish(correct_terms=self.correct_terms, llm=self.use_llm_stt, digits=self.digits),
        )


class SpokenWord(BaseModel):
    """A word and when it was said."""

    word: str
    start: float = Field(description="Seconds from the beginning")
    end: float
    confidence: float | None = None


class SpokenSegment(BaseModel):
    """A part of a transcript and when it was said."""

    text: str
    start: float = Field(description="Seconds from the beginning")
    end: float
    words: list[SpokenWord] = []


class TranscriptReply(BaseModel):
    """A transcript."""

    raw_text: str = Field(description="As it was recognised")
    text: str = Field(description="After post-processing")
    language: str | None = Field(default=None, description="What was spoken, if that is known")
    duration: float = Field(description="Seconds of the recording")
    segments: list[SpokenSegment]
    raw_path: str | None = Field(default=None, description="The file of raw_text, when saving is on (outputs.save_stt)")
    path: str | None = Field(default=None, description="The file of text, when saving is on")


async def stt(request: web.Request) -> web.StreamResponse:
    """Transcribe a recording of any format."""
    async with read_upload(request) as upload:
        form = read_fields(upload.fields, TranscriptionForm)
        heard = await recognise(request, upload.recording(), form.expected())
    bridge = bridge_of(request)
    names = await _save(bridge, heard.raw, heard.text) if bridge.settings.outputs.save_stt else (None, None)
    reply = TranscriptReply(
        raw_text=heard.raw,
        text=heard.text,
        language=heard.language,
        duration=round(heard.seconds, 3),
        segments=segments(heard),
        raw_path=names[0],
        path=names[1],
    )
    return json_reply(reply)


def segments(heard: Transcription) -> list[SpokenSegment]:
    """Spell the pieces of a transcript."""
    return [
        SpokenSegment(
            text=piece.text.strip(),
            start=round(piece.start, 3),
            end=round(piece.end, 3),
            words=[
                SpokenWord(
                    word=word.text, start=round(word.start, 3), end=round(word.end, 3), confidence=word.confidence
                )
                for word in piece.words
            ],
        )
        for piece in heard.pieces
    ]


async def _save(bridge: Bridge, raw: str, text: str) -> tuple[str, str]:
    def write() -> tuple[str, str]:
        bridge.outputs.prune(time.time())
        moment = stamp()
        for name, content in ((f"stt_{moment}_raw.txt", raw), (f"stt_{moment}.txt", text)):
            with bridge.outputs.writing(name) as file:
                file.write(content.encode())
        folder = bridge.outputs.folder
        return str(folder / f"stt_{moment}_raw.txt"), str(folder / f"stt_{moment}.txt")

    return await asyncio.to_thread(write)


ROUTES: Final = (Route("POST", "/stt", stt, "Transcribe a recording", form=TranscriptionForm, reply=TranscriptReply),)
