"""A real mosquitto as a child process, and a client that hears everything on it."""

import asyncio
import json
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiomqtt import Client, MqttError

from tests.process import DEADLINE, only_fakes, until

PREFIX = "test/voice"
STATE = f"{PREFIX}/state"
AVAILABILITY = f"{PREFIX}/availability"
DEVICE = "homeassistant/device/test_voice/config"


@dataclass(slots=True)
class Broker:
    """A mosquitto that can be killed and started again on the same port."""

    folder: Path
    port: int
    config: str
    _process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        binary = shutil.which("mosquitto", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
        if binary is None:
            pytest.skip("there is no mosquitto here; apt-get install mosquitto")
        file = self.folder / "mosquitto.conf"
        file.write_text(f"{self.config}\n", encoding="utf-8")
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                binary, "-c", str(file), stdout=log, stderr=log, start_new_session=True
            )
        await until(self._listens)

    async def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    @asynccontextmanager
    async def ear(self, *topics: str, **more: Any) -> "AsyncIterator[Ear]":
        """Hear what is published."""
        async with Client("127.0.0.1", self.port, **more) as client:
            ear = Ear(client)
            await client.subscribe([(topic, 1) for topic in topics or ("#",)])
            task = asyncio.create_task(ear.listen())
            try:
                yield ear
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True


@dataclass(slots=True)
class Ear:
    """A client and all that it has heard."""

    client: Client
    heard: list[tuple[str, bytes, bool]] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        try:
            async for message in self.client.messages:
                assert isinstance(message.payload, bytes)
                self.heard.append((str(message.topic), message.payload, message.retain))
                self._more.set()
        except MqttError:
            return  # the broker was killed, as some tests do

    def on(self, topic: str) -> list[bytes]:
        return [payload for there, payload, _ in self.heard if there == topic]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():
                self._more.clear()
                await self._more.wait()

    async def next(self, topic: str, count: int = 1) -> bytes:
        """Wait for so many messages on a topic, and return the last of them."""
        await self.until(lambda: len(self.on(topic)) >= count)
        return self.on(topic)[count - 1]

    async def told(self, topic: str, count: int = 1) -> dict[str, Any]:
        said = json.loads(await self.next(topic, count))
        assert isinstance(said, dict)
        return said

    async def say(self, topic: str, said: object, **more: Any) -> None:
        payload = said if isinstance(said, str | bytes) else json.dumps(said)
        await self.client.publish(topic, payload, qos=1, **more)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@asynccontextmanager
async def open_broker(folder: Path, *lines: str, anonymous: bool = True) -> AsyncIterator[Broker]:
    """Start a broker on a free port, with these more lines of configuration."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    config = [f"listener {port} 127.0.0.1", f"allow_anonymous {str(anonymous).lower()}", "user root", *lines]
    broker = Broker(folder, port, "\n".join(config))
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


def config(
    folder: Path,
    there: Broker,
    /,
    tts: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
    **mqtt: Any,
) -> dict[str, object]:
    """Configure the fake engines and this broker."""
    section = {"broker": f"127.0.0.1:{there.port}", "prefix": PREFIX, **mqtt}
    return only_fakes(folder, tts=tts, mqtt=section, data_dir=str(folder / "data"), **(more or {}))
