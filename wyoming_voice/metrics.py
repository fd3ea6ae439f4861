"""The instruments, named once, and the requests of late. They know what was said only if the user wants that."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from .errors import VoiceError

_QUICK: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_RECENT: Final = 50
_TEXT: Final = 300  # characters


@dataclass(slots=True)
class Observation:
    """One request, while it runs and after."""

    task: Literal["tts", "asr"]
    engine: str = ""
    voice: str = ""
    """The voice that spoke, or the language that was heard."""
    began: float = field(default_factory=time.time)
    """Seconds since 1970."""
    first: float | None = None
    """Seconds until the first audio or text; None: there was none yet."""
    seconds: float | None = None
    """Seconds that it took; None: it still runs."""
    audio: float = 0.0
    """Seconds of audio spoken or heard."""
    outcome: str = ""
    """``ok``, ``cancelled``, or an error's code; empty while it runs."""
    text: str = ""
    """The beginning of what was said or heard, where the user wants to see that."""
    _clock: float = field(default_factory=time.perf_counter)

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.perf_counter() - self._clock

    def progress(self, audio: float = 0.0) -> None:
        """Note some more audio, or the first text."""
        if self.first is None:
            self.first = self.elapsed
        self.audio += audio


class Metrics:
    """The instruments of one application."""

    def __init__(self, *, texts: bool = False) -> None:
        self._texts = texts
        self.registry = CollectorRegistry()
        self.recent: deque[Observation] = deque(maxlen=_RECENT)
        """The last requests, those under way among them, oldest first."""
        self._requests = self._counter("requests", "Requests that ended", "task", "engine", "outcome")
        self._audio = self._counter("audio_seconds", "Seconds of audio spoken or heard", "task", "engine")
        self._first = Histogram(
            "wyoming_voice_first_seconds",
            "Seconds from a request to its first audio or text",
            ("task", "engine"),
            buckets=_QUICK,
            registry=self.registry,
        )
        self.warnings = self._counter("warnings", "Warnings of workers: speech that was cut, for one", "engine")
        self.running = Gauge("wyoming_voice_running", "Requests under way", ("task",), registry=self.registry)
        self.workers = Gauge(
            "wyoming_voice_workers", "Workers by what they are doing", ("engine", "state"), registry=self.registry
        )
        self.waiting = Gauge("wyoming_voice_waiting", "Turns waited for", ("engine",), registry=self.registry)

    @contextmanager
    def observe(self, task: Literal["tts", "asr"]) -> Iterator[Observation]:
        """Watch a request to its end, whichever that is."""
        seen = Observation(task)
        self.recent.append(seen)
        self.running.labels(task).inc()
        try:
            yield seen
        except VoiceError as error:
            seen.outcome = error.code
            raise
        except (asyncio.CancelledError, GeneratorExit):
            seen.outcome = "cancelled"
            raise
        except BaseException:
            seen.outcome = "internal"
            raise
        else:
            seen.outcome = "ok"
        finally:
            seen.seconds = seen.elapsed
            self.running.labels(task).dec()
            self._requests.labels(task, seen.engine, seen.outcome).inc()
            self._audio.labels(task, seen.engine).inc(seen.audio)
            if seen.first is not None:
                self._first.labels(task, seen.engine).observe(seen.first)

    def tell(self, seen: Observation, text: str) -> None:
        """Note what was said or heard, in memory and only if the user wants that."""
        if self._texts and len(seen.text) < _TEXT:
            seen.text = f"{seen.text} {text.strip()}".strip()[:_TEXT]

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"wyoming_voice_{name}", text, labels, registry=self.registry)
