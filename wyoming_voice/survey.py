"""Look at the machine: which of the configured engines are installed, and what they can say and hear."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from wyoming.info import Info

from .config import Settings
from .engines.table import Ability, EngineSpec, engines, environment
from .engines.voices import EngineVoice
from .voice_file import LibraryVoice
from .voices import Catalogue, Model, Place, Voice, matches, speaks_all


def survey(settings: Settings, remote: Mapping[str, Info], library: Iterable[LibraryVoice] = ()) -> Catalogue:
    """Make the catalogue; ``remote`` has what the Wyoming servers elsewhere said of themselves.

    An engine that is not ready is shown only where the user's settings name it: who asks for it is told what to run.
    A voice of the user's own is heard under its name whatever engines are installed later, and hides theirs.

    Reads files, some tens of milliseconds in all, and imports nothing.
    """
    seen = list(_places(settings))
    places = {place.name: place for place, _ in seen}
    voices: list[Voice] = []
    models: list[Model] = []
    for place, found in seen:
        if place.spec is None:
            info = remote.get(place.name)
            if info is not None:
                voices += _remote_voices(place, info)
                models += _remote_models(place, info)
        elif place.spec.task == "asr":
            models.append(_local_model(place, place.spec))
        elif place.spec.task == "tts" and (place.missing is None or place.name in settings.engines):
            voices += _local_voices(place, place.spec, found)
    spoken = {made.name: _library_voice(made, places) for made in library}
    own = [voice for voice in spoken.values() if voice is not None]
    unspoken = [name for name, voice in spoken.items() if voice is None]
    names = {voice.name.casefold() for voice in own}
    hidden = tuple(voice for voice in voices if voice.name.casefold() in names)
    voices = [voice for voice in voices if voice not in hidden] + own
    unique = {voice.name: voice for voice in reversed(voices)}  # of two with one name the first counts
    voices = [voice for voice in voices if unique[voice.name] is voice]
    return Catalogue(settings, voices, models, places, hidden, unspoken)


def _places(settings: Settings) -> Iterator[tuple[Place, Sequence[EngineVoice]]]:
    """Yield the engines in use and their voices: those with a name of the user's own first, then the table's in order.

    Voices are looked for before what is missing: of an engine that is installed in between none is shown as missing.
    """
    known = engines()
    there = [*(name for name in settings.engines if name not in known), *known]
    for name in dict.fromkeys([*(name for name in settings.prefer if name in there), *there]):
        engine = settings.engine(name)
        if engine.enabled:
            spec = None if engine.uri else known[engine.type or name]
            options = {"device": engine.device, **engine.options, "data_dir": str(settings.data_dir)}
            if spec is None:
                yield Place(name, engine, None, options, None), ()
            else:
                found = spec.voices(options) if spec.task == "tts" else ()
                missing = spec.missing(options) if engine.launcher == "process" else None  # else its nodes know
                yield Place(name, engine, spec, options, missing, spec.abilities(options), _made(settings, spec)), found


def _made(settings: Settings, spec: EngineSpec) -> tuple[int, int] | None:
    try:
        seen = environment(settings.data_dir, spec.name).lstat()
    except OSError:
        return None
    return seen.st_ino, seen.st_mtime_ns


def _kept(place: Place, languages: Iterable[str]) -> tuple[str, ...]:
    only = place.settings.languages
    return tuple(known for known in languages if only is None or any(matches(known, wanted) for wanted in only))


def _local_voices(place: Place, spec: EngineSpec, found: Iterable[EngineVoice]) -> Iterator[Voice]:
    for voice in found:
        if languages := _kept(place, voice.languages):
            yield Voice(
                name=voice.name if place.name == spec.name else f"{place.name}-{voice.voice}",
                engine=place.name,
                voice=voice.voice,
                languages=languages,
                description=voice.description,
                author=voice.author,
                url=voice.url,
                licence=voice.licence,
                speakers=voice.speakers,
                version=voice.version,
                ssml=spec.ssml,
                reads=spec.reads,
                stress=spec.stress,
                paces=spec.paces,
                missing=place.missing,
            )


def _library_voice(own: LibraryVoice, places: Mapping[str, Place]) -> Voice | None:
    """Give a voice of the user's own to its engine, else to the first that can speak with it; None: there is none."""
    ability: Ability = "clone" if own.references else "design"
    able = [place for place in places.values() if ability in place.abilities and own.engine in (None, place.name)]
    able.sort(key=lambda place: (not speaks_all(place, own.languages), place.missing is not None))
    place = able[0] if able else None
    if place is None or place.spec is None:
        return None
    return Voice(
        name=own.name,
        engine=place.name,
        voice="",
        languages=_spoken(own, place) or _kept(place, place.spec.languages) or place.spec.languages,
        description=f"{own.name} · {'cloned' if own.references else 'designed'} voice ({place.spec.description})",
        author="you",
        licence="your own",
        reads=place.spec.reads,
        stress=place.spec.stress,
        paces=place.spec.paces,
        references=own.references,
        design=own.description,
        seed=own.seed,
        missing=place.missing,
    )


def _spoken(own: LibraryVoice, place: Place) -> tuple[str, ...]:
    """Return which of its languages a voice really speaks: the file may have been written by hand."""
    return tuple(language for language in own.languages if speaks_all(place, [language]))


def _local_model(place: Place, spec: EngineSpec) -> Model:
    return Model(
        name=place.name,
        engine=place.name,
        languages=_kept(place, spec.languages),
        description=spec.description,
        author=spec.author,
        url=spec.url,
        missing=place.missing,
        detects=spec.detects,
    )


def _remote_voices(place: Place, info: Info) -> Iterator[Voice]:
    if place.settings.task == "asr":
        return
    for program in info.tts:
        for voice in program.voices:
            languages = _kept(place, (_tag(language) for language in voice.languages))
            only = place.settings.voices
            if languages and voice.installed and (only is None or voice.name in only):
                yield Voice(
                    name=voice.name,
                    engine=place.name,
                    voice=voice.name,
                    languages=languages,
                    description=f"{voice.description or voice.name} ({place.name})",
                    author=voice.attribution.name,
                    url=voice.attribution.url,
                    speakers=tuple(speaker.name for speaker in voice.speakers or ()),
                    version=voice.version,
                )
        return  # its clients use the first program, and so do we


def _remote_models(place: Place, info: Info) -> Iterator[Model]:
    if place.settings.task == "tts":
        return
    for program in info.asr:
        known = {_tag(language): None for model in program.models if model.installed for language in model.languages}
        if languages := _kept(place, known):
            yield Model(
                name=place.name,
                engine=place.name,
                languages=languages,
                description=f"{program.description or program.name} ({place.name})",
                author=program.attribution.name,
                url=program.attribution.url,
            )
        return


def _tag(language: str) -> str:
    return language.replace("_", "-").lower()
