"""The process that tells speech from silence, for every stream that is listened to (engines/activity.py says why)."""

import asyncio
import os
import struct
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final, Literal

from .errors import EngineUnavailable, WorkerLost

Detector = Literal["silero", "webrtc"]
"""What may tell speech from silence (engines/activity.py)."""
_HEADER: Final = struct.Struct("<II")
_START_SECONDS: Final = 20.0
_MOST: Final = 64  # streams that are nobody's need: each takes 0.2 to 0.4 % of a processor
_ANSWER_SECONDS: Final = 10.0  # a second of sound takes it 1 to 4 ms
_LATE: Final = 1.0  # seconds that nobody waits for it who can do without
_LOST: Final = "The process that tells speech from silence has ended; connect again."


class ActivityStream:
    """One stream of sound, judged in order."""

    def __init__(self, process: "_Process", number: int) -> None:
        self._process = process
        self._number = number
        self._rest = b""

    async def judge(self, pcm: bytes) -> list[tuple[bytes, float]]:
        """Take some more 16 kHz mono 16 bit sound, cut anywhere; gives whole chunks, and how likely each is speech.

        Raises WorkerLost.
        """
        pcm = self._rest + pcm
        size = self._process.chunk * 2
        whole = len(pcm) - len(pcm) % size
        self._rest = pcm[whole:]
        if not whole:
            return []
        scores = await self._process.ask(self._number, pcm[:whole])
        return [(pcm[index * size : (index + 1) * size], score / 255) for index, score in enumerate(scores)]


class Activity:
    """Starts the process when the first stream wants it, and again when it was lost. Close it at the end.

    Where another detector is wanted by then, the next stream gets another process; those under way keep theirs.
    """

    def __init__(self, detector: Callable[[], Detector] = lambda: "silero") -> None:
        self._detector = detector
        self._process: _Process | None = None
        self._retired: set[_Process] = set()
        self._starting = asyncio.Lock()
        self._waking: asyncio.Task[None] | None = None
        self._numbers = count(1)

    def make_ready(self) -> bool:
        """Tell whether one more stream can be followed now and makes no other late; start a process for the next."""
        process = self._process
        if process is None or process.lost or process.detector != self._detector():
            if self._waking is None or self._waking.done():
                self._waking = asyncio.create_task(self.warm(), name="start what tells speech from silence")
            return False
        return process.streams < _MOST and process.behind < _LATE

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[ActivityStream]:
        """Open a stream; raises EngineUnavailable when no detector is installed."""
        async with self._starting:
            detector = self._detector()
            if self._process is None or self._process.lost or self._process.detector != detector:
                await self._retire()
                self._process = await _start(detector)
        process, number = self._process, next(self._numbers)
        process.streams += 1
        try:
            yield ActivityStream(process, number)
        finally:
            process.forget(number)
            process.streams -= 1
            if process in self._retired and not process.streams:
                self._retired.remove(process)
                await process.close()

    async def warm(self) -> None:
        """Start the process, where a detector is installed, so that the first stream does not wait for it."""
        with suppress(EngineUnavailable):
            async with self.stream():
                pass

    async def close(self) -> None:
        """End the process."""
        if self._waking is not None:
            self._waking.cancel()
            await asyncio.wait([self._waking])
        await self._retire()
        for process in self._retired:
            await process.close()
        self._retired.clear()

    async def _retire(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.streams and not process.lost:
            self._retired.add(process)
        elif process is not None:
            await process.close()


class _Process:
    """Requests go in, and the answers come back in their order."""

    def __init__(self, child: asyncio.subprocess.Process, chunk: int, detector: Detector) -> None:
        self.chunk = chunk
        self.detector = detector
        self.streams = 0
        self._ended = False
        self._child = child
        self._now = asyncio.get_running_loop().time
        self._waiting: deque[tuple[float, asyncio.Future[bytes]]] = deque()  # since when
        self._unsent: list[bytes] = []
        self._reader = asyncio.create_task(self._read(), name="read voice activity")

    @property
    def lost(self) -> bool:
        """Whether it has ended, or hangs: those who asked may have left before they knew."""
        return self._ended or self.behind > _ANSWER_SECONDS

    @property
    def behind(self) -> float:
        """Seconds that it has owed an answer."""
        return self._now() - self._waiting[0][0] if self._waiting else 0.0

    async def ask(self, stream: int, pcm: bytes) -> bytes:
        """Have whole chunks judged."""
        if self.lost:
            raise WorkerLost(_LOST)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append((self._now(), answer))
        self._send(_HEADER.pack(stream, len(pcm)), pcm)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await answer
        except TimeoutError:
            self._ended = True  # the next stream gets another process
            raise WorkerLost(_LOST) from None

    def forget(self, stream: int) -> None:
        """Free what is kept of a stream."""
        if not self.lost:
            self._send(_HEADER.pack(stream, 0))

    def _send(self, *parts: bytes) -> None:
        """Write a request; those of one turn of the event loop together, which the process then judges together."""
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent += parts

    def _flush(self) -> None:
        assert self._child.stdin is not None, "it was started with pipes"
        self._child.stdin.write(b"".join(self._unsent))
        self._unsent.clear()

    async def _read(self) -> None:
        stdout = self._child.stdout
        assert stdout is not None, "it was started with pipes"
        try:
            while True:
                _, length = _HEADER.unpack(await stdout.readexactly(_HEADER.size))
                scores = await stdout.readexactly(length)
                _, answer = self._waiting.popleft()
                if not answer.done():  # else who asked has left
                    answer.set_result(scores)
        except (asyncio.IncompleteReadError, ConnectionError):
            self._ended = True
            for _, answer in self._waiting:
                if not answer.done():
                    answer.set_exception(WorkerLost(_LOST))

    async def close(self) -> None:
        if self._child.stdin is not None:
            self._child.stdin.close()
        if self._child.returncode is None:
            self._child.kill()  # it keeps nothing
        await self._child.wait()
        await self._reader


async def _start(detector: Detector) -> _Process:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "wyoming_voice.engines.activity", detector),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=_environment(),
        start_new_session=True,  # Ctrl-C is for the server, which ends it
    )
    assert child.stdout is not None, "it was started with pipes"
    try:
        async with asyncio.timeout(_START_SECONDS):
            word, _, rest = (await child.stdout.readline()).decode().rstrip().partition(" ")
    except BaseException:
        child.kill()
        await child.wait()
        raise
    if word != "chunk":
        await child.wait()
        raise EngineUnavailable(rest or "The process that tells speech from silence does not start.")
    return _Process(child, int(rest), detector)


def _environment() -> Mapping[str, str]:
    """Let the child find this very package, installed or not; it needs one thread."""
    package = str(Path(__file__).resolve().parent.parent)
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
