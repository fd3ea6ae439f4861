"""The Home Assistant add-on: its options become settings, in this one place.

``python -m wyoming_voice.addon`` writes the file that the server is started with. From the bottom up it holds the
broker that the Supervisor knows, the user's own ``config.yml`` (for what the options do not have), the options, and
what the container itself decides: ports, folders, ingress.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from .config_load import load, read
from .config_mistake import ConfigError
from .config_old import is_old, translate
from .config_source import Key, Source

PORT: Final = 10200
"""Where the add-on's server listens, as Home Assistant's own Wyoming add-ons do."""
HTTP_PORT: Final = 8013
"""Where its web page is; Home Assistant's ingress asks here."""
CONTAINER: Final[Mapping[Key, object]] = {
    ("data_dir",): "/data",
    ("server", "uri"): f"tcp://0.0.0.0:{PORT}",
    ("http",): f"0.0.0.0:{HTTP_PORT}",
    ("bridge", "ingress"): True,
    ("discovery", "zeroconf"): False,  # multicast does not leave the container; the Supervisor tells Home Assistant
}
"""What nobody can choose: the container's folders and ports."""
ELSEWHERE: Final = frozenset({"install", "mqtt", "llm_model"})
"""Options that are no settings: the services of the container read them, or they go to a file of their own."""

PATHS: Final[Sequence[Key]] = (
    ("outputs", "folder"),
    ("bridge", "tls", "certificate"),
    ("bridge", "tls", "key"),
    ("mqtt", "tls", "ca"),
    ("mqtt", "tls", "certificate"),
    ("mqtt", "tls", "key"),
    ("text", "llm", "settings"),
)
"""Settings that are paths; a test finds those that are missing here."""

_LLM: Final = ("text", "llm", "settings")
_LLM_FILE: Final = "/config/configs/llm/settings.yml"
"""Where the user can put it: beside the own config.yml, as everywhere."""

_LLM_MADE: Final = "/data/llm.yml"
"""Made of the options, where they name a language model."""

_SWITCHES: Final[Sequence[Key]] = (
    ("text", "normalize"),
    ("text", "llm", "use_llm_tts"),
    ("text", "llm", "use_llm_stt"),
    ("listening", "endpointing"),
)
"""Settings that an option of the same name switches."""

Options = Mapping[str, object]
"""What the Supervisor wrote to /data/options.json, checked against the schema of the add-on's config.yaml."""


def chosen(options: Options) -> Iterator[tuple[Key, object]]:
    """Translate options into keys of config.yml; one that is empty or left out sets nothing."""
    for name in ("voice", "log_level"):
        if text := _text(options.get(name)):
            yield (name,), text
    if languages := _list(options.get("languages")):
        yield ("languages",), [_text(language).lower() for language in languages]
    for language, voice in _rows(options.get("voices"), "language", "voice"):
        yield ("voices", language.lower()), voice
    for key in _SWITCHES:
        if isinstance(wanted := options.get(key[-1]), bool):
            yield key, wanted
    if terms := _list(options.get("terms")):
        yield ("listening", "terms"), terms
    if token := _text(options.get("http_token")):
        yield ("auth", "tokens"), [token]
    if _text(options.get("llm_url")):
        yield _LLM, _LLM_MADE
    yield from _engines(options)


def language_model(options: Options) -> dict[str, object] | None:
    """Return the settings of the language model that the options name; None: they name none."""
    if url := _text(options.get("llm_url")):
        return {"base_url": url, "model": _text(options.get("llm_model")) or "default"}
    return None


def _engines(options: Options) -> Iterator[tuple[Key, object]]:
    for name in _names(options.get("disable")):
        yield ("engines", name, "enabled"), False
    for name in _names(options.get("keep_loaded")):
        yield ("engines", name, "preload"), True
        yield ("engines", name, "ttl"), "never"
    for engine, model in _rows(options.get("models"), "engine", "model"):
        yield ("engines", engine, "options", "model"), model


