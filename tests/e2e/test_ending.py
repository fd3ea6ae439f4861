"""The server ends: at once when idle, in order while it speaks, for certain when told twice; or it does not start."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from wyoming.event import Event

from tests.e2e.dialogue import answer, ask, kinds, loud, peer, record, refused, say, stream, transcript, words
from tests.process import DEADLINE, FAKE, ROOT, ServerProcess, log_line, only_fakes, read_until, run_server, until

SIGNALS = [signal.SIGTERM, signal.SIGINT]


async def assert_refuses_connections(server: ServerProcess) -> None:
    # Not before: CPython 3.11 forgets (and complains of) a socket that it accepts while it closes the server.
    await until(lambda: "Stopping" in server.complained)
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                async with peer(server):
                    await asyncio.sleep(0.01)
            except ConnectionError:
                return


@pytest.mark.parametrize("number", SIGNALS)
async def test_an_idle_server_ends_at_once(tmp_path: Path, number: signal.Signals) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path, server={"drain_timeout": 100})) as server:
        await ask(server, say("Something to have a worker."))
        async with server.client() as idle:
            await idle.write_event(Event(type="ping"))
            await read_until(idle, "pong")
            server.signal(number)
            assert await idle.read_event() is None
        assert await server.wait() == 0


@pytest.mark.parametrize("number", SIGNALS)
async def test_what_is_being_said_and_heard_is_finished(tmp_path: Path, number: signal.Signals) -> None:
    config = only_fakes(tmp_path, server={"drain_timeout": 100}, languages=["en"])
    async with run_server(tmp_path, config) as server, server.client() as speaking, server.client() as streaming:
        async with server.client() as listening, server.client() as idle:
            await speaking.write_event(say("Gate finished. And the rest of it."))
            await log_line(server.log, "at finished")
            *begun, whole, stop = stream("A streamed sentence. An", "d one more.")
            for event in begun:
                await streaming.write_event(event)
            *begun, last = record(loud(0.5))
            for event in (*begun, Event(type="ping")):
                await listening.write_event(event)
            await read_until(listening, "pong")
            for worker in server.workers():  # Ctrl-C and systemd tell the whole group
                worker.send_signal(number)
            server.signal(number)
            assert await idle.read_event() is None
            await assert_refuses_connections(server)
            assert server.process.returncode is None
            await until(lambda: "Stopping: what is being spoken has 100 s to finish" in server.complained)
            server.log.with_name("finished").touch()
            await listening.write_event(last)
            assert transcript(await answer(listening, "transcript-stop")) == "0.5 seconds at 0.50"
            assert await listening.read_event() is None
        assert words(await answer(speaking, "audio-stop")) == 7
        assert await speaking.read_event() is None
        await streaming.write_event(whole)
        await streaming.write_event(stop)
        assert words(await answer(streaming, "synthesize-stopped")) == 6
        assert await server.wait() == 0


async def test_what_takes_longer_than_it_may_is_told_so_and_ended(tmp_path: Path) -> None:
    config = only_fakes(tmp_path, server={"drain_timeout": 0.3}, languages=["en"])
    async with run_server(tmp_path, config) as server, server.client() as speaking, server.client() as waiting:
        for event in stream("Endless"):
            await speaking.write_event(event)
        await read_until(speaking, "audio-chunk")
        await waiting.write_event(say("Never begun."))
        server.signal(signal.SIGTERM)
        events = await answer(speaking, "synthesize-stopped")
        assert kinds(events) == ["audio-chunk", "error", "audio-stop", "synthesize-stopped"]
        assert refused(events)[0] == "engine-unavailable"
        assert "stopping" in refused(events)[1]
        assert kinds(await answer(waiting, "audio-stop")) == ["error", "audio-stop"]
        await speaking.disconnect()
        await waiting.disconnect()
        assert await server.wait() == 0


async def test_a_listener_that_reads_late_still_learns_why_it_ended(tmp_path: Path) -> None:
    config = only_fakes(tmp_path, server={"drain_timeout": 0}, languages=["en"])
    async with run_server(tmp_path, config) as server:
        text = b"Long. " * 50  # 100 MB: more than the system takes in
        request = b'{"type": "synthesize", "data": {"text": "' + text + b'"}}\n'
        async with peer(server, request, reads=False) as (reader, writer):
            await log_line(server.log, "begin Long")
            server.signal(signal.SIGTERM)
            await assert_refuses_connections(server)
            writer.transport.resume_reading()  # type: ignore[attr-defined]  # a stream's transport can
            said = await reader.read()
        assert b'"code": "engine-unavailable"' in said[-1000:]
        assert b'"type": "audio-stop"' in said[-1000:]
        assert await server.wait() == 0


@pytest.mark.parametrize(
    ("number", "text"), [(signal.SIGTERM, "Hang"), (signal.SIGINT, "Freeze"), (signal.SIGTERM, "Endless")]
)
async def test_a_second_signal_ends_everything_at_once(tmp_path: Path, number: signal.Signals, text: str) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path, server={"drain_timeout": 1000})) as server:
        async with server.client() as client:
            await client.write_event(say(text))
            await log_line(server.log, f"begin {text}")
            workers = server.workers()
            server.signal(number)
            await assert_refuses_connections(server)
            server.signal(number)
            assert await server.wait() == 0
        assert len(workers) == 1
        assert not workers[0].is_running()


async def test_a_signal_while_an_engine_loads_for_ever_ends_the_server(tmp_path: Path) -> None:
    config = only_fakes(tmp_path, tts={"preload": True, "options": {"slow_to_load": True}})
    async with run_server(tmp_path, config) as server:
        await log_line(server.log, "loads")
        server.signal(signal.SIGTERM)
        assert await server.wait() == 0


async def test_its_processes_end_when_a_server_is_killed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ended with -9"):
        async with run_server(tmp_path, only_fakes(tmp_path)) as server:
            await ask(server, say("Something."))
            process = psutil.Process(server.process.pid)
            await until(lambda: len(process.children()) == 2)  # the other one tells speech from silence
            children = process.children(recursive=True)
            server.process.kill()
            await server.wait()
            await until(lambda: not any(child.is_running() and child.status() != "zombie" for child in children))


def serve(folder: Path, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run a server that is expected not to start."""
    return subprocess.run(
        [sys.executable, "-m", "wyoming_voice", "serve", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(FAKE))), **environ},
    )


