"""Silero, with tiny packages of the published form (tiny/silero.py), in a worker."""

import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from wyoming.audio import AudioChunk

from tests.engines.environment import WorkerEngine, engine_python, make_tiny, probe, real_data_dir, worker
from tests.engines.speaking import RUSSIAN, PitchContract, SsmlContract, TtsContract, fundamental, seconds, spoken
from wyoming_voice.engines.protocol import Segment, TtsEngine
from wyoming_voice.engines.silero_files import MODELS, silero, silero_file, silero_missing
from wyoming_voice.errors import BadRequest, EngineUnavailable, UnknownVoice

ENTRY = "wyoming_voice.engines.silero:Silero"
CHARACTER = 0.07  # seconds of each in the tiny models
LOST = "<s>Раз.</s><s>Two.</s><s>Три.</s><s>4</s>"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ``data_dir`` with the tiny models."""
    engine_python("silero")
    folder = tmp_path_factory.mktemp("data")
    make_tiny("silero", folder / "weights" / "silero")
    return folder


@pytest.fixture(scope="module")
def engine(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerEngine]:
    options = {"data_dir": str(data_dir)}
    with worker("silero", ENTRY, "tts", options, tmp_path_factory.mktemp("socket")) as engine:
        yield engine


@pytest.fixture
def russian() -> Segment:
    return Segment(text=RUSSIAN, voice="xenia", language="ru")


@pytest.fixture
def english(russian: Segment) -> Segment:
    """A model has one language: another of its voices stands in for the other one."""
    return replace(russian, voice="aidar")


def samples(chunks: list[AudioChunk]) -> NDArray[np.float64]:
    return np.frombuffer(b"".join(chunk.audio for chunk in chunks), "<i2").astype(np.float64) / 32767


class TestSilero(TtsContract, PitchContract, SsmlContract):
    @pytest.mark.parametrize("text", ["я", "Ё!"])
    def test_a_character_is_spoken(self, engine: TtsEngine, russian: Segment, text: str) -> None:
        assert 0.02 < seconds(spoken(engine, replace(russian, text=text))) < 3

    @pytest.mark.parametrize(
        "text", ["\x01 300S привет", "привет\0 мир", "<b>привет</b>", "при" * 500, "я\ud800в", "в+ода + 2", "&amp;я"]
    )
    def test_odd_text_is_safe(self, engine: TtsEngine, russian: Segment, text: str) -> None:
        assert seconds(spoken(engine, replace(russian, text=text))) > 0.1
        assert seconds(spoken(engine, russian)) > 2

    def test_ssml_that_names_files_only_says_its_text(self, engine: TtsEngine, russian: Segment) -> None:
        text = '<speak><audio src="/etc/passwd">привет</audio></speak>'
        assert seconds(spoken(engine, replace(russian, text=text, ssml=True))) == pytest.approx(6 * CHARACTER, abs=0.01)


@pytest.mark.parametrize("text", ["a", "7", "Hello world 2026", "%s%n -v de"])
@pytest.mark.parametrize("speed", [1.0, 1.5])
def test_what_the_model_has_no_letters_for_is_an_error(
    engine: WorkerEngine, russian: Segment, text: str, speed: float
) -> None:
    with pytest.raises(BadRequest, match=r"left out 1 part .* text: normalize"):
        spoken(engine, replace(russian, text=text, speed=speed))


def test_the_rest_is_said_before_the_error(engine: WorkerEngine, russian: Segment) -> None:
    said = list[AudioChunk]()
    with pytest.raises(BadRequest, match="left out 2 parts"):
        for chunk in engine.synthesize(replace(russian, text=LOST, ssml=True)):
            said.append(chunk)
    assert seconds(said) == pytest.approx(8 * CHARACTER + 3 * 0.3, abs=0.05)


def test_what_the_model_refuses_as_too_long_is_halved(engine: WorkerEngine, russian: Segment) -> None:
    text = "Сегодня хорошая погода, и мы идём гулять в парк, потому что дождя не будет до самого вечера пятницы."
    whole = seconds(spoken(engine, replace(russian, text=text)))
    chunks = spoken(engine, replace(russian, text=text, voice="eugene"))  # it says 60 characters and no more
    assert seconds(chunks) == pytest.approx(whole, abs=0.01)
    assert min(loudest(sound) for sound in np.array_split(samples(chunks), 20)) > 0.5


def loudest(sound: NDArray[np.float64]) -> float:
    return float(np.abs(sound).max())


def test_a_word_that_the_model_refuses_is_an_error(engine: WorkerEngine, russian: Segment) -> None:
    with pytest.raises(BadRequest, match="left out 1 part"):
        spoken(engine, replace(russian, text="при" * 30, voice="eugene"))


def test_a_louder_phrase_is_joined_without_a_step_or_a_click(engine: WorkerEngine, russian: Segment) -> None:
    text = 'Раз, два, три.<break time="0ms"/>Раз, два, три!<break time="0ms"/>Раз, два, три.'
    sound = samples(spoken(engine, replace(russian, text=text, ssml=True, voice="kseniya")))
    assert loudest(sound) == pytest.approx(0.9, abs=0.01)
    assert np.abs(np.diff(sound)).max() < 0.05  # a tone of 165 Hz at full scale moves by 0.02 from sample to sample
    again = samples(spoken(engine, replace(russian, text="Раз, два, три.", voice="kseniya")))
    assert loudest(again) == pytest.approx(0.45, abs=0.01), "half as loud as the phrase that set the level"
    assert max(abs(again[0]), abs(again[-1])) < 0.01


@pytest.mark.parametrize("strength", [("strong", 0.3), ("x-strong", 1.0), ("none", 0.0)])
def test_a_break_is_silence_of_its_length(engine: WorkerEngine, russian: Segment, strength: tuple[str, float]) -> None:
    text = f'Раз<break strength="{strength[0]}"/>два<break time="250ms"/>'
    length = seconds(spoken(engine, replace(russian, text=text, ssml=True)))
    assert length == pytest.approx(6 * CHARACTER + strength[1] + 0.25, abs=0.01)


@pytest.mark.parametrize(
    ("attributes", "factor"),
    [('rate="x-fast"', 1.5), ('rate="80%"', 0.8), ('rate="+20%"', 1.2), ('rate="medium"', 1), ('rate="1%"', 0.3)],
)
def test_a_rate_is_a_factor_of_the_speed(
    engine: WorkerEngine, russian: Segment, attributes: str, factor: float
) -> None:
    text = f"<prosody {attributes}>{RUSSIAN}</prosody>"
    usual = seconds(spoken(engine, russian))
    assert seconds(spoken(engine, replace(russian, text=text, ssml=True))) == pytest.approx(usual / factor, rel=0.03)
    both = seconds(spoken(engine, replace(russian, text=text, ssml=True, speed=1.25)))
    assert both == pytest.approx(usual / max(0.3, min(2.0, factor * 1.25)), rel=0.05) or factor == 0.3


@pytest.mark.parametrize(
    ("attributes", "factor"), [('pitch="x-high"', 1.4), ('pitch="-20%"', 0.8), ('pitch="+12st"', 2.0)]
)
def test_a_pitch_is_a_factor_of_the_voice(
    engine: WorkerEngine, russian: Segment, attributes: str, factor: float
) -> None:
    usual = fundamental(spoken(engine, russian))
    marked = replace(russian, text=f"<prosody {attributes}>{RUSSIAN}</prosody>", ssml=True)
    assert fundamental(spoken(engine, marked)) == pytest.approx(factor * usual, rel=0.05)


def test_a_speaker_may_be_named_beside_the_voice(engine: WorkerEngine, russian: Segment) -> None:
    low = fundamental(spoken(engine, replace(russian, voice="aidar")))
    assert fundamental(spoken(engine, replace(russian, speaker="aidar"))) == pytest.approx(low)
    with pytest.raises(UnknownVoice, match=r"'nobody'.*aidar, baya"):
        spoken(engine, replace(russian, speaker="nobody"))


def test_two_at_once_take_turns(engine: WorkerEngine, russian: Segment) -> None:
    whole = b"".join(chunk.audio for chunk in spoken(engine, replace(russian, voice="baya")))
    with closing(engine.synthesize(replace(russian, text=RUSSIAN * 6))) as first:  # type: ignore[type-var]
        second = engine.synthesize(replace(russian, voice="baya"))
        assert next(first).audio
        assert seconds(list(first)) > 30
        assert b"".join(chunk.audio for chunk in second) == whole


def test_a_killed_worker_breaks_the_connection_and_another_speaks(
    data_dir: Path, russian: Segment, tmp_path: Path
) -> None:
    options = {"data_dir": str(data_dir)}
    with worker("silero", ENTRY, "tts", options, tmp_path) as engine:
        with closing(engine.synthesize(replace(russian, text=RUSSIAN * 50))) as audio:  # type: ignore[type-var]
            assert next(audio).audio
            engine.process.send_signal(signal.SIGKILL)
            with pytest.raises((AssertionError, OSError)):
                list(audio)
    (tmp_path / "silero.sock").unlink(missing_ok=True)
    with worker("silero", ENTRY, "tts", options, tmp_path) as engine:
        assert seconds(spoken(engine, russian)) > 2


def test_english_is_another_model(data_dir: Path, tmp_path: Path) -> None:
    options = {"data_dir": str(data_dir), "model": "v3_en", "sample_rate": 24_000}
    with worker("silero", ENTRY, "tts", options, tmp_path) as engine:
        chunks = spoken(engine, Segment("Hello, world.", "en_117", language="en", speed=1.5))
        assert {chunk.rate for chunk in chunks} == {24_000}
        assert seconds(chunks) == pytest.approx(13 * CHARACTER / 1.5, abs=0.01)
        with pytest.raises(BadRequest, match="left out 1 part"):
            spoken(engine, Segment("Привет.", "en_0"))


def test_flags_reach_the_versions_that_have_them(data_dir: Path, russian: Segment, tmp_path: Path) -> None:
    found = dict[str, float]()
    for model in ("v5_5_ru", "v4_ru"):  # v4 has no put_stress_homo
        options = {"data_dir": str(data_dir), "model": model, "put_stress_homo": False, "put_yo": True}
        with worker("silero", ENTRY, "tts", options, tmp_path) as engine:
            found[model] = seconds(spoken(engine, russian))
    assert found["v5_5_ru"] == pytest.approx(found["v4_ru"] / 2, abs=0.01)


def test_threads_are_ours_to_choose_and_a_seed_chooses_the_random_voice(data_dir: Path) -> None:
    assert probe("silero", data_dir) == {"restored": 2, "chosen": 1, "same": [True, False, True]}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"sample_rate": 16_000}, "sample_rate must be one of 8000, 24000, 48000, not 16000"),
        ({"sample_rate": True}, "sample_rate must be one of"),
        ({"threads": 0}, "threads must be a whole number from 1 up"),
        ({"put_yo": "yes"}, "put_yo must be true or false"),
        ({"device": "quantum"}, "no device 'quantum'"),
        ({"model": "v5_cis_base"}, r"v5_cis_base \(licence: MIT\) .* engines install silero --weights"),
        ({"model": "broken"}, r"cannot load .*broken\.pt .* Remove the file"),
    ],
)
def test_what_does_not_load_says_why(data_dir: Path, tmp_path: Path, options: dict[str, object], sentence: str) -> None:
    put(data_dir, "broken.pt")
    asked = {"data_dir": str(data_dir), "speakers": ["x"], **options}
    with pytest.raises(EngineUnavailable, match=sentence), worker("silero", ENTRY, "tts", asked, tmp_path):
        pass


def put(data_dir: Path, *parts: str) -> Path:
    path = data_dir.joinpath("weights", "silero", *parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"no package")
    return path


@pytest.mark.parametrize("parts", [("v4_ru.pt",), ("v4_ru", "v4_ru.pt")])
def test_a_model_lies_beside_or_in_a_folder_of_its_name(tmp_path: Path, parts: tuple[str, ...]) -> None:
    path = put(tmp_path, *parts)
    assert silero_file({"data_dir": str(tmp_path), "model": "v4_ru"}) == path
    assert silero_file({"model": str(path)}) == path
    assert silero_file({"data_dir": str(tmp_path)}) is None


def test_speakers_are_voices_with_a_licence(tmp_path: Path) -> None:
    put(tmp_path, "v5_5_ru.pt")
    voices = silero({"data_dir": str(tmp_path)})
    assert [voice.name for voice in voices] == [f"silero-{name}" for name in MODELS["v5_5_ru"].speakers]
    assert {voice.languages for voice in voices} == {("ru",)}
    assert all("not for commercial use" in voice.licence and voice.licence in voice.description for voice in voices)


def test_a_model_of_many_languages_names_them_by_its_speakers(tmp_path: Path) -> None:
    put(tmp_path, "v5_cis_base.pt")
    voices = {voice.voice: voice for voice in silero({"data_dir": str(tmp_path), "model": "v5_cis_base"})}
    assert voices["ru_zhadyra"].languages == ("ru",)
    assert voices["kaz_zhadyra"].languages == ("kk",)
    assert voices["sah_zinaida"].languages == ("sah",)
    assert {voice.licence for voice in voices.values()} == {"MIT"}
    assert len(voices) == 62


def test_a_newer_model_is_guessed_at_or_its_speakers_are_named(tmp_path: Path) -> None:
    put(tmp_path, "v6_ru.pt")
    put(tmp_path, "v6_turkic.pt")
    newer: dict[str, object] = {"data_dir": str(tmp_path), "model": "v6_ru"}
    assert [voice.voice for voice in silero(newer)] == list(MODELS["v5_5_ru"].speakers)
    unknown: dict[str, object] = {"data_dir": str(tmp_path), "model": "v6_turkic"}
    assert "speakers: [NAME" in (silero_missing(unknown) or "")
    (voice,) = silero({**unknown, "speakers": ["tat_marat"]})
    assert voice.languages == ("tt",)
    assert silero_missing({**unknown, "speakers": ["tat_marat"]}) is None


@pytest.mark.weights
def test_the_real_model_speaks_and_follows_rate_and_pitch(tmp_path: Path) -> None:
    options = {"data_dir": str(real_data_dir())}
    if missing := silero_missing(options):
        pytest.skip(missing)
    segment = Segment(RUSSIAN, "xenia", language="ru")
    with worker("silero", ENTRY, "tts", options, tmp_path) as engine:
        usual = spoken(engine, segment)
        assert 4 < seconds(usual) < 12
        assert 100 < fundamental(usual) < 350
        assert seconds(spoken(engine, replace(segment, speed=1.5))) == pytest.approx(seconds(usual) / 1.5, rel=0.15)
        high = fundamental(spoken(engine, replace(segment, pitch=1.3)))
        assert high == pytest.approx(1.3 * fundamental(usual), rel=0.15)
        with pytest.raises(BadRequest, match="left out 1 part"):
            spoken(engine, replace(segment, text="Hello 2026"))
