"""What a sentence costs in the steps before speech and after recognition, models left out."""

from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final

from wyoming_voice.config import Settings
from wyoming_voice.llm import Llm
from wyoming_voice.pool import Pool, Worker
from wyoming_voice.speech import Wanted, once
from wyoming_voice.steps import Steps, split
from wyoming_voice.text.inverse import digits
from wyoming_voice.text.stress import marked, merge, protect, spell
from wyoming_voice.text.terms import correct
from wyoming_voice.voices import Catalogue, Voice

from .report import Table, median, quantile
from .text import LONG, SENTENCES, SHORT

_TERMS: Final = tuple(
    "Алиса Spotify Zigbee Wi-Fi Jarvis Яндекс Валетудо Aqara Sonoff Shelly Tasmota Ксения Мирон Умка Dreame Roborock "
    "Govee Lifx Nanoleaf Sonos".split()
)


async def steps() -> Table:
    """Microseconds a sentence: the whole chain before speech, what stress adds to it, and what follows recognition."""
    rows = []
    for language, plain in SENTENCES.items():
        sentences = [*plain, SHORT[language], LONG[language]]
        rows.append(_row("the chain before speech", language, await _chain(sentences, language)))
        timed: list[tuple[str, Callable[[str], object]]] = [
            (f"{len(_TERMS)} names and terms", partial(correct, terms=_TERMS, language=language)),
            ("digits", partial(digits, language=language)),
        ]
        if language == "ru":
            timed.insert(0, ("stress marks, without their model", _marks))
        for name, step in timed:
            step(sentences[0])  # dictionaries are loaded
            rows.append(_row(name, language, [_microseconds(step, sentence) for sentence in sentences]))
    note = "The model of stress: python -m bench.silero. A language model takes what it takes."
    return Table("Text: what the steps cost", ("step", "language", "µs, median", "µs, 99 %"), rows, note)


async def _chain(sentences: list[str], language: str) -> list[float]:
    """Time sentences from the request's text to the engine's, for a voice that understands marks."""
    config = Settings()
    catalogue = Catalogue(config)
    chain = Steps(config, Pool({}, {}, _nobody), lambda: catalogue, Llm(Path()))
    await chain.warm()
    voice = Voice(name="", engine="", voice="", languages=(language,), description="", stress="+")
    costs = []
    for sentence in sentences:
        started = perf_counter()
        async with aclosing(split(once(sentence), 10_000)) as parts:
            async for part in parts:
                await chain.apply(part, language, voice, Wanted())
        costs.append((perf_counter() - started) * 1e6)
    return costs


async def _nobody(_engine: str, _device: str | None) -> Worker:
    raise AssertionError("no engine is asked")


def _marks(sentence: str) -> str:
    plus = marked(protect(sentence))
    return spell(merge(plus, plus), "+")


def _microseconds(step: Callable[[str], object], sentence: str) -> float:
    started = perf_counter()
    step(sentence)
    return (perf_counter() - started) * 1e6


def _row(name: str, language: str, costs: list[float]) -> tuple[str, ...]:
    return name, language, f"{median(costs):.0f}", f"{quantile(costs, 0.99):.0f}"
