"""Audio to a client of HTTP, while it is being made."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Final

from aiohttp import web
from wyoming.audio import AudioChunk

from wyoming_voice.audio import PcmFormat
from wyoming_voice.codec import FORMATS, Encoder
from wyoming_voice.errors import BadRequest
from wyoming_voice.speech import Utterance

from .bridge import STREAMING, bridge_of
from .reply import write

AUDIO: Final = tuple(form.mime for form in FORMATS.values())
"""The media types of audio."""
SILENT: Final = PcmFormat(22_050, 2, 1)
"""What an utterance without audio says it would have been."""
_CHEAP: Final = frozenset({"wav", "pcm"})  # encoded in no time; the others in a thread
_OTHER_NAMES: Final = {"mpeg": "mp3", "vorbis": "ogg", "x-wav": "wav", "wave": "wav", "l16": "pcm"}


@asynccontextmanager
async def speaking(
    request: web.Request, utterance: Utterance, kind: str
) -> AsyncIterator[tuple[PcmFormat, AsyncIterator[bytes]]]:
    """Speak an utterance as a file of this format, from its first audio on; leaving the block cancels the rest.

    Whatever can be wrong with the request is raised before the block is entered.
    """
    bridge = bridge_of(request)
    bridge.admit()
    async with bridge.app.speech.synthesize(utterance) as audio:
        first = await anext(audio, None)
        sound = sound_of(first, utterance)
        async with aclosing(AudioEncoder(kind, sound).stream(first, audio)) as file:
            yield sound, file


async def stream_speech(
    request: web.Request, utterance: Utterance, kind: str, headers: Mapping[str, str] | None = None
) -> web.StreamResponse:
    """Answer with an utterance as a file of this format; its first bytes leave before the last are made.

    Until the first audio there is a proper reply for every error; after it, the connection breaks off.
    """
    async with speaking(request, utterance, kind) as (sound, file):
        reply = web.StreamResponse(
            headers={"Content-Type": FORMATS[kind].mime, "X-Sample-Rate": str(sound.rate), **(headers or {})}
        )
        await reply.prepare(request)
        request[STREAMING] = reply
        async for encoded in file:
            await write(request, reply, encoded)
        await reply.write_eof()
    return reply


def sound_of(first: AudioChunk | None, utterance: Utterance) -> PcmFormat:
    """Return the format of an utterance that begins with this chunk; None: it has no audio."""
    return (
        PcmFormat(utterance.rate or SILENT.rate, 2, 1)
        if first is None
        else PcmFormat(first.rate, first.width, first.channels)
    )


class AudioEncoder:
    """An encoder that leaves the event loop alone."""

    def __init__(self, kind: str, sound: PcmFormat) -> None:
        self._encoder = Encoder(kind, sound)
        self._cheap = kind in _CHEAP

    async def feed(self, pcm: bytes) -> bytes:
        """Encode some more; b"" while the encoder keeps it."""
        return self._encoder.feed(pcm) if self._cheap else await asyncio.to_thread(self._encoder.feed, pcm)

    async def finish(self) -> bytes:
        """Return the last bytes."""
        return self._encoder.finish() if self._cheap else await asyncio.to_thread(self._encoder.finish)

    async def stream(self, first: AudioChunk | None, rest: AsyncIterator[AudioChunk]) -> AsyncGenerator[bytes, None]:
        """Yield the file as it becomes longer."""
        chunk = first
        while chunk is not None:
            if encoded := await self.feed(chunk.audio):
                yield encoded
            chunk = await anext(rest, None)
        if encoded := await self.finish():
            yield encoded


def choose_format(named: str | None, accept: str, default: str = "wav") -> str:
    """Choose the format by its name, else by the Accept header; raises BadRequest for one that there is not."""
    if named is not None:
        name = _OTHER_NAMES.get(named.lower(), named.lower())
        if name not in FORMATS:
            raise BadRequest(f"There is no format '{named}'; there are {', '.join(FORMATS)}.")
        return name
    for kind in accept.split(","):
        essence = kind.partition(";")[0].strip().lower()
        by_mime = next((name for name, form in FORMATS.items() if form.mime.partition(";")[0] == essence), None)
        short = essence.removeprefix("audio/")
        if found := by_mime or _OTHER_NAMES.get(short) or (short if short in FORMATS else None):
            return found
    return default
