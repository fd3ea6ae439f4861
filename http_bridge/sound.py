"""Audio to a client of HTTP, while it is being made."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Final

from aiohttp import web
from wyoming.audio import AudioChunk

from wyoming_voice.audio import PcmFormat
from wyoming_voice.codec import FORMATS, Encoder
from wyoming_voice.errors import BadRequest
from wyoming_voice.speech import Utterance

from .bridge import bridge_of

SILENT: Final = PcmFormat(22_050, 2, 1)
"""What an utterance without audio says it would have been."""
_CHEAP: Final = frozenset({"wav", "pcm"})  # encoded in no time; the others in a thread
_OTHER_NAMES: Final = {"mpeg": "mp3", "vorbis": "ogg", "x-wav": "wav", "wave": "wav", "l16": "pcm"}


async def stream_speech(
    request: web.Request, utterance: Utterance, kind: str, headers: Mapping[str, str] | None = None
) -> web.StreamResponse:
    """Answer with an utterance as a file of this format; its first bytes leave before the last are made.

    Until the first audio there is a proper reply for every error; after it, the connection breaks off.
    """
    bridge = bridge_of(request)
    bridge.admit()
    async with AsyncExitStack() as stack:
        audio = await stack.enter_async_context(bridge.app.speech.synthesize(utterance))
        first = await anext(audio, None)
        sound = SILENT if first is None else PcmFormat(first.rate, first.width, first.channels)
        encoder = AudioEncoder(kind, sound)
        reply = web.StreamResponse(
            headers={"Content-Type": FORMATS[kind].mime, "X-Sample-Rate": str(sound.rate), **(headers or {})}
        )
        await reply.prepare(request)
        request["streaming"] = True
        async for encoded in encoder.stream(first, audio):
            await reply.write(encoded)
        await reply.write_eof()
    return reply


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

    async def stream(self, first: AudioChunk | None, rest: AsyncIterator[AudioChunk]) -> AsyncIterator[bytes]:
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
