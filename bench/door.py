"""The server with both of its doors open, and requests through the one of HTTP as clients of it make them."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import aiohttp
import psutil
import yaml

from .ask import Spoken
from .server import CONFIG, ROOT, Running

_DEADLINE: Final = aiohttp.ClientTimeout(total=900)
_WAV_HEADER: Final = 44  # bytes that are no audio yet


@dataclass(frozen=True, slots=True)
class Doors:
    """A server that runs, and a client of it that connects anew for each request."""

    server: Running
    client: aiohttp.ClientSession

    async def speak(self, path: str, body: Mapping[str, Any], rate: int, *, header: int = 0) -> Spoken:
        """Post a request for audio of this rate, after ``header`` bytes that are none."""
        started = perf_counter()
        first, length = 0.0, -header
        async with self.client.post(path, json=body) as reply:
            reply.raise_for_status()
            async for received in reply.content.iter_any():
                length += len(received)
                if length > 0:
                    first = first or perf_counter() - started
        assert length > 0, "a voice that says nothing cannot be measured"
        return Spoken(first, perf_counter() - started, length / 2 / rate, rate)

    async def speak_wav(self, path: str, body: Mapping[str, Any], rate: int) -> Spoken:
        """Post a request for a WAV file."""
        return await self.speak(path, body, rate, header=_WAV_HEADER)

    async def speak_streaming(self, text: str, voice: str) -> Spoken:
        """Speak over a WebSocket of its own: raw PCM."""
        started = perf_counter()
        first, length = 0.0, 0
        asked = {"voice": voice, "encoding": "linear16"}
        async with self.client.ws_connect("/tts/speak-streaming", params=asked) as socket:
            await socket.send_json({"type": "Speak", "text": text})
            await socket.send_json({"type": "Flush"})
            async for message in socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    first = first or perf_counter() - started
                    length += len(message.data)
                elif (said := json.loads(message.data))["type"] == "Flushed":
                    last = perf_counter() - started
                    return Spoken(first, last, length / 2 / said["sample_rate"], said["sample_rate"])
                elif said["type"] != "Metadata":
                    raise RuntimeError(f"The server says: {said}")
        raise RuntimeError("The server closed before its answer was complete.")

    async def transcribe(self, recording: Path, **fields: str) -> dict[str, Any]:
        """Upload a recording, and return what is answered."""
        form = aiohttp.FormData(fields)
        with recording.open("rb") as file:
            form.add_field("file", file, filename=recording.name)
            async with self.client.post("/stt", data=form) as reply:
                answer: dict[str, Any] = await reply.json()
                if reply.status != 200:
                    raise RuntimeError(f"The server says: {answer}")
                return answer


@asynccontextmanager
async def open_doors(
    settings: Mapping[str, Any] = CONFIG, environ: Mapping[str, str] | None = None
) -> AsyncIterator[Doors]:
    """Run a server at two free ports, and end it; what it says goes to standard error."""
    with tempfile.TemporaryDirectory(prefix="wyoming-voice-bench-") as folder:
        config = Path(folder) / "config.yml"
        config.write_text(yaml.safe_dump(dict(settings)), "utf-8")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "wyoming_voice", "serve", "--config", str(config)),
            *("--uri", "tcp://127.0.0.1:0", "--http", "127.0.0.1:0"),
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, **(environ or {})},
        )
        try:
            wyoming, http = await _address(process), await _address(process)
            running = Running(int(wyoming.rpartition(":")[2]), psutil.Process(process.pid))
            connector = aiohttp.TCPConnector(force_close=True, limit=0)
            async with aiohttp.ClientSession(http, connector=connector, timeout=_DEADLINE) as client:
                yield Doors(running, client)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    """Read it at the end of the line that the server prints."""
    assert process.stdout is not None, "it was started with a pipe"
    line = (await process.stdout.readline()).decode().strip()
    if not line:
        raise RuntimeError("The server ended before it listened; above is what it says.")
    return line.rpartition(" ")[2]
