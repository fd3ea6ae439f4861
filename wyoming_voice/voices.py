"""The catalogue: which voices speak, which engines listen, and which of them a request means.

It is a picture of the machine, made by ``survey.py``: no worker is asked and no engine is loaded, so that it can answer
from memory while everything is busy.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from typing import Final

from .config import Settings
from .engines.table import Ability, Task
from .errors import BadRequest, EngineUnavailable, UnknownEngine, UnknownVoice
from .offer import HOME, Model, Place, Voice, VoiceChoice, canonical, matches, speaks_all
from .text.script import language_of

__all__ = [
    "HOME",
    "Catalogue",
    "Model",
    "Place",
    "Voice",
    "VoiceChoice",
    "canonical",
    "first_of",
    "matches",
    "speaks_all",
]  # what asks the catalogue need not know where the words for it stand

_ABLE: Final[Mapping[Ability, str]] = {
    "clone": "Qwen/Qwen3-TTS-12Hz-0.6B-Base",
    "design": "Qwen/Qwen3-TTS-12Hz-1.7B-VoiceDesign",
}
"""Models to recommend to whoever wants a voice that none here can speak with."""
_LONGEST: Final = 200  # characters of a name; longer ones are nobody's, and not worth a guess
_TAG: Final = re.compile(r"[a-z]{2,3}([-_][a-z]{4})?([-_]([a-z]{2}|\d{3}))?", re.IGNORECASE)  # language, script, region


@dataclass(frozen=True)
class Catalogue:
    """All voices and models, in order of preference."""

    settings: Settings
    voices: Sequence[Voice] = ()
    models: Sequence[Model] = ()
    places: Mapping[str, Place] = field(default_factory=dict)
    hidden: Sequence[Voice] = ()
    """Voices of engines that a voice of the user's own has the name of: nobody can choose them."""
    unspoken: Sequence[str] = ()
    """Names of the user's own voices that no engine here, as it is configured, can speak with."""

    def voice(self, choice: VoiceChoice, text: str = "") -> tuple[Voice, str | None]:
        """Find the voice by name, else by language, else by the script of the text, else the default one.

        Recordings or a description go to an engine that can speak with them: the named voice's, else the first.
        Returns it with the speaker; raises UnknownVoice, or EngineUnavailable when what is needed is not installed.
        """
        if choice.name:
            if len(choice.name) > _LONGEST:
                raise self._unknown(choice.name)
            choice = replace(choice, name=unicodedata.normalize("NFC", choice.name))  # a Mac's clients decompose it
        if choice.references or choice.description:
            return self._made(choice), choice.speaker
        voice, speaker = self._chosen(choice, text)
        if voice.missing is not None:
            raise EngineUnavailable(voice.missing)
        return voice, speaker

    def _chosen(self, choice: VoiceChoice, text: str) -> tuple[Voice, str | None]:
        if not self.voices:
            raise EngineUnavailable(f"No voice is installed. {self.advice('tts')}")
        voice = self._named(choice.name) if choice.name else None
        if choice.name and (voice is None or voice.name != choice.name):
            if self._speaks(choice.name):  # clients before 1.10 write the language here; espeak's voices are called so
                voice = None
            elif voice is None:
                raise self._unknown(choice.name)
        if voice is None:
            asked = choice.language or choice.name
            voice = self.speaking(asked or language_of(text, self.settings.languages))
            if voice is None and asked:
                raise UnknownVoice(
                    f"No voice speaks '{asked[:_LONGEST]}'; there are voices for {', '.join(self.spoken)}."
                )
        voice = voice or self.default
        if choice.speaker and choice.speaker not in voice.speakers:
            has = f"it has {', '.join(voice.speakers)}" if voice.speakers else "it has only one"
            raise UnknownVoice(f"The voice {voice.name} has no speaker '{choice.speaker[:_LONGEST]}'; {has}.")
        return voice, choice.speaker

    def _made(self, choice: VoiceChoice) -> Voice:
        """Find who speaks with the voice that a request brings."""
        ability: Ability = "clone" if choice.references else "design"
        place = self.able(ability, self._engine_of(choice.name) if choice.name else None)
        if place.missing is not None:
            raise EngineUnavailable(place.missing)
        assert place.spec is not None, "only engines of the table clone and design"
        return Voice(
            name=place.name,
            engine=place.name,
            voice="",
            languages=place.spec.languages,
            description=place.spec.description,
            reads=place.spec.reads,
            stress=place.spec.stress,
            paces=place.spec.paces,
            references=choice.references,
            design=choice.description,
        )

    def able(self, ability: Ability, engine: str | None = None, languages: Iterable[str] = ()) -> Place:
        """Find an engine that clones or designs voices: the named one, else the first, ready ones before others.

        Raises BadRequest for a named one that cannot, or when none that can speaks the languages, UnknownEngine, and
        EngineUnavailable when there is none.
        """
        does = "clones" if ability == "clone" else "designs"
        able = [place for place in self.places.values() if ability in place.abilities]
        if engine is not None:
            if engine not in self.places:
                raise UnknownEngine(f"There is no engine '{engine}'; there are {_listed(self.places)}.")
            if self.places[engine] not in able:
                others = f" {_listed(place.name for place in able)} does." if able else ""
                raise BadRequest(f"The engine {engine} has no model that {does} voices.{others}")
            able = [self.places[engine]]
        if not able:
            model = _ABLE[ability]
            raise EngineUnavailable(
                f"No engine here {does} voices. Run: ./run.sh engines install qwen-tts --model {model}, "
                f"and name it in the configuration: engines: {{qwen-tts: {{options: {{model: {model}}}}}}}"
            )
        languages = tuple(languages)
        speaking = [place for place in able if speaks_all(place, languages)]
        if not speaking:
            can = sorted({known for place in able if place.spec for known in place.spec.languages})
            raise BadRequest(f"No engine that {does} voices speaks {', '.join(languages)}, but {', '.join(can)}.")
        return min(speaking, key=lambda place: place.missing is not None)

    def check_free(self, name: str) -> None:
        """Raise BadRequest for a name that a voice has, or that clients say for something else."""
        folded = name.casefold()
        for voice in self.voices:
            if voice.name.casefold() == folded:
                has = "There is a voice" if voice.own else f"The engine {voice.engine} has a voice"
                mend = "Remove it first, or choose another name." if voice.own else "Choose another name."
                raise BadRequest(f"{has} '{name}' already. {mend}")
        if self._speaks(name) or any(folded == place.casefold() for place in self.places):
            kind = "a language" if self._speaks(name) else "an engine"
            raise BadRequest(f"'{name}' is the name of {kind} here, which clients send too. Choose another name.")

    def _engine_of(self, name: str) -> str:
        voice = self._named(name)
        if voice is None and name not in self.places:
            raise self._unknown(name)
        return name if voice is None else voice.engine

    def model(self, name: str | None, language: str | None) -> tuple[Model, str | None]:
        """Find who hears a language; returns it with the language, None for whatever is spoken (``auto``).

        Raises UnknownEngine for a model that is not there, BadRequest for one that does not hear the language, and
        EngineUnavailable with the command that installs one.
        """
        named = self._model_named(name) if name and name != self.settings.server.name else None
        if (language or "").casefold() == "auto":
            telling = next((model for model in ([named] if named else self.models) if model.hears_any), None)
            if telling is not None:
                return telling, None
            language = None  # nobody can tell: it is the user's first language
        heard = language or self.settings.languages[0]
        able = [model for model in self.models if any(matches(known, heard) for known in model.languages)]
        if named is not None:
            if named not in able:
                raise BadRequest(f"The model {name} does not hear '{heard}', but {', '.join(named.languages)}.")
            return named, heard
        for model in able:
            if model.missing is None:
                return model, heard
        reasons = first_of([(model.name, model.missing) for model in able if model.missing]) or self.advice("asr")
        ready = sorted({known for model in self.models if model.missing is None for known in model.languages})
        others = f" Installed engines hear {', '.join(ready)}; say so if that is the language." if ready else ""
        raise EngineUnavailable(f"Nothing that hears '{heard}' is installed. {reasons}{others}")

    def _model_named(self, name: str) -> Model:
        named = next((model for model in self.models if model.name == name), None)
        if named is None:
            raise UnknownEngine(f"There is no model '{name}'; there are {_listed(m.name for m in self.models)}.")
        if named.missing is not None:
            raise EngineUnavailable(named.missing)
        return named

    @cached_property
    def default(self) -> Voice:
        """The voice for text that says nothing about its language."""
        voice = self._named(self.settings.voice) if self.settings.voice else None
        ready = [voice for voice in self.voices if voice.missing is None]
        return voice or self.speaking(self.settings.languages[0]) or (ready or self.voices)[0]

    @cached_property
    def mistaken(self) -> Mapping[str, str]:
        """Say of each key of the settings that names a voice which is not there that it does.

        Nothing while there is no voice at all, or a server elsewhere has not said yet what it has.
        """
        wished = {"voice": self.settings.voice, **{f"voices.{tag}": name for tag, name in self.settings.voices.items()}}
        known = {voice.engine for voice in self.voices} | {model.engine for model in self.models}
        if not self.voices or any(place.settings.uri and place.name not in known for place in self.places.values()):
            return {}
        return {key: self._unknown(name).text for key, name in wished.items() if name and self._named(name) is None}

    @cached_property
    def spoken(self) -> Sequence[str]:
        """The languages that there are voices for."""
        return sorted({language for voice in self.voices for language in voice.languages})

    @cached_property
    def offered(self) -> Sequence[tuple[Voice, tuple[str, ...]]]:
        """The voices of the user's languages, each with those of its languages that are among them.

        Voices of the user's own are always among them: whoever made one wants it, whatever it speaks.
        """
        kept = ((v, self.wanted(v.languages) or (v.languages if v.own else ())) for v in self.voices)
        return [(voice, languages) for voice, languages in kept if languages]

    def wanted(self, languages: Iterable[str]) -> tuple[str, ...]:
        """Keep those languages that the user has."""
        return tuple(known for known in languages if any(matches(known, own) for own in self.settings.languages))

    def _named(self, name: str) -> Voice | None:
        exact = [voice for voice in self.voices if voice.name == name]
        folded = name.casefold()
        alike = [voice for voice in self.voices if folded in (voice.name.casefold(), voice.voice.casefold())]
        alike.sort(key=lambda voice: not voice.own)  # "elena" is the user's Elena, if there is one
        return exact[0] if exact else alike[0] if alike else None

    def _speaks(self, language: str) -> bool:
        if not _TAG.fullmatch(language):
            return False
        return any(matches(known, language.casefold()) for voice in self.voices for known in voice.languages)

    def speaking(self, language: str | None) -> Voice | None:
        """Find the best voice for a language: the one set for it, the default one, then the first that speaks it."""
        if language is None:
            return None
        language = language.casefold().replace("_", "-")
        named = [self.settings.voices[key] for key in self.settings.voices if matches(language, key)]
        wished = [voice for name in [*named, self.settings.voice] if name and (voice := self._named(name))]
        able = [voice for voice in self.voices if any(matches(known, language) for known in voice.languages)]
        # A voice of the user's own is asked for, and not because it says its region.
        able.sort(key=lambda voice: (voice.missing is not None, voice.own, language not in voice.languages))
        exact = [voice for voice in able if language in voice.languages and not voice.own]
        return next((voice for voice in [*wished, *exact, *able] if voice in able), None)

    def _unknown(self, name: str) -> UnknownVoice:
        known = {called: voice.name for voice in self.voices for called in (voice.voice, voice.name)}
        close = get_close_matches(name, known, n=1) if len(name) <= _LONGEST else []
        guess = f" Did you mean '{known[close[0]]}'?" if close else ""
        return UnknownVoice(f"There is no voice '{name[:_LONGEST]}'.{guess} `./run.sh voices` lists them.")

    def advice(self, task: Task) -> str:
        """Say what to run to have an engine for a task."""
        of_task = [place for place in self.places.values() if place.spec is not None and place.spec.task == task]
        return first_of([(place.name, place.missing) for place in of_task if place.missing])


def first_of(missing: Sequence[tuple[str, str]]) -> str:
    """Say what the first of some engines lacks, and name the others; empty: there are none."""
    if not missing:
        return ""
    (_, sentence), *rest = missing
    others = ", ".join(name for name, _ in rest)
    return sentence.rstrip(".") + (f" (or {others})." if others else ".")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
