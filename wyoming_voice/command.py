"""What each command of the command line does; results to standard output, progress to standard error."""

import argparse
import asyncio
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final, cast

from wyoming.audio import AudioChunk

from .app import App, open_app
from .argument import folder_of_pairs, pairs
from .audio import PcmFormat
from .codec import FORMATS, Encoder, decode
from .config import Settings
from .engines.protocol import Heard
from .engines.table import LOADS
from .enrol import borrow
from .errors import BadRequest, VoiceError
from .link import SPEED
from .listening import HEARD
from .recognition import joined
from .speech import Listening, Utterance, once
from .stream import in_thread
from .stress import ENGINE as STRESS
from .voices import VoiceChoice

_LONGEST: Final = 24 * 3600.0  # seconds of a file: a day, for whoever records one
_PLAYERS: Final = (
    ("aplay", "-q", "-"),
    ("paplay", "--file-format=wav", "/dev/stdin"),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error", "-"),
    ("play", "-q", "-t", "wav", "-"),
)
_FEW: Final = PcmFormat(22_050, 2, 1)  # what an empty text says it would have been


@dataclass(frozen=True, slots=True)
class Target:
    """Where audio goes, and in which format."""

    place: Path | int | tuple[str, ...]
    """A file, a descriptor, or a player's command line."""
    suffix: str


async def say(settings: Settings, chosen: argparse.Namespace) -> int:
    """Speak a text to a file, a pipe or the loudspeaker."""
    target = target_of(chosen.output)
    recordings = pairs(chosen.ref_audio, chosen.ref_text, "--ref-audio", "--ref-text")
    if chosen.ref_dir:
        recordings += folder_of_pairs(Path(chosen.ref_dir))
    utterance = Utterance(
        text=once(chosen.text if chosen.text is not None else written()),
        voice=VoiceChoice(chosen.voice, chosen.language, chosen.speaker, description=chosen.description),
        style=chosen.style,
        speed=_factor(chosen.speed, "--speed"),
        pitch=_factor(chosen.pitch, "--pitch"),
        ssml=chosen.ssml,
        seed=chosen.seed,
    )
    async with open_app(patient(settings)) as app:
        await app.voices.look()
        async with borrow(app, recordings) as references:
            choice = replace(utterance.voice, references=references)
            await speak(app, replace(utterance, voice=choice), target)
    return 0


def written() -> str:
    """Read a text from standard input; says so to whoever would have to type it."""
    if sys.stdin.isatty():
        print("Type the text, then Ctrl-D.", file=sys.stderr)
    return sys.stdin.read()


def patient(settings: Settings) -> Settings:
    """Have sentences wait for stress marks until their engine is loaded: it is not there for the next command."""
    text = settings.text.model_copy(update={"stress_wait": settings.engine(STRESS).start_timeout or LOADS})
    return settings.model_copy(update={"text": text})


async def speak(app: App, utterance: Utterance, target: Target) -> None:
    """Speak an utterance to where its audio goes."""
    async with app.speech.synthesize(utterance) as audio:
        _progress("loading the voice …")
        try:
            first = await anext(audio, None)  # before a file is touched: most mistakes are known by now
        finally:
            _progress("")
        with _opened(target.place) as output:
            seconds = await _write(first, audio, output, target.suffix)
    if isinstance(target.place, Path):
        print(f"{target.place}: {seconds:.1f} s", file=sys.stderr)


async def _write(first: AudioChunk | None, audio: AsyncIterator[AudioChunk], output: BinaryIO, suffix: str) -> float:
    sound = _FEW if first is None else PcmFormat(first.rate, first.width, first.channels)
    encoder = Encoder(suffix, sound)
    seconds = 0.0
    chunk = first
    while chunk is not None:
        await asyncio.to_thread(lambda pcm: output.write(encoder.feed(pcm)), chunk.audio)
        seconds += chunk.seconds
        _progress(f"{seconds:.1f} s spoken")
        chunk = await anext(audio, None)
    await asyncio.to_thread(lambda: output.write(encoder.finish()))
    _progress("")
    return seconds


