"""Let each engine work once, and see what becomes of the user's languages: being there is not yet working."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Final

from . import client
from .app import cluster_of
from .config import Settings
from .engines.protocol import Segment
from .engines.table import EngineSpec, Task, environment
from .environment import is_made_of, look, requirements
from .errors import EngineUnavailable, VoiceError
from .invocation import PROGRAM
from .launch import Cluster, ProcessLauncher
from .listening import HEARD
from .machine import Finding, milliseconds
from .port import ask
from .voices import Catalogue, Place, Voice, first_of, matches

_WORDS: Final = {"ru": "Проверка.", "en": "Hello.", "uk": "Перевірка.", "de": "Hallo.", "fr": "Bonjour.", "es": "Hola."}
"""What an engine is asked to say; its other languages get a number."""


def unasked(place: Place, settings: Settings) -> bool:
    """Tell whether an engine is one that nobody set up or installed: there is nothing to find wrong with it."""
    spec = place.spec
    if spec is None or place.name in settings.engines or environment(settings.data_dir, spec.name).exists():
        return False
    return place.missing is not None and bool(spec.absent(place.options))


async def trial(place: Place, catalogue: Catalogue, launcher: ProcessLauncher) -> Finding:
    """Let an engine work once: being there is not yet working."""
    try:
        if place.spec is None:
            return await _elsewhere(place)
        where = _environment(place.spec, catalogue.settings.data_dir) if place.is_here else "on the Ray cluster"
        if place.missing is not None:  # known from files: importing torch would say no more
            wanted = place.name in catalogue.settings.engines
            there = where and not place.spec.absent(place.options)
            packages = f" (its packages are there: {where})" if there else ""
            return Finding("✗" if wanted else "!", f"{place.name}: {place.missing}{packages}")
        torch = await _torch(place, place.spec, catalogue.settings.data_dir) if place.is_here else ""
        where = "".join(f", {part}" for part in (where, torch) if part)
        async with asyncio.timeout(place.start_timeout + place.settings.step_timeout):
            return await _here(place, place.spec, catalogue, launcher, where)
    except TimeoutError:
        return Finding("✗", f"{place.name}: does not come to an end; see engines.{place.name}.step_timeout")
    except VoiceError as error:
        return Finding("✗", f"{place.name}: {error.text}")


def _environment(spec: EngineSpec, data_dir: Path) -> str:
    """Say where an engine's own environment is; empty: it has none."""
    own, file = environment(data_dir, spec.name), requirements(spec.name)
    if not (own / "bin" / "python").exists():
        return ""
    old = file is not None and (own / file.name).exists() and not is_made_of(own, file)
    return f"environment {own}" + (", made by an older release" if old else "")


async def _torch(place: Place, spec: EngineSpec, data_dir: Path) -> str:
    """Ask the torch of an engine that is set up for a GPU what it sees; empty: it is not, or has no torch of its own.

    Raises EngineUnavailable where its packages do not load, or see no GPU.
    """
    own = environment(data_dir, spec.name)
    python = own / "bin" / "python"
    if not python.exists() or not place.settings.device.startswith("cuda"):
        return ""  # loading the engine, which comes next, tells as much
    try:
        seen = await look(spec, python, place.start_timeout)
    except EngineUnavailable as error:
        raise EngineUnavailable(f"{error.text} The environment is {own}; to make it anew: {spec.install}") from error
    if seen.torch and not seen.gpus:
        raise EngineUnavailable(
            f"its torch {seen.torch} sees no GPU, but engines.{place.name}.device is {place.settings.device}. "
            f"To get the torch for this machine's GPU: {spec.install}; or set device: cpu"
        )
    return str(seen)


async def _elsewhere(place: Place) -> Finding:
    findings = await asyncio.gather(*(_at(place, uri) for uri in place.settings.uri or ()))
    worst = next((finding for finding in findings if finding.mark != "✓"), findings[0])
    return Finding(worst.mark, "; ".join(finding.text for finding in findings))


async def _at(place: Place, uri: str) -> Finding:
    started = monotonic()
    try:
        info = await ask(uri)
    except VoiceError as error:
        reason = error.__cause__ or error.text
        return Finding("✗", f"{place.name}: does not answer at {uri} ({reason}). Is it running?")
    offers = [f"{len(program.voices)} voices of {program.name}" for program in info.tts]
    offers += [f"hears with {program.name}" for program in info.asr]
    took = f"answers at {uri} in {milliseconds(monotonic() - started)}"
    if not offers:
        return Finding("✗", f"{place.name}: {took}, and offers neither voices nor models")
    return Finding("✓", f"{place.name}: {took}: {', '.join(offers)}")


