"""Two machines with addresses and files of their own, made of this one by namespaces of the kernel."""

import ctypes
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

HERE: Final = "10.77.0.1"
THERE: Final = "10.77.0.2"
_NET: Final = 0x4000_0000  # CLONE_NEWNET


@dataclass(frozen=True, slots=True)
class Machine:
    """The other machine: a shell that holds its namespaces."""

    shell: "subprocess.Popen[bytes]"

    def run(self, *command: str) -> None:
        """Run a program there, to its end."""
        subprocess.run(self.entering(command), check=True, capture_output=True)

    def entering(self, command: Sequence[str]) -> list[str]:
        """Return what runs a program there."""
        return ["nsenter", "--target", str(self.shell.pid), "--net", "--mount", *command]

    def unplug(self, *, plugged: bool = False) -> None:
        """Take the cable out, or put it in again."""
        self.run("ip", "link", "set", "cable", "up" if plugged else "down")


@contextmanager
def two_machines(*hidden: Path) -> Iterator[Machine]:
    """Be one of two machines with a cable between them; the other one sees an empty folder at each of these places."""
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NET):
        os.close(before)
        pytest.skip(f"this machine cannot be made two: {os.strerror(ctypes.get_errno())} (root can)")
    try:
        mounts = " && ".join(f"mount -t tmpfs tmpfs '{folder}'" for folder in hidden)
        shell = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", f"{mounts} && echo there && cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with shell:
            assert shell.stdout is not None
            assert shell.stdout.readline() == b"there\n"
            machine = Machine(shell)
            _ip("link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", str(shell.pid))
            _ip("link", "set", "lo", "up")
            _ip("address", "add", f"{HERE}/24", "dev", "cable")
            _ip("link", "set", "cable", "up")
            machine.run("ip", "link", "set", "lo", "up")
            machine.run("ip", "address", "add", f"{THERE}/24", "dev", "cable")
            machine.run("ip", "link", "set", "cable", "up")
            try:
                yield machine
            finally:
                shell.kill()
    finally:
        libc.setns(before, _NET)
        os.close(before)


def _ip(*arguments: str) -> None:
    try:
        subprocess.run(["ip", *arguments], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no `ip` here to make two machines of this one: apt-get install iproute2")
