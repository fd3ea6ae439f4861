"""``POST /tts``, ``POST /tts/wav``, ``GET /outputs/NAME``: a text to a file, or to audio while it is made."""

import asyncio
import base64
import io
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import PureWindowsPath
from typing import Annotated, BinaryIO, Final

from aiohttp import web
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from wyoming_voice.app import App
from wyoming_voice.audio import PcmFormat
from wyoming_voice.enrol import Recording, borrow
from wyoming_voice.errors import BadRequest, TooLarge
from wyoming_voice.link import PITCH, SEEDS, SPEED
from wyoming_voice.speech import Utterance, Wanted, once
from wyoming_voice.voice_file import LONGEST_TEXT, MOST_REFERENCES
from wyoming_voice.voices import VoiceChoice

from .body import read_json
from .bridge import Bridge, bridge_of
from .output import stamp
from .reply import file_reply, json_reply
from .route import Route
from .sound import AUDIO, AudioEncoder, choose_format, sound_of, stream_speech


class Reference(BaseModel):
    """A recording of a voice to be cloned, and what it says."""

    audio: str = Field(description="The recording, base64")
    text: str | None = Field(default=None, description="What it says")


class SpeechRequest(BaseModel):
    """What to say, and how."""

    model_config = ConfigDict(extra="ignore")

    text: str = Field(description="What to say; Markdown, emoji and addresses are not read as symbols")
    voice: str | None = Field(
        default=None, description="A name from /voices; with a recording or a description, also of /engines"
    )
    speaker: str | None = Field(default=None, description="Of a voice that has several")
    language: str | None = Field(default=None, description="Choose the voice by language: ru, en, …")
    voice_description: str | None = Field(default=None, description="A voice in words, for engines that design voices")
    reference_audio_base64: str | None = Field(default=None, description="A recording of the voice to clone, base64")
    reference_text: str | None = Field(default=None, description="What that recording says")
    references: Annotated[list[Reference], Field(max_length=MOST_REFERENCES)] = Field(
        default=[], description="Several recordings of the voice to clone"
    )
    seed: Annotated[int, Field(ge=0, lt=SEEDS)] | None = Field(
        default=None, description="The same request with the same seed sounds the same, with engines that draw lots"
    )
    style: str | None = Field(default=None, description="How to say it, in words, for engines that can")
    speed: Annotated[float, Field(ge=SPEED[0], le=SPEED[1])] = Field(default=1.0, description="1 is the voice's own")
    pitch: Annotated[float, Field(ge=PITCH[0], le=PITCH[1])] = Field(default=1.0, description="1 is the voice's own")
    format: str | None = Field(default=None, description="wav, pcm, ogg, opus, mp3, flac or aac")
    use_stress: bool | None = Field(default=None, description="Mark stressed vowels; default: text.stress")
    use_llm_tts: bool | None = Field(
        default=None,
        validation_alias=AliasChoices("use_llm_tts", "use_llm"),
        description="Have the language model rewrite the text; default: text.llm.use_llm_tts",
    )

    def utterance(self, choice: VoiceChoice, told: Callable[[str], None] | None = None) -> Utterance:
        """Build the request; ``told`` gets what is really said."""
        return Utterance(
            text=once(self.text),
            voice=choice,
            style=self.style,
            speed=self.speed,
            pitch=self.pitch,
            seed=self.seed,
            wanted=Wanted(llm=self.use_llm_tts, stress=self.use_stress),
            told=told,
        )

    @asynccontextmanager
    async def choice(self, app: App) -> AsyncIterator[VoiceChoice]:
        """Choose the voice; its references are on the disk for as long as the block lasts.

        Raises what is wrong with a reference.
        """
        voice = VoiceChoice(self.voice, self.language, self.speaker, description=self.voice_description or None)
        said = list(self.references)
        if self.reference_audio_base64:
            said.insert(0, Reference(audio=self.reference_audio_base64, text=self.reference_text))
        if len(self.voice_description or "") > LONGEST_TEXT:
            raise TooLarge(f"A description may have {LONGEST_TEXT} characters.")
        if said:
            app.voices.catalogue.able("clone")
        recordings = [Recording(await asyncio.to_thread(_decoded, one.audio), one.text) for one in said]
        async with borrow(app, recordings) as references:
            yield replace(voice, references=references)


class SpokenFile(BaseModel):
    """A file that was spoken."""

    processed_text: str = Field(description="What was really said")
    path: str = Field(description="The file on the server's disk, an OGG Vorbis")
    windows_path: str | None = Field(default=None, description="The same as Windows sees it (outputs.windows_paths)")
    url: str = Field(description="Where to fetch it, relative to this address")
    voice: str | None = Field(default=None, description="As it was asked for")
    sample_rate: int
    duration: float = Field(description="Seconds")


