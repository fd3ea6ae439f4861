"""What the server takes from a worker, which here says what it is told to."""

import asyncio
from contextlib import aclosing, suppress
from pathlib import Path

from wyoming.event import Event

from wyoming_voice import client
from wyoming_voice.engines.protocol import Heard, Word
from wyoming_voice.link import heard_event
from wyoming_voice.wire import encode

from .process import DEADLINE


async def test_a_sign_of_life_is_no_piece_of_a_transcript(tmp_path: Path) -> None:
    """Qwen3-ASR sends some while it reads a recording; a listener would take the first for the first text."""
    text = Heard("Привет", 0.0, 1.0)
    words = Heard("", 0.0, 1.0, words=(Word("Привет", 0.0, 1.0),))
    told = [*map(heard_event, [Heard(""), text, Heard(""), words]), Event(type="transcript", data={"text": text.text})]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"audio-stop")
        writer.write(b"".join(map(encode, told)))
        await reader.read()  # the server leaves when it has heard the end
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        left.set()

    left = asyncio.Event()
    path = tmp_path / "worker.sock"
    async with (
        await asyncio.start_unix_server(answer, path),
        client.transcribe(f"unix://{path}", bytes(3200), DEADLINE) as pieces,
        aclosing(pieces),
    ):
        assert [heard async for heard in pieces] == [text, words]
    async with asyncio.timeout(DEADLINE):
        await left.wait()
