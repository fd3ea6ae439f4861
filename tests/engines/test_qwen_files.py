import json
from pathlib import Path

import pytest

from wyoming_voice.engines import qwen_files
from wyoming_voice.engines.table import engines

SPEC = engines()["qwen-tts"]


def write_model(folder: Path, kind: str, size: str = "1b7", **talker: object) -> dict[str, object]:
    languages = {"russian": 1, "english": 2, "beijing_dialect": 3}
    config = {
        "tts_model_type": kind,
        "tts_model_size": size,
        "talker_config": {"codec_language_id": languages, "spk_id": {}, **talker},
    }
    (folder / "speech_tokenizer").mkdir(parents=True)
    for name in (
        *("config.json", "generation_config.json", "model.safetensors"),
        *("speech_tokenizer/config.json", "speech_tokenizer/model.safetensors"),
    ):
        (folder / name).write_text(json.dumps(config))
    return {"model": str(folder)}


def test_the_nine_speakers_are_known_without_weights(tmp_path: Path) -> None:
    options = {"model": "Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice", "data_dir": str(tmp_path)}
    assert len(SPEC.voices(options)) == 9
    assert all(len(voice.languages) == 10 for voice in SPEC.voices(options))
    missing = qwen_files.missing(options)
    assert missing is not None
    assert "--weights" in missing


@pytest.mark.parametrize(
    ("name", "able"),
    [
        ("Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice", set()),
        ("Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice", {"style"}),
        ("Qwen/Qwen3-TTS-12Hz-0.6B-Base", {"clone"}),
        ("Qwen/Qwen3-TTS-12Hz-1.7B-VoiceDesign", {"design", "style"}),
    ],
)
def test_the_name_of_a_model_tells_what_it_can(tmp_path: Path, name: str, able: set[str]) -> None:
    assert SPEC.abilities({"model": name, "data_dir": str(tmp_path)}) == able


def test_a_model_tells_its_speakers_and_languages(tmp_path: Path) -> None:
    options = write_model(tmp_path / "m", "custom_voice", spk_id={"newcomer": 1, "sohee": 2, "ryan": 3})
    assert qwen_files.missing(options) is None
    assert [voice.voice for voice in SPEC.voices(options)] == ["ryan", "sohee", "newcomer"]
    assert SPEC.voices(options)[0].languages == ("en", "ru")
    assert SPEC.abilities(options) == {"style"}


def test_a_small_model_follows_no_instruction(tmp_path: Path) -> None:
    assert SPEC.abilities(write_model(tmp_path / "m", "custom_voice", "0b6")) == frozenset()


@pytest.mark.parametrize(
    ("kind", "key", "voice"),
    [("base", "voice_clone_ref_audio", "reference"), ("voice_design", "voice_description", "designed")],
)
def test_a_voice_that_the_options_bring_is_shown(tmp_path: Path, kind: str, key: str, voice: str) -> None:
    options = write_model(tmp_path / "m", kind)
    assert SPEC.voices(options) == []
    assert [found.voice for found in SPEC.voices({**options, key: "x"})] == [voice]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"tts_model_type": 1, "talker_config": {}}'])
def test_a_damaged_description_is_judged_by_the_name(tmp_path: Path, content: str) -> None:
    options = write_model(tmp_path / "Qwen3-TTS-12Hz-1.7B-Base", "base")
    (tmp_path / "Qwen3-TTS-12Hz-1.7B-Base" / "config.json").write_text(content)
    assert qwen_files.model(options).kind == "base"


def test_the_names_of_voices_are_unique_and_stable() -> None:
    names = [voice.name for voice in SPEC.voices({"data_dir": "nowhere"})]
    assert names[0] == "qwen-tts-ryan"
    assert len(set(names)) == 9
