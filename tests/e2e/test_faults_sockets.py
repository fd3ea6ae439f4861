"""The faults of ``test_faults.py``, as clients of the WebSockets and of MQTT see them, and the end of a busy server."""

import asyncio
import io
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiohttp
import psutil
import pytest
import pytest_asyncio
import soundfile
import soxr

from tests.bridge.door import Door, form, open_door, recording
from tests.e2e.dialogue import answer, ask, loud, record, refused, say, transcript, words
from tests.e2e.faults import CODES, HEARING, SPEAKING, Outcome, spoken
from tests.mqtt.broker import AVAILABILITY, PREFIX, config, open_broker
from tests.process import DEADLINE, ServerProcess, log_line, only_fakes, run_server, until
from tests.reference import recording as reference

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPEAK: Final = "/tts/speak-streaming?voice=fake-en&container=none"
LISTEN: Final = "/stt/listen-streaming?interim_results=false&language=en"
Came = list[dict[str, Any] | bytes]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    quick = {"step_timeout": 1.0}
    folder = tmp_path_factory.mktemp("sockets")
    async with open_door(folder, tts=quick, asr=quick, languages=["en", "ru"]) as opened:
        yield opened


async def to_the_end(socket: aiohttp.ClientWebSocketResponse) -> Came:
    async with asyncio.timeout(2 * DEADLINE):  # what hangs is found within DEADLINE
        came: Came = [
            message.data if message.type is aiohttp.WSMsgType.BINARY else json.loads(message.data)
            async for message in socket
        ]
    assert isinstance(came[-1], dict)
    assert (came[-1]["type"] == "Error") == (socket.close_code not in (1000, 1001))
    return [*came, {"type": "Gone"}] if socket.close_code == 1001 else came


async def speak(client: aiohttp.ClientSession, url: str, text: str) -> Came:
    async with client.ws_connect(url + SPEAK) as socket:
        for message in ({"type": "Speak", "text": text}, {"type": "Flush"}, {"type": "Close"}):
            await socket.send_json(message)
        return await to_the_end(socket)


def spoken_pcm() -> bytes:
    """Speak with eSpeak: what tells speech from silence has to take it for speech."""
    heard, rate = soundfile.read(io.BytesIO(reference()), dtype="int16")
    return bytes(soxr.resample(heard, rate, 16_000).tobytes())


def _is_final(message: dict[str, Any] | bytes) -> bool:
    return isinstance(message, dict) and message["type"] == "Final" and "seconds at" in message["text"]


async def listen(client: aiohttp.ClientSession, url: str, prompt: str = "") -> Came:
    pcm = spoken_pcm()
    async with client.ws_connect(url + LISTEN, params={"prompt": prompt}) as socket:
        for start in range(0, len(pcm), 6400):
            await socket.send_bytes(pcm[start : start + 6400])
        await socket.send_json({"type": "Close"})
        return await to_the_end(socket)


def outcome(came: Came, *, right: bool) -> Outcome:
    """Say what a client saw; a server that goes away says so by the code of the closing."""
    told = [message for message in came if isinstance(message, dict)]
    audio = any(isinstance(message, bytes) for message in came)
    if told[-1]["type"] == "Gone":
        return "early" if audio else "error"
    if told[-1]["type"] == "Error":
        assert told[-1] is came[-1], "nothing comes behind it"
        assert told[-1]["code"] in CODES
        assert len(told[-1]["message"]) > 20, "it is a sentence"
        return "early" if audio else "error"
    assert right, f"no error, and not the right answer: {told}"
    return "right"


@pytest.mark.parametrize("text", SPEAKING)
async def test_a_fault_while_a_socket_speaks(door: Door, text: str) -> None:
    right, outcomes = SPEAKING[text]
    came = await speak(door.client, door.url, text.replace("Falter tts", "Falter socket"))
    said = b"".join(message for message in came if isinstance(message, bytes))
    assert outcome(came, right=len(said) == right * 3200) in outcomes, came
    came = await speak(door.client, door.url, "Sound again.")
    assert outcome(came, right=True) == "right"


