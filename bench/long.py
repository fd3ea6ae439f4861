"""One long recording: how fast, in how much memory, and whether words are lost or doubled between its pieces."""

from time import perf_counter
from typing import Final

import jiwer
from wyoming.asr import Transcribe, Transcript, TranscriptChunk
from wyoming.audio import AudioChunk, AudioStart, AudioStop

from wyoming_voice.voices import Model

from .ask import connect, hear
from .recording import RATE, recordings
from .report import Table, mib, progress
from .server import Running, models, serve

_LANGUAGES: Final = ("en", "ru")
_SECONDS: Final = 300.0
_GAP: Final = 0.5  # seconds of silence after each recording
_NORMAL: Final = jiwer.Compose(
    [
        jiwer.ToLowerCase(),
        jiwer.RemovePunctuation(),  # type: ignore[no-untyped-call]
        jiwer.RemoveMultipleSpaces(),
        jiwer.Strip(),
        jiwer.ReduceToListOfListOfWords(),
    ]
)


async def long() -> Table:
    """Recorded speech in a loop, as one request, against the same recordings one by one."""
    rows: list[tuple[str, ...]] = []
    async with serve() as server:
        for language in _LANGUAGES:
            for model in models(language):
                progress(f"{model.name}, {language}")
                rows += await _row(server, model, language)
    return Table(
        f"{_SECONDS / 60:g} minutes in one request",
        (
            *("engine", "language", "took, s", "first text, s", "server before, MiB", "at its peak"),
            *("words", "other words", "lost", "doubled"),
        ),
        rows,
        f"Recorded speech one after another, {_GAP:g} s between, again and again, sent as fast as the server takes it. "
        "other words, lost, doubled: substituted, missing and added, against what is heard in the same recordings one "
        "by one (`jiwer`). Of a stream that comes faster than it is recognised up to 8 MiB are held: the peak has most "
        "of it.",
    )


async def _row(server: Running, model: Model, language: str) -> list[tuple[str, ...]]:
    several = [one for one in recordings() if one.language == language and not one.derived]
    if not several:
        return []
    alone = [(await hear(server.port, one.pcm, language, model.name)).text for one in several]
    once = b"".join(one.pcm + bytes(2 * round(_GAP * RATE)) for one in several)
    times = max(1, round(_SECONDS * 2 * RATE / len(once)))
    before = await server.settled()
    async with server.peak() as peak:
        text, first, took = await _hear(server.port, once * times, language, model.name)
    said = " ".join(alone * times)
    found = jiwer.process_words(said, text, reference_transform=_NORMAL, hypothesis_transform=_NORMAL)
    counts = (len(said.split()), found.substitutions, found.deletions, found.insertions)
    cells = (f"{took:.1f}", f"{first:.1f}", mib(before), mib(peak.server), *map(str, counts))
    return [(model.name, language, *cells)]


async def _hear(port: int, pcm: bytes, language: str, model: str) -> tuple[str, float, float]:
    """Return the transcript, and the seconds to its first piece and to all of it."""
    sound = {"rate": RATE, "width": 2, "channels": 1}
    began, first = perf_counter(), 0.0
    async with connect(port) as client:
        await client.write_event(Transcribe(name=model, language=language).event())
        await client.write_event(AudioStart(**sound).event())
        for start in range(0, len(pcm), RATE):
            await client.write_event(AudioChunk(audio=pcm[start : start + RATE], **sound).event())
        await client.write_event(AudioStop().event())
        while (event := await client.read_event()) is not None:
            if TranscriptChunk.is_type(event.type):
                first = first or perf_counter() - began
            elif Transcript.is_type(event.type):
                return str(event.data["text"]), first, perf_counter() - began
    raise RuntimeError("The server closed before its transcript was complete.")
