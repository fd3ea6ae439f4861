"""Which voice a request means, and which names a voice of the user's own may have."""

import itertools
import time
import unicodedata
from dataclasses import replace

import pytest
from pydantic import JsonValue

from wyoming_voice.config import EngineSettings, Settings
from wyoming_voice.engines.protocol import Options, Reference
from wyoming_voice.engines.table import EngineSpec, engines
from wyoming_voice.engines.voices import EngineVoice
from wyoming_voice.errors import BadRequest, UnknownVoice
from wyoming_voice.survey import survey
from wyoming_voice.voice_file import LibraryVoice
from wyoming_voice.voices import Catalogue, Place, Voice, VoiceChoice

CLONES = EngineSpec(
    name="clones",
    task="tts",
    entry="x:X",
    description="Clones",
    author="x",
    url="https://example.org",
    licence="x",
    install="x",
    languages=("ru", "en"),
)
ABLE = Place("clones", EngineSettings(), CLONES, {}, None, frozenset({"clone"}))
OWN = (Reference("x.flac"),)


def voice(name: str, *languages: str, own: bool = False, missing: str | None = None) -> Voice:
    references = OWN if own else ()
    return Voice(
        name=name,
        engine="clones",
        voice="",
        languages=languages,
        description=name,
        references=references,
        missing=missing,
    )


def catalogue(*voices: Voice) -> Catalogue:
    return Catalogue(Settings(languages=("ru", "en")), voices, (), {"clones": ABLE})


def test_voice_of_the_users_own_is_not_the_default_because_it_names_its_region() -> None:
    found = catalogue(voice("lessac", "en"), voice("anna", "en-us", own=True))
    assert found.voice(VoiceChoice(language="en-US"))[0].name == "lessac"
    assert found.voice(VoiceChoice(name="en_US"))[0].name == "lessac"


def test_voice_that_names_the_region_goes_before_others() -> None:
    found = catalogue(voice("alan", "en-gb"), voice("lessac", "en-us"))
    assert found.voice(VoiceChoice(language="en-US"))[0].name == "lessac"


def test_name_is_found_as_a_mac_spells_it() -> None:
    found = catalogue(voice("Андрей", "ru", own=True))
    assert found.voice(VoiceChoice(unicodedata.normalize("NFD", "Андрей")))[0].name == "Андрей"


def test_voice_of_the_users_own_is_offered_whatever_it_speaks() -> None:
    found = catalogue(voice("hans", "de"), voice("anna", "de", own=True), voice("both", "de", "ru", own=True))
    assert [(one.name, languages) for one, languages in found.offered] == [("anna", ("de",)), ("both", ("ru",))]


@pytest.mark.parametrize("name", ["ru", "RU", "en-GB", "clones", "Clones", "ANNA"])
def test_name_that_means_something_else_is_not_free(name: str) -> None:
    with pytest.raises(BadRequest, match="name"):
        catalogue(voice("anna", "ru", "en")).check_free(name)


def test_name_of_an_engines_voice_is_refused_and_nobody_is_told_to_remove_that() -> None:
    with pytest.raises(BadRequest, match=r"^The engine clones has a voice 'Anna' already\. Choose another name\.$"):
        catalogue(voice("anna", "ru")).check_free("Anna")
    with pytest.raises(BadRequest, match=r"^There is a voice 'Anna' already\. Remove it first"):
        catalogue(voice("anna", "ru", own=True)).check_free("Anna")


def test_name_in_another_case_means_the_users_own_voice_before_what_an_engine_calls_its_own() -> None:
    elena = replace(voice("rhvoice-elena", "ru"), voice="elena")
    assert catalogue(elena, voice("Elena", "ru", own=True)).voice(VoiceChoice("elena"))[0].own
    assert catalogue(elena).voice(VoiceChoice("elena"))[0].name == "rhvoice-elena"


@pytest.mark.parametrize("name", ["Ann", "ru mother", "de", "Анна"])
def test_name_that_only_looks_like_a_language_is_free(name: str) -> None:
    catalogue(voice("anna", "ru", "en")).check_free(name)


def test_language_that_no_engine_speaks_with_a_cloned_voice_is_refused() -> None:
    assert catalogue().able("clone", None, ["ru", "en-us"]) is ABLE
    for engine in (None, "clones"):
        with pytest.raises(BadRequest, match=r"speaks fi, but en, ru"):
            catalogue().able("clone", engine, ["fi"])


