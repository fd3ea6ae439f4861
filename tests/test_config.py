import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from wyoming_voice.config import Device, EngineSettings, Settings
from wyoming_voice.config_load import LARGEST, load
from wyoming_voice.config_mistake import ConfigError
from wyoming_voice.config_source import DEEPEST, NotYaml, read_yaml
from wyoming_voice.config_type import Workers

from .conftest import ROOT

Load = Callable[..., Settings]


@pytest.fixture
def write(tmp_path: Path) -> Load:
    """Load settings from the text of a file and from variables."""

    def load_text(text: str | bytes, environ: Mapping[str, str] | None = None) -> Settings:
        path = tmp_path / "config.yml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(path, environ or {})

    return load_text


def mistakes(write: Load, text: str | bytes, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        write(text, environ)
    assert caught.value.code == "bad-request"
    return [line.partition("/config.yml")[2] or line for line in caught.value.text.splitlines()]


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every key that has a value, with the field that it is: ``engines.NAME.workers``."""
    for name, field in model.model_fields.items():
        inner = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
        section = next((kind for kind in inner if issubclass(kind, BaseModel)), None)
        if section is None:
            yield prefix + name, field
        else:
            yield from keys(section, f"{prefix}{name}." + ("NAME." if section is not field.annotation else ""))


# What is documented


def test_config_yml_shows_the_defaults() -> None:
    shown, defaults = load(ROOT / "config.yml", {}), load(None, {})
    assert shown.data_dir == ROOT / "data"
    assert shown.model_copy(update={"data_dir": defaults.data_dir}) == defaults


def test_config_yml_explains_every_key_and_its_examples_are_right(write: Load) -> None:
    text = re.sub(r"^#(?! \S)", "", (ROOT / "config.yml").read_text("utf-8"), flags=re.MULTILINE)
    settings = write(text)
    for name, engine in settings.engines.items():
        assert engine.model_fields_set, name
    espeak = settings.engines["espeak"]
    assert espeak == EngineSettings(options=espeak.options)
    assert settings.devices == {"cuda:0": Device(running=1)}
    there = {re.sub(r"^(engines|devices)\.[^.]+", r"\1.NAME", ".".join(key)) for key in read_yaml(text, "")[1].places}
    assert [key for key, _ in keys(Settings) if key not in there] == []


def shown(default: object) -> str:
    if default is None or isinstance(default, bool):
        return {None: "null", True: "true", False: "false"}[default]
    if isinstance(default, tuple):
        return f"[{', '.join(default)}]"
    return f"{default:g}" if isinstance(default, float) else str(default)


@pytest.mark.parametrize(
    ("key", "field"), list(keys(Settings)), ids=lambda value: value if isinstance(value, str) else ""
)
def test_docs_have_a_row_for_every_key(key: str, field: Any) -> None:
    variable = "WYOMING_VOICE__" + key.upper().replace(".", "__")
    row = f"| `{key}` | {field.description} | `{shown(field.default)}` | `{variable}` |"
    assert row in (ROOT / "docs" / "config.md").read_text("utf-8").splitlines()


def test_docs_have_no_row_for_a_key_that_is_not_there() -> None:
    rows = re.findall(r"^\| `([^`]+)`", (ROOT / "docs" / "config.md").read_text("utf-8"), flags=re.MULTILINE)
    assert sorted(rows) == sorted(key for key, _ in keys(Settings))


# What may be written


def test_empty_file_and_empty_sections_are_the_defaults(write: Load) -> None:
    assert write("") == write("engines:\nlimits:\nserver:\nvoices:\ndevices:\n# nothing\n") == write("\ufeff{}")


def test_engine_that_is_not_named_has_the_defaults(write: Load) -> None:
    settings = write("engines: {piper: {workers: 3}, espeak: }")
    assert settings.engine("piper").workers.max == 3
    assert settings.engine("espeak") == settings.engine("moonshine") == EngineSettings()


def test_workers_and_addresses_may_be_one_or_a_range_and_a_list(write: Load) -> None:
    settings = write(
        "engines: {piper: {workers: {min: 1, max: 3}}, espeak: {workers: {min: 2}},"
        " x: {uri: 'tcp://a:1'}, y: {uri: ['tcp://a:1', 'tcp://b:1']}}",
        {"WYOMING_VOICE__ENGINES__X__WORKERS": "4", "WYOMING_VOICE__ENGINES__ESPEAK__WORKERS__MAX": "5"},
    )
    assert settings.engine("piper").workers == Workers(1, 3)
    assert settings.engine("espeak").workers == Workers(2, 5)
    assert settings.engine("x").workers == Workers(0, 4)
    assert settings.engine("x").uri == ("tcp://a:1",)
    assert settings.engine("y").uri == ("tcp://a:1", "tcp://b:1")


def test_words_that_yaml_1_1_took_for_truth_are_words(write: Load) -> None:
    settings = write(
        "languages: [no, en]\nhttp: off\nvoice: on\nengines: {piper: {enabled: no, options: {day: 2026-01-01}}}"
    )
    assert (settings.languages, settings.http, settings.voice) == (("no", "en"), "off", "on")
    assert settings.engine("piper").enabled is False
    assert settings.engine("piper").options == {"day": "2026-01-01"}


def test_language_tags_are_lower_case_with_hyphens(write: Load) -> None:
    settings = write("languages: [ru, en_US]\nvoices: {pt-BR: faber}")
    assert settings.languages == ("ru", "en-us")
    assert settings.voices == {"pt-br": "faber"}


@pytest.mark.parametrize("never", ["never", "null", ""])
def test_worker_may_be_kept_for_ever(write: Load, never: str) -> None:
    assert write(f"engines: {{piper: {{ttl: {never}}}}}").engine("piper").ttl is None


@pytest.mark.parametrize("uri", ["tcp://0.0.0.0:0", "tcp://[::]:10300", "tcp://localhost:1", "unix:///run/voice.sock"])
def test_server_address_may_be(write: Load, uri: str) -> None:
    assert write(f"server: {{uri: '{uri}'}}").server.uri == uri


def test_data_dir_is_relative_to_the_file(write: Load, tmp_path: Path) -> None:
    assert write("data_dir: voices").data_dir == tmp_path / "voices"
    assert write("data_dir: /srv/voices").data_dir == Path("/srv/voices")
    assert write("data_dir: ~/voices").data_dir == Path.home() / "voices"
    assert load(None, {}).data_dir == Path.cwd() / "data"


def test_engine_of_ones_own_name_has_a_type_or_a_uri(write: Load) -> None:
    settings = write("engines: {fast: {type: piper}, kitchen: {uri: 'tcp://pi:10200', task: tts, voices: [irina]}}")
    assert settings.engine("fast").type == "piper"
    assert settings.engine("kitchen").voices == ("irina",)


def test_settings_cannot_be_changed(write: Load) -> None:
    settings = write("")
    with pytest.raises(ValueError, match="frozen"):
        settings.limits.text = 1


# What is wrong, and how it is said


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("\nengines: {espaek: }", ":2: engines.espaek: no such engine; did you mean 'espeak'?"),
        ("limits:\n  txt: 5", ":2: limits.txt: no such key; did you mean 'text'?"),
        ("payload: 5", ":1: payload: no such key; did you mean 'limits.payload'?"),
        ("server: {limits: }", ":1: server.limits: no such key; did you mean 'limits' at the left margin?"),
        ("zzz: 5", ":1: zzz: no such key"),
        ("5: 5", ":1: 5: no such key"),
        ("limits: {text: many}", ":1: limits.text: must be a whole number of characters, not 'many'"),
        ("limits: {text: 1.5}", ":1: limits.text: must be a whole number of characters, not 1.5"),
        ("limits: {text: true}", ":1: limits.text: must be a whole number of characters, not true"),
        ("limits: {text: }", ":1: limits.text: must be a whole number of characters, not empty"),
        ("limits: {queue: '5'}", ":1: limits.queue: must be a whole number, not '5'"),
        ("limits: {text: 0}", ":1: limits.text: must be at least 1 characters, not 0"),
        ("limits: {audio: long}", ":1: limits.audio: must be a number of seconds, not 'long'"),
        ("limits: {audio: .inf}", ":1: limits.audio: must be a number of seconds, not inf"),
        ("limits: {audio: 0}", ":1: limits.audio: must be more than 0 seconds, not 0"),
        ("limits: 5", ":1: limits: must have keys of its own, indented under it, not 5"),
        ("engines: [piper]", ":1: engines: must have keys of its own, indented under it, not ['piper']"),
        ("engines: {piper: yes}", ":1: engines.piper: must have keys of its own, indented under it, not 'yes'"),
        ("engines: {piper: {workers: 65}}", ":1: engines.piper.workers: must be at most 64, not 65"),
        ("engines: {piper: {workers: true}}", ":1: engines.piper.workers: must be a whole number, not True"),
        ("engines: {piper: {workers: {min: -1}}}", ":1: engines.piper.workers: min must be at least 0, not -1"),
        ("engines: {piper: {workers: {max: 0}}}", ":1: engines.piper.workers: max must be at least 1, not 0"),
        ("engines: {piper: {workers: {most: 2}}}", ":1: engines.piper.workers: has min and max, not 'most'"),
        (
            "engines: {piper: {workers: {min: 3, max: 2}}}",
            ":1: engines.piper.workers: min must not be more than max, 2, as 3 is",
        ),
        (
            "engines: {x: {uri: []}}",
            ":1: engines.x.uri: must be tcp://HOST:PORT or unix:///PATH, or a list of such, not []",
        ),
        (
            "engines: {x: {uri: ['tcp://a:1', 'tcp://a:1']}}",
            ":1: engines.x.uri: has 'tcp://a:1' more than once; `workers` says how many requests it is sent at once",
        ),
        (
            "engines: {piper: {launcher: ray}}",
            ":1: engines.piper.launcher: no cluster is known; say where it is in ray.address",
        ),
        (
            "engines: {x: {launcher: ray, uri: 'tcp://a:1'}}\nray: {address: 'a:6379'}",
            ":1: engines.x.launcher: an engine with a uri runs there; leave one of the two out",
        ),
        ("engines: {piper: {preload: 7}}", ":1: engines.piper.preload: must be true or false, not 7"),
        ("engines: {piper: {ttl: no}}", ":1: engines.piper.ttl: must be a number of seconds, not 'no'"),
        ("engines: {mine: {type: pipe}}", ":1: engines.mine.type: no such engine; did you mean 'piper'?"),
        ("engines: {piper: {task: tts}}", ":1: engines.piper.task: is only for an engine with a uri"),
        (
            "engines: {x: {type: piper, uri: 'tcp://a:1'}}",
            ":1: engines.x.type: an engine has a type or a uri, not both",
        ),
        (
            "engines: {x: {uri: 'tcp://a:0'}}",
            ":1: engines.x.uri: port 0 cannot be connected to; give the port on which that server listens",
        ),
        (
            "engines: {piper: {device: cuda:0}}\ndevices: {cuda0: }",
            ":1: engines.piper.device: no such device 'cuda:0' under devices; did you mean 'cuda0'?",
        ),
        ("engines: {piper: {device: ''}}", ":1: engines.piper.device: must not be empty"),
        (
            "log_level: inf",
            ":1: log_level: must be 'debug', 'info', 'warning' or 'error', not 'inf'; did you mean 'info'?",
        ),
        ("voice: 5", ":1: voice: must be text, not 5; put it in quotes if it is meant so"),
        ("voice: [a]", ":1: voice: must be text, not ['a']"),
        ("data_dir: [a]", ":1: data_dir: must be text, not ['a']"),
        ("languages: ru", ":1: languages: must be a list, as in [ru, en], not 'ru'"),
        ("languages: []", ":1: languages: must not be empty"),
        ("languages: [ru, en, RU]", ":1: languages: has 'ru' more than once"),
        ("languages:\n- ru\n- to be", ":3: languages[1]: must be a language tag such as 'ru' or 'en-gb', not 'to be'"),
        ("voices: {russian: a}", ":1: voices.russian: must be a language tag such as 'ru' or 'en-gb', not 'russian'"),
        ("limits: {text: 5,\n text: 6}", ":2: limits.text: is already set in line 1; keep one of the two"),
        ("http: 8013", ":1: http: must be HOST:PORT, such as 127.0.0.1:8013 (this machine only), or off, not 8013"),
        ("http: localhost", ":1: http: must be HOST:PORT, or off, not 'localhost'"),
        ("http: localhost:http", ":1: http: must be HOST:PORT, or off, not 'localhost:http'"),
        ("server: {uri: 'tcp://:1'}", ":1: server.uri: must be tcp://HOST:PORT or unix:///PATH, not 'tcp://:1'"),
        (
            "server: {uri: 'tcp://a:70000'}",
            ":1: server.uri: must be tcp://HOST:PORT or unix:///PATH, not 'tcp://a:70000'",
        ),
        ("server: {uri: 'http://a:1'}", ":1: server.uri: must be tcp://HOST:PORT or unix:///PATH, not 'http://a:1'"),
        ("server: {uri: 'unix://a/b'}", ":1: server.uri: must be tcp://HOST:PORT or unix:///PATH, not 'unix://a/b'"),
        ("voice: " + str(["a"] * 99), f":1: voice: must be text, not {str(['a'] * 99)[:57]}..."),
        ("a: [1", ":2:1: this is not YAML: did not find expected ',' or ']'"),
        (
            "a:\n\tb: 1",
            ":2:1: this is not YAML: found character that cannot start any token; indent with spaces, not tabs",
        ),
        ("a: b: c", ":1:5: this is not YAML: mapping values are not allowed in this context"),
        ("? [1]\n: 2", ":1:3: this is not YAML: found unhashable key"),
        ("--- 1\n--- 2", ":2:1: this is not YAML: but found another document"),
        ("a: " + "9" * 5000, None),
        ("\x01", None),
        ("[" * 500_000, ":1:21: nested more than 20 levels deep"),
        ("- 1", ": must consist of keys and values, such as 'languages: [ru, en]'"),
        (b"# \xff", ":1: is not UTF-8 text; save it as UTF-8"),
        ("#" * (LARGEST + 1), ": is larger than 1 MiB; settings are not"),
        ("a: &a 1", None),
        ("a: !!python/object/apply:os.getcwd []", None),
    ],
    ids=lambda value: str(value)[:60],
)
def test_mistake_is_one_line_that_says_where_and_what(write: Load, text: str | bytes, sentence: str | None) -> None:
    found = mistakes(write, text)
    assert len(found) == 1
    assert sentence is None or found == [sentence]


def test_unknown_engine_without_a_close_name_lists_those_there_are(write: Load) -> None:
    (line,) = mistakes(write, "engines: {xxxx: }")
    assert "rhvoice, piper, espeak" in line
    assert "needs a type or a uri" in line


def test_file_of_anchors_is_refused_before_it_grows(write: Load) -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    assert mistakes(write, bomb) == [
        ":1:4: anchors (&name) and aliases (*name) are not used here; put the value in quotes if it is text"
    ]


def test_all_mistakes_are_named_at_once(write: Load) -> None:
    text = "limits: {txt: 5, text: many, text: 6}\nengines: {espaek: {wrokers: 2}}"
    found = mistakes(write, text, {"WYOMING_VOICE__LOG_LEVEL": "loud"})
    for part in (
        "limits.txt: no",
        "limits.text: is already",
        "espaek: no",
        "espaek.wrokers: no",
        "LOG_LEVEL: log_level: ",
    ):
        assert sum(part in line for line in found) == 1, part
    assert len(found) == 5


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yml: there is no such file; name another with --config"):
        load(tmp_path / "none.yml", {})


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, {})


# The environment


def test_environment_is_laid_over_the_file(write: Load) -> None:
    text = "limits: {text: 5, audio: 6}\nlanguages: [ru]\nengines: {piper: {options: {folder: a, loud: 1}}}"
    environ = {
        "WYOMING_VOICE__LIMITS__TEXT": "50",
        "WYOMING_VOICE__LANGUAGES": "[en, de]",
        "WYOMING_VOICE__HTTP": "off",
        "wyoming_voice__Server__uri": "tcp://127.0.0.1:0",
        "WYOMING_VOICE__ENGINES__PIPER__OPTIONS__FOLDER": "b",
        "WYOMING_VOICE_SPEECH": "not a setting",
    }
    settings = write(text, environ)
    assert (settings.limits.text, settings.limits.audio, settings.http) == (50, 6, "off")
    assert settings.languages == ("en", "de")
    assert settings.server.uri == "tcp://127.0.0.1:0"
    assert settings.engine("piper").options == {"folder": "b", "loud": 1}


def test_section_in_the_environment_is_laid_over_the_file_key_by_key(write: Load) -> None:
    environ = {"WYOMING_VOICE__LIMITS": "{audio: 7, idle: 8}", "WYOMING_VOICE__LIMITS__IDLE": "9"}
    limits = write("limits: {text: 5, audio: 6}", environ).limits
    assert (limits.text, limits.audio, limits.idle) == (5, 7, 9)


def test_names_that_no_variable_can_have_are_found(write: Load) -> None:
    environ = {
        "WYOMING_VOICE__ENGINES__FASTER_WHISPER__WORKERS": "2",
        "WYOMING_VOICE__ENGINES__FASTER_WHISPER__DEVICE": "cuda:0",
        "WYOMING_VOICE__DEVICES__CUDA_0__RUNNING": "3",
        "WYOMING_VOICE__VOICES__EN_US": "lessac",
    }
    settings = write("devices: {cuda:0: {running: 1}}", environ)
    assert settings.engines == {"faster-whisper": EngineSettings(workers=Workers(max=2), device="cuda:0")}
    assert settings.devices == {"cuda:0": Device(running=3)}
    assert settings.voices == {"en-us": "lessac"}


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("LIMITS__TEXT", "many", "limits.text: must be a whole number of characters, not 'many'"),
        ("LIMTS__TEXT", "5", "limts: no such key; did you mean 'limits'?"),
        ("LIMITS__TXT", "5", "limits.txt: no such key; did you mean 'text'?"),
        ("ENGINES__ESPAEK__WORKERS", "1", "engines.espaek: no such engine; did you mean 'espeak'?"),
        ("LANGUAGES", "[ru", "languages: this is not YAML: did not find expected ',' or ']'"),
        ("LIMITS", "{text: 1, text: 2}", "limits.text: is already set in line 1; keep one of the two"),
        ("LIMITS__", "5", "limits: names no setting; write it like WYOMING_VOICE__LIMITS__TEXT"),
        ("LANGUAGES__0", "ru", "languages: must be a list, as in [ru, en], not {'0': 'ru'}"),
    ],
)
def test_mistake_in_the_environment_names_the_variable(write: Load, variable: str, value: str, sentence: str) -> None:
    variable = f"WYOMING_VOICE__{variable}"
    assert mistakes(write, "", {variable: value}) == [f"{variable}: {sentence}"]


def test_value_from_the_environment_hides_the_place_in_the_file(write: Load) -> None:
    found = mistakes(write, "languages: [ru, to be]", {"WYOMING_VOICE__LANGUAGES": "[ru, not to be]"})
    assert len(found) == 1
    assert found[0].startswith("WYOMING_VOICE__LANGUAGES: languages[1]: ")


# Whatever is written


@given(st.text(st.sampled_from(list("ab: -[]{},&*!?|>#'\"\n\t%0.~<")), max_size=60) | st.text(max_size=40))
def test_any_text_is_yaml_or_is_refused_with_a_sentence(text: str) -> None:
    sentence = "none"
    try:
        read_yaml(text, "x")
    except NotYaml as error:
        sentence = str(error)
    assert sentence


_YAML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*Settings.model_fields, "engine", "text"]), _YAML, max_size=4))
def test_any_values_are_settings_or_mistakes_with_a_place(values: dict[str, object]) -> None:
    environ = {f"WYOMING_VOICE__{name}": json.dumps(value) for name, value in values.items()}
    found: list[str] = []
    try:
        load(None, environ)
    except ConfigError as error:
        found = error.text.split("\n")
    assert [line for line in found if not line.startswith("WYOMING_VOICE__")] == []


@given(st.integers(1, DEEPEST * 2))
def test_nesting_is_refused_exactly_where_it_gets_too_deep(depth: int) -> None:
    text = "[" * depth + "]" * depth
    if depth <= DEEPEST:
        read_yaml(text, "x")
    else:
        with pytest.raises(NotYaml, match="nested"):
            read_yaml(text, "x")
