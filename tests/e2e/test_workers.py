"""Workers come and go: on demand, ahead of it, after their time, by accident."""

from pathlib import Path
from typing import Any

import psutil
import pytest
from wyoming.event import Event

from tests.e2e.dialogue import answer, ask, ask_on, kinds, loud, record, refused, say, stream, transcript, words
from tests.process import log_line, log_lines, only_fakes, read_until, run_server, until


async def test_a_worker_starts_with_the_first_request_and_serves_the_next(tmp_path: Path) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path)) as server:
        assert server.workers() == []
        assert words(await ask(server, say("First things first."))) == 3
        workers = server.workers()
        assert len(workers) == 1
        assert words(await ask(server, say("And second."))) == 2
        assert server.workers() == workers
        assert log_lines(server.log).count("loaded") == 1


async def test_all_workers_of_an_engine_can_be_there_before_anybody_asks(tmp_path: Path) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path, tts={"preload": True, "workers": 2})) as server:
        await log_line(server.log, "loaded", count=2)
        assert len(server.workers()) == 2


async def test_an_idle_worker_ends_when_its_time_is_over_and_not_between_sentences(tmp_path: Path) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path, tts={"ttl": 0}, asr={"ttl": 0.2})) as server:
        text = "One sentence. And another one. And a third."
        for count in (1, 2):
            assert words(await ask(server, say(text))) == 8
            await until(lambda: server.workers() == [])
            assert log_lines(server.log).count("loaded") == count
        assert transcript(await ask(server, *record(loud(0.5), language="en")))
        await until(lambda: server.workers() == [])


async def test_a_worker_killed_in_the_middle_is_told_and_the_next_request_has_a_fresh_one(tmp_path: Path) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path)) as server:
        ends = ["audio-stop", "synthesize-stopped"]
        for events, end in (([say("Endless")], ends[:1]), ([*stream("Endless")], ends)):
            async with server.client() as client:
                for event in events:
                    await client.write_event(event)
                await read_until(client, "audio-chunk")
                (worker,) = server.workers()
                worker.kill()
                rest = await answer(client, end[-1])
            code, why = refused(rest)
            assert code == "worker-lost"
            assert "try again" in why
            assert [kind for kind in kinds(rest) if kind != "audio-chunk"] == ["error", *end]
            assert words(await ask(server, say("Fresh again."))) == 2
            assert worker not in server.workers()


async def test_an_idle_worker_that_was_killed_is_replaced(tmp_path: Path) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path)) as server:
        await ask(server, say("First."))
        for _ in range(3):
            (worker,) = server.workers()
            worker.kill()
            assert words(await ask(server, say("It does not matter."))) == 4


async def test_a_worker_lost_before_the_first_audio_is_not_even_noticed(tmp_path: Path) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path)) as server:
        assert kinds(await ask(server, say("Falter once."))) == ["audio-start", "audio-chunk", "audio-stop"]
        assert log_lines(server.log).count("begin Falter once.") == 2
        heard = await ask(server, *record(loud(0.5), language="en", context={"prompt": "falter hearing"}))
        assert transcript(heard) == "0.5 seconds at 0.50"
        events = await ask(server, say("A sentence before. Falter later. And one after."))
        assert kinds(events) == ["audio-start", "audio-chunk", "audio-stop"]
        assert words(events) == 3 + 1 + 3  # a later sentence is tried again, too: nothing of it was heard


async def test_a_text_that_always_kills_its_worker_is_given_up(tmp_path: Path) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path)) as server:
        events = await ask(server, say("Crash"))
        assert refused(events)[0] == "worker-lost"
        assert log_lines(server.log).count("begin Crash") == 2
        events = await ask(server, say("Stumble"))
        assert kinds(events) == ["audio-start", "audio-chunk", "error", "audio-stop"]
        assert log_lines(server.log).count("begin Stumble") == 1
        events = await ask(server, *record(loud(0.5), language="en", context={"prompt": "crash"}))
        assert refused(events)[0] == "worker-lost"
        assert words(await ask(server, say("All is well."))) == 3


@pytest.mark.parametrize(
    ("options", "why"),
    [({"broken": True}, "The fake engine is broken. Run: mend it"), ({"mute": True}, "Fake does not load")],
)
async def test_an_engine_that_does_not_load_says_why_each_time(
    tmp_path: Path, options: dict[str, bool], why: str
) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path, tts={"preload": True, "options": options})) as server:
        for _ in range(2):
            events = await ask(server, say("Hello."))
            assert refused(events)[0] == "engine-unavailable"
            assert why in refused(events)[1]
            assert kinds(events) == ["error", "audio-stop"]
        assert transcript(await ask(server, *record(loud(0.5), language="en"))), "the others go on"


async def test_an_engine_that_loads_for_ever_is_given_up(tmp_path: Path) -> None:
    config = only_fakes(tmp_path, tts={"start_timeout": 0.7, "options": {"slow_to_load": True}})
    async with run_server(tmp_path, config) as server:
        code, why = refused(await ask(server, say("Hello.")))
        assert code == "engine-unavailable"
        assert "start_timeout" in why
        await until(lambda: server.workers() == [])


