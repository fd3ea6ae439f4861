"""The bridge of a server process, and what tests send through it."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import soundfile

from tests.process import DEADLINE, ServerProcess, only_fakes, run_server
from wyoming_voice.audio import PcmFormat
from wyoming_voice.codec import decode

RATE = 16_000
PCM = PcmFormat(RATE, 2, 1)


@dataclass(frozen=True, slots=True)
class Door:
    """A running server with the fake engines, and a client of its bridge."""

    server: ServerProcess
    client: aiohttp.ClientSession
    sockets: list[aiohttp.ClientWebSocketResponse] = field(default_factory=list)
    """Those that are closed with the door."""

    @property
    def url(self) -> str:
        return self.server.http

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def open_gate(self, name: str) -> None:
        """Let a fake engine go on that waits at the gate of this name."""
        (self.server.folder / name).touch()

    async def refused(self, method: str, path: str, **more: Any) -> "Refusal":
        """Send what must be refused, in the way that every refusal has."""
        async with self.client.request(method, self.url + path, **more) as reply:
            assert reply.headers["X-Request-ID"]
            assert reply.content_type == "application/json", await reply.text()
            described = await reply.json()
            assert set(described) == {"error"}
            assert set(described["error"]) == {"message", "type", "param", "code"}
            return Refusal(reply.status, **described["error"], headers=dict(reply.headers))


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    message: str
    type: str
    param: str | None
    code: str
    headers: dict[str, str]


@asynccontextmanager
async def open_door(
    folder: Path, *, fake: bool = True, address: str = "127.0.0.1:0", **config: Any
) -> AsyncIterator[Door]:
    """Run a server with these settings, and with the fake engines or the real ones."""
    settings = only_fakes(folder, **config) if fake else config
    timeout = aiohttp.ClientTimeout(total=DEADLINE)
    async with (
        run_server(folder, settings, fake=fake, http=address) as server,
        aiohttp.ClientSession(timeout=timeout) as client,
    ):
        door = Door(server, client)
        try:
            yield door
        finally:
            for socket in door.sockets:
                await socket.close()


def seconds_of(file: bytes) -> float:
    """Decode a file of audio again; returns its length."""
    return sum(map(len, decode(io.BytesIO(file), PCM, max_seconds=3600))) / PCM.byte_rate


def tone(seconds: float, rate: int = RATE, channels: int = 1) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """Make a tone of shape (frames, channels)."""
    time = np.arange(round(seconds * rate)) / rate
    wave = (0.5 * np.sin(2 * np.pi * 300 * time)).astype(np.float32)
    return np.repeat(wave[:, None], channels, axis=1)


def recording(
    seconds: float = 1.0, *, rate: int = RATE, channels: int = 1, kind: str = "WAV", subtype: str = "PCM_16"
) -> bytes:
    """Make a recording in one of libsndfile's formats."""
    file = io.BytesIO()
    soundfile.write(file, tone(seconds, rate, channels), rate, format=kind, subtype=subtype)
    return file.getvalue()


def form(file: bytes | None, **fields: str) -> aiohttp.FormData:
    """Make an upload."""
    data = aiohttp.FormData(default_to_multipart=True)
    if file is not None:
        data.add_field("file", io.BytesIO(file), filename="recording", content_type="application/octet-stream")
    for name, value in fields.items():
        data.add_field(name, value)
    return data


def events(stream: bytes) -> list[dict[str, Any]]:
    """Read server-sent events."""
    return [json.loads(line[6:]) for line in stream.decode().split("\n\n") if line.startswith("data: ")]
