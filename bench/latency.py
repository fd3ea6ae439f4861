"""Time to the first and to the last audio: through the server, and out of the engine itself."""

from collections.abc import Callable
from typing import Final

from wyoming_voice.voices import Voice

from .ask import Spoken, speak
from .direct import Direct, direct
from .report import Table, median, met, ms, progress, quantile
from .server import Running, serve, voices
from .text import LONG, SHORT

_RUNS: Final = 60
_LANGUAGE: Final = "ru"
_MORE: Final = (0.005, 0.10)  # the goal: at most 5 ms and 10 %


async def latency() -> Table:
    """One client; each pair of runs in turn, so that what else the machine does meets both alike."""
    rows = []
    async with serve() as server:
        for voice in voices(_LANGUAGE):
            async with direct(voice.engine) as engine:
                for name, text in (("short", SHORT[_LANGUAGE]), ("long", LONG[_LANGUAGE])):
                    progress(f"{voice.name}, {name} sentence, {_RUNS} times both ways")
                    rows += await _rows(server, engine, voice, name, text)
    return Table(
        "Latency of speech, one client, milliseconds",
        ("voice", "sentence", "to", "engine p50", "p95", "server p50", "p95", "more", "goal", ""),
        rows,
        "engine: called in a loop in a process of its own. server: from before connecting, TCP, child process, "
        "`wyoming` client, the client's own work included. more: median of the differences of neighbouring runs. "
        "goal: at most 5 ms and 10 % more.",
    )


async def _rows(server: Running, engine: Direct, voice: Voice, name: str, text: str) -> list[tuple[str, ...]]:
    pairs = []
    for number in range(_RUNS + 2):
        pair = await engine.speak([text], voice.voice), await speak(server.port, text, voice.name)
        if number >= 2:  # the first load voices and fill caches
            pairs.append(pair)
    heading = (voice.name, f"{name}, {pairs[0][1].audio:.1f} s")
    ways: tuple[tuple[str, Callable[[Spoken], float]], ...] = (
        ("first audio", lambda spoken: spoken.first),
        ("last audio", lambda spoken: spoken.last),
    )
    return [(*heading, what, *_compare([(get(near), get(far)) for near, far in pairs])) for what, get in ways]


def _compare(pairs: list[tuple[float, float]]) -> tuple[str, ...]:
    near, far = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    more = median([away - here for here, away in pairs])
    goal = _MORE[0] + _MORE[1] * median(near)
    quantiles = (median(near), quantile(near, 0.95), median(far), quantile(far, 0.95), more, goal)
    return (*map(ms, quantiles), met(more <= goal))
