"""The command line as a person types it: exit codes, clean pipes, sentences."""

import io
import json
import os
import pty
import signal
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from tests.reference import recording
from wyoming_voice.command import patient
from wyoming_voice.config import EngineSettings, Settings

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 60


def run(
    *arguments: str, stdin: bytes = b"", config: str | None = None, folder: Path
) -> "subprocess.CompletedProcess[bytes]":
    file = folder / "config.yml"
    file.write_text(config or "languages: [en]\n", encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "wyoming_voice", *arguments, "--config", str(file)],
        input=stdin,
        capture_output=True,
        cwd=folder,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'fake'}", "PATH": "/usr/bin:/bin"},
        timeout=SECONDS,
        check=False,
    )


def test_say_writes_a_wav_into_a_pipe_and_nothing_else(tmp_path: Path) -> None:
    done = run("say", "three small words", "--voice", "fake-en", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"RIFF")
    assert len(done.stdout) == 44 + 3 * 3200


def test_a_command_waits_until_the_engine_of_stress_marks_is_loaded_and_a_server_does_not() -> None:
    settings = Settings(engines={"silero-stress": EngineSettings(start_timeout=77.0)})
    assert (settings.text.stress_wait, patient(settings).text.stress_wait) == (2, 77)


def test_say_reads_its_text_from_standard_input(tmp_path: Path) -> None:
    done = run("say", "--voice", "fake-en", stdin="два слова".encode(), folder=tmp_path)
    assert len(done.stdout) == 44 + 2 * 3200


def test_say_writes_a_file_of_the_format_of_its_ending(tmp_path: Path) -> None:
    for suffix, magic in (("ogg", b"OggS"), ("flac", b"fLaC"), ("wav", b"RIFF")):
        file = tmp_path / f"spoken.{suffix}"
        done = run("say", "some words to say", "--voice", "fake-en", "-o", str(file), folder=tmp_path)
        assert done.returncode == 0, done.stderr
        assert file.read_bytes().startswith(magic)
        assert b"0.4 s" in done.stderr
        assert done.stdout == b""


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("say", "x", "--voice", "fake-em"), 1, "Did you mean 'fake-en'?"),
        (("say", "x", "-o", "x.doc"), 2, "should end in one of"),
        (("say", "x", "--speed", "9"), 2, "between 0.25 and 4"),
        (("say", "x", "-o", "/nowhere/x.wav", "--voice", "fake-en"), 1, "No such file or directory"),
        (("transcribe", "none.wav"), 1, "no such file"),
        (("nonsense",), 2, "invalid choice"),
        (("engines", "install"), 2, "required: NAME"),
        (("engines", "install", "espaek"), 1, "espeak"),
        (("serve", "--uri", "http://x"), 2, "tcp://HOST:PORT"),
        (("serve", "--uri", "tcp://127.0.0.1:0", "--http", "[::]:0"), 2, "can be reached from the network"),
    ],
)
def test_a_mistake_is_a_sentence_and_a_status(
    tmp_path: Path, arguments: tuple[str, ...], status: int, sentence: str
) -> None:
    done = run(*arguments, folder=tmp_path)
    assert sentence in done.stderr.decode()
    assert done.returncode == status
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""


def test_a_wrong_configuration_is_named_with_a_guess(tmp_path: Path) -> None:
    done = run("voices", config="langages: [ru]\n", folder=tmp_path)
    assert done.returncode == 2
    assert "did you mean 'languages'?" in done.stderr.decode()


def test_voices_and_engines_are_tables_for_a_program_in_a_pipe(tmp_path: Path) -> None:
    voices = run("voices", folder=tmp_path).stdout.decode().splitlines()
    assert all(len(line.split("\t")) == 4 for line in voices)
    assert any(line.startswith("fake-en\ten\t") for line in voices)
    assert not any(line.startswith("fake-ru") for line in voices)
    assert any(
        line.startswith("fake-de") for line in run("voices", "--all", folder=tmp_path).stdout.decode().splitlines()
    )
    engines = json.loads(run("engines", "--json", folder=tmp_path).stdout)
    assert {"engine", "task", "device", "environment", "weights", "state", "offers", "licence"} <= set(engines[0])
    assert next(engine for engine in engines if engine["engine"] == "fake")["state"] == "ready"