@pytest.mark.parametrize("prompt", HEARING)
async def test_a_fault_while_a_socket_hears(door: Door, prompt: str) -> None:
    came = await listen(door.client, door.url, prompt.replace("falter ears", "falter socket"))
    wanted: Outcome = "error" if HEARING[prompt] is None else "right"
    assert outcome(came, right=any(map(_is_final, came))) == wanted, came
    came = await listen(door.client, door.url)
    assert outcome(came, right=True) == "right"


@pytest.mark.parametrize("how", ["kill", "suspend"])
async def test_what_tells_speech_from_silence_is_lost_while_it_listens(door: Door, how: str) -> None:
    sound = spoken_pcm()
    awake = record(loud(1.0), language="en", context={"endpointing": True})
    assert transcript(await ask(door.server, *awake))
    async with door.client.ws_connect(door.url + LISTEN) as socket, door.server.client() as client:
        client.read_timeout = 2 * DEADLINE
        first, opening, *rest = record(sound, size=6400, language="en", context={"endpointing": True})
        for event in (first, opening, *rest[:10]):
            await client.write_event(event)
        await socket.send_bytes(sound[:64_000])
        async with asyncio.timeout(DEADLINE):
            while (await socket.receive_json())["type"] != "SpeechStarted":
                pass
        children = psutil.Process(door.server.process.pid).children()
        (detector,) = [child for child in children if "wyoming_voice.engines.activity" in child.cmdline()]
        getattr(detector, how)()
        await socket.send_bytes(sound[64_000:])
        await socket.send_json({"type": "Close"})
        for event in rest[10:]:
            await client.write_event(event)
        came = await to_the_end(socket)
        assert outcome(came, right=any(map(_is_final, came))) in ("right", "error")
        events = await answer(client, "transcript-stop")
        if any(event.type == "error" for event in events):
            assert refused(events)[0] in CODES
        else:
            assert "seconds at" in transcript(events)
    came = await listen(door.client, door.url)
    assert outcome(came, right=any(map(_is_final, came))) == "right"
    await until(lambda: not detector.is_running())


