"""The MQTT front door against a real broker."""

import io
import json
import signal
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from wyoming.event import Event

from tests.e2e.dialogue import WORD, ask, kinds, say
from tests.llm_server import llm_server
from tests.mqtt.broker import AVAILABILITY, DEVICE, PREFIX, STATE, Broker, Ear, config, open_broker
from tests.process import log_line, log_lines, run_server, until


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with open_broker(tmp_path / "broker") as started:
        yield started


def samples(wav: bytes) -> int:
    """Return the bytes of sound in a WAV file, which says of itself how many there are."""
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (16_000, 2, 1)
        pcm = file.readframes(file.getnframes())
    assert len(wav) == 44 + len(pcm)
    return len(pcm)


async def ready(ear: Ear) -> None:
    await ear.until(lambda: b"online" in ear.on(AVAILABILITY))


def recording(seconds: float = 0.5) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setframerate(16_000)
        file.setsampwidth(2)
        file.setnchannels(1)
        file.writeframes(b"\x00\x40" * round(16_000 * seconds))
    return held.getvalue()


# Speaking and hearing


async def test_what_is_said_comes_back_as_a_wav_file(tmp_path: Path, broker: Broker) -> None:
    async with run_server(tmp_path / "server", config(tmp_path / "server", broker)), broker.ear() as ear:
        await ready(ear)
        await ear.say(f"{PREFIX}/say", {"text": "Three plain words.", "id": "one", "site": "кухня", "voice": "fake-en"})
        assert samples(await ear.next(f"{PREFIX}/audio/кухня/one")) == 3 * WORD
        assert await ear.told(f"{PREFIX}/sayFinished") == {"id": "one", "site": "кухня", "pieces": 1, "seconds": 0.3}
        await ear.say(f"{PREFIX}/say", "Просто текст.")
        finished = await ear.told(f"{PREFIX}/sayFinished", 2)
        assert finished["site"] == "default"
        assert samples(await ear.next(f"{PREFIX}/audio/default/{finished['id']}")) == 2 * WORD


async def test_long_speech_comes_in_several_whole_wav_files(tmp_path: Path, broker: Broker) -> None:
    settings = config(tmp_path / "server", broker, inline=100_000)
    async with run_server(tmp_path / "server", settings), broker.ear() as ear:
        await ready(ear)
        await ear.say(f"{PREFIX}/say", {"text": "long", "id": "one"})
        finished = await ear.told(f"{PREFIX}/sayFinished")
        pieces = ear.on(f"{PREFIX}/audio/default/one")
        assert finished["pieces"] == len(pieces) > 10
        assert sum(map(samples, pieces)) == 600 * WORD
        assert all(len(piece) <= 100_000 for piece in pieces)


async def test_a_recording_comes_back_as_text(tmp_path: Path, broker: Broker) -> None:
    async with run_server(tmp_path / "server", config(tmp_path / "server", broker)), broker.ear() as ear:
        await ready(ear)
        await ear.say(f"{PREFIX}/transcribe/first/en", recording())
        heard = await ear.told(f"{PREFIX}/transcript")
        assert heard == {"id": "first", "language": "en", "text": "0.5 seconds at 0.50", "seconds": 0.5}
        await log_line(tmp_path / "server" / "log", "hear 0.50 en")
        await ear.say(f"{PREFIX}/transcribe", recording())
        assert (await ear.told(f"{PREFIX}/transcript", 2))["id"] == "none"


async def test_transcript_is_as_config_wants_it(tmp_path: Path, broker: Broker) -> None:
    with llm_server() as llm:
        settings = str(llm.write_settings(tmp_path / "llm"))
        text = {"text": {"llm": {"settings": settings, "use_llm_stt": True}}}
        configured = config(tmp_path / "server", broker, more=text)
        async with run_server(tmp_path / "server", configured), broker.ear() as ear:
            await ready(ear)
            await ear.say(f"{PREFIX}/transcribe/first/en", recording())
            assert (await ear.told(f"{PREFIX}/transcript"))["text"] == "0.5 SECONDS AT 0.50"


MISTAKES = [
    ("say", b'{"text": ', "bad-request", None),
    ("say", b"\xff\xfe", "bad-request", None),
    ("say", b'{"id": "one"}', "bad-request", "one"),
    ("say", b'{"text": "x", "id": "a/b"}', "bad-request", None),
    ("say", b'{"text": "x", "id": "one", "speed": 99}', "bad-request", "one"),
    ("say", b'{"text": "x", "id": "one", "voice": "nobody"}', "unknown-voice", "one"),
    ("say", b'{"text": "x", "id": "one", "engine": "none"}', "unknown-engine", "one"),
    ("say", b'{"text": "mistake", "id": "one"}', "internal", "one"),
    ("transcribe/one", b"this is no sound", "unsupported-audio", "one"),
    ("transcribe/one/xx", recording(), "engine-unavailable", "one"),
    ("set/speed", b"fast", "bad-request", None),
    ("set/voice", b"nobody", "unknown-voice", None),
    ("set/engine/none", b"fake-en", "unknown-engine", None),
    ("set/engine/fake", b"nobody", "unknown-voice", None),
    ("set/else", b"", "bad-request", None),
    ("transcribe/one/two/three", b"", "bad-request", None),
]
"""Topic, payload, code of the error, and whose it is said to be."""


