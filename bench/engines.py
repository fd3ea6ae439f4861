"""Every engine that is ready here, in its own worker: ``./run.sh bench engines [--config FILE]``.

What it has for a model is said by the configuration; a tiny one shows what the worker and the link cost, and nothing
of the engine's own speed.
"""

import asyncio
import io
import os
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import psutil

from wyoming_voice import client
from wyoming_voice.audio import Converter, PcmFormat
from wyoming_voice.config_load import load
from wyoming_voice.engines.protocol import Segment
from wyoming_voice.engines.table import EngineSpec
from wyoming_voice.errors import VoiceError
from wyoming_voice.launch import ProcessLauncher
from wyoming_voice.listening import HEARD
from wyoming_voice.survey import survey
from wyoming_voice.voices import Place

from .report import Table, median, mib, ms, progress
from .text import LONG

_CONFIG = Path(__file__).resolve().parent.parent / "config.yml"
_TIMES = 5
_HEARD_SECONDS = 10.0
_STEP_SECONDS = 300.0
_LOAD_SECONDS = 600.0


async def engines() -> Table:
    """Measure each: load, memory, first audio or first text, and the real-time factor."""
    config = os.environ.get("WYOMING_VOICE_CONFIG")
    settings = load(Path(config) if config else _CONFIG, os.environ)
    catalogue = survey(settings, {})
    ready = [place for place in catalogue.places.values() if place.spec is not None and place.missing is None]
    rows = list[tuple[str, ...]]()
    with ProcessLauncher(settings.data_dir) as launcher:
        for place in ready:
            progress(place.name)
            assert place.spec is not None, "others were left out"
            try:
                rows.append((place.name, *await _measured(launcher, place, place.spec)))
            except VoiceError as error:
                rows.append((place.name, "", "", "", "", error.text))
    head = ("engine", "load, s", "memory, MiB", "first, ms", "real-time factor", "with")
    note = (
        "One request at a time, p50 of five; speaking: one sentence of the voice's language; hearing: ten seconds of "
        "it, spoken by eSpeak. The real-time factor is computing time over audio time: less is faster. Memory is the "
        "worker's resident set after that."
    )
    return Table("Engines in their workers", head, rows, note)


async def _measured(launcher: ProcessLauncher, place: Place, spec: EngineSpec) -> Sequence[str]:
    began = perf_counter()
    worker = await launcher.start(spec, place.options, _LOAD_SECONDS)
    loaded = perf_counter() - began
    try:
        what, times = await (_speaking if spec.task == "tts" else _hearing if spec.task == "asr" else _rewriting)(
            worker.uri, place, spec
        )
        memory = psutil.Process(worker.pid).memory_info().rss
    finally:
        await worker.stop()
    first = ms(median([first for first, _ in times]))
    return (f"{loaded:.1f}", mib(memory), first, f"{median([factor for _, factor in times]):.3f}", what)


async def _speaking(uri: str, place: Place, spec: EngineSpec) -> tuple[str, list[tuple[float, float]]]:
    voices = spec.voices(place.options)
    voice = next((voice for voice in voices if "ru" in voice.languages), voices[0])
    language = "ru" if "ru" in voice.languages else "en"
    segment = Segment(LONG[language], voice.voice, language=language)
    return f"voice {voice.voice}", [await _speak(uri, replace(segment, seed=number)) for number in range(_TIMES)]


async def _speak(uri: str, segment: Segment) -> tuple[float, float]:
    began, first, seconds = perf_counter(), 0.0, 0.0
    async with client.synthesize(uri, segment, _STEP_SECONDS) as chunks, aclosing(chunks):
        async for chunk in chunks:
            if chunk.audio and not first:
                first = perf_counter() - began
            seconds += chunk.seconds
    return first, (perf_counter() - began) / (seconds or 1.0)


async def _hearing(uri: str, place: Place, spec: EngineSpec) -> tuple[str, list[tuple[float, float]]]:
    language = "ru" if "ru" in spec.languages else "en"
    pcm = await asyncio.to_thread(_spoken, language)
    model = str(place.options.get("model") or "its own model")
    return f"{language}, {Path(model).name}", [await _hear(uri, pcm, language) for _ in range(_TIMES)]


async def _hear(uri: str, pcm: bytes, language: str) -> tuple[float, float]:
    began, first = perf_counter(), 0.0
    async with client.transcribe(uri, pcm, _STEP_SECONDS, language=language) as pieces, aclosing(pieces):
        async for heard in pieces:
            first = first or (perf_counter() - began if heard.text else 0.0)
    took = perf_counter() - began
    return first or took, took / (len(pcm) / HEARD.byte_rate)


async def _rewriting(uri: str, _place: Place, _spec: EngineSpec) -> tuple[str, list[tuple[float, float]]]:
    times = []
    for _ in range(_TIMES):
        began = perf_counter()
        await client.rewrite(uri, LONG["ru"], "ru", _STEP_SECONDS)
        times.append((perf_counter() - began, 0.0))
    return "a long sentence", times


def _spoken(language: str) -> bytes:
    """Return ten seconds of eSpeak's speech, as engines hear it."""
    from wyoming_voice.engines.espeak import Espeak  # noqa: PLC0415 - only where something hears

    voice = {"ru": "ru", "en": "en-us"}[language]
    chunks = list(Espeak({}).synthesize(Segment(LONG[language] * 3, voice, language=language)))
    converter = Converter(PcmFormat(chunks[0].rate, 2, 1), HEARD)
    file = io.BytesIO()
    for chunk in chunks:
        file.write(converter.feed(chunk.audio))
    file.write(converter.finish())
    return file.getvalue()[: round(_HEARD_SECONDS * HEARD.byte_rate)]
