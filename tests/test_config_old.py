"""The flat configuration of the older tool: it loads, is shown in its new form, and can be rewritten."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from wyoming_voice.config_load import load
from wyoming_voice.config_mistake import ConfigError
from wyoming_voice.config_old import OLD_KEYS
from wyoming_voice.migrate import migrate

ROOT = Path(__file__).resolve().parent.parent

OLD = """\
# my settings
sample_rate: 24000
output_dir: spoken
use_llm_tts: false
use_llm_stt: true
llm_module_dir: ../llm
llm_settings_path: llm.yml
stt_silence_db: -45
tts_engine: qwen
stt_engine: gigaam
qwen_tts_model: Qwen/Qwen3-TTS-12Hz-1.7B-Base
qwen_tts_device: cuda:0
qwen_tts_dtype: bfloat16
qwen_tts_attn_implementation: flash_attention_2
qwen_asr_model: Qwen/Qwen3-ASR-1.7B
qwen_asr_device: cuda:0
stt_model: v2_rnnt
stt_device: cpu
use_stress: true
model_ttl_seconds: 300
voice_clone_ref_audio: me.wav
voice_clone_ref_text: Это мой голос.
languages: [ru]
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "config.yml"
    file.write_text(text, "utf-8")
    return file


def test_every_old_key_has_its_place(tmp_path: Path) -> None:
    notices: list[str] = []
    settings = load(written(tmp_path, OLD), {}, notices)
    speaks, hears, gigaam = settings.engine("qwen-tts"), settings.engine("qwen-asr"), settings.engine("gigaam")
    assert settings.prefer == ("qwen-tts", "gigaam")
    assert settings.outputs.folder == tmp_path / "spoken"
    assert settings.listening.silence_db == -45
    assert (speaks.device, hears.device, gigaam.device) == ("cuda:0", "cuda:0", "cpu")
    assert speaks.options == {
        "model": "Qwen/Qwen3-TTS-12Hz-1.7B-Base",
        "dtype": "bfloat16",
        "attn_implementation": "flash_attention_2",
        "voice_clone_ref_audio": "me.wav",
        "voice_clone_ref_text": "Это мой голос.",
    }
    assert hears.options == {"model": "Qwen/Qwen3-ASR-1.7B"}
    assert gigaam.options == {"model": "v2_rnnt"}
    assert {engine.ttl for engine in (speaks, hears, gigaam, settings.engine("silero"))} == {300}
    assert settings.languages == ("ru",)
    assert set(yaml.safe_load(OLD)) - {"languages"} == OLD_KEYS


def test_one_notice_shows_the_new_form_which_loads_the_same(tmp_path: Path) -> None:
    notices: list[str] = []
    settings = load(written(tmp_path, OLD), {}, notices)
    said, shown = notices
    assert "config migrate" in said
    assert "llm_module_dir" in shown  # of what is gone it is said why
    again: list[str] = []
    assert load(written(tmp_path, shown), {}, again) == settings
    assert again == []


def test_what_the_new_form_says_already_stays(tmp_path: Path) -> None:
    text = "stt_silence_db: -45\nlistening: {silence_db: -30}\nuse_stress: null\n"
    assert load(written(tmp_path, text), {}).listening.silence_db == -30


def test_wrong_value_is_named_at_its_old_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config.yml:2: listening.silence_db"):
        load(written(tmp_path, "languages: [ru]\nstt_silence_db: loud\n"), {})


def test_engine_of_the_old_names_is_found(tmp_path: Path) -> None:
    for old, new in (("qwen3_tts", "qwen-tts"), ("Silero", "silero"), ("orpheus", "orpheus")):
        assert load(written(tmp_path, f"tts_engine: {old}\n"), {}).prefer == (new,)
    settings = load(written(tmp_path, "stt_engine: qwen\nstt_device: cuda:1\n"), {})
    assert settings.engine("qwen-asr").device == "cuda:1"
    settings = load(written(tmp_path, "tts_engine: silero\nsample_rate: 24000\n"), {})
    assert settings.engine("silero").options == {"sample_rate": 24000}
    with pytest.raises(ConfigError, match="no such engine"):
        load(written(tmp_path, "tts_engine: festival\n"), {})


def test_migrate_rewrites_the_file_and_keeps_the_old_one(tmp_path: Path) -> None:
    file = written(tmp_path, OLD)
    settings = load(file, {})

    def migrate() -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "wyoming_voice", "config", "migrate", "--config", str(file)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

    done = migrate()
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "config.yml.old").read_text("utf-8") == OLD
    notices: list[str] = []
    assert load(file, {}, notices) == settings
    assert notices == []
    assert "nothing to do" in migrate().stderr
    assert (tmp_path / "config.yml.old").read_text("utf-8") == OLD


def test_migrate_again_keeps_both_old_ones(tmp_path: Path) -> None:
    file = written(tmp_path, OLD)
    assert migrate(file) == 0
    file.write_text("stt_engine: gigaam\n# mine\n", "utf-8")
    assert migrate(file) == 0
    assert (tmp_path / "config.yml.old").read_text("utf-8") == OLD
    assert (tmp_path / "config.yml.old.2").read_text("utf-8") == "stt_engine: gigaam\n# mine\n"


def test_migrate_shows_secrets_to_nobody_new(tmp_path: Path) -> None:
    file = written(tmp_path, "stt_engine: gigaam\nauth: {tokens: [a-long-secret]}\n")
    file.chmod(0o600)
    assert migrate(file) == 0
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600, 0o600]


def test_migrate_rewrites_what_a_link_leads_to(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    written(real, "stt_engine: gigaam\n")
    (tmp_path / "config.yml").symlink_to(real / "config.yml")
    assert migrate(tmp_path / "config.yml") == 0
    assert (tmp_path / "config.yml").is_symlink()
    assert "prefer" in (real / "config.yml").read_text("utf-8")


def test_migrate_changes_nothing_where_a_key_is_there_twice(tmp_path: Path) -> None:
    file = written(tmp_path, "stt_engine: gigaam\nstt_engine: whisper\n")
    with pytest.raises(ConfigError, match="already set"):
        migrate(file)
    assert [path.name for path in tmp_path.iterdir()] == ["config.yml"]
