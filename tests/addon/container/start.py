"""The add-on's container, without Docker: its scripts by their own paths and first lines, in namespaces of their own.

Run by ``unshare`` in new mount and network namespaces: ``start.py FOLDER CASE``. The root folder is this machine's,
with /data, /config, /run, /command and /opt of its own; or, with ``image`` in the case, FOLDER as it is. A stand-in
for the Supervisor answers at http://supervisor (port 80, as the real one), and the ports are the real ones. Prints what
happened as JSON.
"""

import encodings.idna  # noqa: F401 - looked for when a name is, and then this Python's folder is gone
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SERVICES = HERE.parents[2] / "addon" / "rootfs" / "etc" / "s6-overlay" / "s6-rc.d"
TOKEN = "supervisor-token"
OWN = ("data", "config", "command", "run", "etc", "opt", "tmp")
"""Top folders that the container has for itself; some of their insides are this machine's."""


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def bind(path: Path, root: Path) -> None:
    """Show a file or folder of this machine at the same place below a root."""
    target = root / path.relative_to("/")
    if path.is_symlink():
        target.symlink_to(path.readlink())
    elif path.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        mount("--rbind", str(path), str(target))
    elif path.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
        mount("--bind", str(path), str(target))


def borrow(root: Path) -> None:
    """Make a root folder of this machine's, with our Python in place of the image's."""
    for path in Path("/").iterdir():
        if path.name not in OWN:
            bind(path, root)
    for path in [*Path("/opt").iterdir(), *Path("/etc").iterdir()]:
        if path.name != "hosts":
            bind(path, root)
    for needed in {HERE, Path(sys.prefix), Path(sys.base_prefix)}:  # they may lie in a folder that was left out
        if needed.parts[1] in {"data", "config", "run", "tmp"}:
            bind(Path(*needed.parts[:3]), root)
    python = root / "opt" / "wyoming-voice" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)


def furnish(root: Path, options: dict[str, Any], own: str) -> None:
    """Put in what s6-overlay, bashio and the Supervisor bring into a container."""
    for name in OWN:
        (root / name).mkdir(exist_ok=True)
    (root / "etc" / "hosts").write_text("127.0.0.1 localhost supervisor\n")
    for script in ("with-contenv", "bashio"):
        shutil.copy(HERE / script, root / "command" / script)
    halt = root / "run" / "s6" / "basedir" / "bin" / "halt"
    halt.parent.mkdir(parents=True, exist_ok=True)
    halt.write_text("#!/bin/sh\necho halted >/run/halted\n")
    halt.chmod(0o755)
    results = root / "run" / "s6-linux-init-container-results"
    results.mkdir(parents=True, exist_ok=True)
    (results / "exitcode").write_text("0\n")
    (root / "data" / "options.json").write_text(json.dumps(options))
    if own:
        (root / "config" / "config.yml").write_text(own)


def raise_loopback() -> None:
    """Switch the loopback interface of a new network namespace on, and give it the address of ingress too."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for name, address in (("lo", ""), ("lo:1", "172.30.32.2")):
            if address:
                request = struct.pack("16sH2s4s8s", name.encode(), socket.AF_INET, b"", socket.inet_aton(address), b"")
                fcntl.ioctl(control, 0x8916, request)  # SIOCSIFADDR
            fcntl.ioctl(
                control, 0x8914, struct.pack("16sh14s", name.encode(), 1 | 64, b"")
            )  # SIOCSIFFLAGS: up, running


class Supervisor(BaseHTTPRequestHandler):
    """The part of the Supervisor's API that the add-on uses; it keeps what it was told."""

    told: list[dict[str, Any]] = []  # noqa: RUF012 - one Supervisor a process
    heard = threading.Event()
    broker: dict[str, Any] | None = None

    def do_GET(self) -> None:
        known = self.path == "/services/mqtt" and self.broker is not None
        self._answer(self.broker if known else None)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.told.append({"path": self.path, "body": body})
        self._answer({"uuid": "0123"})
        self.heard.set()

    def _answer(self, found: dict[str, Any] | None) -> None:
        allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        result: dict[str, Any] = {"result": "ok", "data": found} if found and allowed else {"result": "error"}
        body = json.dumps(result).encode()
        self.send_response(200 if found and allowed else 400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: standard error is the add-on's log."""


def get(source: str, path: str) -> int:
    """Ask the web page from an address; returns the status."""
    connection = HTTPConnection("127.0.0.1", 8013, timeout=20, source_address=(source, 0))
    try:
        connection.request("GET", path, headers={"X-Ingress-Path": "/api/hassio_ingress/x0"})
        return connection.getresponse().status
    finally:
        connection.close()


def script(service: str, name: str, *arguments: str) -> list[str]:
    """Return the command of a service: where the image has it, or else where the checkout does."""
    there = Path("/etc/s6-overlay/s6-rc.d") / service / name
    return [str(there if there.exists() else SERVICES / service / name), *arguments]


def main() -> None:
    root = Path(sys.argv[1])
    case = json.loads(sys.argv[2])
    image = bool(case.get("image"))
    if image:
        for path in ("/proc", "/dev"):
            mount("--rbind", path, f"{root}{path}")
    else:
        borrow(root)
    furnish(root, case["options"], case.get("own", ""))
    raise_loopback()
    Supervisor.broker = case.get("broker")
    api = ThreadingHTTPServer(("127.0.0.1", 80), Supervisor)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    os.chroot(root)
    os.chdir("/")
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": "/data",
        "SUPERVISOR_TOKEN": TOKEN,
        "PYTHONPATH": str(HERE.parents[2]),
    }
    report: dict[str, Any] = {}
    with Path("/run/log").open("wb") as log:
        server = subprocess.Popen(script("wyoming-voice", "run"), env=environ, stdout=log, stderr=log)
        if case.get("fails"):
            report["status"] = server.wait(timeout=60)
        else:
            told = subprocess.run(
                script("discovery", "run"), env=environ, stdout=log, stderr=log, timeout=60, check=False
            )
            engines = subprocess.run(
                script("engines", "run"), env=environ, stdout=log, stderr=log, timeout=60, check=False
            )
            report["services"] = [told.returncode, engines.returncode]
            report["page"] = {
                "ingress": [get("172.30.32.2", path) for path in ("/", "/v1/models")],
                "others": [get("127.0.0.1", path) for path in ("/v1/models",)],
            }
            server.send_signal(signal.SIGTERM)
            report["status"] = server.wait(timeout=30)
        status = server.returncode
        ended = ("256", str(-status)) if status < 0 else (str(status), "0")
        subprocess.run(
            script("wyoming-voice", "finish", *ended), env=environ, stdout=log, stderr=log, timeout=60, check=False
        )
    report["told"] = Supervisor.told
    report["halted"] = Path("/run/halted").exists()
    report["exitcode"] = int(Path("/run/s6-linux-init-container-results/exitcode").read_text())
    report["hostname"] = socket.gethostname()
    report["log"] = Path("/run/log").read_text()
    written = Path("/data/wyoming-voice.yml")
    report["settings"] = written.read_text() if written.exists() else ""
    report["mode"] = written.stat().st_mode & 0o777 if written.exists() else None
    print(json.dumps(report))


main()