async def test_a_port_that_is_taken_is_named_with_what_to_do(tmp_path: Path) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path)) as server:
        ended = await asyncio.to_thread(serve, tmp_path, "--config", str(tmp_path / "config.yml"), "--uri", server.uri)
    assert ended.returncode in (1, 2)
    assert (
        f"Cannot listen at {server.uri.removeprefix('tcp://')}: address already in use. Is it running" in ended.stderr
    )
    assert "--uri" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("config", "arguments", "environ", "said"),
    [
        ("engines:\n  espaek: {}\n", [], {}, "config.yml:2: engines.espaek: no such engine; did you mean 'espeak'?"),
        ("limits: {text: many}\n", [], {}, "config.yml:1: limits.text: must be a whole number"),
        ("languages: [ru\n", [], {}, "config.yml:"),
        ("", ["--uri", "http://127.0.0.1:1"], {}, "tcp://HOST:PORT"),
        ("", ["--config", "nowhere.yml"], {}, "nowhere.yml: there is no such file"),
        ("", [], {"WYOMING_VOICE__LIMITS__TEXT": "-1"}, "WYOMING_VOICE__LIMITS__TEXT"),
        ("", ["--port", "10300"], {}, "--port"),
    ],
)
def test_a_wrong_configuration_is_told_in_a_sentence(
    tmp_path: Path, config: str, arguments: list[str], environ: dict[str, str], said: str
) -> None:
    (tmp_path / "config.yml").write_text(config, encoding="utf-8")
    arguments = arguments if "--config" in arguments else ["--config", "config.yml", *arguments]
    ended = serve(tmp_path, *arguments, **environ)
    assert ended.returncode == 2, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
