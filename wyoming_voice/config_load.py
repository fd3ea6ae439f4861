"""config.yml and the environment, read into settings; a mistake is named by its place, with a guess at the meaning."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from .config import Settings
from .config_mistake import ConfigError, guess, names, sentences
from .config_old import in_new_form, is_old, translate
from .config_source import Key, NotYaml, Source, environment, read_yaml
from .engines.table import engines

LARGEST: Final = 1024 * 1024
"""Bytes of the largest config.yml that is read."""


def load(path: Path | None, environ: Mapping[str, str], notices: list[str] | None = None) -> Settings:
    """Read the settings: the defaults, over them the file (None: no file), over it the environment.

    ``data_dir`` comes back absolute. A file of the older tool is understood; ``notices`` gets a text that shows its new
    form. Raises ConfigError with every mistake there is, one a line.
    """
    source = Source("the defaults") if path is None else read(path)
    if is_old(source):
        moved = translate(source)
        if notices is not None:
            notices.append(f"{path} has keys of an older tool. In their place (`./run.sh config migrate` writes it):")
            notices.append(in_new_form(moved))
    environment(source, environ, _names)
    found = [*_unknown_engines(source.values), *_unknown_devices(source.values), *_not_preferred(source.values)]
    found += _no_cluster(source.values)
    try:
        settings = Settings.model_validate(source.values)
    except ValidationError as error:
        found = [*sentences(error, Settings), *found]
    else:
        settings = _placed(settings, (path.parent if path else Path()).absolute())
    for key, text in found:
        source.note(key, text)
    if source.mistakes:
        raise ConfigError("\n".join(str(mistake) for mistake in source.mistakes))
    return settings


def _placed(settings: Settings, folder: Path) -> Settings:
    """Make every path absolute: they are relative to the folder of config.yml."""

    def place(path: Path | None) -> Path | None:
        return None if path is None else folder / path.expanduser()

    data_dir = folder / settings.data_dir.expanduser()
    outputs = settings.outputs.model_copy(update={"folder": place(settings.outputs.folder) or data_dir / "outputs"})
    tls = settings.bridge.tls
    tls = tls.model_copy(update={"certificate": place(tls.certificate), "key": place(tls.key)})
    bridge = settings.bridge.model_copy(update={"tls": tls})
    shown = settings.mqtt.tls
    shown = shown.model_copy(
        update={"ca": place(shown.ca), "certificate": place(shown.certificate), "key": place(shown.key)}
    )
    mqtt = settings.mqtt.model_copy(update={"tls": shown})
    llm = settings.text.llm.model_copy(update={"settings": place(settings.text.llm.settings)})
    text = settings.text.model_copy(update={"llm": llm})
    placed = {"data_dir": data_dir, "outputs": outputs, "bridge": bridge, "mqtt": mqtt, "text": text}
    return settings.model_copy(update=placed)


def read(path: Path) -> Source:
    """Read a file as it stands; raises ConfigError."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; name another with --config, or leave it out") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > LARGEST:
        raise ConfigError(f"{path}: is larger than 1 MiB; settings are not")
    try:
        values, source = read_yaml(content.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8 text; save it as UTF-8") from error
    except NotYaml as error:
        where = f"{path}:{error.line}:{error.column}" if error.line else str(path)
        raise ConfigError(f"{where}: {error}") from error
    if values is not None and not isinstance(values, dict):
        raise ConfigError(f"{path}: must consist of keys and values, such as 'languages: [ru, en]'")
    source.values = values or {}
    return source


def _names(key: Key, there: Iterable[str]) -> Iterable[str]:
    known = names(Settings, key, there)
    return [*engines(), *known] if key == ("engines",) else known


def _named(values: Mapping[str, Any], section: str) -> Mapping[str, Mapping[str, Any]]:
    found = values.get(section)
    return {str(k): v if isinstance(v, dict) else {} for k, v in found.items()} if isinstance(found, dict) else {}


def _unknown_engines(values: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    for name, engine in _named(values, "engines").items():
        key = ("engines", name)
        kind, uri = engine.get("type"), engine.get("uri")
        if kind and uri:
            yield (*key, "type"), "an engine has a type or a uri, not both"
        if uri is None:
            only = [part for part in ("task", "voices") if engine.get(part) is not None]
            yield from (((*key, part), "is only for an engine with a uri") for part in only)
        if isinstance(kind, str) and kind not in engines():
            yield (*key, "type"), f"no such engine{_which(kind)}"
        elif kind is None and uri is None and name not in engines():
            yield key, f"no such engine{_which(name, '; a name of your own needs a type or a uri')}"


def _no_cluster(values: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """Find engines that are to run on a Ray cluster that is not named, or elsewhere already."""
    ray = values.get("ray")
    address = ray.get("address") if isinstance(ray, dict) else None
    for name, engine in _named(values, "engines").items():
        if engine.get("launcher") == "ray":
            if engine.get("uri") is not None:
                yield ("engines", name, "launcher"), "an engine with a uri runs there; leave one of the two out"
            elif address is None:
                yield ("engines", name, "launcher"), "no cluster is known; say where it is in ray.address"


def _not_preferred(values: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """Find names in ``prefer`` that no engine has."""
    known = [*engines(), *_named(values, "engines")]
    wanted = values.get("prefer")
    for number, name in enumerate(wanted if isinstance(wanted, list) else (), 1):
        if isinstance(name, str) and name not in known:
            yield ("prefer", f"[{number}]"), f"no such engine{_which(name)}"


def _which(name: str, more: str = "") -> str:
    return guess(name, engines()) or f"; there are {', '.join(engines())}{more}"


def _unknown_devices(values: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """Find engines on a device that is not among those listed; where none is listed, any name will do."""
    known = [*_named(values, "devices"), "cpu"]
    for name, engine in _named(values, "engines").items():
        device = engine.get("device")
        if isinstance(device, str) and len(known) > 1 and device not in known:
            yield ("engines", name, "device"), f"no such device {device!r} under devices{guess(device, known)}"
