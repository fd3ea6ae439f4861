"""Hold one worker on a Ray cluster: ``python -P ray_launch.py JSON``, a child of the server, as a worker would be.

It asks the cluster for an actor, which runs the same worker on its node, and announces the address there; it ends when
the worker does, and ends the worker when its own standard input ends. A process of its own, since the client of a
cluster ends its process when it loses the cluster, and the server must not.
"""

import importlib.util
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic
from typing import Any, Final, TextIO

_PLACING: Final = 0.8
"""The share of the time to start that may go by until a node has room; the rest is for loading."""


class Host:
    """On a node: the worker as a child process, which ends when the actor does."""

    def __init__(self) -> None:
        self._worker: subprocess.Popen[str] | None = None

    def placed(self) -> str:
        """Return the node's own address."""
        import ray.util  # noqa: PLC0415 - the node's

        return str(ray.util.get_node_ip_address())

    def start(self, node: str, asked: dict[str, Any]) -> tuple[str, str]:
        """Start the worker; returns what it announced, a line of JSON or nothing, and what ran it."""
        found = importlib.util.find_spec("wyoming_voice")
        assert found is not None, "the runtime environment brings the package"
        assert found.origin is not None, "it has an __init__.py"
        boot = Path(found.origin).with_name("boot.py")
        own = Path(asked["options"]["data_dir"], "engines", asked["engine"], "bin", "python")
        python = str(own) if own.exists() else sys.executable
        uri = f"tcp://[{node}]:0" if ":" in node else f"tcp://{node}:0"
        self._worker = subprocess.Popen(
            [
                *(python, "-P", str(boot), "--uri", uri, "--entry", asked["entry"], "--task", asked["task"]),
                *("--options", json.dumps(asked["options"]), "--seats", str(asked["seats"])),
            ],
            stdin=subprocess.PIPE,  # it ends with this process, however that ends
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )
        assert self._worker.stdout is not None, "it was started with a pipe"
        return self._worker.stdout.readline(), python

    def ended(self) -> int:
        """Wait until the worker has ended; returns its exit status."""
        assert self._worker is not None, "it was started"
        return self._worker.wait()


def hold(asked: dict[str, Any], announce: TextIO) -> int:
    """Start a worker on the cluster, announce it, and wait until it has ended; returns the exit status."""
    until = monotonic() + _PLACING * asked["seconds"]
    try:
        import ray  # noqa: PLC0415 - only where an engine is configured so
        from ray.exceptions import GetTimeoutError, RayError  # noqa: PLC0415
    except ImportError as error:
        _announce(announce, text=f"Ray is not installed ({error}). Run: .venv/bin/python -m pip install 'ray>=2.50,<3'")
        return 1
    share = asked["share"]
    environment = share["runtime_env"]
    modules = [*environment.get("py_modules", ()), str(Path(__file__).parent)]  # the server's own code, on every node
    environment = {"excludes": ["**/__pycache__"], **environment, "py_modules": modules}
    try:
        ray.init(address=asked["address"], runtime_env=environment, log_to_driver=True, configure_logging=False)
    except (RayError, OSError, RuntimeError, ValueError) as error:
        _announce(announce, text=f"The Ray cluster at {asked['address']} cannot be used: {error}")
        return 1
    try:
        host, node = _place(share, until)
        said, python = ray.get(host.start.remote(node, asked))
        if not said:
            _announce(
                announce,
                text=f"{asked['description']} does not load on the node {node} with {python} "
                f"(exit status {ray.get(host.ended.remote())}); its last words are in Ray's logs there.",
            )
            return 1
        announce.write(said)
        announce.flush()
        return int(ray.get(host.ended.remote()))
    except GetTimeoutError:
        wants = ", ".join(
            f"{name} {value}" for name, value in share.items() if value and name.startswith(("num", "res"))
        )
        _announce(announce, text=f"No node of the Ray cluster has room for {asked['description']} ({wants}).")
    except RayError as error:
        _announce(announce, text=f"{asked['description']} was lost on the Ray cluster: {error}")
    return 1


def _place(share: dict[str, Any], until: float) -> tuple[Any, str]:
    """Wait for a node with room; returns the handle of the actor there, and the node's address.

    Raises GetTimeoutError. Ray may choose a node that has just died, until its health checks tell.
    """
    import ray  # noqa: PLC0415 - see hold
    from ray.exceptions import ActorDiedError  # noqa: PLC0415

    host = ray.remote(Host).options(
        num_cpus=share["num_cpus"],
        num_gpus=share["num_gpus"],
        resources=share["resources"],
        scheduling_strategy="SPREAD",  # another node, where there is one
        max_restarts=0,  # the server's pool decides what is started in its place
    )
    while True:
        placed = host.remote()
        try:
            return placed, ray.get(placed.placed.remote(), timeout=max(0.0, until - monotonic()))
        except ActorDiedError:
            if monotonic() > until:
                raise


def _announce(announce: TextIO, *, text: str) -> None:
    announce.write(json.dumps({"code": "engine-unavailable", "text": text}) + "\n")
    announce.flush()


def _end_with_input() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)  # the cluster ends the actors of a driver that is gone


def main() -> int:
    """Run from the command line, with what the server asks for as JSON."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    announce = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # Ray prints what it likes; only announcements go to standard output
    with announce:
        return hold(json.loads(sys.argv[1]), announce)


if __name__ == "__main__":
    sys.exit(main())
