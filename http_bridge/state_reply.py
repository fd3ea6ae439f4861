"""What is told of voices, engines, requests and the server itself, as JSON."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from wyoming_voice.pool import EngineState
from wyoming_voice.voices import Catalogue, Place, Voice, canonical


class VoiceReply(BaseModel):
    """A voice that can be chosen."""

    id: str = Field(description="What to send as `voice`")
    name: str = Field(description="What a person reads")
    languages: list[str]
    engine: str
    speakers: list[str] = []
    licence: str = ""
    own: bool = Field(default=False, description="Made here by the user: it can be removed")
    missing: str | None = Field(default=None, description="What keeps it from speaking, and the command that mends it")


class VoicesReply(BaseModel):
    """The voices of the user's languages, the best first."""

    voices: list[VoiceReply]
    default: str | None = Field(default=None, description="The voice for text that says nothing about its language")


class EngineReply(BaseModel):
    """An engine and what it is doing."""

    name: str
    description: str
    task: Literal["tts", "asr", "text", "remote"]
    state: Literal["unavailable", "cold", "loading", "ready", "busy"]
    missing: str | None = Field(default=None, description="What keeps it from working, and the command that mends it")
    loading_seconds: float | None = Field(default=None, description="How long it has been loading")
    load_seconds: float | None = Field(default=None, description="How long it took the last time")
    languages: list[str] = []
    voices: int = 0
    workers: int = Field(description="Processes that run")
    waiting: int = Field(description="Turns that are waited for")
    memory: int = Field(description="Bytes of its processes")
    licence: str = ""


class EnginesReply(BaseModel):
    """All engines, in order of preference."""

    engines: list[EngineReply]


class RequestReply(BaseModel):
    """A request of late; what was said or heard only where the user wants that (bridge.recent_texts)."""

    task: Literal["tts", "asr"]
    engine: str
    voice: str = Field(description="The voice that spoke, or the language that was heard")
    began: float = Field(description="Seconds since 1970")
    first: float | None = Field(default=None, description="Seconds to the first audio or text")
    seconds: float | None = Field(default=None, description="Seconds in all; none while it runs")
    audio: float = Field(description="Seconds of audio")
    outcome: str = Field(description="ok, cancelled, an error's code, or empty while it runs")
    text: str | None = Field(default=None, description="What was said or heard, where bridge.recent_texts is on")


class RequestsReply(BaseModel):
    """The last requests, the newest first."""

    requests: list[RequestReply]


class ReadyReply(BaseModel):
    """Whether the default engines are loaded."""

    ready: bool
    waiting_for: list[str] = Field(default=[], description="Engines that are not loaded yet")


class HealthReply(BaseModel):
    """That the server is alive."""

    status: Literal["ok"] = "ok"
    version: str


class UnloadReply(BaseModel):
    """What is being unloaded."""

    unloaded: str


class ReloadReply(BaseModel):
    """What the configuration that was read again changed."""

    added: list[str] = Field(description="Engines that are new")
    changed: list[str] = Field(description="Engines whose workers are replaced")
    removed: list[str] = Field(description="Engines that are gone; requests that they have are finished")
    restart: list[str] = Field(description="Keys that keep their value until the server is started again")


class CapabilitiesReply(BaseModel):
    """Every limit, format and engine, in one place."""

    version: str
    languages: list[str]
    formats: dict[str, str] = Field(description="Names for `format`, and their media types")
    speed: Annotated[list[float], Field(min_length=2, max_length=2, description="The least and the most")]
    pitch: Annotated[list[float], Field(min_length=2, max_length=2, description="The least and the most")]
    limits: dict[str, float]
    speaks: list[str]
    hears: list[str]
    engines: list[str] = Field(description="Those that are ready")
    makes: list[str] = Field(description="What voices can be made of: clone (recordings), design (a description)")
    dialects: list[str]
    uptime: float = Field(description="Seconds since the start")


def voice_reply(voice: Voice, languages: tuple[str, ...]) -> VoiceReply:
    """Show a voice."""
    return VoiceReply(
        id=voice.name,
        name=voice.description,
        languages=[canonical(language) for language in languages],
        engine=voice.engine,
        speakers=list(voice.speakers),
        licence=voice.licence,
        own=voice.own,
        missing=voice.missing,
    )


def engine_reply(catalogue: Catalogue, place: Place, state: EngineState, memory: int) -> EngineReply:
    spec = place.spec
    spoken = [voice for voice, _ in catalogue.offered if voice.engine == place.name]
    heard = [model for model in catalogue.models if model.engine == place.name]
    languages = {known for voice in spoken for known in catalogue.wanted(voice.languages)} | {
        known for model in heard for known in catalogue.wanted(model.languages)
    }
    return EngineReply(
        name=place.name,
        description=spec.description if spec is not None else ", ".join(place.settings.uri or ()),
        task=spec.task if spec is not None else "remote",
        state=_state(place, state),
        missing=place.missing,
        loading_seconds=state.loading,
        load_seconds=state.load_seconds,
        languages=sorted(map(canonical, languages)),
        voices=len(spoken),
        workers=state.ready + state.busy + state.starting,
        waiting=state.waiting,
        memory=memory,
        licence=spec.licence if spec is not None else "",
    )


def _state(place: Place, state: EngineState) -> Literal["unavailable", "cold", "loading", "ready", "busy"]:
    if place.missing is not None:
        return "unavailable"
    if state.busy:
        return "busy"
    if state.ready:
        return "ready"
    return "loading" if state.starting else "cold"
