"""Speech over HTTP and WebSockets: what it adds to the engine's own time, and many streams at once."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Final

from wyoming_voice.voices import Voice

from .ask import Spoken, speak
from .direct import Direct, direct
from .door import Doors, open_doors
from .report import Table, median, met, mib, ms, progress, quantile
from .server import voices
from .text import LONG, SENTENCES, SHORT

_RUNS: Final = 60
_WARM: Final = 2
"""Runs before them, which load voices and fill caches."""
_LANGUAGE: Final = "ru"
_GOAL: Final = 0.005
_AT_ONCE: Final = 64
_ROUNDS: Final = 4
_SENTENCES: Final = 2
"""In each of the streams; about 5 s of audio."""
_OPENAI_RATE: Final = 24_000  # Hz of its raw PCM
_ENGINE: Final = "engine"

Way = Callable[[str], Awaitable[Spoken]]
"""Speaks a text."""


async def http() -> Table:
    """One client, all ways in turn, so that what else the machine does meets them alike."""
    rows = []
    async with open_doors() as doors:
        for voice in voices(_LANGUAGE):
            async with direct(voice.engine) as engine:
                for name, text in (("short", SHORT[_LANGUAGE]), ("long", LONG[_LANGUAGE])):
                    progress(f"{voice.name}, {name} sentence, {_RUNS} times each way")
                    rows += _rows(voice, name, await _measure(await _ways(doors, engine, voice), text))
    return Table(
        "Speech over HTTP, one client, milliseconds",
        ("voice", "sentence", "way", "first audio p50", "p95", "more", "goal", "last audio p50", "more"),
        rows,
        "engine: called in a loop in a process of its own. Every way connects anew for each request and is measured "
        "from before that, TCP, `aiohttp`'s or `wyoming`'s client and its own work included. more: median of the "
        f"differences to the engine's neighbouring runs; {_RUNS} each. Raw PCM of OpenAI is resampled to 24 kHz. "
        "last audio: the end of the reply, of a WebSocket `Flushed`. Goal: 5 ms more to the first audio.",
    )


async def _ways(doors: Doors, engine: Direct, voice: Voice) -> Mapping[str, Way]:
    rate = (await speak(doors.server.port, SHORT[_LANGUAGE], voice.name)).rate

    def openai(text: str, kind: str) -> dict[str, str]:
        return {"input": text, "voice": voice.name, "response_format": kind}

    return {
        _ENGINE: lambda text: engine.speak([text], voice.voice),
        "Wyoming": lambda text: speak(doors.server.port, text, voice.name),
        "POST /tts/wav": lambda text: doors.speak_wav("/tts/wav", {"text": text, "voice": voice.name}, rate),
        "WS /tts/speak-streaming": lambda text: doors.speak_streaming(text, voice.name),
        "/v1/audio/speech wav": lambda text: doors.speak_wav("/v1/audio/speech", openai(text, "wav"), rate),
        "/v1/audio/speech pcm": lambda text: doors.speak("/v1/audio/speech", openai(text, "pcm"), _OPENAI_RATE),
    }


async def _measure(ways: Mapping[str, Way], text: str) -> Mapping[str, list[Spoken]]:
    spoken: dict[str, list[Spoken]] = {name: [] for name in ways}
    for number in range(_WARM + _RUNS):
        for name, way in ways.items():
            one = await way(text)
            if number >= _WARM:
                spoken[name].append(one)
    return spoken


def _rows(voice: Voice, name: str, spoken: Mapping[str, list[Spoken]]) -> list[tuple[str, ...]]:
    sentence = f"{name}, {spoken[_ENGINE][0].audio:.1f} s"
    rows: list[tuple[str, ...]] = []
    for way, several in spoken.items():
        first, last = [one.first for one in several], [one.last for one in several]
        more = last_more = goal = ""
        if way != _ENGINE:
            pairs = list(zip(several, spoken[_ENGINE], strict=True))
            added = median([one.first - near.first for one, near in pairs])
            more, goal = ms(added), met(added <= _GOAL)
            last_more = ms(median([one.last - near.last for one, near in pairs]))
        figures = (ms(median(first)), ms(quantile(first, 0.95)), more, goal, ms(median(last)), last_more)
        rows.append((voice.name, sentence, way, *figures))
    return rows


async def streams() -> Table:
    """All clients ask at the same moment, each over a connection of its own."""
    rows = []
    for voice in voices(_LANGUAGE):
        for way in ("POST /tts/wav", "WS /tts/speak-streaming", "Wyoming"):
            progress(f"{voice.name}, {way}, {_AT_ONCE} at once")
            async with open_doors() as doors, direct(voice.engine) as engine:
                rows.append((voice.name, way, *await _at_once(doors, (await _ways(doors, engine, voice))[way])))
    return Table(
        f"{_AT_ONCE} streams at once, one worker",
        (
            *("voice", "way", "first audio p50, ms", "p95, ms", "audio s per s"),
            *("server's processor ms each", "server idle, MiB", "at its peak"),
        ),
        rows,
        f"Each client asks for {_SENTENCES} sentences, all of them at the same moment, {_ROUNDS} times; a turn is one "
        "sentence. The server's processor time is the bridge's and the pool's, without the engine's worker. Memory is "
        "resident. The clients are one process on the same machine, and share its processor with the server.",
    )


async def _at_once(doors: Doors, way: Way) -> tuple[str, ...]:
    sentences = SENTENCES[_LANGUAGE]
    texts = [" ".join(sentences[n % (len(sentences) - 1) :][:_SENTENCES]) for n in range(_AT_ONCE)]
    await way(texts[0])
    idle = await doors.server.settled()
    before, started = _processor(doors), perf_counter()
    spoken: list[Spoken] = []
    async with doors.server.peak() as memory:
        for _ in range(_ROUNDS):
            spoken += await asyncio.gather(*map(way, texts))
    seconds, worked = perf_counter() - started, _processor(doors) - before
    first = [one.first for one in spoken]
    audio = sum(one.audio for one in spoken)
    return (
        *(ms(median(first)), ms(quantile(first, 0.95)), f"{audio / seconds:.0f}", ms(worked / len(spoken))),
        *(mib(idle), mib(memory.server)),
    )


def _processor(doors: Doors) -> float:
    times = doors.server.process.cpu_times()
    return float(times.user + times.system)