async def test_what_cannot_be_done_is_told_on_the_topic_of_errors(tmp_path: Path, broker: Broker) -> None:
    async with run_server(tmp_path / "server", config(tmp_path / "server", broker)), broker.ear() as ear:
        await ready(ear)
        for count, (topic, payload, code, whose) in enumerate(MISTAKES, 1):
            await ear.say(f"{PREFIX}/{topic}", payload)
            error = await ear.told(f"{PREFIX}/error", count)
            assert (error["code"], error["id"]) == (code, whose), payload
            assert error["text"]
        await ear.say(f"{PREFIX}/say", "Still here.")
        await ear.told(f"{PREFIX}/sayFinished")


async def test_a_flood_is_bounded_and_everybody_is_told(tmp_path: Path, broker: Broker) -> None:
    settings = config(tmp_path / "server", broker, more={"limits": {"queue": 10}})
    async with run_server(tmp_path / "server", settings) as server, broker.ear() as ear:
        await ready(ear)
        await ear.say(f"{PREFIX}/say", {"text": "closed gate", "id": "first"})
        await log_line(server.log, "at gate")
        before = server.memory
        for number in range(1000):
            await ear.client.publish(f"{PREFIX}/say", json.dumps({"text": "word " * 200, "id": str(number)}), qos=0)
        await ear.until(lambda: len(ear.on(f"{PREFIX}/error")) == 991)
        assert {json.loads(error)["code"] for error in ear.on(f"{PREFIX}/error")} == {"busy"}
        assert server.memory - before < 20_000_000
        assert kinds(await ask(server, Event(type="describe"))) == ["info"]
        (server.log.parent / "gate").touch()
        await ear.until(lambda: len(ear.on(f"{PREFIX}/sayFinished")) == 10)


async def test_a_retained_request_is_not_spoken(tmp_path: Path, broker: Broker) -> None:
    async with broker.ear() as ear:
        await ear.say(f"{PREFIX}/say", "Old words.", retain=True)
        async with run_server(tmp_path / "server", config(tmp_path / "server", broker)) as server:
            await ready(ear)
            await ear.say(f"{PREFIX}/say", "New words.")
            await ear.told(f"{PREFIX}/sayFinished")
            assert not [line for line in log_lines(server.log) if "Old" in line]


# The device


async def test_home_assistant_finds_the_device_and_nothing_private(tmp_path: Path, broker: Broker) -> None:
    async with run_server(tmp_path / "server", config(tmp_path / "server", broker)), broker.ear() as ear:
        await ready(ear)
        await ear.say(f"{PREFIX}/say", {"text": "A secret matter.", "id": "one"})
        await ear.told(f"{PREFIX}/sayFinished")
        await ear.until(lambda: json.loads(ear.on(STATE)[-1])["requests"] == 1)
        state = await ear.told(STATE, len(ear.on(STATE)))
        assert (state["status"], state["loaded"], state["errors"], state["queue"]) == ("ready", ["fake"], 0, 0)
        assert state["latency"] > 0
        assert state["memory"] > 0
        async with broker.ear() as later:
            await later.until(lambda: {DEVICE, STATE, AVAILABILITY} <= {topic for topic, _, _ in later.heard})
            assert {topic for topic, _, retained in later.heard if retained} == {DEVICE, STATE, AVAILABILITY}
            assert not [payload for _, payload, _ in later.heard if b"secret" in payload]


async def test_birth_of_home_assistant_brings_the_device_again(tmp_path: Path, broker: Broker) -> None:
    async with run_server(tmp_path / "server", config(tmp_path / "server", broker)), broker.ear() as ear:
        await ready(ear)
        devices, states = len(ear.on(DEVICE)), len(ear.on(STATE))
        await ear.say("homeassistant/status", "online")
        await ear.next(DEVICE, devices + 1)
        await ear.next(STATE, states + 1)


async def test_last_will_says_that_the_server_was_killed(tmp_path: Path, broker: Broker) -> None:
    async with broker.ear() as ear:
        with pytest.raises(AssertionError, match="ended with -9"):
            async with run_server(tmp_path / "server", config(tmp_path / "server", broker)) as server:
                await ready(ear)
                children = psutil.Process(server.process.pid).children(recursive=True)  # what hears pauses, too
                server.signal(signal.SIGKILL)
                await server.wait()
                await until(lambda: not any(child.is_running() for child in children))
                await ear.until(lambda: ear.on(AVAILABILITY)[-1] == b"offline")


