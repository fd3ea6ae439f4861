"""``POST /voices``, ``DELETE /voices/NAME``: voices that the user makes of recordings or of a description."""

from typing import Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from wyoming_voice.config_type import Language
from wyoming_voice.enrol import Enrolment, Recording, draft, forget, keep
from wyoming_voice.errors import BadRequest, UnknownVoice
from wyoming_voice.voice_file import MOST_REFERENCES

from .body import read_fields, read_upload
from .bridge import bridge_of
from .reply import json_reply
from .route import Route
from .state_reply import VoiceReply, voice_reply


class VoiceForm(BaseModel):
    """A voice to be made, beside its recordings: up to 16 fields ``file``, of 5 to 15 s each."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(description="What it is called from now on")
    text: str | list[str] | None = Field(
        default=None,
        description="What the recording says, once for each; recognised where it is left out: see `texts` of the reply",
    )
    description: str | None = Field(default=None, description="A voice in words, in place of a recording")
    engine: str | None = Field(default=None, description="Who speaks with it; default: the first that can")
    language: Language | None = Field(default=None, description="What it speaks; default: all that its engine does")

    def texts(self, files: int) -> list[str | None]:
        """Return what each recording says; raises BadRequest when there are more texts than recordings."""
        said: list[str] = [self.text] if isinstance(self.text, str) else self.text or []
        if len(said) > files:
            raise BadRequest(f"There are {len(said)} texts for {files} recordings.")
        return [*(text or None for text in said), *[None] * (files - len(said))]


class MadeReply(BaseModel):
    """A voice that was made."""

    voice: VoiceReply
    texts: list[str] = Field(description="What each recording says")
    recognised: bool = Field(description="Some text was recognised here: look whether it is right")


class RemovedReply(BaseModel):
    """A voice that is gone."""

    removed: str


async def add(request: web.Request) -> web.StreamResponse:
    """Make a voice; it can be chosen from now on."""
    bridge = bridge_of(request)
    bridge.admit()
    async with read_upload(request, most=MOST_REFERENCES) as upload:
        form = read_fields(upload.fields, VoiceForm)
        texts = form.texts(len(upload.files))
        wanted = Enrolment(
            name=form.name,
            recordings=tuple(Recording(file, text) for file, text in zip(upload.files, texts, strict=True)),
            description=(form.description or "").strip() or None,
            engine=form.engine or None,
            languages=(form.language,) if form.language else (),
        )
        made = await draft(bridge.app, wanted)
    voice = await keep(bridge.app, made)
    found = next(
        (known for known in bridge.app.voices.catalogue.voices if known.name == voice.name and known.own), None
    )
    if found is None:
        raise UnknownVoice(f"The voice '{voice.name}' was made, and somebody has removed it already.")
    texts_said = [text or "" for _, text in made.recordings]
    reply = MadeReply(voice=voice_reply(found, found.languages), texts=texts_said, recognised=made.recognised)
    return json_reply(reply, status=201)


async def remove(request: web.Request) -> web.StreamResponse:
    """Remove a voice that the user made."""
    name = request.match_info["name"]
    await forget(bridge_of(request).app, name)
    return json_reply(RemovedReply(removed=name))


ROUTES: Final = (
    Route("POST", "/voices", add, "Make a voice of recordings or of a description", form=VoiceForm, reply=MadeReply),
    Route("DELETE", "/voices/{name}", remove, "Remove a voice that was made here", reply=RemovedReply),
)
