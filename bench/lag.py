"""The event loop's lag as a client meets it: ``ping`` every 5 ms, from a process that does nothing else."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from wyoming.ping import Ping, Pong

from .ask import ask, connect
from .bare import bare
from .server import ROOT

_BETWEEN: Final = 0.005  # seconds

Lags = dict[str, list[float]]
"""Seconds of each round trip: to the ``server``, and to a ``bare`` one in the same moments."""


@asynccontextmanager
async def lag(port: int) -> AsyncIterator[Lags]:
    """Measure while the block runs; what is yielded is filled when it is left."""
    lags: Lags = {}
    async with bare() as bare_port:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.lag", str(port), str(bare_port)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        try:
            yield lags
            lags |= json.loads((await process.communicate(b""))[0])  # the end of its input ends the questions
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _ask(ports: Mapping[str, int]) -> Lags:
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read), name="wait for the end")
    lags: Lags = {name: [] for name in ports}
    async with connect(ports["server"]) as server, connect(ports["bare"]) as echo:
        while not ended.done():
            await asyncio.sleep(_BETWEEN)
            lags["server"].append(await ask(server, Ping().event(), Pong))
            lags["bare"].append(await ask(echo, Ping().event(), Ping))
    return lags


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_ask({"server": int(sys.argv[1]), "bare": int(sys.argv[2])}))))
