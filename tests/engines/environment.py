"""Engines that live in environments of their own: where their Python is, and how a test speaks to one in its worker."""

import json
import os
import socket
import subprocess
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.event import Event

import wyoming_voice
from wyoming_voice.engines.protocol import Heard, Piece, Segment
from wyoming_voice.engines.table import TABLE
from wyoming_voice.errors import from_code
from wyoming_voice.link import read_heard, segment_event, transcribe_event
from wyoming_voice.wire import EventLimits, EventParser, encode

ROOT: Final = Path(__file__).resolve().parent.parent.parent
_BOOT: Final = Path(wyoming_voice.__file__).with_name("boot.py")
_HERE: Final = Path(__file__).parent
_LIMITS: Final = EventLimits(64 * 1024, 4 * 1024 * 1024, 4 * 1024 * 1024)
_SECONDS: Final = 240.0  # torch takes a minute to be imported on a busy machine, the first time


def real_data_dir() -> Path:
    """Return the server's ``data_dir`` that has the real weights which tests marked ``weights`` use."""
    return Path(os.environ.get("WYOMING_VOICE_TEST_DATA") or ROOT / "data")


def engine_python(name: str) -> str:
    """Return the interpreter that has an engine's packages, or skip the test."""
    folder = Path(os.environ.get("WYOMING_VOICE_TEST_ENGINES") or real_data_dir() / "engines")
    python = folder / name / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{name} has no environment in {folder}. Run: ./run.sh engines install {name}")
    return str(python)


def _run(name: str, script: Path, *arguments: str | Path) -> str:
    found = subprocess.run(
        [engine_python(name), "-P", str(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert found.returncode == 0, found.stderr[-4000:]
    return found.stdout


def make_tiny(name: str, folder: Path, *arguments: str) -> Path:
    """Have ``tiny/NAME.py`` make its checkpoints in a folder, in the engine's own environment."""
    _run(name, _HERE / "tiny" / f"{name.replace('-', '_')}.py", folder, *arguments)
    return folder


def probe(name: str, *arguments: str | Path, script: str | None = None) -> dict[str, Any]:
    """Run ``probe/NAME.py``, or another script there, in the engine's own environment; returns its last line's JSON."""
    said = _run(name, _HERE / "probe" / f"{script or name.replace('-', '_')}.py", *arguments)
    found: dict[str, Any] = json.loads(said.strip().rpartition("\n")[2])
    return found


class WorkerEngine:
    """An engine in a worker of its own, called like one in this process."""

    def __init__(self, process: "subprocess.Popen[str]", path: str) -> None:
        self.process = process
        self._path = path

    def synthesize(self, segment: Segment) -> Iterator[AudioChunk]:
        """Speak; closing the iterator closes the connection, which cancels."""
        sound = {"rate": 0, "width": 0, "channels": 0}
        for event in self.ask(segment_event(segment)):
            if AudioStart.is_type(event.type):
                start = AudioStart.from_event(event)
                sound = {"rate": start.rate, "width": start.width, "channels": start.channels}
            elif AudioChunk.is_type(event.type):
                yield AudioChunk(audio=event.payload or b"", **sound)
            elif AudioStop.is_type(event.type):
                return

    def transcribe(self, piece: Piece) -> Iterator[Heard]:
        """Listen."""
        sound = {"rate": 16_000, "width": 2, "channels": 1}
        pcm = (piece.samples * 32767.0).clip(-32768, 32767).astype("<i2").tobytes()
        asked = transcribe_event(
            language=piece.language,
            prompt=piece.prompt,
            terms=piece.terms,
            prefix=piece.prefix,
            word_times=piece.word_times,
        )
        events = [asked, AudioStart(**sound).event(), AudioChunk(audio=pcm, **sound).event(), AudioStop().event()]
        for event in self.ask(*events):
            if event.type == "transcript-chunk":
                heard = read_heard(event)
                if heard.text or heard.words:
                    yield heard
            elif event.type == "transcript":
                return

    def rewrite(self, text: str, language: str | None) -> str:
        """Change a text."""
        event = next(iter(self.ask(Event(type="transcript", data={"text": text, "language": language}))))
        assert event.type == "handled", event
        return str(event.data["text"])

    def ask(self, *events: Event) -> Iterator[Event]:
        """Send a request on a connection of its own; yield what comes back, and raise its errors."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_SECONDS)
            connection.connect(self._path)
            connection.sendall(b"".join(map(encode, events)))
            parser, found = EventParser(_LIMITS), deque[Event]()
            while True:
                while found:
                    event = found.popleft()
                    if event.type == "error":
                        raise from_code(event.data.get("code"), event.data["text"])
                    yield event
                received = connection.recv(256 * 1024)
                assert received, "the worker broke the connection"
                found += parser.feed(received)


@contextmanager
def worker(
    engine: str, entry: str, task: str, options: Mapping[str, object], folder: Path, *, python: str | None = None
) -> Iterator[WorkerEngine]:
    """Run a worker in the engine's environment for the length of a block; raises what it says when it cannot load."""
    path = folder / f"{engine}.sock"
    seats = next((spec.seats(options) for spec in TABLE if spec.entry == entry), 1)
    process = subprocess.Popen(
        [
            *(python or engine_python(engine), "-P", str(_BOOT), "--uri", f"unix://{path}"),
            *("--entry", entry, "--task", task, "--options", json.dumps(options), "--seats", str(seats)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    with process:
        assert process.stdin is not None, "it was started with a pipe"
        assert process.stdout is not None, "it was started with a pipe"
        try:
            said = json.loads(process.stdout.readline() or "{}")
            if "uri" not in said:
                raise from_code(said.get("code"), said.get("text", "the worker ended without a word"))
            yield WorkerEngine(process, str(path))
        finally:
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
