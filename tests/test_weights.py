"""Weights: fetched from a real HTTP server that is like the hub, or taken from a folder, and removed."""

import asyncio
import gzip
import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.web_request import Request

from tests.disk import mend, small_disk
from wyoming_voice import weights
from wyoming_voice.download import Progress, fetch, is_whole, session
from wyoming_voice.engines.table import engines
from wyoming_voice.engines.weights import DEFAULT_MODELS, weights_folder
from wyoming_voice.errors import BadRequest, Busy, EngineUnavailable
from wyoming_voice.folder import locked, unfinished
from wyoming_voice.sources import ENGINES, Published, Repository, Wanted, wanted
from wyoming_voice.weights import bring, drop


def safetensors(tensor: bytes) -> bytes:
    """One tensor as https://github.com/huggingface/safetensors#format has it."""
    header = json.dumps({"t": {"dtype": "U8", "shape": [len(tensor)], "data_offsets": [0, len(tensor)]}}).encode()
    return len(header).to_bytes(8, "little") + header + tensor


BIG = safetensors(bytes(range(256)) * 4096)
FILES = {
    "config.json": b'{"model_type": "tiny"}',
    "model.safetensors": BIG,
    "speech_tokenizer/config.json": b"{}",
    "speech_tokenizer/model.safetensors": safetensors(b"codec"),
    "optimizer.bin": b"left over from training",
    "README.md": b"# A model",
}
LARGE = ("model.safetensors", "optimizer.bin")
"""What git-lfs keeps, with a SHA-256; of others the hub knows git's own sum."""


