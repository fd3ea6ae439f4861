"""What happens when the broker is away, refuses, or shows a certificate."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.certificate import self_signed
from tests.e2e.dialogue import ask, say, words
from tests.mqtt.broker import AVAILABILITY, DEVICE, PREFIX, STATE, Broker, config, open_broker
from tests.process import ServerProcess, log_line, run_server, until
from wyoming_voice.config_door import Mqtt
from wyoming_voice.handlers.mqtt_link import Backoff, BrokerLink
from wyoming_voice.handlers.mqtt_outbox import Outbox, Outgoing


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with open_broker(tmp_path / "broker") as started:
        yield started


def make_passwords(file: Path) -> None:
    tool = shutil.which("mosquitto_passwd") or pytest.skip("there is no mosquitto_passwd; apt-get install mosquitto")
    subprocess.run([tool, "-b", "-c", str(file), "voice", "right"], check=True, capture_output=True)


async def complained(server: ServerProcess, text: str, count: int = 1) -> None:
    await until(lambda: server.complained.count(text) >= count)


async def test_a_wrong_password_is_said_once_and_speech_goes_on(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    make_passwords(passwords)
    async with open_broker(tmp_path / "broker", f"password_file {passwords}", anonymous=False) as broker:
        wrong = config(tmp_path / "server", broker, username="voice", password="wrong")
        async with run_server(tmp_path / "server", wrong) as server:
            await complained(server, "mqtt.password")
            log = tmp_path / "broker" / "mosquitto.log"
            await until(lambda: log.read_text("utf-8").count("not authorised") >= 3)  # it tries again
            assert words(await ask(server, say("Two words.", {"name": "fake-en"}))) == 2
            assert server.complained.count("mqtt.password") == 1
            assert server.complained.count("wrong") == 0
        right = config(tmp_path / "right", broker, username="voice", password="right")
        async with (
            run_server(tmp_path / "right", right),
            broker.ear(username="voice", password="right") as ear,
        ):
            await ear.next(DEVICE)


async def test_a_broker_that_comes_back_finds_everything_again(tmp_path: Path, broker: Broker) -> None:
    settings = config(tmp_path / "server", broker, queue=3, more={"limits": {"write": 0.1}})
    async with run_server(tmp_path / "server", settings) as server:
        async with broker.ear() as ear:
            await ear.next(AVAILABILITY)
            for number in range(6):
                await ear.say(f"{PREFIX}/say", {"text": f"closed open {number}", "id": str(number)})
            await log_line(server.log, "at open")
            await broker.stop()
        await complained(server, "went away")
        (server.log.parent / "open").touch()
        await log_line(server.log, "end ", 6)
        await complained(server, "the oldest are dropped")
        await broker.start()  # it keeps nothing: neither device nor state is there
        async with broker.ear() as ear:
            await ear.next(DEVICE)
            await ear.next(STATE)
            assert await ear.next(AVAILABILITY) == b"online"
            await ear.told(f"{PREFIX}/sayFinished")
            await ear.say(f"{PREFIX}/say", {"text": "again", "id": "new"})
            await ear.until(lambda: any(b'"new"' in said for said in ear.on(f"{PREFIX}/sayFinished")))
            left = [json.loads(said)["id"] for said in ear.on(f"{PREFIX}/sayFinished")]
            assert left == sorted(left)  # of six requests the youngest answers are left, in their order
            assert len(left) <= 3 + 1
        assert server.complained.count("the oldest are dropped") == 1


async def test_a_message_that_the_broker_does_not_take_does_not_stop_the_others(tmp_path: Path) -> None:
    async with open_broker(tmp_path / "broker", "max_packet_size 20000") as broker:
        settings = config(tmp_path / "server", broker)
        async with run_server(tmp_path / "server", settings) as server, broker.ear() as ear:
            await ear.next(AVAILABILITY)
            await ear.say(f"{PREFIX}/say", {"text": "one two three four five six seven eight nine", "id": "large"})
            await complained(server, "set mqtt.inline below it")
            await ear.until(lambda: any(b'"large"' in said for said in ear.on(f"{PREFIX}/sayFinished")))


async def test_a_server_without_its_broker_starts_speaks_and_stops(tmp_path: Path) -> None:
    async with open_broker(tmp_path / "broker") as broker:
        settings = config(tmp_path / "server", broker)
    async with run_server(tmp_path / "server", settings) as server:
        await complained(server, "cannot be reached")
        assert words(await ask(server, say("Two words.", {"name": "fake-en"}))) == 2


async def test_a_server_stops_while_a_broker_says_nothing(tmp_path: Path) -> None:
    accepted = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set()
        await reader.read()  # up to the end
        writer.close()

    listener = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        settings = config(tmp_path / "server", Broker(tmp_path, port, ""))
        async with run_server(tmp_path / "server", settings):
            await accepted.wait()


async def test_tls_trusts_the_authority_that_is_set(tmp_path: Path) -> None:
    async with secret_broker(tmp_path) as (broker, address):
        for name, tls in (("a", {"ca": str(tmp_path / "certificate.pem")}), ("b", {"insecure": True})):
            settings = config(tmp_path / name, broker, broker=address, tls=tls)
            async with run_server(tmp_path / name, settings) as server:
                await complained(server, "Connected to the MQTT broker")


async def test_tls_trusts_no_other_authority(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with secret_broker(tmp_path) as (_, address):
        link = BrokerLink(
            Mqtt(broker=address),
            will=Outgoing("will", b""),
            topics=["a"],
            receive=lambda _topic, _payload: None,
            attend=lambda _publish: asyncio.sleep(0),
            backoff=Backoff(0.01, 0.01),
        )
        running = asyncio.create_task(link.run())
        await until(lambda: "mqtt.tls.ca" in caplog.text)
        running.cancel()
        await asyncio.wait([running])
    assert "Connected" not in caplog.text


@asynccontextmanager
async def secret_broker(folder: Path) -> AsyncIterator[tuple[Broker, str]]:
    certificate, key = self_signed(folder)
    async with open_broker(folder / "broker", f"certfile {certificate}", f"keyfile {key}") as broker:
        yield broker, f"mqtts://127.0.0.1:{broker.port}"


# Without a broker


async def test_outbox_drops_the_oldest_by_number_and_by_bytes() -> None:
    outbox = Outbox(3, 100)
    for number in range(5):
        outbox.put_nowait(Outgoing(str(number), b"x" * 10))
    assert (await outbox.first()).topic == "2"
    outbox.put_nowait(Outgoing("large", b"x" * 95))
    assert [(await outbox.first()).topic, len(outbox), outbox.bytes] == ["large", 1, 95]
    outbox.put_nowait(Outgoing("larger", b"x" * 1000))
    assert [(await outbox.first()).topic, len(outbox)] == ["larger", 1]


async def test_outbox_forgets_what_was_sent_unless_it_was_dropped_on_its_way() -> None:
    outbox = Outbox(1, 100)
    outbox.put_nowait(Outgoing("a", b""))
    on_its_way = await outbox.first()
    outbox.put_nowait(Outgoing("b", b""))
    outbox.sent(on_its_way)
    assert (await outbox.first()).topic == "b"
    outbox.sent(await outbox.first())
    await outbox.empty()


async def test_outbox_waits_for_room_and_then_for_nobody() -> None:
    outbox = Outbox(1, 100)
    outbox.put_nowait(Outgoing("a", b""))
    waiting = asyncio.create_task(outbox.put(Outgoing("b", b""), 20.0))
    await asyncio.sleep(0)
    assert not waiting.done()
    outbox.sent(await outbox.first())
    await waiting
    await outbox.put(Outgoing("c", b""), 0.0)
    assert (await outbox.first()).topic == "c"


def test_backoff_doubles_up_to_a_minute_and_is_never_the_same() -> None:
    waits = [Backoff().seconds(attempt) for attempt in range(20)]
    assert all(0.5 * min(2.0**n, 60) <= wait <= min(2.0**n, 60) for n, wait in enumerate(waits))
    assert len(set(waits)) == 20
