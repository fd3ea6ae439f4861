"""Speech that becomes text while it arrives, over a WebSocket of ours."""

import asyncio
import json
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.bridge.door import Door, open_door
from tests.conftest import Speech
from tests.process import DEADLINE, log_lines, run_server
from wyoming_voice.audio import Converter, PcmFormat
from wyoming_voice.companding import compand

PATH = "/stt/listen-streaming"
HEARD = PcmFormat(16_000, 2, 1)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with open_door(tmp_path) as opened:
        yield opened


def pcm(speech: Speech, name: str = "en_jfk_16k.wav") -> bytes:
    with wave.open(str(speech.path(name))) as file:
        frames: bytes = file.readframes(file.getnframes())
    return frames


async def transcribe(
    client: aiohttp.ClientSession, url: str, sound: bytes, *, cut: int = 6400, close: str = "Close"
) -> tuple[int | None, list[dict[str, Any]]]:
    """Send sound, and read to the end; returns the close code and what came."""
    async with client.ws_connect(url) as socket:

        async def send() -> None:
            for start in range(0, len(sound), cut):
                await socket.send_bytes(sound[start : start + cut])
            await socket.send_json({"type": close})

        sending = asyncio.create_task(send())
        came = [json.loads(message.data) async for message in socket]
        await sending
        return socket.close_code, came


def kinds(came: list[dict[str, Any]]) -> list[str]:
    return [message["type"] for message in came]


@pytest.mark.speech
async def test_each_utterance_is_recognised_when_it_ends(door: Door, speech: Speech) -> None:
    code, came = await transcribe(door.client, door.url + PATH + "?interim_results=false&language=en", pcm(speech))
    assert code == 1000
    assert came[0] == {**came[0], "type": "Metadata", "language": "en", "model": "fake-ears"}
    assert [kind for kind in kinds(came) if kind != "SpeechStarted"] == ["Metadata", *["Final", "UtteranceEnd"] * 4]
    finals = [message for message in came if message["type"] == "Final"]
    assert [message["last"] for message in finals] == [True] * 4
    assert [message["start"] for message in finals] == pytest.approx([0.0, 3.0, 5.1, 7.9], abs=0.2)
    for final in finals:
        word = final["words"][0]  # the fake engine hears one word, as long as the piece
        assert word["start"] == pytest.approx(final["start"])
        assert word["confidence"] == 0.5
        assert final["language"] == "en"


@pytest.mark.speech
@pytest.mark.parametrize(
    ("rate", "channels", "encoding"), [(48_000, 2, "linear16"), (8000, 1, "mulaw"), (8000, 1, "alaw")]
)
async def test_other_encodings_and_rates_are_heard(
    door: Door, speech: Speech, rate: int, channels: int, encoding: str
) -> None:
    converter = Converter(HEARD, PcmFormat(rate, 2, channels))
    sound = converter.feed(pcm(speech)) + converter.finish()
    if encoding == "mulaw":
        sound = compand(sound, "mulaw")
    elif encoding == "alaw":
        sound = compand(sound, "alaw")
    query = f"?encoding={encoding}&sample_rate={rate}&channels={channels}&interim_results=false"
    _, came = await transcribe(door.client, door.url + PATH + query, sound, cut=3001)
    assert kinds(came).count("Final") == 4


async def test_silence_says_nothing(door: Door) -> None:
    code, came = await transcribe(door.client, door.url + PATH, bytes(64_000))
    assert (code, kinds(came)) == (1000, ["Metadata"])


@pytest.mark.speech
async def test_finalize_ends_an_utterance_now(door: Door, speech: Speech) -> None:
    async with door.client.ws_connect(door.url + PATH + "?interim_results=false") as socket:
        await socket.send_bytes(pcm(speech)[: 2 * 32_000])  # in the middle of the first utterance
        await socket.send_json({"type": "KeepAlive"})
        await socket.send_json({"type": "Finalize"})
        came: list[dict[str, Any]] = []
        while "Finalized" not in kinds(came):
            came.append(await socket.receive_json(timeout=DEADLINE))
        assert kinds(came) == ["Metadata", "SpeechStarted", "Final", "UtteranceEnd", "Finalized"]


@pytest.mark.speech
async def test_partial_transcripts_come_before_the_final_one(door: Door, speech: Speech) -> None:
    sound = pcm(speech)
    async with door.client.ws_connect(door.url + PATH) as socket:
        came: list[dict[str, Any]] = []
        for start in range(0, 2 * 32_000, 6400):
            await socket.send_bytes(sound[start : start + 6400])
        while "Partial" not in kinds(came):
            came.append(await socket.receive_json(timeout=DEADLINE))
        await socket.send_bytes(sound[2 * 32_000 : 3 * 32_000])
        while "UtteranceEnd" not in kinds(came):
            came.append(await socket.receive_json(timeout=DEADLINE))
    order = [kind for kind in kinds(came) if kind != "SpeechStarted"]
    assert order[0] == "Metadata"
    assert order[-2:] == ["Final", "UtteranceEnd"]
    assert set(order[1:-2]) == {"Partial"}
    partial = [message["text"] for message in came if message["type"] == "Partial"][-1]
    assert [line for line in log_lines(door.server.log) if line.startswith("after ")][-1] == f"after {partial}"


@pytest.mark.parametrize("message", ["no json", "[" * 100_000, "[]", '{"type": "X"}'])
async def test_a_mistake_of_the_protocol_is_a_warning(door: Door, message: str) -> None:
    async with door.client.ws_connect(door.url + PATH) as socket:
        await socket.send_str(message)
        await socket.receive_json(timeout=DEADLINE)
        assert (await socket.receive_json(timeout=DEADLINE))["type"] == "Warning"


@pytest.mark.parametrize(
    ("query", "status"), [("?encoding=opus", 400), ("?model=nobody", 404), ("?language=ja", 503), ("?channels=9", 400)]
)
async def test_a_mistake_in_the_address_is_a_proper_reply(door: Door, query: str, status: int) -> None:
    assert (await door.refused("GET", PATH + query)).status == status


async def test_a_client_that_sends_nothing_is_closed(tmp_path: Path) -> None:
    async with open_door(tmp_path, limits={"input": 0.3}) as door:
        async with door.client.ws_connect(door.url + PATH) as socket:
            await socket.receive_json(timeout=DEADLINE)
            assert (await socket.receive_json(timeout=DEADLINE))["code"] == "deadline"
            await socket.receive(DEADLINE)
            assert socket.close_code == 1011


@pytest.mark.speech
async def test_what_is_spoken_over_one_socket_is_heard_over_the_other(tmp_path: Path) -> None:
    async with (
        run_server(tmp_path, {"languages": ["en"]}, fake=False, http="127.0.0.1:0") as server,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as client,
    ):
        sound = bytearray()
        address = "/tts/speak-streaming?encoding=linear16&sample_rate=16000&language=en"
        async with client.ws_connect(server.http + address) as socket:
            for part in ("Turn on the ligh", "ts in the kitchen, please. ", "Thank you very much."):
                await socket.send_json({"type": "Speak", "text": part})
            await socket.send_json({"type": "Close"})
            async for message in socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    sound += message.data
        code, came = await transcribe(client, server.http + PATH, bytes(sound))
        assert code == 1000
        text = " ".join(message["text"] for message in came if message["type"] == "Final").lower()
        assert "kitchen" in text
        assert "thank you" in text
