"""``text``: what would be spoken, one segment a line."""

import subprocess
from pathlib import Path

import pytest

from tests.llm_server import llm_server

from .test_cli import run

RUSSIAN = "languages: [ru, en]\n"
STRESS = RUSSIAN + "engines: {silero-stress: {type: fake-stress}}\n"


def lines(done: "subprocess.CompletedProcess[bytes]") -> list[str]:
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    return done.stdout.decode().splitlines()


def test_a_text_is_printed_as_it_would_be_spoken(tmp_path: Path) -> None:
    done = run("text", "В 7:05 было −5 °C", config=RUSSIAN, folder=tmp_path)
    assert lines(done) == ["В семь часов пять минут было минус пять градусов Цельсия"]


def test_each_segment_has_its_line_and_marks_are_gone(tmp_path: Path) -> None:
    done = run("text", "**Сейчас** 5 °C. Завтра 7 °C!", config=RUSSIAN, folder=tmp_path)
    assert lines(done) == ["Сейчас пять градусов Цельсия.", "Завтра семь градусов Цельсия!"]


def test_the_letters_tell_the_language_and_the_option_overrules_them(tmp_path: Path) -> None:
    assert lines(run("text", "It is 5 °C", config=RUSSIAN, folder=tmp_path)) == ["It is five degrees Celsius"]
    assert lines(run("text", "5 %", config=RUSSIAN, folder=tmp_path)) == ["пять процентов"]
    assert lines(run("text", "5 %", "--language", "en", config=RUSSIAN, folder=tmp_path)) == ["five percent"]


def test_an_engine_that_reads_latin_letters_keeps_what_has_no_russian_name(tmp_path: Path) -> None:
    text = "Включи, пожалуйста, Blorkify"
    assert lines(run("text", text, "--for", "espeak", config=RUSSIAN, folder=tmp_path)) == [text]
    assert lines(run("text", text, "--for", "piper", config=RUSSIAN, folder=tmp_path)) == [
        "Включи, пожалуйста, блоркифи"
    ]


def test_lines_of_standard_input_become_their_segments(tmp_path: Path) -> None:
    done = run("text", stdin="5 кг. Или 7?\n\nIt is 5 %\n".encode(), config=RUSSIAN, folder=tmp_path)
    assert lines(done) == ["пять килограммов.", "Или семь?", "It is five percent"]


def test_an_empty_text_prints_nothing(tmp_path: Path) -> None:
    assert lines(run("text", "", config=RUSSIAN, folder=tmp_path)) == []
    assert lines(run("text", config=RUSSIAN, folder=tmp_path)) == []


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    done = run("text", "5 °C", config=RUSSIAN + "text: {normalize: false}\n", folder=tmp_path)
    assert lines(done) == ["5 °C"]


def test_a_voice_that_understands_stress_marks_gets_them_and_a_switch_leaves_a_step_out(tmp_path: Path) -> None:
    asked = ("text", "Это 5 кг. Старый з+амок.", "--voice", "fake-ru")
    done = run(*asked, config=STRESS, folder=tmp_path)
    assert lines(done) == ["Эт+о п+ять килограмм+ов.", "Стар+ый з+амок."]
    done = run(*asked, "--no-stress", config=STRESS, folder=tmp_path)
    assert lines(done) == ["Это пять килограммов.", "Старый з+амок."]
    done = run(*asked, "--no-normalize", config=STRESS, folder=tmp_path)
    assert lines(done) == ["Эт+о 5 кг.", "Стар+ый з+амок."]
    done = run(*asked[:2], "--for", "espeak", config=STRESS, folder=tmp_path)
    assert lines(done) == ["Это пять килограммов.", "Старый замок."]


def test_each_step_is_shown_that_is_not_left_out(tmp_path: Path) -> None:
    asked = ("text", "**Это** 5 кг. Тут.", "--voice", "fake-ru", "--steps")
    assert lines(run(*asked, config=STRESS, folder=tmp_path)) == [
        "voice\tfake-ru",
        *("clean\tЭто 5 кг.", "normalize\tЭто пять килограммов.", "stress\tЭт+о п+ять килограмм+ов."),
        *("clean\tТут.", "normalize\tТут.", "stress\tТ+ут."),
    ]
    assert lines(run(*asked, "--no-stress", "--no-normalize", config=STRESS, folder=tmp_path)) == [
        *("voice\tfake-ru", "clean\tЭто 5 кг.", "clean\tТут."),
    ]


def test_the_language_models_words_are_shown_where_it_is_asked(tmp_path: Path) -> None:
    with llm_server() as llm:
        settings = llm.write_settings(tmp_path / "llm")
        config = f"languages: [en]\ntext: {{llm: {{settings: {settings}}}}}\n"
        asked = ("text", "Is it on? It is.", "--voice", "fake-en")
        assert lines(run(*asked, config=config, folder=tmp_path)) == ["Is it on?", "It is."]
        assert llm.texts() == []
        assert lines(run(*asked, "--llm", config=config, folder=tmp_path)) == ["IS IT ON?", "IT IS."]
        shown = lines(run(*asked, "--llm", "--steps", "--no-normalize", "--no-stress", config=config, folder=tmp_path))
        assert shown == [
            *("written\tIs it on?", "llm\tIS IT ON?", "voice\tfake-en", "clean\tIS IT ON?"),
            *("written\tIt is.", "llm\tIT IS.", "clean\tIT IS."),
        ]


def test_a_step_that_is_wanted_and_cannot_be_had_is_told_and_left_out(tmp_path: Path) -> None:
    config = RUSSIAN + "engines: {silero-stress: {type: fake-stress, options: {broken: true}}}\n"
    done = run("text", "Старый дом.", "--voice", "fake-ru", config=config, folder=tmp_path)
    assert (done.returncode, done.stdout.decode()) == (0, "Старый дом.\n")
    assert b"No stress is marked" in done.stderr


def test_a_voice_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = run("text", "x", "--voice", "nobody", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"There is no voice 'nobody'" in done.stderr


@pytest.mark.parametrize("engine", ["espaek", "moonshine"])
def test_an_engine_that_does_not_speak_is_told_with_those_that_do(engine: str, tmp_path: Path) -> None:
    done = run("text", "5", "--for", engine, folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout == b""
    assert f"No engine that speaks is called '{engine}'; there are rhvoice, piper, espeak" in done.stderr.decode()


def test_a_text_that_is_too_long_is_told(tmp_path: Path) -> None:
    done = run("text", "слово " * 10, config="limits: {text: 20}\n", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"A text may have 20 characters" in done.stderr
