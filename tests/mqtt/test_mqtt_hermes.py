"""Rhasspy's Hermes against a real broker."""

import io
import json
import wave
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.conftest import Speech
from tests.e2e.dialogue import WORD, loud
from tests.mqtt.broker import AVAILABILITY, PREFIX, Broker, Ear, config, open_broker
from tests.process import ServerProcess, log_lines, run_server, until

CAPTURED = "hermes/asr/textCaptured"
START = "hermes/asr/startListening"
STOP = "hermes/asr/stopListening"


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with open_broker(tmp_path / "broker", "log_type all") as started:
        yield started


@pytest.fixture
async def server(tmp_path: Path, broker: Broker) -> AsyncIterator[ServerProcess]:
    async with run_server(tmp_path / "server", config(tmp_path / "server", broker, hermes=True)) as started:
        yield started


@pytest.fixture
async def ear(server: ServerProcess, broker: Broker) -> AsyncIterator[Ear]:
    async with broker.ear() as listening:
        await listening.next(AVAILABILITY)
        yield listening


async def listened_to(broker: Broker, site: str, verb: str = "SUBSCRIBE") -> None:
    """Wait until the server hears the microphone of a site, or hears it no more."""
    log = broker.folder / "mosquitto.log"

    def there() -> bool:
        lines = log.read_text("utf-8").splitlines()
        return any(f"{verb} from" in one and f"{site}/audioFrame" in two for one, two in pairwise(lines))

    await until(there)


def frames(pcm: bytes, size: int = 6400) -> Iterator[bytes]:
    for start in range(0, len(pcm), size):
        held = io.BytesIO()
        with wave.open(held, "wb") as file:
            file.setframerate(16_000)
            file.setsampwidth(2)
            file.setnchannels(1)
            file.writeframes(pcm[start : start + size])
        yield held.getvalue()


async def test_say_plays_on_the_site_and_is_finished(ear: Ear) -> None:
    said = {"text": "Three plain words.", "siteId": "kitchen", "id": "one", "sessionId": "s", "lang": "en"}
    await ear.say("hermes/tts/say", said)
    wav = await ear.next("hermes/audioServer/kitchen/playBytes/one")
    assert len(wav) == 44 + 3 * WORD
    assert await ear.told("hermes/tts/sayFinished") == {"id": "one", "siteId": "kitchen", "sessionId": "s"}


async def test_a_session_hears_up_to_stop_listening(broker: Broker, ear: Ear) -> None:
    asked = {"siteId": "kitchen", "sessionId": "s", "stopOnSilence": False, "lang": "en"}
    await ear.say(START, asked)
    await listened_to(broker, "kitchen")
    for frame in frames(loud(1.0)):
        await ear.say("hermes/audioServer/kitchen/audioFrame", frame)
        await ear.say("hermes/audioServer/garden/audioFrame", frame)
    await ear.say(STOP, {"siteId": "kitchen", "sessionId": "s"})
    heard = await ear.told(CAPTURED)
    assert (heard["text"], heard["siteId"], heard["sessionId"]) == ("1.0 seconds at 0.50", "kitchen", "s")
    await listened_to(broker, "kitchen", "UNSUBSCRIBE")
    await ear.say(START, asked)  # the site is free again
    await ear.say(STOP, {"siteId": "kitchen"})
    await ear.say(STOP, {"siteId": "nowhere"})
    assert (await ear.told(CAPTURED, 2))["text"] == ""


@pytest.mark.speech
async def test_a_session_ends_by_itself_when_nobody_speaks_any_more(broker: Broker, ear: Ear, speech: Speech) -> None:
    with wave.open(str(speech.path("en_goforward_16k.wav"))) as file:
        spoken = file.readframes(file.getnframes())
    await ear.say(START, {"siteId": "kitchen"})
    await listened_to(broker, "kitchen")
    for frame in frames(spoken + bytes(96_000)):
        await ear.say("hermes/audioServer/kitchen/audioFrame", frame)
    heard = await ear.told(CAPTURED)
    assert " seconds at " in heard["text"]
    assert float(heard["text"].split()[0]) <= len(spoken) / 32_000 + 1


async def test_mistakes_are_told_on_the_topics_of_errors(broker: Broker, ear: Ear) -> None:
    await ear.say("hermes/tts/say", "no json")
    await ear.say("hermes/tts/say", {"text": "x", "siteId": "a/b"})
    await ear.say("hermes/tts/say", {"text": "refuse", "siteId": "kitchen"})
    errors = [await ear.told("hermes/error/tts", count) for count in (1, 2, 3)]
    assert {error["context"] for error in errors} == {"bad-request"}
    assert [error["siteId"] for error in errors] == ["default", "default", "kitchen"]
    await ear.say(START, {"siteId": "kitchen", "stopOnSilence": False})
    await listened_to(broker, "kitchen")
    await ear.say(START, {"siteId": "kitchen", "stopOnSilence": False})
    assert (await ear.told("hermes/error/asr"))["context"] == "busy"
    await ear.say("hermes/audioServer/kitchen/audioFrame", b"no sound")
    await ear.say("hermes/audioServer/kitchen/audioFrame", b"no sound either")
    assert (await ear.told("hermes/error/asr", 2))["context"] == "unsupported-audio"


async def test_hermes_is_off_unless_it_is_wanted(tmp_path: Path, broker: Broker) -> None:
    async with run_server(tmp_path / "server", config(tmp_path / "server", broker)) as server, broker.ear() as ear:
        await ear.next(AVAILABILITY)
        await ear.say("hermes/tts/say", json.dumps({"text": "Unwanted."}))
        await ear.say(f"{PREFIX}/say", "Wanted.")
        await ear.told(f"{PREFIX}/sayFinished")
        assert not [line for line in log_lines(server.log) if "Unwanted" in line]
