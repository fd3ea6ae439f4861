"""A server that does nothing but echo: what asking costs on this machine, at this moment."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .server import ROOT


@asynccontextmanager
async def bare() -> AsyncIterator[int]:
    """Run it in a process of its own; yields its port."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.bare"), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None, "it was started with a pipe"
    try:
        yield int(await process.stdout.readline())
    finally:
        process.kill()
        await process.wait()


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while received := await reader.read(65536):
        writer.write(received)
    writer.close()


async def _serve() -> None:
    async with await asyncio.start_server(_echo, "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