async def test_an_engine_that_hangs_meets_its_deadline_and_is_replaced(tmp_path: Path) -> None:
    async with run_server(
        tmp_path, only_fakes(tmp_path, tts={"step_timeout": 0.5}, asr={"step_timeout": 0.5})
    ) as server:
        async with server.client() as waiting:
            hanging = [*stream("Hang")]
            async with server.client() as client:
                for event in hanging:
                    await client.write_event(event)
                await log_line(server.log, "begin Hang")
                (hung,) = server.workers()
                await waiting.write_event(say("Behind it."))
                events = await answer(client, "synthesize-stopped")
            assert refused(events)[0] == "worker-lost"
            assert "in time" in refused(events)[1]
            assert kinds(events) == ["error", "audio-stop", "synthesize-stopped"]
            assert words(await answer(waiting, "audio-stop")) == 2
        assert not hung.is_running() or hung.status() == psutil.STATUS_ZOMBIE
        events = await ask(server, *record(loud(0.5), language="en", context={"prompt": "hang"}))
        assert refused(events)[0] == "worker-lost"


async def test_a_client_that_gives_up_on_a_hanging_engine_harms_the_next_one_only_a_while(tmp_path: Path) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path, tts={"step_timeout": 0.5})) as server:
        async with server.client() as client:
            await client.write_event(say("Hang"))
            await log_line(server.log, "begin Hang")
        assert words(await ask(server, say("Served all the same."))) == 4


async def test_one_engine_can_be_there_twice_under_a_name_of_ones_own(tmp_path: Path) -> None:
    config: dict[str, Any] = only_fakes(tmp_path)
    config["engines"]["mine"] = {"type": "fake", "options": {"log": str(tmp_path / "mine")}}
    config["engines"]["my-ears"] = {"type": "fake-ears", "options": {"log": str(tmp_path / "mine")}}
    async with run_server(tmp_path, config) as server:
        assert words(await ask(server, say("By mine.", {"name": "mine-en"}))) == 2
        assert words(await ask(server, say("By theirs.", {"name": "fake-en"}))) == 2
        assert "begin By mine." in log_lines(tmp_path / "mine")
        assert "begin By theirs." in log_lines(server.log)
        await ask(server, *record(loud(0.5), language="en", name="my-ears"))
        assert log_lines(tmp_path / "mine")[-1].startswith("hear 0.50 en")
        assert len(server.workers()) == 3


async def test_a_burst_of_clients_is_served_by_the_workers_there_may_be(tmp_path: Path) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path, tts={"workers": 2})) as server:
        clients = [server.client() for _ in range(40)]
        for number, client in enumerate(clients):
            await client.connect()
            await client.write_event(say("word. " * (number % 4 + 1)))
        for number, client in enumerate(clients):
            assert words(await answer(client, "audio-stop")) == number % 4 + 1
            assert kinds(await ask_on(client, Event(type="describe"))) == ["info"]
            await client.disconnect()
        assert len(server.workers()) == 2


# An engine that computes several segments in one batch


async def test_one_worker_speaks_to_several_at_once_and_who_leaves_makes_room(tmp_path: Path) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path, tts={"options": {"batch": 3}})) as server:
        names = ["Endless one", "Endless two", "Endless three"]
        clients = [server.client() for _ in names]
        for client, name in zip(clients, names, strict=True):
            await client.connect()
            await client.write_event(say(name))
        for _ in range(3):  # each goes on while the others do
            for client in clients:
                await read_until(client, "audio-chunk")
        assert len(server.workers()) == 1
        await log_line(server.log, "batch of 3")
        async with server.client() as fourth:
            for event in (say("A fourth."), Event(type="ping")):
                await fourth.write_event(event)
            await read_until(fourth, "pong")
            for client in clients:
                await read_until(client, "audio-chunk")
            assert "begin A fourth." not in log_lines(server.log)
            await clients[1].disconnect()
            assert words(await answer(fourth, "audio-stop")) == 2
        lines = log_lines(server.log)
        assert lines.index("closed Endless two") < lines.index("begin A fourth.")
        assert not [line for line in lines if line in ("closed Endless one", "closed Endless three")]
        for client in (clients[0], clients[2]):
            await read_until(client, "audio-chunk")
            await client.disconnect()
        assert words(await ask(server, say("All is well."))) == 3
        assert len(server.workers()) == 1


async def test_a_mistake_with_one_segment_of_a_batch_is_its_own(tmp_path: Path) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path, tts={"options": {"batch": 2}})) as server:
        async with server.client() as client:
            await client.write_event(say("Endless batch"))
            await read_until(client, "audio-chunk")
            assert refused(await ask(server, say("Refuse")))[0] == "bad-request"
            assert words(await ask(server, say("Nothing"))) == 0
            await read_until(client, "audio-chunk")
        assert log_lines(server.log).count("loaded") == 1


async def test_a_worker_that_is_lost_costs_only_those_who_had_heard_something(tmp_path: Path) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path, tts={"options": {"batch": 3}})) as server:
        heard = [server.client() for _ in range(2)]
        for client in heard:
            await client.connect()
            await client.write_event(say("Endless"))
            await read_until(client, "audio-chunk")
        async with server.client() as silent:
            await silent.write_event(say("Mute batch."))
            await log_line(server.log, "mute True")
            (worker,) = server.workers()
            worker.kill()
            assert kinds(events := await answer(silent, "audio-stop")) == ["audio-start", "audio-chunk", "audio-stop"]
            assert words(events) == 1
        assert log_lines(server.log).count("begin Mute batch.") == 2
        for client in heard:
            code, why = refused(await answer(client, "audio-stop"))
            assert code == "worker-lost"
            assert "try again" in why
            await client.disconnect()
        assert log_lines(server.log).count("loaded") == 2