@dataclass
class Hub:
    """A server with one repository, and what goes wrong with it."""

    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    breaks: list[int] = field(default_factory=list)
    """After so many bytes the connection breaks, each once; then no more."""
    resumes: bool = True
    """It understands Range."""
    packs: bool = False
    """It compresses what it sends, where that is allowed."""
    gated: bool = False
    damaged: bool = False
    """It sends other bytes than it has published."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """The files that were asked for, and from where."""
    tokens: set[str | None] = field(default_factory=set)

    async def revision(self, request: Request) -> web.Response:
        self.tokens.add(request.headers.get("Authorization"))
        if self.gated and "Authorization" not in request.headers:
            return web.json_response({"error": "gated"}, status=401)
        return web.json_response({"sha": "abc123"})

    async def tree(self, request: Request) -> web.Response:
        below = request.match_info["below"].strip("/")
        return web.json_response([self._entry(path) for path in self.files if path.startswith(below)])

    def _entry(self, path: str) -> dict[str, object]:
        content = self.files[path]
        git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        entry: dict[str, object] = {"type": "file", "path": path, "size": len(content), "oid": git}
        if path.endswith(LARGE):
            entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
        return entry

    async def file(self, request: Request) -> web.StreamResponse:
        path, start = request.match_info["path"], 0
        content = self.files[path]
        packed = self.packs and "gzip" in request.headers.get("Accept-Encoding", "")
        if packed:
            content = gzip.compress(content)
        self.asked.append((path, request.headers.get("Range")))
        if self.resumes and (wished := request.http_range.start):
            start = wished
        if start >= len(content):
            return web.Response(status=416)
        rest = content[start:]
        if self.damaged:
            rest = rest[:-1] + b"?"
        response = web.StreamResponse(status=206 if start else 200)
        response.content_length = len(rest)
        if packed:
            response.headers["Content-Encoding"] = "gzip"
        await response.prepare(request)
        if self.breaks and path == "model.safetensors":
            await response.write(rest[: self.breaks.pop(0)])
            assert request.transport is not None
            request.transport.close()
            return response
        await response.write(rest)
        return response


@asynccontextmanager
async def serving(hub: Hub) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/api/models/{owner}/{name}/revision/main", hub.revision)
    app.router.add_get("/api/models/{owner}/{name}/tree/abc123{below:.*}", hub.tree)
    app.router.add_get("/{owner}/{name}/resolve/abc123/{path:.*}", hub.file)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def hub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN_PATH", os.devnull)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    one = Hub()
    async with serving(one) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        yield one


def model_in(folder: Path) -> Wanted:
    return Wanted("somebody/tiny", folder / "weights" / "qwen-tts" / "somebody--tiny", Repository("somebody/tiny"))


def there(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


NEEDED = {path: content for path, content in FILES.items() if path not in ("optimizer.bin", "README.md")}


async def test_a_model_is_fetched_whole_and_without_what_training_left(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = model_in(tmp_path)
    assert not model.is_here
    await bring(model)
    assert there(model.folder) == NEEDED
    assert list(model.folder.parent.iterdir()) == [model.folder]
    assert model.size == sum(map(len, NEEDED.values()))
    said = capsys.readouterr().err
    assert "4 files, 1.0 MB" in said
    assert str(model.folder) in said


async def test_what_is_there_is_not_fetched_again(hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = model_in(tmp_path)
    await bring(model)
    hub.asked.clear()
    await bring(model)
    assert hub.asked == []
    said = capsys.readouterr().err
    assert "comparing it with what is published" in said
    assert "is there already, and whole" in said
    (model.folder / "config.json").unlink()
    await bring(model)
    assert [path for path, _ in hub.asked] == ["config.json"]
    assert there(model.folder) == NEEDED


async def test_what_is_there_and_damaged_or_outdated_is_fetched_again(hub: Hub, tmp_path: Path) -> None:
    """Another revision of a model has weights of the same length."""
    model = model_in(tmp_path)
    await bring(model)
    hub.asked.clear()
    (model.folder / "model.safetensors").write_bytes(BIG[:-1] + b"?")
    left = unfinished(model.folder) / "config.json"
    left.parent.mkdir()
    left.write_bytes(b'{"model_type": "huge"}')  # whole when it came, of a revision that is no more
    await bring(model)
    assert [path for path, _ in hub.asked] == ["model.safetensors"]
    assert there(model.folder) == NEEDED


async def test_a_broken_connection_goes_on_where_it_broke(hub: Hub, tmp_path: Path) -> None:
    hub.breaks = [200_000, 300_000]
    await bring(model_in(tmp_path))
    assert there(model_in(tmp_path).folder) == NEEDED
    ranges = [wished for path, wished in hub.asked if path == "model.safetensors"]
    assert ranges[0] is None
    assert len(ranges) == 3
    assert all(wished is not None and wished != "bytes=0-" for wished in ranges[1:])


async def test_a_server_that_cannot_go_on_starts_over(hub: Hub, tmp_path: Path) -> None:
    hub.breaks, hub.resumes = [200_000], False
    await bring(model_in(tmp_path))
    assert there(model_in(tmp_path).folder) == NEEDED


async def test_an_interrupted_fetch_is_gone_on_with_by_the_next_command(hub: Hub, tmp_path: Path) -> None:
    model = model_in(tmp_path)
    part = unfinished(model.folder) / "model.safetensors.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(BIG[:500_000])
    await bring(model)
    assert ("model.safetensors", "bytes=500000-") in hub.asked
    assert there(model.folder) == NEEDED


async def test_a_file_that_arrives_damaged_is_deleted_and_named(hub: Hub, tmp_path: Path) -> None:
    hub.damaged = True
    model = model_in(tmp_path)
    with pytest.raises(EngineUnavailable, match=r"config.json arrived damaged \(its git sum"):
        await bring(model)
    assert not model.folder.exists()
    assert there(unfinished(model.folder)) == {}
    hub.damaged = False
    await bring(model)
    assert there(model.folder) == NEEDED


async def test_a_part_of_something_else_is_found_by_its_sum(hub: Hub, tmp_path: Path) -> None:
    model = model_in(tmp_path)
    part = unfinished(model.folder) / "model.safetensors.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(500_000))
    with pytest.raises(EngineUnavailable, match="its sha256 sum"):
        await bring(model)
    assert not part.exists()
    part.write_bytes(bytes(len(BIG) + 1))  # longer than the whole: not even tried
    await bring(model)
    assert there(model.folder) == NEEDED


async def test_a_gated_model_says_how_to_get_in(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.gated = True
    with pytest.raises(EngineUnavailable, match=r"HTTP 401.*licence.*HF_TOKEN"):
        await bring(model_in(tmp_path))
    token = tmp_path / "token"
    token.write_text("hf_secret\n", "utf-8")
    monkeypatch.setenv("HF_TOKEN_PATH", str(token))
    await bring(model_in(tmp_path))
    assert "Bearer hf_secret" in hub.tokens


async def test_without_a_network_the_sentence_names_the_other_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(EngineUnavailable, match=r"127.0.0.1:9 is not reachable .*--weights-from FOLDER"):
        await bring(model_in(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(EngineUnavailable, match=r"HF_HUB_OFFLINE is set.*--weights-from FOLDER"):
        await bring(model_in(tmp_path))


async def test_an_address_that_leads_nowhere_is_named(hub: Hub, tmp_path: Path) -> None:
    async with session() as http:
        for path in ("api/models/nobody", "api"):
            file = Published(f"{os.environ['HF_ENDPOINT']}/{path}", "x")
            with pytest.raises(EngineUnavailable, match="There is nothing at"):
                await fetch(http, file, tmp_path, Progress("x", None))


async def test_a_disk_without_room_is_told_of_before(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=100_500_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(EngineUnavailable, match=r"has 100.5 MB free, and 1.0 MB are to come"):
        await bring(model_in(tmp_path))
    assert [path for path, _ in hub.asked] == []


async def test_a_disk_that_others_fill_meanwhile_is_told_and_what_came_is_gone_on_with(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with small_disk(tmp_path / "small", 512):
        model = model_in(tmp_path / "small")
        with pytest.raises(EngineUnavailable, match="No space left on device"):
            await bring(model)
        assert not model.folder.exists()
        came = (unfinished(model.folder) / "model.safetensors.part").stat().st_size
        mend(tmp_path / "small", 4096)
        await bring(model)
        assert ("model.safetensors", f"bytes={came}-") in hub.asked
        assert there(model.folder) == NEEDED


async def test_two_do_not_fetch_the_same(hub: Hub, tmp_path: Path) -> None:
    model = model_in(tmp_path)
    with locked(model.folder.parent), pytest.raises(Busy, match="Another installation"):
        await bring(model)


async def test_weights_come_from_a_folder_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also from the hub's own cache, where files are links to blobs."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    snapshot = tmp_path / "snapshot"
    for path, content in FILES.items():
        blob = tmp_path / "blobs" / hashlib.sha256(content).hexdigest()
        blob.parent.mkdir(exist_ok=True)
        blob.write_bytes(content)
        (snapshot / path).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / path).symlink_to(blob)
    model = model_in(tmp_path)
    await bring(model, snapshot)
    assert there(model.folder) == NEEDED
    assert not any(path.is_symlink() for path in model.folder.rglob("*"))
    blob = tmp_path / "blobs" / hashlib.sha256(BIG).hexdigest()
    assert blob.samefile(model.folder / "model.safetensors"), "a large file is linked, not copied"
    assert drop(model) > 1_000_000
    assert not model.folder.exists()
    assert blob.exists()
    assert drop(model) == 0
    above = tmp_path / "stick"
    above.mkdir()
    snapshot.rename(above / "tiny")
    await bring(model, above)
    assert there(model.folder) == NEEDED
    with pytest.raises(EngineUnavailable, match=r"is not in .*blobs: a folder with its files is wanted"):
        await bring(model_in(tmp_path / "other"), tmp_path / "blobs")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model.safetensors": None}, r"has only a part of somebody/tiny. What it lacks: \*.safetensors"),
        ({"speech_tokenizer/model.safetensors": None}, r"lacks: speech_tokenizer/\*.safetensors"),
        ({"config.json": None}, r"lacks: config.json"),
        ({"model.safetensors": BIG[:-1]}, r"model.safetensors is damaged: .* Copy it again"),
        ({"model.safetensors": BIG[:4]}, r"model.safetensors is damaged"),
        ({"model.safetensors": b"<html>not found"}, r"model.safetensors is damaged"),
        (
            {"model.safetensors.index.json": b'{"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}'},
            r"lacks: model-2.safetensors\.",
        ),
        ({"model.safetensors.index.json": b"[]"}, r"index.json is damaged"),
    ],
)
async def test_a_folder_that_has_not_all_of_a_model_is_refused(
    tmp_path: Path, change: dict[str, bytes | None], said: str
) -> None:
    stick = tmp_path / "stick"
    for path, content in {**FILES, **change}.items():
        if content is not None:
            (stick / path).parent.mkdir(parents=True, exist_ok=True)
            (stick / path).write_bytes(content)
    model = model_in(tmp_path)
    with pytest.raises(EngineUnavailable, match=said):
        await bring(model, stick)
    assert not model.folder.exists()


async def test_a_model_of_several_files_needs_all_of_them(tmp_path: Path) -> None:
    (stick := tmp_path / "stick").mkdir()
    (stick / "v2_vocab.txt").write_text("a 0")
    (model,) = wanted("gigaam", {"data_dir": str(tmp_path), "model": "v2_ctc"})
    with pytest.raises(EngineUnavailable, match=r"has only a part of v2_ctc. What it lacks: v2_ctc.onnx\."):
        await bring(model, stick)
    (stick / "v2_ctc.onnx").write_bytes(b"a graph")
    await bring(model, stick)
    assert set(there(model.folder)) == {"v2_ctc.onnx", "v2_vocab.txt"}, "config.json goes without saying in v2"


async def test_a_voice_of_piper_lies_beside_the_others(hub: Hub, tmp_path: Path) -> None:
    below = "ru/ru_RU/irina/medium"
    name = "ru_RU-irina-medium"
    hub.files = {f"{below}/{name}.onnx": BIG, f"{below}/{name}.onnx.json": b"{}", f"{below}/MODEL_CARD": b"a card"}
    (tmp_path / "piper").mkdir()
    (tmp_path / "piper" / "own.onnx").write_bytes(b"the user's own")
    (model,) = wanted("piper", {"data_dir": str(tmp_path)}, ["ru"])
    await bring(model)
    assert set(there(tmp_path / "piper")) == {"own.onnx", f"{name}.onnx", f"{name}.onnx.json"}
    assert drop(model) == len(BIG) + 2
    assert set(there(tmp_path / "piper")) == {"own.onnx"}


@pytest.mark.parametrize("engine", ENGINES)
def test_what_an_engine_loads_is_looked_for_where_it_is_brought(engine: str, tmp_path: Path) -> None:
    options = {"data_dir": str(tmp_path)}
    assert engine in engines()
    for model in wanted(engine, options, ["ru", "en"]):
        assert model.folder.is_relative_to(tmp_path)
        if engine in DEFAULT_MODELS and model.name == DEFAULT_MODELS[engine]:
            assert model.folder == weights_folder(engine, options)


def test_weights_of_the_users_own_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    options = {"data_dir": str(tmp_path / "data"), "model": str(tmp_path / "mine")}
    assert weights_folder("qwen-tts", options) == tmp_path / "mine"
    assert wanted("qwen-tts", options) == ()
    assert wanted("espeak", options) == ()


@pytest.mark.parametrize(
    ("engine", "model", "from_there"),
    [
        ("silero", "v5_5_ru", "https://models.silero.ai/models/tts/ru/v5_5_ru.pt"),
        ("silero", "v5_cis_base", "https://models.silero.ai/models/tts/ru/v5_cis_base.pt"),
        ("silero", "v3_en", "https://models.silero.ai/models/tts/en/v3_en.pt"),
        ("silero", "ru_v3", "https://models.silero.ai/models/tts/ru/ru_v3.pt"),
        ("silero", "v4_ua", "https://models.silero.ai/models/tts/ua/v4_ua.pt"),
        ("qwen-asr", "Qwen/Qwen3-ASR-1.7B", "Qwen/Qwen3-ASR-1.7B"),
        ("gigaam", "v3_ctc", "istupakov/gigaam-v3-onnx"),
        ("gigaam", "v2_rnnt", "istupakov/gigaam-v2-onnx"),
        ("faster-whisper", "small", "Systran/faster-whisper-small"),
        ("faster-whisper", "large-v3-turbo", "mobiuslabsgmbh/faster-whisper-large-v3-turbo"),
    ],
)
def test_every_name_has_its_source(tmp_path: Path, engine: str, model: str, from_there: str) -> None:
    source = wanted(engine, {"data_dir": str(tmp_path), "model": model})[0].source
    assert (source.name if isinstance(source, Repository) else source[0].url) == from_there


def test_gigaams_own_files_have_their_published_sums(tmp_path: Path) -> None:
    options = {"data_dir": str(tmp_path), "model": "v2_ctc", "backend": "torch"}
    source = wanted("gigaam", options)[0].source
    assert not isinstance(source, Repository)
    assert source[0].check == ("md5", "e00f59cb5d39624fb30d1786044795bf")


def test_an_aligner_is_fetched_where_one_is_set(tmp_path: Path) -> None:
    options = {"data_dir": str(tmp_path), "aligner": "Qwen/Qwen3-ForcedAligner-0.6B"}
    assert [model.name for model in wanted("qwen-asr", options)] == ["Qwen/Qwen3-ASR-0.6B", options["aligner"]]


@pytest.mark.parametrize(("engine", "name"), [("qwen-tts", "tiny"), ("piper", "irina")])
def test_a_name_that_is_none_is_a_mistake(tmp_path: Path, engine: str, name: str) -> None:
    with pytest.raises(BadRequest, match=f"'{name}'"):
        wanted(engine, {"data_dir": str(tmp_path), "model": name})


def test_a_zip_is_checked_by_its_own_sums(tmp_path: Path) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("model", "x" * 1000)
    whole, broken, short = (tmp_path / name for name in ("whole", "broken", "short"))
    whole.write_bytes(archive.getvalue())
    broken.write_bytes(archive.getvalue().replace(b"xxx", b"xyx", 1))
    short.write_bytes(archive.getvalue()[:500])
    assert is_whole(whole, ("zip", ""))
    assert not is_whole(broken, ("zip", ""))
    assert not is_whole(short, ("zip", ""))


def test_progress_is_a_line_every_few_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    progress = Progress("a model", 4_000_000_000, clock=lambda: now)
    progress.skip(1_000_000_000)
    progress.add(1_000_000)
    assert capsys.readouterr().err == ""
    now = 110.0
    progress.add(999_000_000)
    assert capsys.readouterr().err == "a model: 2.0 GB of 4.0 GB, 100.0 MB/s, 0:20 left\n"
    progress.end()
    assert capsys.readouterr().err == ""
    assert str(Progress("b", None, clock=lambda: now)) == "b: 0.0 MB, 0.0 MB/s"


async def test_cancelling_keeps_what_has_arrived(hub: Hub, tmp_path: Path) -> None:
    model = model_in(tmp_path)
    reached = asyncio.Event()

    class Watched(Progress):
        def add(self, size: int) -> None:
            super().add(size)
            reached.set()

    async with session() as http:
        files = await weights._listed(http, model)
        big = next(file for file in files if file.path == "model.safetensors")
        hub.breaks = [300_000]
        task = asyncio.create_task(fetch(http, big, tmp_path, Watched("x", None)))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert 0 < (tmp_path / "model.safetensors.part").stat().st_size < len(BIG)


async def test_what_a_server_would_compress_goes_on_where_it_broke(hub: Hub, tmp_path: Path) -> None:
    hub.packs, hub.breaks = True, [1000]
    await bring(model_in(tmp_path))
    assert there(model_in(tmp_path).folder) == NEEDED


@pytest.mark.parametrize("path", ["../outside.json", "/tmp/outside.json", "a/../../outside.json"])
async def test_file_that_would_lie_elsewhere_is_not_fetched(hub: Hub, tmp_path: Path, path: str) -> None:
    async with session() as http:
        with pytest.raises(EngineUnavailable, match="file name"):
            await fetch(http, Published("http://127.0.0.1:1/x", path), tmp_path / "model", Progress("x", None))
    assert list(tmp_path.iterdir()) == []
