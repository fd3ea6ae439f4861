"""From the end of speech to its transcript."""

import asyncio
from typing import Final

from wyoming_voice.voices import Model

from .ask import Transcribed, hear
from .direct import Direct, direct
from .recording import Recording, recordings
from .report import Table, median, ms, progress, quantile
from .server import Running, models, serve

_LANGUAGES: Final = ("en", "ru")
_LONGEST: Final = 12.0
"""Seconds; a piece that an engine takes at once."""
_ROUNDS: Final = 5
_APART: Final = 1.2
"""Seconds between the ends of two recordings that are fed in real time: one is recognised before the next ends."""


async def listening() -> Table:
    """The same recordings directly to the engine, at once, and as fast as they were spoken."""
    rows = []
    async with serve() as server:
        for language in _LANGUAGES:
            able = [one for one in recordings() if one.language == language and not one.derived]
            short = [one for one in able if one.seconds <= _LONGEST]
            for model in models(language) if short else ():
                async with direct(model.engine) as engine:
                    rows += await _rows(server, engine, model, short)
    return Table(
        "audio-stop → transcript, milliseconds",
        ("engine", "language", "fed", "recordings", "p50", "p95", "p50 per s of audio"),
        rows,
        "Recorded speech of 1 to 11 s, 16 kHz. engine: its own time for the same recordings, in a process of its own. "
        "at once: as fast as the connection takes it. in real time: as somebody speaks, 64 ms a chunk.",
    )


async def _rows(server: Running, engine: Direct, model: Model, short: list[Recording]) -> list[tuple[str, ...]]:
    fed: dict[str, list[tuple[Recording, Transcribed]]] = {"engine": [], "at once": [], "in real time": []}
    for number in range(_ROUNDS + 1):
        progress(f"{model.name}, {len(short)} recordings, round {number} of {_ROUNDS}")
        near = [(one, await engine.hear(one.pcm, one.language)) for one in short]
        far = [(one, await hear(server.port, one.pcm, one.language, model.name)) for one in short]
        if number:  # the first round loads and warms
            fed["engine"] += near
            fed["at once"] += far
    progress(f"{model.name}, in real time")
    fed["in real time"] = await _paced(server, model, short * (_ROUNDS - 1))
    return [(model.name, short[0].language, how, *_figures(results)) for how, results in fed.items()]


async def _paced(server: Running, model: Model, several: list[Recording]) -> list[tuple[Recording, Transcribed]]:
    """Feed them all in real time, so that one ends after the other."""
    last = max(one.seconds for one in several)

    async def feed(number: int, one: Recording) -> tuple[Recording, Transcribed]:
        await asyncio.sleep(last - one.seconds + number * _APART)
        return one, await hear(server.port, one.pcm, one.language, model.name, paced=True)

    return await asyncio.gather(*(feed(number, one) for number, one in enumerate(several)))


def _figures(results: list[tuple[Recording, Transcribed]]) -> tuple[str, ...]:
    seconds = [heard.seconds for _, heard in results]
    share = median([heard.seconds / one.seconds for one, heard in results])
    return str(len(results)), ms(median(seconds)), ms(quantile(seconds, 0.95)), ms(share)
