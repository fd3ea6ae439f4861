"""Deepgram's own client, and clients that take every binary message for raw PCM."""

import io
import struct
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from deepgram import AsyncDeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment
from deepgram.speak.v1.types import SpeakV1Text

from tests.bridge.door import RATE, Door, open_door, recording, seconds_of
from tests.conftest import Speech
from tests.process import DEADLINE, log_line, log_lines

TOKEN = "secret-secret"
pytestmark = [
    pytest.mark.filterwarnings("ignore:websockets:DeprecationWarning"),  # the SDK imports what is old in that package
    pytest.mark.filterwarnings("ignore:The `dict` method:DeprecationWarning"),  # and in pydantic
]


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with open_door(tmp_path, auth={"tokens": [TOKEN]}) as opened:
        yield opened


@pytest.fixture
async def deepgram(door: Door) -> AsyncIterator[AsyncDeepgramClient]:
    web = door.url.replace("http", "ws", 1)
    there = DeepgramClientEnvironment(base=door.url, production=web, agent=web, agent_rest=door.url)
    async with httpx.AsyncClient() as client:
        yield AsyncDeepgramClient(api_key=TOKEN, environment=there, httpx_client=client)


def plain(message: Any) -> dict[str, Any]:
    """Return a message of the SDK as it came."""
    content: dict[str, Any] = message.dict()
    return content


async def test_the_sdk_speaks_over_the_socket(deepgram: AsyncDeepgramClient) -> None:
    messages: list[Any] = []
    async with deepgram.speak.v1.connect(model="aura-2-thalia-en", encoding="linear16", sample_rate=24000) as socket:
        await socket.send_text(SpeakV1Text(text="One two. Three"))
        await socket.send_flush()
        await socket.send_text(SpeakV1Text(text="Four."))
        await socket.send_flush()
        await socket.send_close()
        messages += [message async for message in socket]
    told = [plain(message) for message in messages if not isinstance(message, bytes)]
    assert [message["type"] for message in told] == ["Metadata", "Flushed", "Flushed"]
    assert told[0]["model_name"] == "fake-en"
    assert [message["sequence_id"] for message in told[1:]] == [0, 1]
    audio = [message for message in messages if isinstance(message, bytes)]
    assert sum(map(len, audio)) / 48_000 == pytest.approx(0.4, abs=0.01)


async def test_the_sdk_clears(door: Door, deepgram: AsyncDeepgramClient) -> None:
    async with deepgram.speak.v1.connect(model="fake-en") as socket:
        await socket.send_text(SpeakV1Text(text="Endless story. And more."))
        while not isinstance(await socket.recv(), bytes):
            pass
        await socket.send_clear()
        while isinstance(message := await socket.recv(), bytes):
            pass
        assert (message.type, plain(message)["sequence_id"]) == ("Cleared", 0)
        await log_line(door.server.log, "closed Endless")


async def test_every_binary_message_is_raw_audio_without_a_header(door: Door) -> None:
    headers = {"Authorization": f"Token {TOKEN}"}
    address = "/v1/speak?encoding=linear16&sample_rate=16000&model=aura-2-thalia-en"
    async with door.client.ws_connect(door.url + address, headers=headers) as socket:
        await socket.send_json({"type": "Speak", "text": "One two three. Four."})
        await socket.send_json({"type": "Flush"})
        audio = bytearray()
        while (
            message := await socket.receive(DEADLINE)
        ).type is not aiohttp.WSMsgType.TEXT or "Flushed" not in message.data:
            if message.type is aiohttp.WSMsgType.BINARY:
                assert len(message.data) % 2 == 0
                audio += message.data
    assert bytes(audio) == b"\x10\x00" * (4 * RATE // 10)


@pytest.mark.parametrize(("protocol", "scheme"), [("token", None), (None, "bearer"), (None, "Token"), (None, "BEARER")])
async def test_a_token_may_come_in_any_of_their_ways(door: Door, protocol: str | None, scheme: str | None) -> None:
    protocols = [protocol, TOKEN] if protocol else []
    headers = {"Authorization": f"{scheme} {TOKEN}"} if scheme else {}
    async with door.client.ws_connect(door.url + "/v1/speak", protocols=protocols, headers=headers) as socket:
        assert socket.protocol == protocol
        assert (await socket.receive_json(timeout=DEADLINE))["type"] == "Metadata"


async def test_errors_are_close_codes(door: Door) -> None:
    headers = {"X-API-Key": TOKEN}
    async with door.client.ws_connect(door.url + "/v1/speak", headers=headers) as socket:
        await socket.send_json({"type": "Speak", "text": "Refuse this."})
        await socket.send_json({"type": "Flush"})
        assert (await socket.receive_json(timeout=DEADLINE))["type"] == "Metadata"
        closed = await socket.receive(DEADLINE)
        assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 1008)
        assert closed.extra == "The fake engine does not say that."


