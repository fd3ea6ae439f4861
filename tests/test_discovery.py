"""Zeroconf, as another program on the network sees it."""

import asyncio
import errno
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from wyoming_voice.config import Settings
from wyoming_voice.config_door import Discovery
from wyoming_voice.discovery import (
    TYPE,
    announced,
    announced_addresses,
    instance_name,
    interface_addresses,
    is_reachable,
)

from .process import DEADLINE, run_server

HERE = frozenset({"192.168.1.5", "10.0.0.7", "fd00::5"})
WATCH = """
import asyncio, json, sys
from zeroconf import InterfaceChoice, IPVersion, ServiceStateChange
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

async def main(kind, interfaces):
    zeroconf = AsyncZeroconf(interfaces=interfaces or InterfaceChoice.All, ip_version=IPVersion.All)
    changes = asyncio.Queue()
    def heard(zeroconf, service_type, name, state_change):
        changes.put_nowait((name, state_change))
    AsyncServiceBrowser(zeroconf.zeroconf, kind, handlers=[heard])
    print("ready", flush=True)
    while True:
        name, change = await changes.get()
        info = AsyncServiceInfo(kind, name)
        if change is ServiceStateChange.Removed:
            print(json.dumps({"gone": name}), flush=True)
        elif await info.async_request(zeroconf.zeroconf, 3000):
            print(json.dumps({"name": name, "port": info.port, "at": sorted(info.parsed_addresses())}), flush=True)

asyncio.run(main(sys.argv[1], sys.argv[2:]))
"""