async def tts(request: web.Request) -> web.StreamResponse:
    """Speak a text to an OGG Vorbis file."""
    bridge = bridge_of(request)
    asked = await read_json(request, SpeechRequest)
    bridge.admit()
    _check_length(bridge, asked)
    name = f"speech_{stamp()}.ogg"
    said: list[str] = []
    async with asked.choice(bridge.app) as choice:
        sound, seconds = await _write(bridge, asked.utterance(choice, said.append), name)
    path = bridge.outputs.folder / name
    reply = SpokenFile(
        processed_text=" ".join(said),
        path=str(path),
        windows_path=_windows(str(path)) if bridge.settings.outputs.windows_paths else None,
        url=f"outputs/{name}",
        voice=asked.voice,
        sample_rate=sound.rate,
        duration=round(seconds, 3),
    )
    return json_reply(reply)


async def _write(bridge: Bridge, utterance: Utterance, name: str) -> tuple[PcmFormat, float]:
    await asyncio.to_thread(bridge.outputs.prune, time.time())
    async with bridge.app.speech.synthesize(utterance) as audio:
        first = await anext(audio, None)
        sound = sound_of(first, utterance)
        seconds = 0.0
        with bridge.outputs.writing(name) as file:
            encoder = AudioEncoder("ogg", sound)
            chunk = first
            while chunk is not None:
                seconds += chunk.seconds
                await asyncio.to_thread(file.write, await encoder.feed(chunk.audio))
                chunk = await anext(audio, None)
            await asyncio.to_thread(file.write, await encoder.finish())
    return sound, seconds


async def tts_wav(request: web.Request) -> web.StreamResponse:
    """Speak a text as WAV (or another format) that leaves while it is made."""
    asked = await read_json(request, SpeechRequest)
    kind = choose_format(asked.format, request.headers.get("Accept", ""))
    async with asked.choice(bridge_of(request).app) as choice:
        text = await _processed(bridge_of(request), asked, choice)
        headers = {"X-Processed-Text-Length": str(len(text))}
        return await stream_speech(request, asked.utterance(choice), kind, headers)


async def output(request: web.Request) -> web.StreamResponse:
    """Fetch a file that an earlier request made."""
    path = await asyncio.to_thread(bridge_of(request).outputs.find, request.match_info["name"])
    if path is None:
        raise web.HTTPNotFound
    kind = "audio/ogg" if path.suffix == ".ogg" else "text/plain; charset=utf-8"
    return file_reply(request, path, {"Content-Type": kind, "X-Content-Type-Options": "nosniff"})


async def _processed(bridge: Bridge, asked: SpeechRequest, choice: VoiceChoice) -> str:
    """Return what is said, as far as that is known before it is."""
    _check_length(bridge, asked)
    return await bridge.app.speech.spoken(asked.text, choice)


def _check_length(bridge: Bridge, asked: SpeechRequest) -> None:
    """Raise TooLarge before any work is done."""
    limit = bridge.settings.limits.text
    if len(asked.text) > limit:
        raise TooLarge(f"A text may have {limit} characters (limits.text).")


def _decoded(audio: str) -> BinaryIO:
    """Read base64, also as a data URL, also in lines as ``base64`` writes it; raises BadRequest."""
    try:
        return io.BytesIO(base64.b64decode("".join(audio.rpartition(",")[2].split()), validate=True))
    except ValueError:
        raise BadRequest("A reference's audio must be base64 of a recording (WAV, MP3, FLAC, …).") from None


def _windows(path: str) -> str:
    r"""Write a path of WSL as Windows opens it: /mnt/c/x is C:\x, anything else is under \\wsl.localhost."""
    parts = path.split("/")
    if len(parts) > 3 and parts[1] == "mnt" and len(parts[2]) == 1:
        return str(PureWindowsPath(f"{parts[2].upper()}:\\", *parts[3:]))
    return "\\\\wsl.localhost\\" + "\\".join([_distribution(), *parts[1:]])


def _distribution() -> str:
    return os.environ.get("WSL_DISTRO_NAME", "Linux")


ROUTES: Final = (
    Route("POST", "/tts", tts, "Speak a text to a file", request=SpeechRequest, reply=SpokenFile),
    Route(
        "POST",
        "/tts/wav",
        tts_wav,
        "Speak a text while it is made",
        request=SpeechRequest,
        media="audio/wav",
        also=AUDIO,
    ),
    Route("GET", "/outputs/{name}", output, "Fetch a file", media="audio/ogg", also=("text/plain",)),
)
