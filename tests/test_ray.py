"""Workers on a Ray cluster of two nodes, all on this machine: placed, lost, started again, and gone with the server."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.dialogue import answer, ask, kinds, refused, say, words
from tests.process import (
    FAKE,
    ROOT,
    ServerProcess,
    log_lines,
    only_fakes,
    read_until,
    run_server,
    start,
    until,
)

with_ray = [
    pytest.mark.skipif(
        find_spec("ray") is None, reason="Ray is not installed; to test with it: pip install 'ray>=2.50,<3'"
    ),
    pytest.mark.timeout(240),  # a node takes seconds to start, on a busy machine many
]


@dataclass(slots=True)
class RayCluster:
    """The cluster's process, from outside."""

    address: str
    process: "subprocess.Popen[str]"

    def do(self, command: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    async def change(self, command: str) -> None:
        await asyncio.to_thread(self.do, command)

    def workers(self) -> list[psutil.Process]:
        """The workers of all nodes."""
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.Error):
                if any(part.endswith("boot.py") for part in process.cmdline()):
                    found.append(process)
        return found


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home for Ray, with a short path: sockets are in it."""
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def cluster(home: Path) -> Iterator[RayCluster]:
    environ = {**os.environ, "RAY_TMPDIR": str(home), "HOME": str(home), "RAY_AUTH_MODE": "disabled"}
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "ray_cluster.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            encoding="utf-8",
            env={**environ, "RAY_USAGE_STATS_ENABLED": "0"},
        )
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        address = process.stdout.readline().strip()
        assert address, (home / "log").read_text()
        yield RayCluster(address, process)
        family = psutil.Process(process.pid).children(recursive=True)
        process.stdin.close()
        process.wait(30)
        _, left = psutil.wait_procs(family, 10)
    assert not left
    assert not (home / ".ray").exists(), "no token is written"


@pytest.fixture
def configured(
    tmp_path: Path, home: Path, cluster: RayCluster, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Make a configuration whose engines run on the cluster, of two nodes, one worker a node."""
    cluster.do("grow 2")
    for name, value in (("HOME", home), ("RAY_TMPDIR", home), ("RAY_AUTH_MODE", "disabled")):
        monkeypatch.setenv(name, str(value))

    def make(**tts: object) -> dict[str, Any]:
        def on_ray() -> dict[str, Any]:
            share = {"resources": {"voices": 1}, "runtime_env": {"env_vars": {"PYTHONPATH": str(FAKE)}}}
            return {"launcher": "ray", "ray": share}

        return only_fakes(tmp_path, tts={**on_ray(), **tts}, asr=on_ray(), ray={"address": cluster.address})

    return make


def alive(process: psutil.Process) -> bool:
    """Tell whether it runs; one that died and waits for nobody to ask how does not."""
    with suppress(psutil.Error):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


async def loaded(server: ServerProcess, count: int) -> None:
    """Wait until so many workers have loaded."""
    await logged(server, "loaded", count)


async def logged(server: ServerProcess, text: str, count: int = 1) -> None:
    """Wait as long as a cluster may take: it starts processes, and finds out in its own time that a node has died."""
    await until(lambda: sum(line.startswith(text) for line in log_lines(server.log)) >= count, seconds=120)


async def both_busy(server: ServerProcess, *texts: str) -> list[Any]:
    """Have each of these spoken, by clients of their own."""
    clients = []
    for text in texts:
        clients.append(server.client())
        await clients[-1].connect()
        await clients[-1].write_event(say(text))
        await logged(server, f"begin {text}")
    return clients


@pytest.mark.filterwarnings("default")
class TestCluster:
    pytestmark = with_ray

    async def test_a_node_is_killed_in_the_middle_of_speech(
        self, tmp_path: Path, cluster: RayCluster, configured: Callable[..., dict[str, Any]]
    ) -> None:
        async with run_server(tmp_path, configured(workers={"min": 2, "max": 2})) as server:
            await loaded(server, 2)  # before anybody asks
            clients = await both_busy(server, "Endless one", "Endless two")
            for client in clients:
                await read_until(client, "audio-chunk")
            await cluster.change("kill")
            ends = [asyncio.create_task(answer(client, "audio-stop")) for client in clients]
            (lost,), (going,) = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            code, why = refused(await lost)
            assert code == "worker-lost", "audio had gone out, so it is not said again"
            assert "try again" in why
            going.cancel()
            for client in clients:
                await client.disconnect()
            assert words(await ask(server, say("Others go on."))) == 3

            await cluster.change("grow 2")
            await loaded(server, 3)  # the lost one is started again where there is room
            clients = await both_busy(server, "Closed first", "Closed second")
            both = cluster.workers()
            await cluster.change("kill")
            await until(lambda: not all(map(alive, both)))
            (tmp_path / "first").touch()
            (tmp_path / "second").touch()
            for client in clients:
                assert kinds(await answer(client, "audio-stop")) == ["audio-start", "audio-chunk", "audio-stop"]
                await client.disconnect()
            assert sum(line.startswith("begin Closed") for line in log_lines(server.log)) == 3, (
                "one was tried elsewhere"
            )
        await until(lambda: cluster.workers() == [])

    async def test_workers_come_while_requests_wait_and_go_when_they_are_idle(
        self, tmp_path: Path, cluster: RayCluster, configured: Callable[..., dict[str, Any]]
    ) -> None:
        assert cluster.workers() == []
        async with run_server(tmp_path, configured(workers={"min": 1, "max": 2}, ttl=0.5)) as server:
            await loaded(server, 1)
            clients = await both_busy(server, "Endless", "Endless and endless")  # for the second another one comes
            assert len(cluster.workers()) == 2
            for client in clients:
                await client.disconnect()
            await until(lambda: len(cluster.workers()) == 1)
            assert words(await ask(server, say("Here we are."))) == 3

    async def test_workers_end_when_the_server_is_killed(
        self, tmp_path: Path, cluster: RayCluster, configured: Callable[..., dict[str, Any]]
    ) -> None:
        server = await start(tmp_path, configured(preload=True), uri="tcp://127.0.0.1:0")
        await until(lambda: bool(cluster.workers()), seconds=60)
        server.kill()
        await server.wait()
        await until(lambda: cluster.workers() == [])

    async def test_room_that_no_node_has_is_told_with_what_was_asked_for(
        self, tmp_path: Path, cluster: RayCluster, configured: Callable[..., dict[str, Any]]
    ) -> None:
        config = configured(start_timeout=8.0)
        config["engines"]["fake"]["ray"]["num_gpus"] = 3
        async with run_server(tmp_path, config) as server:
            code, why = refused(await ask(server, say("No room.")))
            assert code == "engine-unavailable"
            assert "No node of the Ray cluster has room for Fake (num_gpus 3.0" in why


async def test_without_ray_it_is_said_what_to_run(tmp_path: Path) -> None:
    (tmp_path / "ray.py").write_text("raise ImportError('No module named ray')")
    child = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-P",
            str(ROOT / "wyoming_voice" / "ray_launch.py"),
            json.dumps({"address": "x:1", "seconds": 1}),
        ),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    said = json.loads(await child.stdout.readline())
    assert said["code"] == "engine-unavailable"
    assert "pip install" in said["text"]
    child.stdin.close()
    await child.wait()