@pytest.mark.parametrize(
    ("model", "language"), [("aura-2-thalia-en", "en"), ("aura-2-viktoria-de", "de"), ("fake-ru", "ru")]
)
async def test_a_model_of_theirs_is_a_voice_of_its_language(
    door: Door, deepgram: AsyncDeepgramClient, model: str, language: str
) -> None:
    heard = b"".join([part async for part in deepgram.speak.v1.audio.generate(text="One two.", model=model)])
    assert seconds_of(heard) == pytest.approx(0.2, abs=0.12)
    assert any(line.startswith(f"as One two.: {language} ") for line in log_lines(door.server.log))


@pytest.mark.parametrize(
    ("asked", "begins"),
    [
        ({}, b"\xff"),
        ({"encoding": "linear16"}, b"RIFF"),
        ({"encoding": "mulaw"}, b"RIFF"),
        ({"encoding": "alaw", "container": "wav"}, b"RIFF"),
        ({"encoding": "opus", "container": "ogg"}, b"OggS"),
        ({"encoding": "flac"}, b"fLaC"),
        ({"container": "wav"}, b"RIFF"),
    ],
)
async def test_the_sdk_speaks_every_kind_of_file(
    deepgram: AsyncDeepgramClient, asked: dict[str, Any], begins: bytes
) -> None:
    sound = b"".join([part async for part in deepgram.speak.v1.audio.generate(text="One two three four.", **asked)])
    assert sound.startswith(begins)
    assert seconds_of(sound) == pytest.approx(0.4, abs=0.12)


async def test_raw_law_is_a_byte_a_sample(deepgram: AsyncDeepgramClient) -> None:
    parts = deepgram.speak.v1.audio.generate(text="One two.", encoding="mulaw", container="none", sample_rate=8000)
    assert sum([len(part) async for part in parts]) == pytest.approx(1600, abs=2)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"model": "nobody"}, 404),
        ({"encoding": "mulaw", "container": "ogg"}, 400),
        ({"encoding": "flac", "container": "wav"}, 400),
        ({"callback": "http://example.org"}, 400),
        ({"speed": 99}, 400),
    ],
)
async def test_mistakes_are_what_the_sdk_knows(
    deepgram: AsyncDeepgramClient, asked: dict[str, Any], status: int
) -> None:
    with pytest.raises(ApiError) as refused:
        _ = [part async for part in deepgram.speak.v1.audio.generate(text="One.", **asked)]
    assert refused.value.status_code == status
    assert refused.value.body["error"]["message"]


async def test_the_sdk_transcribes_a_file(deepgram: AsyncDeepgramClient) -> None:
    heard = await deepgram.listen.v1.media.transcribe_file(
        request=recording(1.0, rate=44_100, channels=2),
        model="nova-3",
        smart_format=True,
        utterances=True,
        language="en",
    )
    content: dict[str, Any] = heard.dict()
    assert content["metadata"]["duration"] == pytest.approx(1.0, abs=0.01)
    assert len(content["metadata"]["sha256"]) == 64
    alternative = content["results"]["channels"][0]["alternatives"][0]
    assert alternative["transcript"].startswith("1.0 seconds at")
    assert alternative["confidence"] == 0.5
    word = alternative["words"][0]
    assert {name: word[name] for name in ("word", "start", "confidence")} == {
        "word": "seconds",
        "start": 0.0,
        "confidence": 0.5,
    }
    assert content["results"]["utterances"][0]["transcript"] == "1.0 seconds"
    assert alternative["paragraphs"]["transcript"].startswith("\n1.0 seconds\n\nat ")
    paragraph = alternative["paragraphs"]["paragraphs"][0]
    assert (paragraph["num_words"], paragraph["start"]) == (2, 0.0)
    assert paragraph["sentences"][0]["text"] == "1.0 seconds"


