"""Files that clients fetch later."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from http_bridge.output import Outputs, stamp
from tests.bridge.door import Door, open_door
from tests.process import until

NAME = "speech_20260101T000000-000000Z.ogg"


def write(outputs: Outputs, name: str, size: int, when: float) -> Path:
    with outputs.writing(name) as file:
        file.write(bytes(size))
    path = outputs.folder / name
    os.utime(path, (when, when))
    return path


def test_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "new", 10, 10)
    with outputs.writing(NAME) as file:
        file.write(b"half")
        assert outputs.find(NAME) is None
    assert (tmp_path / "new" / NAME).read_bytes() == b"half"


def test_file_that_fails_leaves_nothing(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path, 10, 10)
    with pytest.raises(KeyError), outputs.writing(NAME) as file:
        file.write(b"half")
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_old_files_go_and_the_oldest_while_there_is_too_much(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path, keep_seconds=100, keep_bytes=25)
    other = tmp_path / "a file of somebody else.ogg"
    other.write_bytes(bytes(1000))
    old = write(outputs, "speech_1.ogg", 1, when=0)
    first, second, third = (write(outputs, f"stt_{when}.txt", 10, when=when) for when in (910, 920, 930))
    part = tmp_path / "left.part"
    part.write_bytes(b"by a crash")
    os.utime(part, (0, 0))
    outputs.prune(1000)
    assert [path.exists() for path in (old, part, first, second, third, other)] == [
        False,
        False,
        False,
        True,
        True,
        True,
    ]


def test_requests_at_once_remove_the_same_files(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path, keep_seconds=1, keep_bytes=1)
    for number in range(500):
        (tmp_path / f"stt_{number}.txt").touch()
    with ThreadPoolExecutor(8) as several:
        list(several.map(outputs.prune, [2e9] * 8))
    assert not list(tmp_path.iterdir())


def test_names_are_times_that_sort() -> None:
    names = [stamp() for _ in range(3)]
    assert names == sorted(names)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "outputs"
    folder.mkdir(parents=True)
    return folder


async def fetched(door: Door, path: str) -> int:
    """Ask for a path as it is, with nothing tidied up on the way."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    reply = await reader.read()
    writer.close()
    assert b"secret" not in reply
    return int(reply.split()[1])


async def test_nothing_else_can_be_fetched(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "secret.ogg").write_text("secret")
    (tmp_path / NAME).write_text("secret")
    (folder / NAME).symlink_to(tmp_path / "secret.ogg")
    (folder / "mine.ogg").write_text("secret")
    (folder / "speech_1.ogg").mkdir()
    async with open_door(tmp_path) as door:
        for name in (
            NAME,
            "mine.ogg",
            "speech_1.ogg",
            f"../../{NAME}",
            f"..%2f..%2f{NAME}",
            f"%2e%2e/%2e%2e/{NAME}",
            f"..%5c..%5c{NAME}",
            f"%2f{str(tmp_path)[1:]}/{NAME}".replace("/", "%2f"),
            f"/{tmp_path}/{NAME}",
            f"{NAME}%00",
            f"%00{NAME}",
            f"{NAME}%0a",
            f"x%00/../{NAME}",
            "",
            ".",
            "..",
            "%",
            "%ff%fe",
            "speech_" + "1" * 5000 + ".ogg",
        ):
            assert await fetched(door, f"/outputs/{name}") in (400, 404), name


async def test_old_files_are_removed_when_a_new_one_is_made(tmp_path: Path, folder: Path) -> None:
    old = folder / NAME
    old.write_bytes(b"old")
    os.utime(old, (0, 0))
    async with (
        open_door(tmp_path) as door,
        door.client.post(f"{door.url}/tts", json={"text": "Hello"}) as reply,
    ):
        assert reply.status == 200
        assert not old.exists()
        assert len(list(folder.iterdir())) == 1


async def test_windows_sees_the_file_by_another_name(tmp_path: Path) -> None:
    async with (
        open_door(tmp_path, outputs={"windows_paths": True}) as door,
        door.client.post(f"{door.url}/tts", json={"text": "Hello"}) as reply,
    ):
        spoken = await reply.json()
    assert spoken["windows_path"].startswith("\\\\wsl.localhost\\")
    assert spoken["windows_path"].endswith(spoken["path"].replace("/", "\\"))


async def test_old_files_are_removed_while_nobody_makes_new_ones(tmp_path: Path, folder: Path) -> None:
    left = write(Outputs(folder, 1, 1), "speech_1.ogg", 10, 1)
    async with open_door(tmp_path, data_dir="data", outputs={"keep_hours": 1 / 3600}) as door:
        await until(lambda: not left.exists())
        async with door.client.post(f"{door.url}/tts", json={"text": "Hello."}) as reply:
            made = Path((await reply.json())["path"])
        await until(lambda: not made.exists())
