"""An engine that hears, in its worker, with a model of full size whose weights mean nothing.

``python -m bench.asr_engine --engine qwen-asr --random 0.6b [--device cuda] [--dtype bfloat16]``
"""

import argparse
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import psutil

from tests.engines.environment import WorkerEngine, make_tiny, worker
from tests.engines.hearing import read
from wyoming_voice.engines.protocol import HEARD_RATE, Piece
from wyoming_voice.engines.table import engines

from .report import Table, machine, median, mib, ms, progress

_TEXT = "Включи свет на кухне, пожалуйста 🦊."


def measure(
    engine_name: str, folder: Path, options: dict[str, object], speech: np.ndarray, lengths: list[int]
) -> Table:
    """Measure what a listener waits for: a new recording, and one that has grown by a second."""
    started = perf_counter()
    rows = list[tuple[str, ...]]()
    with worker(engine_name, engines()[engine_name].entry, "asr", {"model": str(folder), **options}, folder) as engine:
        rows.append(("load, s", f"{perf_counter() - started:.1f}", "", "", ""))
        _hear(engine, speech[: 2 * HEARD_RATE], "")
        for seconds in lengths:
            sound = speech[: seconds * HEARD_RATE]
            rows.append((f"{seconds} s", *_hear(engine, sound * 0.5, "")))  # another loudness is another recording
            _hear(engine, sound[:-HEARD_RATE], "")
            rows.append((f"{seconds} s, heard before without its last", *_hear(engine, sound, _TEXT)))
        rows.append(("memory, MiB", mib(psutil.Process(engine.process.pid).memory_info().rss), "", "", ""))
    return Table(
        f"{engine_name} {folder.name}", ("", "first text, ms", "each token, ms", "all, ms", "processor, ms"), rows
    )


def _hear(engine: WorkerEngine, sound: np.ndarray, prefix: str) -> tuple[str, str, str, str]:
    started, busy = perf_counter(), _processor(engine)
    told = [perf_counter() for _ in engine.transcribe(Piece(sound, "ru", prefix=prefix))]
    if prefix:  # the prefix itself is told at once
        del told[0]
    steps = [after - before for before, after in pairwise(told)]
    took = _processor(engine) - busy
    return ms(told[0] - started), ms(median(steps)), ms(told[-1] - started), ms(took)


def _processor(engine: WorkerEngine) -> float:
    """Seconds of all cores, which a busy machine makes longer too, but much less."""
    times = psutil.Process(engine.process.pid).cpu_times()
    return times.user + times.system


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.asr_engine", description=__doc__)
    parser.add_argument("--engine", default="qwen-asr", choices=("qwen-asr",))
    parser.add_argument("--random", default="0.6b", choices=("0.6b", "1.7b"), help="the model's size")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--seconds", type=int, nargs="+", default=[3, 10, 25], help="lengths of recordings")
    parser.add_argument("--speech", type=Path, required=True, help="a WAV file with somebody speaking")
    asked = parser.parse_args()
    speech = np.tile(read(asked.speech), 40)[: max(asked.seconds) * HEARD_RATE]
    with TemporaryDirectory() as folder:
        progress(f"a model of {asked.random} is made")
        made = make_tiny(asked.engine, Path(folder), _TEXT, asked.random) / asked.random
        options: dict[str, object] = {"device": asked.device, "dtype": asked.dtype}
        print(machine())
        print(measure(asked.engine, made, options, speech, asked.seconds))


if __name__ == "__main__":
    main()
