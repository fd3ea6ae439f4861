"""Long and many recordings through ``/stt``: in how much memory, and how late everybody else is answered."""

import asyncio
import tempfile
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from wyoming_voice.audio import Converter, PcmFormat
from wyoming_voice.codec import FORMATS, Encoder
from wyoming_voice.listening import HEARD

from .door import Doors, open_doors
from .lag import lag
from .recording import Recording, recordings
from .report import Table, met, mib, ms, progress, quantile
from .server import models

_LANGUAGE: Final = "en"
_HOUR: Final = 3600.0  # seconds
_SPEECH: Final = 180.0
"""Seconds of it in which somebody speaks, spread over the hour: recognising all of it takes minutes."""
_KIND: Final = "mp3"
_AT_ONCE: Final = 16
_LARGE: Final = 25 * 10**6  # bytes
_STUDIO: Final = PcmFormat(96_000, 4, 2)
"""What the 25 MB are: half a minute, so that sending and decoding are much of the time, and recognising is not."""
_GOAL: Final = 0.020


async def upload() -> Table:
    """An hour in one file, and many files at the same time; ``ping`` every 5 ms all the while."""
    rows: list[tuple[str, ...]] = []
    said = [one for one in recordings() if one.language == _LANGUAGE and not one.derived]
    note = "" if said and models(_LANGUAGE) else f"There is no speech or no engine here for {_LANGUAGE}. "
    with tempfile.TemporaryDirectory(prefix="wyoming-voice-bench-") as folder:
        if not note:
            long, large = Path(folder) / f"hour{FORMATS[_KIND].suffix}", Path(folder) / "large.wav"
            progress("recordings are made")
            await asyncio.to_thread(_encode, long, _spread(said, _HOUR, _SPEECH))
            await asyncio.to_thread(_large, large, said)
            rows = [
                await _row(f"1 hour, {_KIND}", long, 1),
                await _row(f"{_AT_ONCE} at once, wav of 96 kHz", large, _AT_ONCE),
            ]
    return Table(
        "Recordings through POST /stt",
        (
            *("recording", "MB each", "audio, s", "took, s", "server idle, MiB", "at its peak", "worker, MiB"),
            *("ping p50, ms", "p99", "worst", "bare p99", "worst", "goal"),
        ),
        rows,
        f"{note}The hour is {_SPEECH:.0f} s of recorded speech, spread over silence, and recognised by "
        f"{', '.join(model.name for model in models(_LANGUAGE)[:1]) or 'nobody'}; the other file is half a minute in "
        "stereo, 32 bit, and begins with speech. Memory is resident. ping: round trip on the Wyoming port, asked every "
        "5 ms by a process of its own until the last transcript is there. bare: a server that only echoes, in the "
        "same moments: what the machine's scheduler costs. Goal: ping p99 under 20 ms.",
    )


async def _row(name: str, path: Path, count: int) -> tuple[str, ...]:
    size = (await asyncio.to_thread(path.stat)).st_size
    async with open_doors() as doors:
        progress(f"{name}: warming up")
        await _warm_up(doors, path.parent)
        idle = await doors.server.settled()
        progress(f"{name}: uploaded")
        started = perf_counter()
        async with lag(doors.server.port) as lags, doors.server.peak() as memory:
            answers = await asyncio.gather(*(_transcribe(doors, path) for _ in range(count)))
            seconds = perf_counter() - started
    assert all(answer["text"] for answer in answers), "speech is heard in every one"
    trips, bare = lags["server"], lags["bare"]
    return (
        *(name, f"{size / 1e6:.1f}", f"{answers[0]['duration']:,.0f}", f"{seconds:.0f}"),
        *(mib(idle), mib(memory.server), mib(memory.workers)),
        *(ms(quantile(trips, 0.5)), ms(quantile(trips, 0.99)), ms(max(trips))),
        *(ms(quantile(bare, 0.99)), ms(max(bare)), met(quantile(trips, 0.99) < _GOAL)),
    )


async def _transcribe(doors: Doors, path: Path) -> dict[str, Any]:
    return await doors.transcribe(path, language=_LANGUAGE, model=models(_LANGUAGE)[0].name)


async def _warm_up(doors: Doors, folder: Path) -> None:
    """Load the engine."""
    path = folder / "short.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, HEARD.rate, 0, "NONE", ""))
        file.writeframes(bytes(HEARD.byte_rate))
    await _transcribe(doors, path)


def _spread(said: Sequence[Recording], seconds: float, speech: float) -> Iterator[bytes]:
    """Yield so many seconds of 16 kHz mono, of which so many are speech, with silence between."""
    silence = bytes(HEARD.byte_rate)
    heard, length, number = 0.0, 0.0, 0
    while length < seconds:
        if heard <= speech * length / seconds:
            one = said[number % len(said)]
            number += 1
            heard += one.seconds
            length += one.seconds
            yield one.pcm
        yield silence
        length += 1


def _encode(path: Path, pcm: Iterator[bytes]) -> None:
    encoder = Encoder(_KIND, HEARD)
    with path.open("wb") as file:
        for piece in pcm:
            file.write(encoder.feed(piece))
        file.write(encoder.finish())


def _large(path: Path, said: Sequence[Recording]) -> None:
    """Write a WAV of the size that is wanted: somebody speaks, then silence."""
    converter = Converter(HEARD, _STUDIO)
    speech = converter.feed(said[0].pcm) + converter.finish()
    with wave.open(str(path), "wb") as file:
        file.setparams((_STUDIO.channels, _STUDIO.width, _STUDIO.rate, 0, "NONE", ""))
        file.writeframes(speech.ljust(_LARGE, b"\0"))
