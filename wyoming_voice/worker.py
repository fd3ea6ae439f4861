"""A worker: one engine behind a Wyoming server of its own, in a process of its own.

It loads the engine, announces on its standard output that it is ready (or why not), and serves until its standard
input ends, which also happens when its parent dies. Any Wyoming client can speak to it.
"""

import argparse
import asyncio
import importlib
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TextIO, cast

from wyoming.event import Event
from wyoming.info import Describe, Info

from .connection import Connection, Job, PeerLimits
from .engines.protocol import AsrEngine, Engine, Options, TextEngine, TtsEngine
from .errors import BadRequest, EngineUnavailable, VoiceError
from .handover import EngineThread
from .jobs import HearJob, RewriteJob, SpeakJob
from .server import Server
from .wire import EventLimits

# The only peer is our own server, which keeps to narrower limits; these hold against a stray client.
LIMITS: Final = PeerLimits(
    events=EventLimits(header=64 * 1024, data=4 * 1024 * 1024, payload=4 * 1024 * 1024), idle=3600.0, input=3600.0
)
_NICE: Final = 5
"""The server goes before its workers: what is asked and what is ready to be sent does not wait for what is computed."""


@dataclass(frozen=True, slots=True)
class WorkerSession:
    """What a worker can be asked: to speak, to listen or to change a text, and ``describe``."""

    engine: Engine
    task: str
    thread: EngineThread

    def begin(self, event: Event, connection: Connection) -> Job | Sequence[Event]:
        """Begin a request."""
        if Describe.is_type(event.type):
            return [Info().event()]
        if self.task == "tts" and event.type == "synthesize":
            return SpeakJob(event, connection, self.thread, cast("TtsEngine", self.engine))
        if self.task == "asr" and event.type in ("transcribe", "audio-start"):
            return HearJob(event, connection, self.thread, cast("AsrEngine", self.engine))
        if self.task == "text" and event.type == "transcript":
            return RewriteJob(event, connection, self.thread, cast("TextEngine", self.engine))
        raise BadRequest(f"This worker does not know '{event.type}'.")


async def serve(uri: str, entry: str, task: str, options: Options, announce: TextIO, *, seats: int) -> int:
    """Load the engine and serve it at ``uri`` until standard input ends; returns the exit status."""
    thread = EngineThread(seats)
    try:
        engine = await thread.call(lambda: load(entry, options))
    except VoiceError as error:
        _announce(announce, error=error)
        return 1
    async with Server(uri, lambda: WorkerSession(engine, task, thread), LIMITS) as server:
        _announce(announce, uri=server.uris[0])
        await _end_of_input()
        if not thread.idle:
            os._exit(0)  # in the middle of native code, which nobody waits for any more
    return 0


def load(entry: str, options: Options) -> Engine:
    """Import ``module:Class`` and load the engine; raises EngineUnavailable."""
    module, _, name = entry.partition(":")
    try:
        kind = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise EngineUnavailable(f"The engine's packages are not complete: {error}. Install it again.") from error
    engine: Engine = kind(options)
    return engine


def _announce(announce: TextIO, *, uri: str | None = None, error: VoiceError | None = None) -> None:
    said = {"uri": uri} if error is None else {"code": error.code, "text": error.text}
    announce.write(json.dumps(said) + "\n")
    announce.flush()


async def _end_of_input() -> None:
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def watch() -> None:
        if not os.read(0, 4096) and not ended.done():
            ended.set_result(None)

    loop.add_reader(0, watch)
    try:
        await ended
    finally:
        loop.remove_reader(0)


def main() -> int:
    """Run a worker from the command line."""
    parser = argparse.ArgumentParser(prog="wyoming_voice.worker", description=__doc__)
    parser.add_argument("--uri", required=True, help="unix:///PATH or tcp://HOST:PORT to listen at")
    parser.add_argument("--entry", required=True, help="module:Class of the engine")
    parser.add_argument("--task", required=True, choices=("tts", "asr", "text"))
    parser.add_argument("--options", default="{}", help="the engine's options, a JSON object")
    parser.add_argument("--seats", type=int, default=1, help="how many requests the engine does at once")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C and systemd tell the whole group
        signal.signal(number, signal.SIG_IGN)  # the server decides when we end: what is being spoken may finish
    os.nice(_NICE)
    announce = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # native libraries print what they like; only announcements go to standard output
    with announce:
        options = json.loads(arguments.options)
        return asyncio.run(
            serve(arguments.uri, arguments.entry, arguments.task, options, announce, seats=arguments.seats)
        )


if __name__ == "__main__":
    sys.exit(main())
