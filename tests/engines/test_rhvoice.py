from dataclasses import replace

import pytest

from tests.engines.speaking import (
    ENGLISH,
    RUSSIAN,
    PitchContract,
    SsmlContract,
    TtsContract,
    fundamental,
    seconds,
    spoken,
)
from wyoming_voice.engines import voices
from wyoming_voice.engines.protocol import Segment
from wyoming_voice.engines.rhvoice import RHVoice
from wyoming_voice.errors import BadRequest, EngineUnavailable, UnknownVoice

pytestmark = pytest.mark.skipif(voices.rhvoice_missing({}) is not None, reason=str(voices.rhvoice_missing({})))


@pytest.fixture(scope="module")
def engine() -> RHVoice:
    return RHVoice({})


@pytest.fixture
def russian() -> Segment:
    return Segment(text=RUSSIAN, voice="Elena")


@pytest.fixture
def english() -> Segment:
    return Segment(text=ENGLISH, voice="Slt")


class TestRHVoice(TtsContract, SsmlContract, PitchContract):
    pass


@pytest.mark.parametrize("voice", [voice.voice for voice in voices.rhvoice({})])
def test_every_voice_of_the_catalogue_speaks_at_one_rate(engine: RHVoice, voice: str) -> None:
    chunks = spoken(engine, Segment(text="Один, два. One, two.", voice=voice))
    assert seconds(chunks) > 0.5
    assert {chunk.rate for chunk in chunks} == {24_000}


def test_voices_differ(engine: RHVoice, russian: Segment) -> None:
    low, high = (fundamental(spoken(engine, replace(russian, voice=voice))) for voice in ("aleksandr", "elena"))
    assert high > 1.3 * low


def test_broken_ssml_is_refused(engine: RHVoice, russian: Segment) -> None:
    with pytest.raises(BadRequest, match="well-formed"):
        spoken(engine, replace(russian, text="<speak>привет", ssml=True))


def test_voices_that_are_not_free_speak_only_if_named(engine: RHVoice, russian: Segment) -> None:
    others = RHVoice({"voices": ["mikhail"]})
    assert seconds(spoken(others, replace(russian, voice="Mikhail"))) > 1
    for unknown in (replace(russian, voice="Elena"),):
        with pytest.raises(UnknownVoice, match="Mikhail"):
            spoken(others, unknown)
    with pytest.raises(UnknownVoice, match="Elena"):
        spoken(engine, replace(russian, voice="Mikhail"))


@pytest.mark.parametrize(
    "options", [{"library": "/nowhere/libRHVoice.so"}, {"folder": "/nowhere"}, {"voices": ["nobody"]}]
)
def test_what_is_missing_is_said_with_the_command(options: dict[str, object]) -> None:
    with pytest.raises(EngineUnavailable, match="engines install rhvoice"):
        RHVoice(options)


def test_a_library_that_is_none_is_refused() -> None:
    with pytest.raises(EngineUnavailable, match="does not load"):
        RHVoice({"library": __file__})


@pytest.mark.parametrize("voice", ["Elena", "Aleksandr"])
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("молоко\u0301", "мо\u0301локо"),
        ("соба\u0301ка", "собака\u0301"),
        ("Включи\u0301 све\u0301т на ку\u0301хне.", "Вклю\u0301чи све\u0301т на кухне\u0301."),
    ],
)
def test_a_stress_mark_moves_the_stress_and_changes_nothing_else(
    engine: RHVoice, voice: str, right: str, wrong: str
) -> None:
    plain, same, other = (
        b"".join(chunk.audio for chunk in spoken(engine, Segment(text=text, voice=voice, language="ru")))
        for text in (right.replace("\u0301", ""), right, wrong)
    )
    assert same == plain
    assert other != plain
