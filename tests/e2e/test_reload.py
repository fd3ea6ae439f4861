"""The configuration is read again while the server runs."""

import asyncio
import os
import pty
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from wyoming.event import Event

from tests.bridge.door import Door, open_door
from tests.e2e.dialogue import answer, ask, loud, record, refused, say, transcript, words
from tests.process import (
    DEADLINE,
    FAKE,
    ROOT,
    ServerProcess,
    log_line,
    log_lines,
    only_fakes,
    read_until,
    run_server,
    until,
)


def write(server: ServerProcess, config: Mapping[str, Any]) -> None:
    (server.folder / "config.yml").write_text(yaml.safe_dump(dict(config)), encoding="utf-8")


async def reload(door: Door, config: Mapping[str, Any]) -> dict[str, list[str]]:
    write(door.server, config)
    async with door.client.post(door.url + "/reload") as reply:
        assert reply.status == 200, await reply.text()
        return dict(await reply.json())


async def offered(server: ServerProcess) -> set[str]:
    (info,) = await ask(server, Event(type="describe"))
    return {voice["name"] for program in info.data["tts"] for voice in program["voices"]}


def with_a_second(folder: Path) -> dict[str, Any]:
    """Make a configuration whose only voice is a fake engine under a name of the user's own."""
    config: dict[str, Any] = only_fakes(folder)
    config["engines"]["second"] = {"type": "fake", "options": {"log": str(folder / "second-log")}}
    config["engines"]["fake"] = {"enabled": False}
    return config


async def test_an_engine_that_is_gone_finishes_what_it_was_asked_and_another_one_takes_its_place(
    tmp_path: Path,
) -> None:
    async with open_door(tmp_path) as door, door.server.client() as client:
        await client.write_event(say("Gate kept. And one more sentence. Then the last."))
        await log_line(door.server.log, "at kept")
        done = await reload(door, with_a_second(tmp_path))
        assert done == {"added": ["second"], "changed": [], "removed": ["fake"], "restart": []}
        assert await offered(door.server) == {"second-ru", "second-en"}
        code, _ = refused(await ask(door.server, say("Gone.", {"name": "fake-en"})))
        assert code == "unknown-voice"
        assert words(await ask(door.server, say("It is here.", {"name": "second-en"}))) == 3
        assert "begin It is here." in log_lines(tmp_path / "second-log")
        door.open_gate("kept")
        assert words(await answer(client, "audio-stop")) == 2 + 4 + 3
        assert log_lines(door.server.log).count("loaded") == 1
        await until(lambda: len(door.server.workers()) == 1)  # with its last request the old one went


async def test_workers_of_an_engine_that_changed_are_replaced_and_requests_keep_those_they_began_with(
    tmp_path: Path,
) -> None:
    async with open_door(tmp_path) as door, door.server.client() as client:
        await client.write_event(say("Gate before. Still the same."))
        await log_line(door.server.log, "at before")
        config: dict[str, Any] = only_fakes(tmp_path)
        config["engines"]["fake"]["options"]["log"] = str(tmp_path / "new-log")
        assert (await reload(door, config))["changed"] == ["fake"]
        assert words(await ask(door.server, say("As it is now."))) == 4
        assert "begin As it is now." in log_lines(tmp_path / "new-log")
        door.open_gate("before")
        assert words(await answer(client, "audio-stop")) == 2 + 3
        assert "begin Still the same." in log_lines(door.server.log)
        await until(lambda: len(door.server.workers()) == 1)


