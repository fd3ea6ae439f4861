"""Two clients, in a process of their own, that want everything: an endless text, and an hour of audio at once."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from wyoming.asr import Transcribe
from wyoming.audio import AudioChunk, AudioStart
from wyoming.tts import Synthesize, SynthesizeVoice

from .aside import aside, wanted
from .ask import connect
from .crowd import Wishes
from .recording import RATE

SENTENCE: Final = "Some more of this endless story is told now. "
_SENTENCES: Final = 2000
_HOUR: Final = 3600
_NICE: Final = 10  # they stand for clients on other machines: what they do themselves must delay nobody


@asynccontextmanager
async def insatiable(port: int, wishes: Wishes, *, talk: bool = True, dictate: bool = True) -> AsyncIterator[None]:
    """Have them ask, or one of them, while the block runs."""
    asked = {
        "port": port,
        "voice": wishes.voice if talk else None,
        "model": wishes.model if dictate else None,
        "language": wishes.language,
        "piece": wishes.pcm[: 2 * RATE].hex(),
    }
    async with aside("bench.insatiable", asked):
        yield


async def _talk(port: int, voice: str, begun: asyncio.Event) -> None:
    while True:
        async with connect(port) as client:
            await client.write_event(Synthesize(SENTENCE * _SENTENCES, SynthesizeVoice(voice)).event())
            while (event := await client.read_event()) is not None and event.type != "audio-stop":
                begun.set()


async def _dictate(port: int, model: str, language: str, piece: bytes, begun: asyncio.Event) -> None:
    sound = {"rate": RATE, "width": 2, "channels": 1}
    while True:
        async with connect(port) as client:
            await client.write_event(Transcribe(name=model, language=language).event())
            await client.write_event(AudioStart(**sound).event())
            for _ in range(_HOUR):
                await client.write_event(AudioChunk(audio=piece, **sound).event())
                begun.set()


async def _want(*, port: int, voice: str | None, model: str | None, language: str, piece: str) -> None:
    begun = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        if voice is not None:
            group.create_task(_talk(port, voice, begun[0]), name="talk")
            await begun[0].wait()
        if model is not None:
            group.create_task(_dictate(port, model, language, bytes.fromhex(piece), begun[1]), name="dictate")
            await begun[1].wait()
        print("begun", flush=True)


if __name__ == "__main__":
    os.nice(_NICE)
    asyncio.run(_want(**wanted()))
