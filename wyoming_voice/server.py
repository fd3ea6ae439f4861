"""A Wyoming server on TCP or a Unix socket: it counts its peers and ends in order."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from .connection import READ_BYTES, Connection, PeerLimits, Session
from .errors import BadRequest, Busy, EngineUnavailable

_MOST_REFUSED: Final = 64
"""Connections that are told, at one time, that they are too many: each stays for up to 2 s. Others are just closed."""


def parse_uri(uri: str) -> tuple[str, int] | Path:
    """Split ``tcp://HOST:PORT`` or ``unix://PATH``; raises BadRequest for anything else."""
    parts = urlsplit(uri)
    try:
        if parts.scheme == "tcp" and parts.hostname and parts.port is not None:
            return parts.hostname, parts.port
    except ValueError:
        pass
    if parts.scheme == "unix" and parts.path:
        return Path(parts.netloc + parts.path)
    raise BadRequest(f"'{uri}' is no address: write tcp://HOST:PORT or unix:///PATH.")


class Server:
    """Listens from ``async with`` on; leaving the block closes every connection at once and waits for their jobs."""

    def __init__(
        self,
        uri: str,
        session: Callable[[], Session],
        limits: PeerLimits,
        *,
        connections: int = 512,
        connections_per_address: int = 256,
    ) -> None:
        self._where = parse_uri(uri)
        self._session = session
        self._limits = limits
        self._most = connections
        self._most_per_address = connections_per_address
        self.connections: set[Connection] = set()
        """Those there are."""
        self._refused: set[Connection] = set()
        """Those of them that are one too many, and are being told so."""
        self._addresses: Counter[str] = Counter()
        self._buffer = memoryview(bytearray(READ_BYTES))  # for all: what is in it is taken before anybody else is read
        self._server: asyncio.Server | None = None
        self._draining = False
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def uris(self) -> list[str]:
        """Where it really listens: port 0 has become a number."""
        assert self._server is not None, "the server listens inside its block"
        if isinstance(self._where, Path):
            return [f"unix://{self._where}"]
        names = [sock.getsockname() for sock in self._server.sockets]
        return [f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}" for host, port, *_ in names]

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if isinstance(self._where, Path):
            self._where.unlink(missing_ok=True)
            self._server = await loop.create_unix_server(self._connection, self._where, backlog=256)
        else:
            host, port = self._where
            self._server = await loop.create_server(self._connection, host, port, backlog=256)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_accepting()
        for connection in list(self.connections):
            connection.abort()
        await self._empty.wait()
        if isinstance(self._where, Path):
            self._where.unlink(missing_ok=True)

    def stop_accepting(self) -> None:
        """Refuse new connections from now on."""
        assert self._server is not None, "the server listens inside its block"
        self._server.close()

    async def drain(self, seconds: float) -> None:
        """Accept nothing new, close idle peers, and give the others' requests so many seconds to end."""
        self.stop_accepting()
        self._draining = True
        for connection in list(self.connections):
            connection.drain()
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            for connection in list(self.connections):
                connection.fail(EngineUnavailable("The server is stopping; try again in a moment."))
            await self._empty.wait()  # until they have read that, or their time to linger is over

    def _connection(self) -> Connection:
        return Connection(self._session(), self._limits, self._add, self._remove, self._buffer)

    def _add(self, connection: Connection) -> None:
        why = self._refusal(connection)
        self.connections.add(connection)
        self._empty.clear()
        if why is not None:
            self._refused.add(connection)
            if len(self._refused) > _MOST_REFUSED:
                connection.abort()
            else:
                connection.fail(Busy(why))
            return
        self._addresses[connection.address] += 1
        if self._draining:  # it was on its way when we stopped to accept
            connection.drain()

    def _refusal(self, connection: Connection) -> str | None:
        """Say why there is no place for a connection; those that were told so, and have not gone yet, take none."""
        if len(self.connections) - len(self._refused) >= self._most:
            return f"The server has {self._most} connections already (limits.connections)."
        if connection.address and self._addresses[connection.address] >= self._most_per_address:
            return (
                f"{self._most_per_address} connections from one address are the most (limits.connections_per_address)."
            )
        return None

    def _remove(self, connection: Connection) -> None:
        self.connections.discard(connection)
        if connection in self._refused:
            self._refused.discard(connection)
        else:
            self._addresses[connection.address] -= 1
            if not self._addresses[connection.address]:
                del self._addresses[connection.address]
        if not self.connections:
            self._empty.set()
