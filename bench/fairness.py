"""A short command while others want everything: does it wait for more than the segment under way?"""

import asyncio
from time import monotonic
from typing import Final

from wyoming.ping import Ping

from .ask import ask, connect, hear, speak
from .bare import bare
from .crowd import Wishes
from .insatiable import SENTENCE, insatiable
from .recording import RATE
from .report import Table, median, met, ms, progress, quantile
from .server import Running

_TIMES: Final = 20
"""Short recordings, alone and among the others."""
_SPEAKS: Final = 5
"""Short texts for each of them."""
_KINDS: Final = ("speak", "hear")
_COMMAND: Final = "Light on."
_SATED: Final = 2.0
"""Seconds until what the insatiable ask for fills every buffer."""


async def fairness(server: Running, wishes: Wishes, engines: str) -> tuple[Table, bool]:
    """Measure a short command while one client speaks without end and another sends an hour of audio."""
    port = server.port
    idle = await _commands(port, wishes)
    alone = {what: await _segment(what, port, wishes) for what in _KINDS}
    beside = {}
    for what in _KINDS:
        async with insatiable(port, wishes, talk=what == "hear", dictate=what == "speak"):
            await asyncio.sleep(_SATED)
            beside[what] = await _segment(what, port, wishes)
    progress("an endless text and an hour of audio beside short commands")
    async with insatiable(port, wishes):
        await asyncio.sleep(_SATED)
        began, cpu = monotonic(), _processor(server)
        busy = await _commands(port, wishes)
        cores = (_processor(server) - cpu) / (monotonic() - began)
    rows, fair = [], True
    for what in _KINDS:
        before, among = quantile(idle[what], 0.95), quantile(busy[what], 0.95)
        bound = 2 * before + alone[what]
        fair &= among <= bound
        row = (before, alone[what], bound, quantile(busy[what], 0.5), among)
        rows.append((what, *map(ms, row), met(among <= bound), ms(beside[what])))
    echoes = (ms(quantile(idle["echo"], 0.95)), "", "", *(ms(quantile(busy["echo"], share)) for share in (0.5, 0.95)))
    rows.append(("echo of a bare server", *echoes, "", ""))
    head = (
        *("short command", "idle p95, ms", "one segment, ms", "twice idle and a segment, ms", "p50, ms", "p95, ms"),
        *("goal", "a segment beside the other, ms"),
    )
    note = (
        "A segment is one sentence of the endless text, or 22 s of the hour, as they take alone; in the last column, "
        "the sentence while the hour is heard, and the 22 s while the text is spoken. "
        f"{_TIMES * _SPEAKS} texts and {_TIMES} recordings, in turn, alone and among the others. "
        "The insatiable ones are a process of the same machine, which takes what is left of it (nice 10). "
        f"The echo is what waking a process costs in the same moments. The server's own process took {cores:.0%} of a "
        "core beside them."
    )
    return Table(f"A short command among insatiable clients, {engines} engines", head, rows, note), fair


async def _commands(port: int, wishes: Wishes) -> dict[str, list[float]]:
    """Return the seconds of short commands, and of an echo in the same moments."""
    seconds: dict[str, list[float]] = {"speak": [], "hear": [], "echo": []}
    async with bare() as bare_port, connect(bare_port) as echo:
        for _ in range(_TIMES):
            for _ in range(_SPEAKS):
                seconds["speak"].append((await speak(port, _COMMAND, wishes.voice)).first)
                seconds["echo"].append(await ask(echo, Ping().event(), Ping))
            said = wishes.pcm[: 2 * RATE]
            seconds["hear"].append((await hear(port, said, wishes.language, wishes.model, paced=True)).seconds)
    return seconds


async def _segment(what: str, port: int, wishes: Wishes) -> float:
    """Return the seconds that one segment takes: the median of some."""
    long = (wishes.pcm * 30)[: 2 * RATE * 22]
    if what == "speak":
        return median([(await speak(port, SENTENCE, wishes.voice)).last for _ in range(_SPEAKS)])
    return median([(await hear(port, long, wishes.language, wishes.model)).seconds for _ in range(_SPEAKS)])


def _processor(server: Running) -> float:
    """Return the seconds of a processor that the server's own process has taken."""
    times = server.process.cpu_times()
    return times.user + times.system
