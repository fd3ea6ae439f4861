"""An engine called directly, in a loop in a process of its own: what the server is measured against.

The process reads a request a line from its standard input, JSON, and answers with a line.
"""

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any, Final, cast

import numpy as np

from wyoming_voice.engines.protocol import AsrEngine, Engine, Piece, Segment, TtsEngine
from wyoming_voice.worker import load

from .ask import Spoken, Transcribed
from .server import ROOT, catalogue

_LINE: Final = 64 * 2**20  # bytes; a recording is in one


class Direct:
    """The engine's process, from outside."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def speak(self, sentences: Sequence[str], voice: str) -> Spoken:
        return Spoken(**await self._ask({"sentences": sentences, "voice": voice}))

    async def hear(self, pcm: bytes, language: str) -> Transcribed:
        return Transcribed(**await self._ask({"pcm": base64.b64encode(pcm).decode(), "language": language}))

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None, "it was started with a pipe"
        assert self._process.stdout is not None, "it was started with a pipe"
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        answer: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return answer


@asynccontextmanager
async def direct(engine: str) -> AsyncIterator[Direct]:
    """Load an engine, with the options that the server gives it; leaving the block ends its process."""
    place = catalogue().places[engine]
    assert place.spec is not None, "an engine of this machine"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.direct", place.spec.entry, json.dumps(dict(place.options))),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        limit=_LINE,
    )
    try:
        yield Direct(process)
    finally:
        process.kill()
        await process.wait()


def _speak(engine: TtsEngine, sentences: Sequence[str], voice: str) -> Spoken:
    started = perf_counter()
    first, audio = 0.0, 0.0
    for sentence in sentences:
        for chunk in engine.synthesize(Segment(sentence, voice)):
            first = first or perf_counter() - started
            audio += chunk.seconds
    return Spoken(first, perf_counter() - started, audio)


def _hear(engine: AsrEngine, pcm: bytes, language: str) -> Transcribed:
    started = perf_counter()
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0
    text = "".join(heard.text for heard in engine.transcribe(Piece(samples, language)))
    return Transcribed(perf_counter() - started, text)


def _answer(engine: Engine, asked: dict[str, Any]) -> dict[str, Any]:
    if "pcm" in asked:
        heard = _hear(cast("AsrEngine", engine), base64.b64decode(asked["pcm"]), asked["language"])
        return {"seconds": heard.seconds, "text": heard.text}
    spoken = _speak(cast("TtsEngine", engine), asked["sentences"], asked["voice"])
    return {"first": spoken.first, "last": spoken.last, "audio": spoken.audio}


def main() -> None:
    entry, options = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # native libraries print what they like
    engine = load(entry, json.loads(options))
    for line in sys.stdin:
        answers.write(json.dumps(_answer(engine, json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