async def test_what_is_heard_and_waits_is_finished_too(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door, door.server.client() as first, door.server.client() as second:
        await first.write_event(say("Gate first."))
        await log_line(door.server.log, "at first")
        await second.write_event(say("It waited its turn."))
        await second.write_event(Event(type="ping"))
        assert (await second.read_event()) is not None
        async with door.server.client() as third:
            for event in record(loud(0.5), language="en", context={"prompt": "closed heard"}):
                await third.write_event(event)
            await log_line(door.server.log, "at heard")
            done = await reload(door, {"engines": {**with_a_second(tmp_path)["engines"], "fake-ears": {"workers": 2}}})
            assert done["changed"] == ["fake-ears"]
            for name in ("first", "heard"):
                door.open_gate(name)
            assert transcript(await answer(third, "transcript-stop")) == "0.5 seconds at 0.50"
        assert words(await answer(first, "audio-stop")) == 2
        assert words(await answer(second, "audio-stop")) == 4
        await until(lambda: not door.server.workers())


async def test_a_broken_file_changes_nothing_and_says_where_it_is_wrong(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door:
        before = await offered(door.server)
        broken = "languages: [ru, en]\nengines:\n  fake: {worker: 2}\nlimits: {text: many}\n"
        (tmp_path / "config.yml").write_text(broken, encoding="utf-8")
        refusal = await door.refused("POST", "/reload")
        assert refusal.status == 400
        assert "config.yml:3: engines.fake.worker: " in refusal.message
        assert "did you mean 'workers'?" in refusal.message
        assert "config.yml:4: limits.text: " in refusal.message
        door.server.signal(signal.SIGHUP)
        await until(lambda: "The configuration stays as it was" in door.server.complained)
        assert "config.yml:3: engines.fake.worker: " in door.server.complained
        (tmp_path / "config.yml").unlink()
        assert "there is no such file" in (await door.refused("POST", "/reload")).message
        assert await offered(door.server) == before
        assert words(await ask(door.server, say("As before."))) == 2


async def test_what_cannot_change_while_the_server_runs_is_told_and_keeps_its_value(tmp_path: Path) -> None:
    async with open_door(tmp_path, limits={"text": 100}, auth={"tokens": ["secret-one"]}) as door:
        config = only_fakes(
            tmp_path,
            limits={"text": 5, "idle": 1},
            server={"name": "another"},
            auth={"tokens": ["secret-two"]},
            outputs={"folder": "elsewhere"},
            languages=["en"],
        )
        write(door.server, config)
        headers = {"Authorization": "Bearer secret-one"}
        async with door.client.post(door.url + "/reload", headers=headers) as reply:
            told = await reply.json()
        keys = ["auth.tokens", "limits.idle", "limits.text", "outputs.folder", "server.name"]
        assert told == {"added": [], "changed": [], "removed": [], "restart": keys}
        async with door.client.post(door.url + "/reload", headers=headers) as reply:
            assert await reply.json() == told
        assert words(await ask(door.server, say("More than five characters."))) == 4
        assert await offered(door.server) == {"fake-en"}  # languages do change
        assert f"For the next start: {', '.join(keys)}" in door.server.complained
        assert "secret" not in door.server.complained


async def test_hangup_reads_it_again_and_again_while_others_are_served(tmp_path: Path) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path)) as server:
        asked = [asyncio.create_task(ask(server, say("One two. Three four. Five."))) for _ in range(10)]
        for number in range(5):
            write(server, only_fakes(tmp_path, tts={"workers": number % 2 + 1}))
            server.signal(signal.SIGHUP)
            await until(lambda read=number + 1: server.complained.count("read again") == read)  # type: ignore[misc]
            asked.append(asyncio.create_task(ask(server, say("Six seven."))))
        spoken = [words(events) for events in await asyncio.gather(*asked)]
        assert spoken == [5] * 10 + [2] * 5
        await until(lambda: len(server.workers()) <= 1)


async def test_an_engine_to_preload_is_there_before_anybody_asks(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door:
        assert door.server.workers() == []
        await reload(door, only_fakes(tmp_path, tts={"preload": True}))
        await log_line(door.server.log, "loaded")


async def test_voices_of_a_server_elsewhere_are_there_with_the_reply(tmp_path: Path) -> None:
    async with run_server(tmp_path / "there", only_fakes(tmp_path / "there")) as there:
        here = tmp_path / "here"
        async with open_door(here) as door:
            config: dict[str, Any] = only_fakes(here)
            config["engines"] |= {"fake": {"enabled": False}, "attic": {"uri": there.uri}}
            assert (await reload(door, config))["added"] == ["attic"]
            assert await offered(door.server) == {"fake-ru", "fake-en"}
            assert words(await ask(door.server, say("From the attic."))) == 3
            assert "begin From the attic." in log_lines(there.log)


async def test_a_server_whose_terminal_was_closed_ends(tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text(yaml.safe_dump(only_fakes(tmp_path)), encoding="utf-8")
    ours, theirs = pty.openpty()
    with (tmp_path / "stderr").open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "wyoming_voice", "serve", "--config", str(tmp_path / "config.yml")),
            *("--uri", "tcp://127.0.0.1:0", "--http", "off"),
            stdin=theirs,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(FAKE)])},
            cwd=tmp_path,
        )
    os.close(theirs)
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE):
        while line := await process.stdout.readline():
            if line.startswith(b"Or:"):
                break
        os.close(ours)
        process.send_signal(signal.SIGHUP)
        assert await process.wait() == 0


async def test_who_still_dictates_to_an_engine_that_goes_is_told(tmp_path: Path) -> None:
    async with open_door(tmp_path, languages=["en"]) as door, door.server.client() as client:
        *begun, rest, stop = record(loud(2.0), size=32_000, language="en")
        for event in begun:
            await client.write_event(event)
        await client.write_event(Event(type="ping"))
        await read_until(client, "pong")
        config: dict[str, Any] = only_fakes(tmp_path, languages=["en"])
        config["engines"]["fake-ears"] = {"enabled": False}
        assert (await reload(door, config))["removed"] == ["fake-ears"]
        await client.write_event(rest)
        await client.write_event(stop)
        code, why = refused(await answer(client, "transcript-stop"))
        assert code == "engine-unavailable"
        assert "fake-ears was just taken out" in why
        assert words(await ask(door.server, say("Others go on."))) == 3