async def test_a_server_that_stops_says_so_after_what_was_under_way(tmp_path: Path, broker: Broker) -> None:
    async with broker.ear() as ear:
        async with run_server(tmp_path / "server", config(tmp_path / "server", broker)) as server:
            await ready(ear)
            await ear.say(f"{PREFIX}/say", {"text": "gate half", "id": "one"})
            await log_line(server.log, "at half")
            server.signal(signal.SIGTERM)
            await ear.say(f"{PREFIX}/say", {"text": "more", "id": "two"})
            (server.log.parent / "half").touch()
            await server.wait()
        await ear.until(lambda: ear.on(AVAILABILITY)[-1] == b"offline")
        assert samples(ear.on(f"{PREFIX}/audio/default/one")[0]) == 2 * WORD
        assert json.loads(ear.on(f"{PREFIX}/sayFinished")[0])["id"] == "one"


async def test_chosen_voice_is_everybodys_and_outlives_a_restart(tmp_path: Path, broker: Broker) -> None:
    settings = config(tmp_path / "server", broker, more={"languages": ["en", "ru", "de"]})
    async with broker.ear() as ear:
        async with run_server(tmp_path / "server", settings) as server:
            await ready(ear)
            assert json.loads(ear.on(STATE)[-1])["voice"] == "fake-en"
            await ear.say(f"{PREFIX}/set/engine/fake", "fake-ru")
            await ear.say(f"{PREFIX}/set/speed", "1.5")
            await ear.say(f"{PREFIX}/set/voice", "fake-de")
            await ear.until(lambda: json.loads(ear.on(STATE)[-1])["voice"] == "fake-de")
            state = json.loads(ear.on(STATE)[-1])
            assert (state["voices"], state["speed"]) == ({"fake": "fake-ru"}, 1.5)
            await ask(server, say("123"))
            await log_line(server.log, "as 123: de")
            await until((tmp_path / "server" / "data" / "mqtt.json").exists)
        ear.heard.clear()
        async with run_server(tmp_path / "server", settings) as server:
            await ready(ear)
            await ear.say(f"{PREFIX}/say", {"text": "456", "id": "one"})
            await ear.told(f"{PREFIX}/sayFinished")
            await ear.say(f"{PREFIX}/say", {"text": "Слово", "id": "two", "engine": "fake"})
            await ear.told(f"{PREFIX}/sayFinished", 2)
            said = [line for line in log_lines(server.log) if line.startswith("as ")]
            assert " de " in said[-2]
            assert " 1.5 " in said[-2]
            assert " ru " in said[-1]
            await ear.say(f"{PREFIX}/set/voice", "as configured")
            await ear.until(lambda: json.loads(ear.on(STATE)[-1])["voice"] == "fake-en")


async def test_buttons_unload_engines_and_reload_voices(tmp_path: Path, broker: Broker) -> None:
    async with run_server(tmp_path / "server", config(tmp_path / "server", broker)) as server, broker.ear() as ear:
        await ready(ear)
        await ear.say(f"{PREFIX}/say", "A word.")
        await ear.told(f"{PREFIX}/sayFinished")
        await ear.until(lambda: json.loads(ear.on(STATE)[-1])["loaded"] == ["fake"])
        before = len(server.workers())
        await ear.say(f"{PREFIX}/unload", "PRESS")
        await ear.until(lambda: json.loads(ear.on(STATE)[-1])["loaded"] == [])
        await until(lambda: len(server.workers()) < before)
        await ear.say(f"{PREFIX}/reload", "PRESS")
        await ear.say(f"{PREFIX}/say", "Another word.")
        await ear.told(f"{PREFIX}/sayFinished", 2)
        assert ear.on(f"{PREFIX}/error") == []


async def test_what_is_chosen_last_is_kept_however_busy_the_server_is(tmp_path: Path, broker: Broker) -> None:
    settings = config(tmp_path / "server", broker, more={"limits": {"queue": 1}})
    async with run_server(tmp_path / "server", settings) as server, broker.ear() as ear:
        await ready(ear)
        await ear.say(f"{PREFIX}/say", {"text": "gate gate", "id": "one"})
        await log_line(server.log, "at gate")
        for number in range(100):
            await ear.client.publish(f"{PREFIX}/set/speed", str(1 + number / 100), qos=0)
        await ear.say(f"{PREFIX}/set/voice", b"x" * 1_000_000)
        refused = await ear.told(f"{PREFIX}/error")
        assert (refused["code"], len(refused["text"]) < 400) == ("unknown-voice", True)
        file = tmp_path / "server" / "data" / "mqtt.json"
        await until(lambda: file.exists() and json.loads(file.read_text("utf-8"))["speed"] == 1.99)
        (server.log.parent / "gate").touch()
        await ear.told(f"{PREFIX}/sayFinished")
