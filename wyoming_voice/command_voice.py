"""The command ``voices``: list them, make one, hear it, remove it; and the references of the command ``say``."""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict, replace
from shlex import quote
from typing import Final

from .app import App, open_app
from .argument import pairs
from .command import patient, speak, table, target_of
from .config import Settings
from .enrol import Draft, Enrolment, draft, forget, keep
from .errors import BadRequest
from .invocation import PROGRAM
from .speech import Utterance, once
from .voices import VoiceChoice, canonical

_PREVIEW: Final = {
    "ru": "Здравствуйте! Так я теперь говорю. Завтра в семь утра будет солнечно.",
    "en": "Hello! This is how I speak now. It will be sunny tomorrow at seven.",
}


async def voices(settings: Settings, chosen: argparse.Namespace) -> int:
    """List the voices, or make, hear or remove one."""
    async with open_app(patient(settings)) as app:
        await app.voices.look()
        match chosen.action:
            case "preview":
                return await _preview(app, chosen)
            case "add":
                return await _add(app, chosen)
            case "remove":
                await forget(app, chosen.name)
                print(f"The voice {chosen.name} is removed.", file=sys.stderr)
                return 0
    return _list(app, chosen)


def _list(app: App, chosen: argparse.Namespace) -> int:
    catalogue = app.voices.catalogue
    found = [(voice, voice.languages) for voice in catalogue.voices] if chosen.all else list(catalogue.offered)
    if chosen.json:
        print(json.dumps([asdict(voice) for voice, _ in found], ensure_ascii=False, indent=2, default=sorted))
        return 0
    rows = [
        (voice.name, ", ".join(map(canonical, languages)), voice.description, voice.missing or voice.licence)
        for voice, languages in found
    ]
    table(("VOICE", "LANGUAGES", "DESCRIPTION", "LICENCE"), rows)
    if not found:
        print(f"No voice is installed. {catalogue.advice('tts')}", file=sys.stderr)
    return 0


async def _add(app: App, chosen: argparse.Namespace) -> int:
    wanted = Enrolment(
        name=chosen.name,
        recordings=tuple(pairs(chosen.audio, chosen.text, "--audio", "--text")),
        description=chosen.description,
        engine=chosen.engine,
        languages=(chosen.language.lower(),) if chosen.language else (),
    )
    made = await draft(app, wanted)
    if made.recognised and not chosen.yes:
        made = await _confirmed(made)
    voice = await keep(app, made)
    print(f"The voice {voice.name} is made. Hear it: {PROGRAM} voices preview {quote(voice.name)}", file=sys.stderr)
    for _, text in made.recordings:
        print(text or "")
    return 0


async def _confirmed(made: Draft) -> Draft:
    """Show what was recognised and have it corrected; raises BadRequest where nobody can be asked."""
    if not sys.stdin.isatty():
        heard = "; ".join(text or "(nothing)" for _, text in made.recordings)
        raise BadRequest(f"Recognised: {heard}\nIf that is right, add --yes; if not, say it with --text.")
    corrected = []
    for number, (audio, text) in enumerate(made.recordings, 1):
        print(f"Recording {number} says: {text or '(nothing was recognised)'}", file=sys.stderr)
        print("Enter if that is right, else what it says: ", end="", file=sys.stderr, flush=True)
        said = await _typed()
        if not said:
            raise BadRequest("Nothing was said about it, so no voice was made.")
        corrected.append((audio, said.strip() or text))
    return replace(made, recordings=tuple(corrected))


async def _typed() -> str:
    """Wait for a line at the terminal, in a way that Ctrl-C ends; empty: there will be none."""
    loop = asyncio.get_running_loop()
    there = asyncio.Event()
    loop.add_reader(sys.stdin, there.set)
    try:
        await there.wait()
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline()


async def _preview(app: App, chosen: argparse.Namespace) -> int:
    voice, _ = app.voices.catalogue.voice(VoiceChoice(chosen.name))
    first = next((own for own in app.settings.languages if own in voice.languages), (*voice.languages, "en")[0])
    text = chosen.text or _PREVIEW.get(first.partition("-")[0], _PREVIEW["en"])
    utterance = Utterance(text=once(text), voice=VoiceChoice(chosen.name))
    await speak(app, utterance, target_of(chosen.output))
    return 0
