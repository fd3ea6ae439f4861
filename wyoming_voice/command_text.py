"""The command ``text``: what a voice would be given of a text, and what each step before speech makes of it."""

import argparse
import sys
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from .app import App, open_app
from .command import patient
from .config import Settings
from .engines.table import ANY_LETTERS
from .engines.table import engines as known_engines
from .errors import EngineUnavailable, UnknownEngine, UnknownVoice
from .speech import Utterance, Wanted, once
from .text.script import language_of
from .voices import Catalogue, Voice, VoiceChoice

_WIDTH: Final = 11  # columns of a step's name and the space behind it


async def text(settings: Settings, chosen: argparse.Namespace) -> int:
    """Print what would be spoken, one segment a line, or each step of each segment."""
    if chosen.normalize is not None:
        switched = settings.text.model_copy(update={"normalize": chosen.normalize})
        settings = settings.model_copy(update={"text": switched})
    stand_in = _stand_in(settings, chosen.engine)
    if chosen.text is None and sys.stdin.isatty():
        print("Type a text and Enter; Ctrl-D ends it.", file=sys.stderr)
    async with open_app(patient(settings)) as app:
        await app.voices.look()
        for line in sys.stdin if chosen.text is None else [chosen.text]:
            await _show(app, line, chosen, stand_in)
            sys.stdout.flush()  # whoever writes a line waits for its segments
    return 0


async def _show(app: App, line: str, chosen: argparse.Namespace, stand_in: Voice) -> None:
    choice = VoiceChoice(chosen.voice, chosen.language)
    utterance = Utterance(text=once(line), voice=choice, wanted=Wanted(llm=chosen.llm, stress=chosen.stress))
    segments = app.speech.rehearse(
        utterance,
        lambda sentence: _voice(app.voices.catalogue, choice, chosen.engine, sentence, stand_in),
        _show_retold if chosen.steps else None,
    )
    shown: Voice | None = None
    async with aclosing(segments):
        async for segment in segments:
            if not chosen.steps:
                print(segment.spoken)
                continue
            if segment.voice is not shown:
                shown = segment.voice
                _step("voice", shown.name or "none is installed")
            _step("clean", segment.clean)
            if app.settings.text.normalize:
                _step("normalize", segment.normalized)
            if app.settings.text.stress if chosen.stress is None else chosen.stress:
                _step("stress", segment.spoken)


def _show_retold(written: str, said: str) -> None:
    _step("written", written)
    _step("llm", said)


def _step(name: str, text: str) -> None:
    print(f"{name.ljust(_WIDTH)}{text}" if sys.stdout.isatty() else f"{name}\t{text}")


def _voice(catalogue: Catalogue, choice: VoiceChoice, engine: str | None, sentence: str, stand_in: Voice) -> Voice:
    """Find who would speak, also where nobody is installed who could; raises UnknownVoice for a wrong name."""
    languages = catalogue.settings.languages
    language = choice.language or language_of(sentence, languages) or languages[0]
    if engine is not None:
        theirs = replace(catalogue, voices=[voice for voice in catalogue.voices if voice.engine == engine])
        return theirs.speaking(language) or replace(stand_in, languages=(language,))
    try:
        return catalogue.voice(choice, sentence)[0]
    except (EngineUnavailable, UnknownVoice):
        if choice.name:
            raise
        return replace(stand_in, languages=(language,))


def _stand_in(settings: Settings, engine: str | None) -> Voice:
    """Make a voice of an engine that may not be installed; raises UnknownEngine."""
    bare = Voice(name=engine or "", engine=engine or "", voice="", languages=(), description="", reads=frozenset())
    if engine is None:
        return bare
    spec = known_engines().get(settings.engine(engine).type or engine)
    if spec is not None and spec.task == "tts":
        return replace(bare, reads=spec.reads, stress=spec.stress)
    if engine in settings.engines:
        return replace(bare, reads=ANY_LETTERS)  # a server that runs elsewhere
    speaking = [name for name, one in known_engines().items() if one.task == "tts"]
    raise UnknownEngine(f"No engine that speaks is called '{engine}'; there are {', '.join(speaking)}.")
