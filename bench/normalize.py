"""How much of the normaliser's tables is right, and what a sentence costs."""

from pathlib import Path
from time import perf_counter
from typing import Final

import psutil

from wyoming_voice.text.normalize import normalize, warm

from .report import Table, median, quantile
from .text import SENTENCES

_TABLES: Final = Path(__file__).resolve().parent.parent / "tests" / "text"


def _cases(language: str) -> list[tuple[str, str]]:
    lines = (_TABLES / f"normalize_{language}.tsv").read_text("utf-8").splitlines()
    return [(written, said) for written, said, _ in (line.split("\t") for line in lines)]


def _microseconds(sentence: str, language: str) -> float:
    """Time the first reading: nothing of the sentence is remembered yet."""
    started = perf_counter()
    normalize(sentence, language)
    return (perf_counter() - started) * 1e6


async def text() -> Table:
    """The share that is right, and microseconds per sentence: of the tables, and of plain words."""
    process, rows = psutil.Process(), []
    for language, plain in SENTENCES.items():
        before, started = process.memory_info().rss, perf_counter()
        warm(language)
        load, memory = perf_counter() - started, process.memory_info().rss - before
        cases = _cases(language)
        costs = [_microseconds(written, language) for written, _ in cases]
        right = sum(normalize(written, language) == said for written, said in cases)
        idle = median([_microseconds(sentence, language) for sentence in plain])
        rows.append(
            (language, str(len(cases)), f"{100 * right / len(cases):.1f} %", f"{median(costs):.0f}",
             f"{quantile(costs, 0.99):.0f}", f"{idle:.0f}", f"{load * 1000:.0f}", f"{memory / 2**20:.0f}")
        )  # fmt: skip
    head = ("language", "cases", "right", "µs, median", "µs, 99 %", "µs, plain words", "ms to load", "MB")
    note = "The tables were written along with the rules: what is wrong in them is known, what they lack is not."
    return Table("Text before speech: numbers and friends", head, rows, note)
