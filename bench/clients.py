"""Many clients at once, and a text at its limit: how soon, how fast, in how much memory."""

import asyncio
from time import perf_counter
from typing import Final

from .ask import Spoken, speak
from .report import Table, median, mib, ms, progress, quantile
from .server import Running, catalogue, serve, voices
from .text import SENTENCES

_LANGUAGE: Final = "ru"
_SENTENCES: Final = 2
"""In each request; about 5 s of audio."""
_AT_ONCE: Final = {1: 10, 4: 4, 16: 2, 64: 1}
"""How many clients, and how many times they all ask."""


async def clients() -> Table:
    """All clients ask at the same moment; a turn is one sentence."""
    rows = []
    for number in range(len(voices(_LANGUAGE))):
        async with serve() as server:
            voice = voices(_LANGUAGE)[number]
            await speak(server.port, SENTENCES[_LANGUAGE][0], voice.name)
            for count, rounds in _AT_ONCE.items():
                progress(f"{voice.name}, {count} clients at once")
                rows.append((voice.name, str(count), *await _row(server, voice.name, count, rounds)))
    return Table(
        "Clients at once, one worker for each engine",
        ("voice", "clients", "first audio p50, ms", "p95, ms", "audio s per s", "server, MiB", "worker, MiB"),
        rows,
        f"Each client asks for {_SENTENCES} sentences over a connection of its own, all of them at the same moment. "
        "Memory is resident, at its peak. The clients are one process on the same machine.",
    )


async def _row(server: Running, voice: str, count: int, rounds: int) -> tuple[str, ...]:
    sentences = SENTENCES[_LANGUAGE]
    spoken: list[Spoken] = []
    started = perf_counter()
    async with server.peak() as memory:
        for turn in range(rounds):
            texts = [" ".join(sentences[(turn + n) % (len(sentences) - 1) :][:_SENTENCES]) for n in range(count)]
            spoken += await asyncio.gather(*(speak(server.port, text, voice) for text in texts))
    seconds = perf_counter() - started
    first = [one.first for one in spoken]
    return (
        *(ms(median(first)), ms(quantile(first, 0.95)), f"{sum(one.audio for one in spoken) / seconds:.0f}"),
        *(mib(memory.server), mib(memory.workers)),
    )


async def limit() -> Table:
    """A text of as many characters as may be, and one of a hundredth of that, by the fastest engine."""
    most = catalogue().settings.limits.text
    voice = voices(_LANGUAGE)[-1]
    rows = []
    for share in (100, 1):
        async with serve() as server:
            await speak(server.port, SENTENCES[_LANGUAGE][0], voice.name)
            text = " ".join(SENTENCES[_LANGUAGE] * (most // 300))[: most // share]
            progress(f"{voice.name}, {len(text)} characters")
            before = server.memory()
            async with server.peak() as memory:
                spoken = await speak(server.port, text, voice.name)
            rows.append(
                (
                    *(voice.name, f"{len(text):,}", ms(spoken.first), f"{spoken.audio:,.0f}", f"{spoken.last:.1f}"),
                    *(mib(before.server), mib(memory.server), mib(before.workers), mib(memory.workers)),
                )
            )
    return Table(
        "A text at its limit",
        (
            *("voice", "characters", "first audio, ms", "audio, s", "took, s"),
            *("server before, MiB", "at its peak", "worker before, MiB", "at its peak"),
        ),
        rows,
        "The audio of the longer text would take "
        f"{float(rows[1][3].replace(',', '')) * 2 * 22050 / 2**20:.0f} MiB if it were kept.",
    )
