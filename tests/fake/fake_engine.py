"""A third party's engines, brought by an entry point, whose behaviour a test chooses by what it says to them.

Each of the first words of a text below does what it says; any other text is spoken as a tenth of a second a word. An
ear does what the first word of its prompt says. ``options: {log: FILE}`` has a line for each request that began, was
closed early, or ended, and a second one of how it was asked; a gate is a file beside it, open once a test made it.
"""

import ctypes
import logging
import os
import re
import resource
import stat
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import soundfile
from wyoming.audio import AudioChunk

from wyoming_voice.engines.protocol import Heard, Options, Piece, Segment, Word
from wyoming_voice.engines.table import EngineSpec
from wyoming_voice.engines.voices import EngineVoice
from wyoming_voice.errors import BadRequest, EngineUnavailable

RATE = 16_000
CHUNK = AudioChunk(rate=RATE, width=2, channels=1, audio=b"\x10\x00" * (RATE // 10))
EMPTY = AudioChunk(rate=RATE, width=2, channels=1, audio=b"")
STEP = 0.002
"""Seconds that a step of a model takes."""


class Log:
    def __init__(self, options: Options) -> None:
        self._path = Path(str(options["log"])) if "log" in options else None

    def __call__(self, line: str) -> None:
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")

    def gate(self, name: str) -> None:
        """Wait, as native code does, which nobody can interrupt, until the test opens the gate of this name."""
        assert self._path is not None, "gates are beside the log"
        self(f"at {name}")
        while not self._path.with_name(name).exists():
            threading.Event().wait(STEP)

    def first_time(self, name: str) -> bool:
        """Whether nobody asked this before, in any worker."""
        assert self._path is not None, "what happened is remembered beside the log"
        try:
            self._path.with_name(f"{name}-before").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def write_garbage() -> None:
    """Write what is no Wyoming into every connection, as a library does that prints to the wrong descriptor."""
    threading.Event().wait(0.05)  # until what was said before has gone out
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers are wanted, not paths
        with suppress(OSError):
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                os.write(int(name), b"\x00\xff garbage \r\n" * 10)


def gorge() -> None:
    """Ask for more memory than there is."""
    resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
    held = []
    while True:
        held.append(b"x" * 2**26)


class Batch:
    """Computes a step of each text that has none ready when one of them is asked for, as a model on a GPU does."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._open: list[Iterator[AudioChunk]] = []
        self._ready: dict[Iterator[AudioChunk], AudioChunk | Exception] = {}

    def steps(self, text: Generator[AudioChunk, None, None]) -> Iterator[AudioChunk]:
        self._open.append(text)
        try:
            while True:
                if text not in self._ready:
                    self._compute()
                ready = self._ready.pop(text)
                if isinstance(ready, StopIteration):
                    return
                if isinstance(ready, Exception):
                    raise ready
                yield ready
        finally:
            self._open.remove(text)
            self._ready.pop(text, None)
            text.close()

    def _compute(self) -> None:
        asked = [text for text in self._open if text not in self._ready]
        self._log(f"batch of {len(asked)}")
        for text in asked:
            try:
                self._ready[text] = next(text)
            except Exception as error:  # noqa: BLE001 - its own text's, not of the one that was asked
                self._ready[text] = error


class FakeTts:
    def __init__(self, options: Options) -> None:
        self._log = Log(options)
        self._batch = Batch(self._log) if _seats(options) > 1 else None
        if options.get("broken"):
            raise EngineUnavailable("The fake engine is broken. Run: mend it")
        if options.get("mute"):
            os._exit(7)
        if options.get("slow_to_load"):
            self._log("loads")
            threading.Event().wait()
        self._log("loaded")

    def synthesize(self, segment: Segment) -> Iterator[AudioChunk]:
        self._log(f"begin {segment.text}")
        self._log(
            f"as {segment.text}: {segment.voice} {segment.language} {segment.speaker} "
            f"{segment.speed:g} {segment.pitch:g} {segment.style} {segment.ssml}"
        )
        if segment.seed is not None:
            self._log(f"seed {segment.text}: {segment.seed}")
        if segment.references or segment.description:
            brought = [f"{soundfile.info(one.path).duration:.1f} {one.text}" for one in segment.references]
            self._log(f"made of {brought} {segment.description} {segment.seed}")
        try:
            steps = self._steps(segment)
            yield from steps if self._batch is None else self._batch.steps(steps)
        except GeneratorExit:
            self._log(f"closed {segment.text}")
            raise
        self._log(f"end {segment.text}")

    def _steps(self, segment: Segment) -> Generator[AudioChunk, None, None]:  # noqa: C901 - one case a word
        words = [word.strip(".,!?").lower() for word in segment.text.split() if any(map(str.isalnum, word))]
        if not words:
            return
        match words[0]:
            case "endless":
                while True:
                    threading.Event().wait(STEP)
                    yield CHUNK
            case "long":
                for _ in range(600):
                    yield CHUNK
            case "gate":  # a word of audio, and another one once the gate is open
                yield CHUNK
                self._log.gate(words[1])
                yield CHUNK
            case "closed":  # no audio before the gate is open
                self._log.gate(words[1])
                yield CHUNK
            case "sealed":  # endless, once the gate is open
                self._log.gate(words[1])
                while True:
                    yield CHUNK
            case "crash":
                os._exit(3)
            case "falter":
                if self._log.first_time(words[1]):
                    os._exit(3)
                yield CHUNK
            case "mute":  # no audio the first time, however long one waits
                mute = self._log.first_time(words[1])
                self._log(f"mute {mute}")
                while mute:
                    threading.Event().wait(STEP)
                    yield EMPTY
                yield CHUNK
            case "stumble":
                yield CHUNK
                threading.Event().wait(0.05)  # until that has gone out
                os._exit(3)
            case "hang":
                threading.Event().wait()
            case "freeze":  # in native code that keeps Python's lock: nothing of the process runs any more
                ctypes.PyDLL(None).sleep(3600)
            case "garbage":
                yield CHUNK
                write_garbage()
                yield CHUNK
            case "gorge":
                yield CHUNK
                gorge()
            case "slow":
                for _ in words:
                    threading.Event().wait(0.3)
                    yield CHUNK
            case "refuse":
                raise BadRequest("The fake engine does not say that.")
            case "mistake":
                raise ValueError("a mistake in the engine")
            case "warn":
                logging.getLogger("wyoming_voice.engines.fake").warning("speech was cut")
                logging.getLogger("some.library").warning("nobody needs to know")
                yield CHUNK
            case "nothing":
                return
            case _:
                for _ in words:
                    yield CHUNK


class FakeAsr:
    def __init__(self, options: Options) -> None:
        self._log = Log(options)
        if options.get("broken"):
            raise EngineUnavailable("The fake ears are deaf. Run: mend them")

    def transcribe(self, piece: Piece) -> Iterator[Heard]:
        seconds = len(piece.samples) / 16_000
        self._log(f"hear {seconds:.2f} {piece.language} {piece.prompt} {','.join(piece.terms)}")
        if piece.prefix:
            self._log(f"after {piece.prefix}")
        try:
            yield from self._steps(piece, seconds)
        except GeneratorExit:
            self._log(f"closed {piece.prompt}")
            raise

    def _steps(self, piece: Piece, seconds: float) -> Iterator[Heard]:  # noqa: C901 - one case a word
        match (piece.prompt or "").split():
            case ["crash", *_]:
                os._exit(3)
            case ["hang", *_]:
                threading.Event().wait()
            case ["late", "hang"]:
                yield Heard("half")
                threading.Event().wait()
            case ["stumble", *_]:
                yield Heard("half")
                threading.Event().wait(0.05)  # until that has gone out
                os._exit(3)
            case ["garbage", *_]:
                write_garbage()
            case ["gorge", *_]:
                gorge()
            case ["mistake", *_]:
                raise ValueError("a mistake in the engine")
            case ["slow", *_]:
                threading.Event().wait(0.5)
            case ["closed", name]:
                self._log.gate(name)
            case ["falter", name]:
                if self._log.first_time(name):
                    os._exit(3)
            case ["endless", *_]:
                while True:
                    threading.Event().wait(STEP)
                    yield Heard(" again")
            case ["dictate", *words]:  # whatever is heard
                yield Heard(" ".join(words), 0.0, seconds, piece.language)
                return
        loudest = float(max(piece.samples.max(), -piece.samples.min())) if len(piece.samples) else 0.0
        if loudest > 0.001:
            yield Heard(f"{seconds:.1f} seconds", 0.0, seconds, piece.language, (Word("seconds", 0.0, seconds, 0.5),))
            yield Heard(f" at {loudest:.2f}", seconds, seconds, piece.language)


class FakeStress:
    """Marks the last vowel of every word, unless the text begins with what it should do instead."""

    def __init__(self, options: Options) -> None:
        self._log = Log(options)
        if options.get("broken"):
            raise EngineUnavailable("The fake stress is broken. Run: mend it")
        if options.get("closed"):
            self._log.gate("stress")

    def rewrite(self, text: str, language: str | None) -> str:
        self._log(f"stress {language} {text}")
        match text.split(maxsplit=1)[0].strip(".,!?").lower():
            case "авария":
                os._exit(3)
            case "чушь":
                return "Совсем другое."
        return re.sub(r"(?<![\w+])(\w*)([аеёиоуыэюя])([^\Wаеёиоуыэюя]*)(?![\w+])", r"\1+\2\3", text)


def _seats(options: Options) -> int:
    return int(str(options.get("batch", 1)))


def _voices(_options: Options) -> list[EngineVoice]:
    return [
        EngineVoice(
            name=f"fake-{language}",
            voice=language,
            languages=(language,),
            description=f"Fake ({language})",
            author="tests",
            url="https://example.org",
            licence="none",
            speakers=("one", "two") if language == "de" else (),
        )
        for language in ("ru", "en", "de")
    ]


TTS = EngineSpec(
    name="fake",
    task="tts",
    entry="fake_engine:FakeTts",
    description="Fake",
    author="tests",
    url="https://example.org",
    licence="none",
    install="nothing",
    voices=_voices,
    languages=("ru", "en"),
    stress="+",
    seats=_seats,
    abilities=lambda options: frozenset(options.get("abilities", ())),  # type: ignore[call-overload]  # a test's own
)

ASR = EngineSpec(
    name="fake-ears",
    task="asr",
    entry="fake_engine:FakeAsr",
    description="Fake ears",
    author="tests",
    url="https://example.org",
    licence="none",
    install="nothing",
    languages=("ru", "en"),
)

STRESS = EngineSpec(
    name="fake-stress",
    task="text",
    entry="fake_engine:FakeStress",
    description="Fake stress",
    author="tests",
    url="https://example.org",
    licence="none",
    install="nothing",
    languages=("ru",),
)
