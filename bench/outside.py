"""An outside judge: PyPI's ``wyoming-bench`` against the running server."""

import asyncio
import re
import sys
import tempfile
import wave
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from .recording import RATE, Recording, recordings
from .report import Table, progress
from .server import ROOT, models, serve, voices

_HEAD: Final = (
    "task",
    "mode",
    "answered",
    "time to first, ms: median",
    "p95",
    "total, ms: median",
    "p95",
)
_LANGUAGE: Final = "en"
_ROUNDS: Final = "3"


async def outside() -> Table:
    """Its own texts to speak, and the English recordings to transcribe, in both its modes."""
    if find_spec("wyoming_bench") is None:
        return Table("wyoming-bench", ("", ""), [("wyoming-bench is not installed", "pip install wyoming-bench")])
    rows: list[tuple[str, ...]] = []
    wrong = ""
    async with serve() as server:
        address = f"127.0.0.1:{server.port}"
        for voice in voices(_LANGUAGE):
            progress(f"wyoming-bench tts, {voice.name}")
            config = f'{{"voice": {{"name": "{voice.name}"}}}}'
            said = await _run("tts", address, "--rounds", _ROUNDS, "--config", config)
            rows += _rows(f"speak, {voice.name}", said)
        for model in models(_LANGUAGE):
            with tempfile.TemporaryDirectory(prefix="wyoming-voice-bench-") as corpus:
                if _write(Path(corpus)):
                    progress(f"wyoming-bench stt, {model.name}")
                    config = f'{{"name": "{model.name}", "language": "{_LANGUAGE}"}}'
                    said = await _run("stt", address, "--rounds", "1", "--corpus", corpus, "--config", config)
                    rows += _rows(f"hear, {model.name}", said)
                    wrong = "".join(re.findall(r"WER=(\S+)", said)[:1])
    notes = [f"Its own four texts, {_ROUNDS} rounds; streaming: `synthesize-chunk`s, one a sentence."]
    if wrong:
        notes.append(f"Its word error rate of the English recordings: {wrong}.")
    return Table(f"wyoming-bench {version('wyoming-bench')}, an outside judge", _HEAD, rows, " ".join(notes))


async def _run(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "wyoming_bench.cli", *arguments), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"wyoming-bench {arguments[0]} failed:\n{said.decode()}")
    return said.decode()


def _rows(task: str, said: str) -> Iterator[tuple[str, ...]]:
    """Read its report: a block for each mode, a line for each metric with min, mean, median, p95 and max."""
    for mode, ok, failed, block in re.findall(r"^\[(\w+)\] ok=(\d+) fail=(\d+)\n((?:  .*\n)+)", said, re.MULTILINE):
        lines = {line.split()[0]: line.split()[-5:] for line in block.splitlines() if line.strip()}
        first, total = lines["TTFT"], lines["Total"]
        yield (task, mode, f"{ok} of {int(ok) + int(failed)}", first[2], first[3], total[2], total[3])


def _write(folder: Path) -> list[Recording]:
    """Lay the recordings out as it wants them."""
    said = [one for one in recordings() if one.language == _LANGUAGE and one.transcript and not one.derived]
    for one in said:
        with wave.open(str(folder / one.name), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes(one.pcm)
        (folder / one.name).with_suffix(".txt").write_text(one.transcript, "utf-8")
    return said
