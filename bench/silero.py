"""Silero and silero-stress in their workers: ``python -m bench.silero [DATA_DIR]``.

With a DATA_DIR its model is measured; without one a tiny model is made, which shows what the worker, the levels and the
link cost, and nothing of Silero's own speed. silero-stress has its real model.
"""

import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import psutil

from tests.engines.environment import WorkerEngine, make_tiny, worker
from wyoming_voice.engines.protocol import Segment
from wyoming_voice.engines.table import engines

from .report import Table, machine, median, mib, ms, progress, quantile
from .text import LONG, RUSSIAN, SHORT

_TIMES = 10
_HOMOGRAPHS = (
    "На двери висел замок, а вдалеке стоял старинный замок.",
    "Орган церкви звучит громко, а сердце — важный орган человека.",
    "Это стоит больших денег, и машина уже стоит во дворе.",
)


def speaking(data_dir: Path, folder: Path, note: str) -> Table:
    """Measure what a listener waits for."""
    started = perf_counter()
    rows = list[tuple[str, ...]]()
    with worker("silero", engines()["silero"].entry, "tts", {"data_dir": str(data_dir)}, folder) as engine:
        rows.append(("load, s", f"{perf_counter() - started:.1f}", ""))
        segment = Segment("", engines()["silero"].voices({"data_dir": str(data_dir)})[0].voice, language="ru")
        for name, text in (
            ("short sentence", SHORT["ru"]),
            ("long sentence", LONG["ru"]),
            ("paragraph", LONG["ru"] * 5),
        ):
            found = [_speak(engine, replace(segment, text=text)) for _ in range(_TIMES)]
            rows.append(
                (name, ms(median([first for first, _ in found])), f"{median([factor for _, factor in found]):.3f}")
            )
        rows.append(("memory, MiB", mib(_memory(engine)), ""))
    return Table("Silero", ("", "first audio, ms", "real-time factor"), rows, note)


def stress(folder: Path) -> Table:
    """Measure what the step costs a sentence."""
    started = perf_counter()
    rows = list[tuple[str, ...]]()
    with worker("silero-stress", engines()["silero-stress"].entry, "text", {}, folder) as engine:
        rows.append(("load, s", f"{perf_counter() - started:.1f}", ""))
        said: dict[str, tuple[str, ...]] = {"command": RUSSIAN, "long": (LONG["ru"],), "two homographs": _HOMOGRAPHS}
        rows += [(name, *_rewrite(engine, sentences)) for name, sentences in said.items()]
        rows.append(("memory, MiB", mib(_memory(engine)), ""))
    return Table("silero-stress, ms per sentence", ("", "p50", "p95"), rows)


def _speak(engine: WorkerEngine, segment: Segment) -> tuple[float, float]:
    started = perf_counter()
    with closing(engine.synthesize(segment)) as chunks:  # type: ignore[type-var]
        audio = next(chunks).seconds
        first = perf_counter() - started
        audio += sum(chunk.seconds for chunk in chunks)
    return first, (perf_counter() - started) / audio


def _rewrite(engine: WorkerEngine, sentences: tuple[str, ...]) -> tuple[str, str]:
    found = list[float]()
    for sentence in sentences * _TIMES:
        started = perf_counter()
        engine.rewrite(sentence, "ru")
        found.append(perf_counter() - started)
    return ms(median(found)), ms(quantile(found, 0.95))


def _memory(engine: WorkerEngine) -> int:
    return int(psutil.Process(engine.process.pid).memory_info().rss)


def main() -> None:
    print(f"{machine()}\n")
    with TemporaryDirectory() as folder:
        note = "A real model."
        data_dir = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder)
        if len(sys.argv) == 1:
            progress("a tiny model …")
            make_tiny("silero", data_dir / "weights" / "silero")
            note = "A tiny model, whose voice is a tone: this is the cost of everything around a model, not of Silero."
        progress("silero …")
        print(f"{speaking(data_dir, Path(folder), note)}\n")
        progress("silero-stress …")
        print(stress(Path(folder)))


if __name__ == "__main__":
    main()