class Watcher:
    """A program of its own that browses for Wyoming servers, as Home Assistant does."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def hears(self, name: str, *, gone: bool = False) -> dict[str, object]:
        """Wait for news of a name."""
        assert self._process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            while True:
                line = await self._process.stdout.readline()
                assert line, "the watcher has ended"
                news: dict[str, object] = json.loads(line)
                if news.get("gone" if gone else "name") == f"{name}.{TYPE}":
                    return news


@asynccontextmanager
async def watcher(*interfaces: str) -> AsyncIterator[Watcher]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WATCH, TYPE, *interfaces, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        yield Watcher(process)
    finally:
        process.kill()
        await process.communicate()


def multicast(address: str) -> None:
    """Skip where a packet to a multicast group does not come back, as in some containers."""
    group, port = "224.0.0.251", 0
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth,
    ):
        ear.bind(("", port))
        ear.settimeout(2)
        try:
            ear.setsockopt(
                socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton(address)
            )
            mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
            mouth.sendto(b"?", (group, ear.getsockname()[1]))
            ear.recv(1)
        except OSError as error:
            pytest.skip(f"no multicast on {address}: {error}")


def ipv4() -> str:
    """Return an address of this machine that others reach, or skip."""
    found = sorted(address for address in interface_addresses() if ":" not in address)
    if not found:
        pytest.skip("this machine has no network but its own: no address to announce")
    multicast(found[0])
    return found[0]


async def test_another_process_finds_the_server_with_its_real_address_and_sees_it_go(tmp_path: Path) -> None:
    address = ipv4()
    config = {"discovery": {"name": f"test-{tmp_path.name}"}}
    async with watcher() as seen, run_server(tmp_path, config, uri="tcp://0.0.0.0:0") as server:
        news = await seen.hears(f"test-{tmp_path.name}")
        assert news["port"] == server.port
        at = news["at"]
        assert isinstance(at, list)
        assert address in at
        assert not {"0.0.0.0", "127.0.0.1"} & set(at)
        server.signal(signal.SIGTERM)
        await seen.hears(f"test-{tmp_path.name}", gone=True)
        assert await server.wait() == 0


async def test_both_families_are_announced_and_a_second_server_of_one_name_gets_a_number() -> None:
    ipv4()
    here = interface_addresses()
    uris = ["tcp://0.0.0.0:10300", "tcp://[::]:10300"]
    settings = Settings(discovery=Discovery(name="twins"))
    async with watcher() as seen, announced(settings, uris):
        first = await seen.hears("twins")
        assert first["at"] == sorted(here)  # IPv6 too, where this machine has it
        async with announced(settings, ["tcp://0.0.0.0:10301"]):
            assert (await seen.hears("twins-2"))["port"] == 10301


async def test_a_change_of_address_is_announced_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    address = ipv4()
    monkeypatch.setattr("wyoming_voice.discovery._LOOK_SECONDS", 0.05)
    addresses = frozenset({"127.0.0.1"})
    settings = Settings(discovery=Discovery(name="moving"))
    async with (
        watcher("127.0.0.1", address) as seen,
        announced(settings, ["tcp://0.0.0.0:10300"], lambda: addresses),
    ):
        assert (await seen.hears("moving"))["at"] == ["127.0.0.1"]
        addresses = frozenset({address})
        await seen.hears("moving", gone=True)
        assert (await seen.hears("moving"))["at"] == [address]


@pytest.mark.parametrize(
    "trouble",
    [
        OSError(errno.ENETUNREACH, "Network is unreachable"),
        RuntimeError("No adapter found for IP address fd00::5"),  # it was there when we looked
    ],
)
async def test_a_network_without_multicast_is_named_once_and_harms_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, trouble: Exception
) -> None:
    monkeypatch.setattr("wyoming_voice.discovery._LOOK_SECONDS", 0.01)

    def refuse(**_: object) -> None:
        raise trouble

    monkeypatch.setattr("zeroconf.asyncio.AsyncZeroconf", refuse)
    looks = asyncio.Queue[None]()

    def look() -> frozenset[str]:
        looks.put_nowait(None)
        return HERE

    async with announced(Settings(), ["tcp://0.0.0.0:10300"], look):
        async with asyncio.timeout(DEADLINE):
            for _ in range(5):
                await looks.get()
    assert [record.getMessage() for record in caplog.records if "Not announced" in record.getMessage()] == [
        record.getMessage() for record in caplog.records if record.levelname == "WARNING"
    ]
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1
    assert "by address and port 10300" in caplog.text


@pytest.mark.parametrize("uris", [["tcp://127.0.0.1:10300"], ["tcp://[::1]:10300"], ["unix:///run/voice.sock"], []])
async def test_a_server_for_this_machine_only_is_not_announced(uris: list[str]) -> None:
    def look() -> frozenset[str]:
        raise AssertionError("nobody asks for addresses")

    assert not is_reachable(uris)
    async with announced(Settings(), uris, look):
        assert "zeroconf" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_it_can_be_switched_off() -> None:
    settings = Settings(discovery=Discovery(zeroconf=False))
    async with announced(settings, ["tcp://0.0.0.0:10300"]):
        assert "zeroconf" not in {task.get_name() for task in asyncio.all_tasks()}


@pytest.mark.parametrize(
    ("uris", "expected"),
    [
        (["tcp://0.0.0.0:1"], {"192.168.1.5", "10.0.0.7"}),
        (["tcp://[::]:1"], {"fd00::5"}),
        (["tcp://0.0.0.0:1", "tcp://[::]:1"], HERE),
        (["tcp://10.0.0.7:1"], {"10.0.0.7"}),
        (["tcp://10.9.9.9:1"], set()),
        (["unix:///x"], set()),
    ],
)
def test_only_addresses_that_lead_to_the_server_are_announced(uris: list[str], expected: set[str]) -> None:
    assert announced_addresses(uris, HERE) == expected


def test_addresses_of_containers_loopback_and_the_link_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    interfaces = {
        "lo": ["127.0.0.1", "::1"],
        "eth0": ["192.168.1.5", "fe80::1%eth0", "fd00::5"],
        "docker0": ["172.17.0.1"],
        "br-0123456789ab": ["172.18.0.1"],
        "br0": ["10.0.0.7"],
        "wlan0": ["192.168.9.9"],
    }
    families = {True: socket.AF_INET6, False: socket.AF_INET}
    monkeypatch.setattr(
        psutil,
        "net_if_addrs",
        lambda: {
            name: [SimpleNamespace(family=families[":" in at], address=at) for at in there]
            for name, there in interfaces.items()
        },
    )
    monkeypatch.setattr(
        psutil, "net_if_stats", lambda: {name: SimpleNamespace(isup=name != "wlan0") for name in interfaces}
    )
    assert interface_addresses() == HERE


def test_the_name_is_the_programs_and_the_machines_and_fits_a_label(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "kitchen.example.org")
    assert instance_name(Settings()) == "wyoming-voice-kitchen"
    assert instance_name(Settings(discovery=Discovery(name="Голос дома. №1"))) == "Голос-дома-1"
    assert len(instance_name(Settings(discovery=Discovery(name="голос" * 12))).encode()) <= 63
