"""Sockets that would last for ever, when the server is told to stop."""

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest

from tests.process import DEADLINE, run_server

SECONDS = 300  # no test waits that long: an idle socket does not hold the server


@pytest.mark.parametrize(
    "path", ["/tts/speak-streaming", "/stt/listen-streaming", "/v1/speak", "/v1/listen?sample_rate=16000"]
)
async def test_an_idle_socket_is_closed_when_the_server_stops(tmp_path: Path, path: str) -> None:
    config = {"server": {"drain_timeout": SECONDS}, "languages": ["en"]}
    async with (
        run_server(tmp_path, config, http="127.0.0.1:0") as server,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.http}{path}{'&' if '?' in path else '?'}encoding=linear16") as socket,
    ):
        server.signal(signal.SIGTERM)
        async with asyncio.timeout(DEADLINE):
            while not (await socket.receive()).type.name.startswith("CLOS"):
                pass
        assert socket.close_code == 1001
        assert await server.wait() == 0


async def test_what_was_asked_of_a_socket_is_still_spoken(tmp_path: Path) -> None:
    config = {"server": {"drain_timeout": SECONDS}, "languages": ["en"]}
    async with (
        run_server(tmp_path, config, http="127.0.0.1:0") as server,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.http}/tts/speak-streaming?voice=fake-en&container=none") as socket,
    ):
        await socket.send_json({"type": "Speak", "text": "Four words are here"})
        await socket.send_json({"type": "Nonsense"})
        async with asyncio.timeout(DEADLINE):
            while (await socket.receive_json())["type"] != "Warning":  # it has read both
                pass
            server.signal(signal.SIGTERM)
            audio = b"".join([message.data async for message in socket if message.type is aiohttp.WSMsgType.BINARY])
        assert len(audio) == 4 * 3200
        assert await server.wait() == 0
