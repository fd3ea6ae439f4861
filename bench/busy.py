"""Clients, in a process of their own, that keep every engine of a server busy until the process is ended."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from .aside import aside, wanted
from .ask import hear, speak
from .recording import recordings
from .server import models, voices
from .text import SENTENCES

_EACH: Final = 2
"""Clients of each engine: one is served while the other waits."""
LANGUAGE: Final = "en"


@asynccontextmanager
async def busy(port: int) -> AsyncIterator[None]:
    """Keep the engines busy while the block runs."""
    async with aside("bench.busy", port):
        yield


def engines() -> Sequence[str]:
    """Name the engines that are kept busy."""
    speaking = [voice.engine for voice in voices(LANGUAGE)]
    return [*speaking, *(model.engine for model in models(LANGUAGE) if recordings())]


async def _speak(port: int, voice: str) -> None:
    await speak(port, " ".join(SENTENCES[LANGUAGE]), voice)


async def _hear(port: int, model: str) -> None:
    longest = max((one for one in recordings() if one.language == LANGUAGE), key=lambda one: one.seconds)
    await hear(port, longest.pcm, LANGUAGE, model)


async def _load(port: int) -> None:
    asking = [
        *((_speak, voice.name) for voice in voices(LANGUAGE)),
        *((_hear, model.name) for model in models(LANGUAGE) if recordings()),
    ]
    for ask, name in asking:
        await ask(port, name)  # engines load before the load begins

    async def again(number: int) -> None:
        ask, name = asking[number % len(asking)]
        while True:
            await ask(port, name)

    async with asyncio.TaskGroup() as group:
        for number in range(_EACH * len(asking)):
            group.create_task(again(number), name=f"load {number}")
        print("busy", flush=True)


if __name__ == "__main__":
    asyncio.run(_load(wanted()))