def test_transcribe_writes_one_text_and_goes_on_after_a_bad_file(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.wav", tmp_path / "bad.wav"
    good.write_bytes(tone())
    bad.write_bytes(b"not a sound")
    only = "languages: [en]\nengines: {moonshine: {enabled: false}, faster-whisper: {enabled: false}}\n"
    done = run("transcribe", str(bad), str(good), config=only, folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout.decode() == f"{good}: 1.0 seconds at 0.50\n"
    assert "There is no sound in this file" in done.stderr.decode() or str(bad) in done.stderr.decode()
    described = json.loads(run("transcribe", "-", "--json", stdin=tone(), config=only, folder=tmp_path).stdout)
    assert described["text"] == "1.0 seconds at 0.50"
    assert described["segments"][0]["words"] == [{"text": "seconds", "start": 0.0, "end": 1.0, "confidence": 0.5}]


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text("languages: [en]\n", encoding="utf-8")
    done = subprocess.run(
        ["bash", "-c", 'set -o pipefail; "$0" -m wyoming_voice voices --all | head -n 1', sys.executable],
        capture_output=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""


def tone() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes((16_384).to_bytes(2, "little", signed=True) * 16_000)
    return file.getvalue()


def test_voice_of_a_recording_is_made_heard_and_removed(tmp_path: Path) -> None:
    sound = tmp_path / "her.wav"
    sound.write_bytes(recording())
    config = f"languages: [en]\nengines: {{fake: {{options: {{abilities: [clone], log: {tmp_path / 'log'}}}}}}}\n"

    asked = run("voices", "add", "her", "--audio", str(sound), "--engine", "fake", folder=tmp_path, config=config)
    assert asked.returncode == 2
    assert b"Recognised:" in asked.stderr
    assert b"--yes" in asked.stderr

    added = ("voices", "add", "her", "--audio", str(sound), "--text", "It says this.", "--engine", "fake")
    done = run(*added, folder=tmp_path, config=config)
    assert (done.returncode, done.stdout) == (0, b"It says this.\n"), done.stderr
    assert b"her\t" in run("voices", folder=tmp_path, config=config).stdout

    heard = run("voices", "preview", "her", "Hello", "-o", "-", folder=tmp_path, config=config)
    assert heard.stdout.startswith(b"RIFF"), heard.stderr
    assert "It says this." in (tmp_path / "log").read_text()

    assert run("voices", "remove", "her", folder=tmp_path, config=config).returncode == 0
    assert b"her\t" not in run("voices", folder=tmp_path, config=config).stdout
    assert run("voices", "remove", "her", folder=tmp_path, config=config).returncode == 1


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [(b"\n", 0, None), ("Это она.\n".encode(), 0, "Это она.\n"), (None, 130, ""), (b"\x04", 2, "")],
)
def test_what_was_recognised_is_confirmed_or_corrected_or_the_command_given_up(
    tmp_path: Path, answer: bytes | None, status: int, said: str | None
) -> None:
    sound, config = tmp_path / "her.wav", tmp_path / "config.yml"
    sound.write_bytes(recording())
    config.write_text("languages: [en]\nengines: {fake: {options: {abilities: [clone]}}}\n", "utf-8")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "wyoming_voice", "voices", "add", "her", "--audio", str(sound), "--config", str(config)],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'fake'}", "PATH": "/usr/bin:/bin", "PYTHONUTF8": "1"},
    ) as process:
        os.close(theirs)
        assert process.stderr is not None, "it was started with a pipe"
        shown = b""
        while b"else what it says: " not in shown:
            more = os.read(process.stderr.fileno(), 4096)
            assert more, shown
            shown += more
        if answer is None:
            process.send_signal(signal.SIGINT)  # as Ctrl-C does
        else:
            os.write(ours, answer)
        out, err = process.communicate(timeout=SECONDS)
        os.close(ours)
    recognised = shown.decode().partition("Recording 1 says: ")[2].partition("\n")[0]
    assert recognised
    assert process.returncode == status, err
    assert out.decode() == (f"{recognised}\n" if said is None else said)
    assert (tmp_path / "data" / "voices" / "her").exists() == (status == 0)


def test_say_speaks_with_the_voice_of_recordings(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    (pairs / "one.wav").write_bytes(recording())
    (pairs / "one.txt").write_text("the first\n")
    (pairs / "two.wav").write_bytes(recording())
    config = f"languages: [en]\nengines: {{fake: {{options: {{abilities: [clone], log: {tmp_path / 'log'}}}}}}}\n"
    done = run("say", "Hello", "--voice", "fake", "--ref-dir", str(pairs), folder=tmp_path, config=config)
    assert done.stdout.startswith(b"RIFF"), done.stderr
    options = ("--ref-audio", str(pairs / "two.wav"), "--ref-text", "the second", "--seed", "7")
    done = run("say", "Hello", "--voice", "fake", *options, folder=tmp_path, config=config)
    assert done.stdout.startswith(b"RIFF"), done.stderr
    first, second = [line for line in (tmp_path / "log").read_text().splitlines() if line.startswith("made of")]
    assert "the first" in first
    assert first.count(" None") == 3  # the second recording's text, a description, a seed
    assert "the second" in second
    assert second.endswith("7")
    assert run("say", "x", "--ref-text", "alone", folder=tmp_path).returncode == 2
    assert run("say", "x", "--ref-dir", str(tmp_path / "nowhere"), folder=tmp_path).returncode == 2