def target_of(output: str | None) -> Target:
    """Decide where audio goes: a file, standard output when it is a pipe, else a player. Raises BadRequest."""
    if output == "-" or (output is None and not sys.stdout.isatty()):
        return Target(sys.stdout.fileno(), "wav")
    if output is not None:
        suffix = Path(output).suffix.lstrip(".").lower()
        if suffix not in FORMATS:
            raise BadRequest(f"'{output}' should end in one of {', '.join(f'.{name}' for name in FORMATS)}.")
        return Target(Path(output), suffix)
    player = next((player for player in _PLAYERS if shutil.which(player[0])), None)
    if player is None:
        raise BadRequest("No player is installed (aplay, paplay, ffplay or play); write a file with -o speech.wav.")
    return Target(player, "wav")


@contextmanager
def _opened(target: Path | int | tuple[str, ...]) -> Iterator[BinaryIO]:
    match target:
        case Path():
            with target.open("wb") as file:
                yield file
        case int():
            with os.fdopen(target, "wb", closefd=False) as pipe:
                yield pipe
        case _:
            with subprocess.Popen(target, stdin=subprocess.PIPE) as player:
                assert player.stdin is not None, "it was started with a pipe"
                yield cast("BinaryIO", player.stdin)
                player.stdin.close()


async def transcribe(settings: Settings, chosen: argparse.Namespace) -> int:
    """Write down what recordings say, one after another; a bad one does not stop the others."""
    files = [*chosen.files, *(chosen.audio or ())]
    if not files:
        raise BadRequest("Which recording? ./run.sh transcribe FILE")
    status = 0
    async with open_app(settings) as app:
        await app.voices.look()
        for name in files:
            try:
                await _transcribe(app, name, chosen, alone=len(files) == 1)
            except VoiceError as error:
                _progress("")
                print(f"{name}: {error.text}", file=sys.stderr)
                status = 1
    return status


async def _transcribe(app: App, name: str, chosen: argparse.Namespace, *, alone: bool) -> None:
    file = io.BytesIO(sys.stdin.buffer.read()) if name == "-" else Path(name)
    if isinstance(file, Path) and not file.is_file():
        raise BadRequest("There is no such file.")
    pieces: list[Heard] = []
    async with aclosing(in_thread(decode(file, HEARD, max_seconds=_LONGEST))) as audio:
        listening = Listening(audio=_counted(audio), language=chosen.language, model=chosen.model)
        async with app.speech.transcribe(listening) as heard:
            async for piece in heard:
                pieces.append(piece)  # noqa: PERF401 - one after another is the point
    _progress("")
    raw = "".join(piece.text for piece in pieces).strip()
    text = await app.speech.polish(raw, listening, next((piece.language for piece in pieces if piece.language), None))
    if chosen.json:
        segments = [{**asdict(piece), "text": piece.text.strip()} for piece in joined(pieces)]
        print(json.dumps({"file": name, "text": text, "raw_text": raw, "segments": segments}, ensure_ascii=False))
    else:
        print(text if alone else f"{name}: {text}")
    sys.stdout.flush()


async def _counted(audio: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    seconds = 0.0
    async for pcm in audio:
        seconds += len(pcm) / HEARD.byte_rate
        _progress(f"{seconds / 60:.1f} min heard" if seconds >= 60 else f"{seconds:.0f} s heard")
        yield pcm


def _factor(number: float, option: str) -> float:
    if not SPEED[0] <= number <= SPEED[1]:
        raise BadRequest(f"{option} must be between {SPEED[0]:g} and {SPEED[1]:g}.")
    return number


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print columns for a person, and the same with tabs and without a head into a pipe."""
    if not sys.stdout.isatty():
        print("\n".join("\t".join(row) for row in rows))
        return
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _progress(text: str) -> None:
    """Show how far long work is, on one line of a terminal and nowhere else."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
