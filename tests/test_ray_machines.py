"""Workers on a Ray cluster of two machines, which have addresses and files of their own: one speaks for the other."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.e2e.dialogue import answer, ask, loud, record, refused, say, transcript, words
from tests.machines import HERE, THERE, Machine, two_machines
from tests.process import FAKE, only_fakes, read_until, run_server, until
from tests.test_ray import with_ray

pytestmark = [*with_ray, pytest.mark.filterwarnings("default")]

_PORT = 6379


@dataclass(frozen=True, slots=True)
class Machines:
    """This one, where the server and the head of the cluster are, and the other."""

    home: Path
    other: Machine


def _ray(*arguments: str) -> list[str]:
    start = ["-m", "ray.scripts.scripts", "start", "--block", "--object-store-memory=80000000"]
    return [sys.executable, *start, "--disable-usage-stats", *arguments]


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machines]:
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ray-")))
        for name, value in (("HOME", home), ("RAY_TMPDIR", home), ("RAY_AUTH_MODE", "disabled")):
            monkeypatch.setenv(name, str(value))
        other = stack.enter_context(two_machines(home, tmp_path, Path("/mnt")))
        log = stack.enter_context((home / "log").open("wb"))
        head = _ray(
            "--head", f"--node-ip-address={HERE}", f"--port={_PORT}", "--num-cpus=0", "--include-dashboard=false"
        )
        room = ("--num-cpus=2", '--resources={"voices": 2}')
        node = other.entering(_ray(f"--address={HERE}:{_PORT}", f"--node-ip-address={THERE}", *room))
        for command in (head, node):
            stack.callback(_end, subprocess.Popen(command, stdout=log, stderr=log))
        try:
            _until_started(home / "log", 2)
            yield Machines(home, other)
        except BaseException:
            print((home / "log").read_text())
            raise


def _until_started(log: Path, count: int) -> None:
    until = time.monotonic() + 100
    while log.read_text().count("Ray runtime started") < count:
        assert time.monotonic() < until, "the cluster does not start"
        threading.Event().wait(0.05)


def _end(process: "subprocess.Popen[bytes]") -> None:
    family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    for one in family:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()


def _workers() -> list[list[str]]:
    lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if any(part.endswith("boot.py") for part in line) and f"tcp://{THERE}:0" in line]


def _on_ray() -> dict[str, object]:
    share = {
        "resources": {"voices": 1},
        "runtime_env": {"env_vars": {"PYTHONPATH": str(FAKE)}},
        "data_dir": "/mnt",
    }
    return {"launcher": "ray", "ray": share, "start_timeout": 100, "preload": True, "step_timeout": 5}


async def test_a_worker_on_another_machine_speaks_and_hears_until_its_cable_is_pulled(
    tmp_path: Path, machines: Machines
) -> None:
    config = only_fakes(
        tmp_path, tts=_on_ray(), asr=_on_ray(), ray={"address": f"{HERE}:{_PORT}"}, languages=["en", "ru"]
    )
    async with run_server(tmp_path, config) as server:
        await until(lambda: server.complained.count("is ready") == 2, seconds=100)
        assert words(await ask(server, say("From over there."))) == 3
        assert transcript(await ask(server, *record(loud(0.5), language="en"))) == "0.5 seconds at 0.50"
        assert not server.log.exists(), "the folder is this machine's"
        assert len(_workers()) == 2
        for line in _workers():
            assert json.loads(line[line.index("--options") + 1])["data_dir"] == "/mnt", "ray.data_dir, where it is"
        async with server.client() as client:
            await client.write_event(say("Endless talk."))
            await read_until(client, "audio-chunk")
            machines.other.unplug()
            code, _ = refused(await answer(client, "audio-stop"))
            assert code == "worker-lost", "step_timeout tells of what no network does"
        machines.other.unplug(plugged=True)
        async with server.client() as client:
            client.read_timeout = 100
            await client.write_event(say("Here again."))
            assert words(await answer(client, "audio-stop")) == 2
    await until(lambda: not _workers(), seconds=60)
