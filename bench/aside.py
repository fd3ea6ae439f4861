"""Another module of this folder in a process of its own, whose work is not the work of who measures."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from .server import ROOT


@asynccontextmanager
async def aside(module: str, asked: Any) -> AsyncIterator[None]:
    """Run a module while the block runs: it reads ``asked`` with :func:`wanted`, and prints a line once it works."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdin is not None, "it was started with a pipe"
    assert process.stdout is not None, "it was started with a pipe"
    try:
        process.stdin.write(json.dumps(asked).encode() + b"\n")
        assert await process.stdout.readline(), f"{module} ended; above is what it says"
        yield
        assert process.returncode is None, f"{module} has lasted; above is what it says"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def wanted() -> Any:
    """Return what the one who started this process asks for."""
    return json.loads(sys.stdin.readline())