async def test_a_broker_that_is_killed_while_it_is_spoken_to(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    async with open_broker(tmp_path / "broker") as broker, run_server(folder, config(folder, broker)) as server:
        async with broker.ear() as ear:
            await ear.until(lambda: b"online" in ear.on(AVAILABILITY))
            await ear.say(f"{PREFIX}/say", {"text": "Gate broker. And more.", "id": "one", "voice": "fake-en"})
            await log_line(server.log, "at broker")
            await broker.stop()
        (folder / "broker").touch()
        assert words(await ask(server, say("Others go on."))) == 3
        await broker.start()
        async with broker.ear() as ear:
            await ear.until(lambda: b"online" in ear.on(AVAILABILITY))
            await ear.say(f"{PREFIX}/say", {"text": "Three more words.", "id": "two", "voice": "fake-en"})
            await ear.until(lambda: any(json.loads(said)["id"] == "two" for said in ear.on(f"{PREFIX}/sayFinished")))


# The end of a busy server


async def test_a_server_that_cannot_wait_says_so_at_every_door(tmp_path: Path) -> None:
    async with open_door(tmp_path, server={"drain_timeout": 0.3}, languages=["en", "ru"]) as door:
        spoken_to = asyncio.create_task(speak(door.client, door.url, "Gate socket. And more."))
        await log_line(door.server.log, "at socket")
        fetched = asyncio.create_task(_post(door, "/tts", json={"text": "It waits."}))
        streamed = asyncio.create_task(_post(door, "/tts/wav", json={"text": "It waits, too."}))
        heard = asyncio.create_task(_post(door, "/stt", data=form(recording(0.5), language="en", prompt="hang")))
        await log_line(door.server.log, "hear 0.50")
        async with door.client.get(f"{door.url}/health") as reply:
            assert reply.status == 200
        door.server.signal(signal.SIGTERM)
        for asked in (fetched, streamed, heard):
            status, told = await asked
            assert (status, told["error"]["code"]) == (503, "engine-unavailable")
            assert "The server is stopping" in told["error"]["message"]
        came = await spoken_to
        assert outcome(came, right=False) == "early"
        assert "The server is stopping" in json.dumps(came[-1])
        assert await door.server.wait() == 0
        door.open_gate("socket")


async def _post(door: Door, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
    async with door.client.post(door.url + path, **body) as reply:
        return reply.status, await reply.json()


SHORT, LONG, ENDLESS = "One two. Three four. Five.", "Long talk. Long again. Long.", "Endless talk."
WORDS: Final = {SHORT: 5, LONG: 1800, ENDLESS: -1}


async def test_sigterm_under_load_leaves_nobody_without_an_end(tmp_path: Path) -> None:
    """Clients of every door, some of whom are served, wait in the queue, or have just come."""
    settings = only_fakes(tmp_path, tts={"workers": 2}, server={"drain_timeout": 1.0}, languages=["en", "ru"])
    async with run_server(tmp_path, settings, http="127.0.0.1:0") as server, aiohttp.ClientSession() as client:
        assert await _hear(server) == "right"  # what hears has loaded
        asked = [
            asyncio.create_task(one)
            for text in (SHORT, LONG, ENDLESS, SHORT) * 4
            for one in (
                _speak(server, text),
                _hear(server),
                _file(client, server, text),
                _upload(client, server),
                _socket(client, server, text),
            )
        ]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        server.signal(signal.SIGTERM)
        assert await server.wait() == 0
        ends = await asyncio.gather(*asked, return_exceptions=True)
        wrong = [end for end in ends if isinstance(end, BaseException)]
        assert all(isinstance(end, ConnectionError | aiohttp.ClientConnectionError) for end in wrong), wrong  # too late
        assert "right" in ends
        assert {"error", "early"} & ({*ends} - {*wrong}), "some speech has no end"


async def _speak(server: ServerProcess, text: str) -> Outcome:
    return spoken(await ask(server, say(text)), WORDS[text])


async def _hear(server: ServerProcess) -> Outcome:
    events = await ask(server, *record(loud(0.5), language="en"))
    if any(event.type == "error" for event in events):
        assert refused(events)[0] in CODES
        return "error"
    assert transcript(events) == "0.5 seconds at 0.50"
    return "right"


async def _file(client: aiohttp.ClientSession, server: ServerProcess, text: str) -> Outcome:
    async with client.post(f"{server.http}/tts/wav", json={"text": text}) as reply:
        if reply.status != 200:
            return _told(await reply.json())
        try:
            size = len(await reply.read())
        except aiohttp.ClientPayloadError:  # the connection is broken in the middle of the body
            return "early"
        assert size > WORDS[text] * 3200, "half a file is not taken for a whole one"
        return "right"


async def _upload(client: aiohttp.ClientSession, server: ServerProcess) -> Outcome:
    async with client.post(f"{server.http}/stt", data=form(recording(0.5), language="en")) as reply:
        told = await reply.json()
        if reply.status != 200:
            return _told(told)
        assert told["raw_text"] == "0.5 seconds at 0.50"
        return "right"


async def _socket(client: aiohttp.ClientSession, server: ServerProcess, text: str) -> Outcome:
    came = await speak(client, server.http, text)
    said = sum(len(message) for message in came if isinstance(message, bytes))
    return outcome(came, right=said == WORDS[text] * 3200)


def _told(told: dict[str, Any]) -> Outcome:
    assert told["error"]["code"] in CODES
    assert len(told["error"]["message"]) > 20
    return "error"
