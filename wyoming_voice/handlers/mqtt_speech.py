"""Speaking and hearing by topics: how requests are spelled, and the audio as WAV files of a bounded size."""

import json
import re
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from io import BytesIO
from typing import Final

from wyoming_voice import fields
from wyoming_voice.audio import PcmFormat
from wyoming_voice.codec import decode, wav_header
from wyoming_voice.errors import BadRequest, VoiceError
from wyoming_voice.link import PITCH, SPEED
from wyoming_voice.listening import HEARD
from wyoming_voice.speech import Listening, Speech, Utterance
from wyoming_voice.stream import in_thread
from wyoming_voice.voices import VoiceChoice

SITE: Final = "default"
"""The site of a request that names none."""
_HEADER: Final = 44  # bytes of a WAV file before its sound
_LEVEL: Final = re.compile(r"[^/+#\x00-\x1f\x7f]{1,64}")
"""What a request may add to a topic."""


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose request it is, as every answer to it says."""

    id: str | None = None
    """None: nobody said, or it could not be read."""
    site: str = SITE


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """One request to speak."""

    text: str
    whose: Whose
    engine: str | None = None
    """Speak with the voice that is chosen for this engine."""
    voice: VoiceChoice = field(default_factory=VoiceChoice)
    style: str | None = None
    speed: float | None = None
    pitch: float = 1.0
    ssml: bool = False


class Refused(Exception):
    """A request that nothing comes of, and whose it was."""

    def __init__(self, error: VoiceError, whose: Whose) -> None:
        super().__init__(error.text)
        self.error = error
        self.whose = whose


def level(name: str, value: str | None, default: str) -> str:
    """Check what a request adds to a topic."""
    if not value:
        return default
    if _LEVEL.fullmatch(value) is None:
        raise BadRequest(f'"{name}" must have 1 to 64 characters, none of them / + or #.')
    return value


def read_json(payload: bytes) -> fields.Data:
    """Read an object; raises BadRequest."""
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"This is not JSON: {error}.") from None
    return fields.mapping({"message": said}, "message")


def read_say(payload: bytes) -> Say:
    """Read a request: an object with ``text`` and more, or nothing but the text. Raises Refused."""
    asked: fields.Data = {}
    try:
        if payload.lstrip()[:1] != b"{":
            return Say(text=_decoded(payload), whose=Whose(secrets.token_hex(8)))
        asked = read_json(payload)
        return Say(
            text=fields.text(asked),
            whose=Whose(
                level("id", fields.string(asked, "id"), secrets.token_hex(8)),
                level("site", fields.string(asked, "site"), SITE),
            ),
            engine=fields.string(asked, "engine") or None,
            voice=VoiceChoice(
                name=fields.string(asked, "voice") or None,
                language=fields.string(asked, "language") or None,
                speaker=fields.string(asked, "speaker") or None,
            ),
            style=fields.string(asked, "style"),
            speed=fields.number(asked, "speed", 0.0, least=SPEED[0], most=SPEED[1]) or None,
            pitch=fields.number(asked, "pitch", 1.0, least=PITCH[0], most=PITCH[1]),
            ssml=fields.flag(asked, "ssml"),
        )
    except VoiceError as error:
        raise Refused(error, Whose(_readable(asked, "id"), _readable(asked, "site") or SITE)) from None


def _decoded(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise BadRequest("This is not text in UTF-8.") from error


def _readable(asked: fields.Data, name: str) -> str | None:
    value = asked.get(name)
    return value if isinstance(value, str) and _LEVEL.fullmatch(value) else None


@dataclass(frozen=True, slots=True)
class Spoken:
    """How a request was answered."""

    pieces: int
    """WAV files."""
    seconds: float
    """Of audio."""


async def speak(speech: Speech, utterance: Utterance, most: int, give: Callable[[bytes], Awaitable[None]]) -> Spoken:
    """Speak, and give the audio as whole WAV files of at most ``most`` bytes, in order. Raises as Speech does."""
    held = bytearray()
    sound: PcmFormat | None = None
    pieces, total = 0, 0
    async with speech.synthesize(utterance) as audio:
        async for chunk in audio:
            sound = PcmFormat(chunk.rate, chunk.width, chunk.channels)
            held += chunk.audio
            room = (most - _HEADER) // sound.frame_size * sound.frame_size
            while len(held) > room:
                await give(wav_header(sound, room) + bytes(held[:room]))
                del held[:room]
                pieces, total = pieces + 1, total + room
    if sound is None:
        return Spoken(0, 0.0)
    if held:
        await give(wav_header(sound, len(held)) + bytes(held))
    return Spoken(pieces + bool(held), round((total + len(held)) / sound.byte_rate, 3))


@dataclass(frozen=True, slots=True)
class Transcribed:
    """What was heard."""

    text: str
    seconds: float
    """Of the recording."""


async def transcribe(
    speech: Speech, recording: bytes, language: str | None, model: str | None, most_seconds: float
) -> Transcribed:
    """Transcribe a recording of any format, as it is to be read. Raises as Speech and the codec do."""
    size = 0
    async with aclosing(in_thread(decode(BytesIO(recording), HEARD, max_seconds=most_seconds))) as audio:

        async def counted() -> AsyncGenerator[bytes, None]:
            nonlocal size
            async for pcm in audio:
                size += len(pcm)
                yield pcm

        async with aclosing(counted()) as sound:
            text = await read(speech, Listening(audio=sound, language=language, model=model))
    return Transcribed(text, round(size / HEARD.byte_rate, 3))


async def read(speech: Speech, listening: Listening) -> str:
    """Hear audio to its end, and return what is to be read of it."""
    async with speech.transcribe(listening) as pieces:
        heard = [piece async for piece in pieces]
    raw = "".join(piece.text for piece in heard).strip()
    language = next((piece.language for piece in heard if piece.language), None)
    return await speech.polish(raw, listening, language) if raw else ""