async def _here(place: Place, spec: EngineSpec, catalogue: Catalogue, launcher: ProcessLauncher, where: str) -> Finding:
    voices = [voice for voice, _ in catalogue.offered if voice.engine == place.name]
    voices = voices or [voice for voice in catalogue.voices if voice.engine == place.name]
    if spec.task == "tts" and not voices and not place.abilities & {"clone", "design"}:
        reason = f"none was found, or engines.{place.name}.languages leaves none"
        return Finding("!", f"{place.name}: is installed, but offers no voice: {reason}{where}")
    asked = _asked(place, voices)
    started = monotonic()
    async with _started(place, spec, launcher, cluster_of(catalogue.settings, place)) as uri:
        loaded = monotonic()
        if spec.task == "tts" and asked is None:
            took = f"loads in {milliseconds(loaded - started)}; it has no voice until one is made of a recording"
            return Finding("✓", f"{place.name}: {took}: {PROGRAM} voices add NAME --audio FILE{where}")
        if asked is not None:
            did = await _speak(*asked, uri, place.settings.step_timeout)
        elif spec.task == "text":
            rewritten = await client.rewrite(uri, _WORDS["ru"], "ru", place.settings.step_timeout)
            did = f"writes '{rewritten}'"
        else:
            did = await _hear(spec, uri, place.settings.step_timeout)
        ended = monotonic()
    if did is None:
        return Finding("✗", f"{place.name}: loads, and says nothing. Run: {spec.install}")
    took = f"loads in {milliseconds(loaded - started)}, {did} in {milliseconds(ended - loaded)}"
    return Finding("✓", f"{place.name}: {took}{where}")


def _asked(place: Place, voices: Sequence[Voice]) -> tuple[Segment, str] | None:
    """Return a word to be spoken, and the name of the voice; None: there is no voice that could."""
    if voices:
        voice, language = voices[0], voices[0].languages[0]
        segment = Segment(_WORDS.get(language.partition("-")[0], "1, 2, 3."), voice.voice, language)
        made = replace(segment, references=voice.references, description=voice.design, seed=voice.seed)
        return made, voice.name
    if "design" in place.abilities:
        return Segment(_WORDS["en"], "", "en", description="A calm voice."), "a voice in words"
    return None


async def _speak(segment: Segment, name: str, uri: str, step_timeout: float) -> str | None:
    """Have a word spoken; None: no sound came."""
    async with client.synthesize(uri, segment, step_timeout) as audio, aclosing(audio):
        seconds = sum([chunk.seconds async for chunk in audio])
    return f"speaks {seconds:.1f} s with {name}" if seconds else None


async def _hear(spec: EngineSpec, uri: str, step_timeout: float) -> str:
    """Have a second of silence heard; an engine that makes words of it is not broken, but worth knowing."""
    language = "en" if "en" in spec.languages else next(iter(spec.languages), None)
    silence = bytes(HEARD.byte_rate)
    async with client.transcribe(uri, silence, step_timeout, language=language) as heard, aclosing(heard):
        said = "".join([piece.text async for piece in heard]).strip()
    return "hears a second of silence" + (f" as '{said}'" if said else "")


@asynccontextmanager
async def _started(
    place: Place, spec: EngineSpec, launcher: ProcessLauncher, cluster: Cluster | None
) -> AsyncIterator[str]:
    worker = await launcher.start(spec, place.options, place.start_timeout, cluster)
    try:
        yield worker.uri
    finally:
        await worker.stop()


def languages(catalogue: Catalogue) -> Iterator[Finding]:
    settings = catalogue.settings
    able = False
    for language in settings.languages:
        voice = catalogue.speaking(language)
        heard = [model for model in catalogue.models if any(matches(known, language) for known in model.languages)]
        ready = [model.name for model in heard if model.missing is None]
        able = able or voice is not None or bool(ready)
        speaks = f"speaks with {voice.name}" if voice else f"no voice yet{_would(catalogue, 'tts')}"
        hears = f"heard by {', '.join(ready)}" if ready else f"nothing hears it yet{_would(catalogue, 'asr', language)}"
        yield Finding("✓" if voice and ready else "!", f"{language}: {speaks}; {hears}")
    if not able:
        yield Finding("✗", "nothing speaks or hears any of your languages yet. Run: ./run.sh engines install espeak")
    for key, sentence in catalogue.mistaken.items():
        yield Finding("✗", f"{key}: {sentence}")


def _would(catalogue: Catalogue, task: Task, language: str | None = None) -> str:
    """Say what to run."""
    able = [
        (place.name, place.missing)
        for place in catalogue.places.values()
        if place.spec is not None
        and place.missing is not None
        and place.spec.task == task
        and (language is None or any(matches(known, language) for known in place.spec.languages))
    ]
    return f": {first_of(able).rstrip('.')}" if able else ""