async def test_paragraphs_come_where_they_are_asked_for(deepgram: AsyncDeepgramClient) -> None:
    for asked, expected in (({"paragraphs": True}, "\n1.0 seconds\n"), ({}, None)):
        heard = await deepgram.listen.v1.media.transcribe_file(request=recording(1.0), language="en", **asked)
        shown = plain(heard)["results"]["channels"][0]["alternatives"][0].get("paragraphs")
        assert shown is None if expected is None else shown["transcript"].startswith(expected)


@pytest.mark.parametrize(("encoding", "size"), [("linear16", 2), ("mulaw", 1)])
async def test_raw_sound_in_the_body_is_heard_as_it_is_described(door: Door, encoding: str, size: int) -> None:
    sound = struct.pack("<h", 8000) * 8000 if size == 2 else b"\x10" * 8000
    address = f"{door.url}/v1/listen?encoding={encoding}&sample_rate=8000&keyterm=lamp&keywords=desk:2"
    async with door.client.post(address, data=sound, headers={"Authorization": f"Token {TOKEN}"}) as reply:
        content = await reply.json()
    assert content["metadata"]["duration"] == pytest.approx(1.0, abs=0.01)
    assert any(line.endswith("lamp,desk") for line in log_lines(door.server.log))


async def test_no_address_is_opened(deepgram: AsyncDeepgramClient) -> None:
    with pytest.raises(ApiError) as refused:
        await deepgram.listen.v1.media.transcribe_url(url="http://127.0.0.1/secret")
    assert refused.value.status_code == 400
    assert "opens no addresses" in refused.value.body["error"]["message"]


async def test_what_is_no_recording_is_refused(door: Door) -> None:
    headers = {"Authorization": f"Token {TOKEN}"}
    for sound, status in ((b"no sound", 415), (b"", 415)):
        assert (await door.refused("POST", "/v1/listen", data=sound, headers=headers)).status == status
    assert (await door.refused("GET", "/v1/listen", headers=headers)).status == 400


@pytest.mark.speech
async def test_the_sdk_listens_over_the_socket(deepgram: AsyncDeepgramClient, speech: Speech) -> None:
    with wave.open(io.BytesIO(speech.path("en_jfk_16k.wav").read_bytes())) as file:
        sound = file.readframes(file.getnframes())
    async with deepgram.listen.v1.connect(
        model="nova-3",
        language="en-US",
        encoding="linear16",
        sample_rate=16000,
        utterance_end_ms=1000,
        vad_events=True,
        punctuate=True,
        smart_format=True,
        endpointing=10,
    ) as socket:
        for start in range(0, 10 * 32_000, 6400):
            await socket.send_media(sound[start : start + 6400])
        await socket.send_keep_alive()
        await socket.send_finalize()
        await socket.send_close_stream()
        came = [plain(message) async for message in socket]
    results = [message for message in came if message["type"] == "Results"]
    kinds = [message["type"] for message in came]
    assert kinds[-1] == "Metadata"
    assert came[-1]["duration"] == pytest.approx(10, abs=0.1)
    assert kinds.count("SpeechStarted") >= 4
    assert "UtteranceEnd" in kinds
    assert len(results) >= 4
    assert all(message["is_final"] and message["speech_final"] for message in results)
    assert [message["from_finalize"] for message in results] == [*([False] * (len(results) - 1)), True]
    assert results[0]["channel"]["alternatives"][0]["words"][0]["start"] == pytest.approx(results[0]["start"])


async def test_finalize_of_silence_is_answered_empty(door: Door) -> None:
    address = door.url + "/v1/listen?encoding=linear16&sample_rate=16000&endpointing=false&interim_results=true"
    async with door.client.ws_connect(address, headers={"Authorization": f"Token {TOKEN}"}) as socket:
        await socket.send_bytes(bytes(32_000))
        await socket.send_json({"type": "Finalize"})
        result = await socket.receive_json(timeout=DEADLINE)
        assert result["from_finalize"] is True
        assert result["channel"]["alternatives"][0]["transcript"] == ""
        await socket.send_bytes(b"")  # older clients end like this
        assert (await socket.receive_json(timeout=DEADLINE))["type"] == "Metadata"
        await socket.receive(DEADLINE)
        assert socket.close_code == 1000