def brokered(service: Mapping[str, object]) -> Iterator[tuple[Key, object]]:
    """Translate what the Supervisor says of the MQTT broker (``GET /services/mqtt``)."""
    if host := _text(service.get("host")):
        scheme = "mqtts" if service.get("ssl") is True else "mqtt"
        address = f"[{host}]" if ":" in host else host
        yield ("mqtt", "broker"), f"{scheme}://{address}:{service.get('port') or 1883}"
    for name in ("username", "password"):
        if text := _text(service.get(name)):
            yield ("mqtt", name), text


def settings(options: Options, own: Mapping[str, object], service: Mapping[str, object]) -> dict[str, object]:
    """Lay the broker, the user's own settings, the options and the container's over each other."""
    source = Source("the add-on")
    mqtt = own.get("mqtt")
    elsewhere = isinstance(mqtt, dict) and mqtt.get("broker")  # a broker that must not be told the other's password
    own_keys = [((name,), value) for name, value in own.items() if value is not None]  # of a section only its comments
    for key, value in (
        (_LLM, _LLM_FILE),
        *(() if elsewhere else brokered(service)),
        *own_keys,
        *chosen(options),
        *CONTAINER.items(),
    ):
        source.put(key, value, "")
    return source.values


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the settings; returns 2, with the reason on standard error, when the server could not start with them."""
    parser = argparse.ArgumentParser(prog="python -m wyoming_voice.addon")
    parser.add_argument("--options", type=Path, default=Path("/data/options.json"), metavar="FILE")
    parser.add_argument("--own", type=Path, default=Path("/config/config.yml"), metavar="FILE")
    parser.add_argument("--write", type=Path, default=Path("/data/wyoming-voice.yml"), metavar="FILE")
    paths = parser.parse_args(arguments)
    service = sys.stdin.read().strip()  # not an argument: it holds a password, and arguments are for everybody to see
    try:
        own = read_own(paths.own)
        options = _object(paths.options.read_text("utf-8"), str(paths.options))
        _write(paths.write, settings(options, own, _object(service or "{}", "the Supervisor's answer about MQTT")))
        if (model := language_model(options)) is not None:
            _write(paths.write.parent / Path(_LLM_MADE).name, model)
        load(paths.write, os.environ)
    except ConfigError as error:
        print(f"The server cannot start with these settings:\n{error.text}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename}: {error.strerror}. The add-on may have to be installed again.", file=sys.stderr)
        return 2
    return 0


def _object(text: str, name: str) -> Mapping[str, object]:
    try:
        said = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{name}: this is not JSON: {error}") from error
    if not isinstance(said, dict):
        raise ConfigError(f"{name}: this is no JSON object")
    return said


def read_own(path: Path) -> Mapping[str, object]:
    """Read the user's own file, if there is one; raises ConfigError with its mistakes and their lines.

    Its paths come back absolute: they are relative to its folder, and what is written here lies in another.
    """
    if not path.is_file():
        return {}
    load(path, {})
    source = read(path)
    if is_old(source):
        translate(source)
    for key in PATHS:
        section: object = source.values
        for name in key[:-1]:
            section = section.get(name) if isinstance(section, dict) else None
        if isinstance(section, dict) and (file := _text(section.get(key[-1]))):
            section[key[-1]] = str(path.absolute().parent / Path(file).expanduser())
    return source.values


def _write(path: Path, values: Mapping[str, object]) -> None:
    """Write a file that only root can read: it holds tokens."""
    path.touch(0o600)
    path.chmod(0o600)
    path.write_text(yaml.safe_dump(values, allow_unicode=True, sort_keys=False), "utf-8")


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _names(value: object) -> list[str]:
    return [name for name in map(_text, _list(value)) if name]


def _rows(value: object, *names: str) -> Iterator[list[str]]:
    """Yield the texts of each row that has them all: what else is there was written past the Supervisor's schema."""
    for row in _list(value):
        texts = [_text(row.get(name)) for name in names] if isinstance(row, dict) else []
        if texts and all(texts):
            yield texts


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


if __name__ == "__main__":
    sys.exit(main())
