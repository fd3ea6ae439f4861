"""Long recordings: in pieces, recognised while the rest still comes, joined without a word lost or heard twice."""

import asyncio
import io
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import jiwer
import numpy as np
import psutil
import pytest
import soundfile
import yaml
from wyoming.asr import Transcribe
from wyoming.audio import AudioChunk, AudioStart, AudioStop

from tests.bridge.door import Door, form, open_door
from tests.conftest import Speech
from tests.e2e.dialogue import answer, ask, record, transcript
from tests.process import FAKE, ROOT, only_fakes, read_until, run_server
from wyoming_voice.audio import Converter, PcmFormat
from wyoming_voice.codec import decode
from wyoming_voice.engines.espeak import Espeak
from wyoming_voice.engines.protocol import Segment
from wyoming_voice.listening import HEARD, Cutter

MIB = 2**20
HOUR = 3600.0
SOUND = {"rate": 16_000, "width": 2, "channels": 1}
SENTENCES = (
    "The weather in the mountains changes quickly, so take a warm jacket with you.",
    "Turn on the light in the kitchen.",
    "On Monday the train to the coast leaves at seven, and the bus half an hour later.",
)


@cache
def said() -> bytes:
    """Half a minute or less of somebody who speaks, and pauses between sentences."""
    pcm = b""
    for sentence in SENTENCES * 2:
        chunks = list(Espeak({}).synthesize(Segment(sentence, "en-us", language="en")))
        converter = Converter(PcmFormat(chunks[0].rate, 2, 1), HEARD)
        pcm += b"".join(converter.feed(chunk.audio) for chunk in chunks) + converter.finish() + bytes(16_000)
    return pcm


def in_a_loop(seconds: float) -> bytes:
    size = round(seconds * HEARD.rate) * 2
    return (said() * (size // len(said()) + 1))[:size]


def flac(pcm: bytes) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.frombuffer(pcm, "<i2"), HEARD.rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def heard_seconds(text: str) -> float:
    """Add up what the fake ears say of each piece: "21.9 seconds at 0.50 14.7 seconds at 0.42"."""
    words = text.split()
    return sum(float(before) for before, word in pairwise(words) if word == "seconds")


@asynccontextmanager
async def peak(process: psutil.Process) -> AsyncIterator[list[int]]:
    """Watch the memory of a process; what is yielded grows to be the most that it had."""
    most = [process.memory_info().rss]

    async def watch() -> None:
        while True:
            most[0] = max(most[0], process.memory_info().rss)
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    try:
        yield most
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def test_hour_of_speech_is_recognised_in_bounded_memory(tmp_path: Path) -> None:
    file = await asyncio.to_thread(flac, in_a_loop(HOUR))
    async with open_door(tmp_path, languages=["en"]) as door:
        process = psutil.Process(door.server.process.pid)
        await upload(door, flac(in_a_loop(30)))
        before = process.memory_info().rss
        async with peak(process) as most:
            heard = await upload(door, file)
    assert heard["duration"] == pytest.approx(HOUR)
    starts = [segment["start"] for segment in heard["segments"] if "seconds" in segment["text"]]
    ends = [segment["end"] for segment in heard["segments"] if "seconds" in segment["text"]]
    assert starts == pytest.approx([0.0, *ends[:-1]], abs=0.002)
    assert ends[-1] == pytest.approx(HOUR)
    assert max(end - start for start, end in zip(starts, ends, strict=True)) <= 22.0
    assert heard_seconds(heard["text"]) == pytest.approx(HOUR, abs=0.05 * len(starts))
    assert most[0] - before < 48 * MIB, "an hour of audio alone is 110 MiB"


async def upload(door: Door, file: bytes) -> dict[str, Any]:
    patience = aiohttp.ClientTimeout(total=110)
    async with door.client.post(f"{door.url}/stt", data=form(file, language="en"), timeout=patience) as reply:
        assert reply.status == 200, await reply.text()
        heard: dict[str, Any] = await reply.json()
        return heard


async def test_stream_is_recognised_while_the_rest_arrives(tmp_path: Path) -> None:
    pcm = in_a_loop(70.0)
    half = 40 * HEARD.byte_rate
    async with run_server(tmp_path, only_fakes(tmp_path, languages=["en"])) as server, server.client() as client:
        await client.write_event(Transcribe(language="en").event())
        await client.write_event(AudioStart(**SOUND).event())
        for start in range(0, half, 6400):
            await client.write_event(AudioChunk(audio=pcm[start : start + 6400], **SOUND).event())
        early = await read_until(client, "transcript-chunk")  # and only then the rest is sent
        for start in range(half, len(pcm), 6400):
            await client.write_event(AudioChunk(audio=pcm[start : start + 6400], **SOUND).event())
        await client.write_event(AudioStop().event())
        text = transcript([*early, *await answer(client, "transcript-stop")])
    assert heard_seconds(text) == pytest.approx(70.0, abs=0.3)


def test_command_line_shows_how_far_it_is(tmp_path: Path) -> None:
    file, config = tmp_path / "long.flac", tmp_path / "config.yml"
    file.write_bytes(flac(in_a_loop(300.0)))
    config.write_text(yaml.safe_dump(only_fakes(tmp_path, languages=["en"])))
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "wyoming_voice", "transcribe", str(file), "--config", str(config)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(FAKE)])},
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: read(ours), b"")).decode()
        assert process.stdout is not None
        text = process.stdout.read().decode()
    os.close(ours)
    assert process.returncode == 0, shown
    assert heard_seconds(text) == pytest.approx(300.0, abs=1.0)
    assert "1.0 min heard" in shown
    assert "5.0 min heard" in shown


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # how Linux says that nobody writes to it any more
        return b""


@pytest.mark.speech
async def test_joined_transcript_says_what_its_parts_do(tmp_path: Path, speech: Speech) -> None:
    pytest.importorskip("moonshine_voice", reason="needs Moonshine: ./run.sh engines install moonshine")
    files = [recording["file"] for recording in speech.of("en") if not recording["derived_from"]]
    parts = [b"".join(decode(speech.path(file), HEARD, max_seconds=60)) + bytes(HEARD.byte_rate // 2) for file in files]
    whole = b"".join(parts * 3)
    cutter = Cutter()
    pieces = [cut.pcm for cut in (*cutter.feed(whole), *cutter.finish())]
    async with run_server(tmp_path, {"languages": ["en"]}, fake=False) as server:

        async def hear(pcm: bytes) -> str:
            return words(transcript(await ask(server, *record(pcm, size=4096, language="en"))))

        joined = await hear(whole)
        assert joined == " ".join([await hear(piece) for piece in pieces])
        alone = " ".join([await hear(part) for part in parts] * 3)
    assert len(pieces) >= 4
    measured = jiwer.process_words(alone, joined)
    # The small model mistakes other words where it hears more at once (11 of 195), but loses and doubles none.
    assert measured.wer <= 0.1, jiwer.visualize_alignment(measured)
    assert measured.insertions + measured.deletions <= 2, jiwer.visualize_alignment(measured)


def words(text: str) -> str:
    """Lower case, without punctuation."""
    return " ".join("".join(letter if letter.isalnum() else " " for letter in text.lower()).split())