def test_settings_that_name_a_voice_which_is_not_there_are_told_of_with_a_guess() -> None:
    settings = Settings(languages=("ru", "en"), voice="rhvoice-elana", voices={"en": "Alan", "ru": "nobody"})
    voices = [replace(voice("rhvoice-elena", "ru"), voice="elena"), replace(voice("rhvoice-alan", "en"), voice="alan")]
    told = replace(catalogue(*voices), settings=settings).mistaken
    assert list(told) == ["voice", "voices.ru"]
    assert told["voice"].startswith("There is no voice 'rhvoice-elana'. Did you mean 'rhvoice-elena'?")
    assert "Did you mean 'rhvoice-elena'?" in catalogue(*voices)._unknown("elana").text
    elsewhere = Place("kitchen", EngineSettings(uri=("tcp://192.0.2.1:1",)), None, {}, None)
    silent = replace(catalogue(*voices), settings=settings, places={"kitchen": elsewhere})
    assert silent.mistaken == {}
    heard = replace(voices[0], engine="kitchen")
    assert "voice" in replace(silent, voices=[voices[1], replace(heard, name="x", voice="x")]).mistaken


@pytest.mark.parametrize("choice", [VoiceChoice("x" * 30_000_000), VoiceChoice(language="x" * 30_000_000)])
def test_endless_name_costs_little_and_is_not_repeated(choice: VoiceChoice) -> None:
    found = catalogue(voice("anna", "ru"))
    began = time.process_time()
    with pytest.raises(UnknownVoice) as refused:
        found.voice(choice)
    assert time.process_time() - began < 0.5
    assert len(refused.value.text) < 400


def test_language_in_a_file_written_by_hand_is_kept_where_the_engine_speaks_it() -> None:
    settings = Settings(engines={"qwen-tts": EngineSettings(options={"model": "Qwen/Qwen3-TTS-12Hz-0.6B-Base"})})
    own = [
        LibraryVoice(name="anna", languages=("ru", "xx"), references=OWN),
        LibraryVoice(name="olga", languages=("xx",), references=OWN),
    ]
    found = {one.name: one for one in survey(settings, {}, own).voices if one.own}
    assert found["anna"].languages == ("ru",)
    assert "en" in found["olga"].languages


def test_engine_that_is_installed_while_we_look_is_not_shown_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked of it first is asked before the installation ends, the rest after it."""
    looks = itertools.count()
    found = EngineVoice(
        name="espeak-ru",
        voice="ru",
        languages=("ru",),
        description="eSpeak NG",
        author="x",
        url="https://example.org",
        licence="x",
    )

    def voices_of(_options: Options) -> list[EngineVoice]:
        return [found] if next(looks) else []

    def ready(_options: Options) -> str | None:
        return None if next(looks) else "It is not there."

    spec = replace(engines()["espeak"], modules=(), voices=voices_of, ready=ready)
    monkeypatch.setattr("wyoming_voice.survey.engines", lambda: {"espeak": spec})
    settings = Settings(engines={"espeak": EngineSettings()})
    first, second = survey(settings, {}), survey(settings, {})
    assert [voice.missing for voice in first.voices] in ([], [None])
    assert [voice.missing for voice in second.voices] == [None]


@pytest.mark.parametrize(
    ("engine", "options", "seconds"),
    [
        ("qwen-tts", {}, 120),
        ("qwen-tts", {"compile": False}, 120),
        ("qwen-tts", {"compile": True}, 600),
        ("orpheus", {"compile": True}, 600),
        ("qwen-asr", {"backend": "vllm"}, 600),
        ("qwen-asr", {"backend": "transformers"}, 120),
    ],
)
def test_engine_that_compiles_has_longer_to_load_unless_the_user_says_otherwise(
    engine: str, options: dict[str, JsonValue], seconds: float
) -> None:
    def place(start_timeout: float | None) -> Place:
        chosen = EngineSettings(options=options, start_timeout=start_timeout)
        return survey(Settings(engines={engine: chosen}), {}).places[engine]

    assert place(None).start_timeout == seconds
    assert place(33.0).start_timeout == 33
