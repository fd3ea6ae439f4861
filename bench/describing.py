"""How soon ``describe`` is answered while every engine is busy, and what connections that only wait cost."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from time import perf_counter
from typing import Final

from wyoming.client import AsyncTcpClient
from wyoming.ping import Ping

from .ask import ask, connect, describe
from .bare import bare
from .busy import busy, engines
from .report import Table, median, met, mib, ms, progress, quantile
from .server import serve

_ASKED: Final = 600
_WARM: Final = 10
_BETWEEN: Final = 0.01  # seconds
_WAITING: Final = 200
_GOAL: Final = 0.010
_MEMORY_GOAL: Final = 10 * 2**20


async def describing() -> Table:
    """Ask on a connection that stays, and on one made for each question, as Home Assistant does; and a bare server."""
    async with serve() as server, bare() as bare_port:
        ports = {"wyoming-voice": server.port, "bare": bare_port}
        await server.settled()
        progress("idle")
        rows = _rows("idle", await _ask(ports))
        progress(f"while {', '.join(engines())} are busy")
        async with busy(server.port):
            rows += _rows("all busy", await _ask(ports))
    return Table(
        "describe → info, milliseconds",
        ("engines", "server", "connection", "p50", "p99", "worst", "goal"),
        rows,
        f"{_ASKED} questions each, in turn, by a process that does nothing else. all busy: {', '.join(engines())} with "
        "two clients each, so that one always waits. bare: a server of ten lines that echoes, asked at the same time: "
        "what this machine's scheduler costs. Goal: p99 under 10 ms.",
    )


async def _ask(ports: Mapping[str, int]) -> dict[tuple[str, str], list[float]]:
    seconds: dict[tuple[str, str], list[float]] = {}
    async with AsyncExitStack() as stack:
        kept = {name: await stack.enter_async_context(connect(port)) for name, port in ports.items()}
        for number in range(_WARM + _ASKED):
            if number == _WARM:
                seconds.clear()
            for name, port in ports.items():
                await asyncio.sleep(_BETWEEN)
                seconds.setdefault((name, "kept"), []).append(await _question(name, kept[name]))
                started = perf_counter()
                async with connect(port) as anew:
                    await _question(name, anew)
                    seconds.setdefault((name, "new each time"), []).append(perf_counter() - started)
    return seconds


async def _question(name: str, client: AsyncTcpClient) -> float:
    if name == "bare":
        return await ask(client, Ping().event(), Ping)
    return await describe(client)


def _rows(state: str, measured: Mapping[tuple[str, str], Sequence[float]]) -> list[tuple[str, ...]]:
    return [
        (
            *(state, name, connection, ms(median(seconds)), ms(quantile(seconds, 0.99)), ms(max(seconds))),
            "" if name == "bare" else met(quantile(seconds, 0.99) < _GOAL),
        )
        for (name, connection), seconds in measured.items()
    ]


async def connections() -> Table:
    """Count what the server's memory grows by; each connection has been used once."""
    async with serve() as server:
        before = await server.settled()
        async with AsyncExitStack() as stack:
            for _ in range(_WAITING):
                await describe(await stack.enter_async_context(connect(server.port)))
            grown = server.memory().server - before
    return Table(
        "Memory of connections that wait",
        ("connections", "server before, MiB", "growth, MiB", "KiB each", "goal"),
        [(str(_WAITING), mib(before), mib(grown), f"{grown / 1024 / _WAITING:.1f}", met(grown < _MEMORY_GOAL))],
        "Resident memory of the server process. Goal: 200 connections in 10 MiB.",
    )
