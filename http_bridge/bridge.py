"""What every route works with."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from aiohttp import web

from wyoming_voice.app import App
from wyoming_voice.config import Settings
from wyoming_voice.errors import EngineUnavailable

from .output import Outputs


class Session(Protocol):
    """A connection that lasts."""

    def stop(self) -> None:
        """End it as if the client had asked for that."""
        ...


@dataclass(slots=True)
class Bridge:
    """The application behind the routes."""

    app: App
    outputs: Outputs
    started: float = field(default_factory=time.monotonic)
    draining: bool = False
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while no request is under way."""
    sessions: set["Session"] = field(default_factory=set)
    """Those that would last until the client closes."""
    known: set[object] = field(default_factory=set)
    """The connections that have sent a request."""
    _requests: set["asyncio.Task[object]"] = field(default_factory=set)
    _cut: bool = False

    @property
    def settings(self) -> Settings:
        """What the user set."""
        return self.app.settings

    def __post_init__(self) -> None:
        self.idle.set()

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Count the request of this task."""
        task = asyncio.current_task()
        assert task is not None, "aiohttp has a task for each request"
        self._requests.add(task)
        self.idle.clear()
        try:
            yield
        finally:
            self._requests.discard(task)
            if not self._requests:
                self.idle.set()

    @contextmanager
    def told_of_the_end(self) -> Iterator[None]:
        """Work for a request; raises EngineUnavailable where it is cut short since the server stops."""
        try:
            yield
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._cut or task is None:
                raise  # the client has left
            task.uncancel()
            raise _stopping() from None

    def cut_short(self) -> None:
        """End what is under way: it takes longer than the server may."""
        self._cut = True
        for task in self._requests:
            task.cancel()

    def drain(self) -> None:
        """Let nobody new in, and end the sessions as soon as what was asked in them is done."""
        self.draining = True
        for session in self.sessions:
            session.stop()

    def admit(self) -> None:
        """Let a request for work in; raises EngineUnavailable while the server is stopping."""
        if self.draining:
            raise _stopping()


def _stopping() -> EngineUnavailable:
    return EngineUnavailable("The server is stopping; try again in a moment.")


BRIDGE: Final = web.AppKey("bridge", Bridge)
REQUEST_ID: Final = web.RequestKey("request_id", str)
STREAMING: Final = web.RequestKey("streaming", web.StreamResponse)
"""The reply that has begun, so that no other can be sent."""


def bridge_of(request: web.Request) -> Bridge:
    """Return the bridge that a request came in by."""
    return request.app[BRIDGE]
