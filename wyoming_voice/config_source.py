"""What a user set, and where each value stands: a YAML file, then the environment over it.

YAML 1.2's idea of truth: only ``true`` and ``false`` are; ``off`` is a word and ``no`` is Norwegian; dates and keys
are text. A key given twice is a mistake. So are anchors: settings do not need them, and a small file of them can stand
for gigabytes.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import yaml

Key = tuple[str, ...]
"""The way to a value: ``("limits", "text")``; places in a list are written ``[1]``."""

PREFIX: Final = "WYOMING_VOICE__"
"""Environment variables of settings: ``WYOMING_VOICE__LIMITS__TEXT=5000``."""

DEEPEST: Final = 20
"""Levels of nesting; the parser recurses in C, where a deep document would end the process."""


class NotYaml(ValueError):
    """The text is not a YAML document that settings can be read from; ``line`` and ``column`` count from 1."""

    def __init__(self, text: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(text)
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with one value."""

    place: str
    """The file and line, or the environment variable."""
    key: Key
    text: str

    def __str__(self) -> str:
        key = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in ".".join(self.key))
        return f"{self.place}: {key.replace('.[', '[').strip('.')}: {self.text}"


@dataclass(slots=True)
class Source:
    """Values as read, before anybody has looked at what they mean."""

    name: str
    """Where values stand that have no better place, normally the file."""
    values: dict[str, object] = field(default_factory=dict)
    places: dict[Key, str] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def place(self, key: Key) -> str:
        """Say where a value stands, or else the closest that holds it."""
        return next((self.places[key[:n]] for n in range(len(key), 0, -1) if key[:n] in self.places), self.name)

    def note(self, key: Key, text: str) -> None:
        self.mistakes.append(Mistake(self.place(key), key, text))

    def put(self, key: Key, value: object, place: str) -> None:
        """Set one value over what is there; a mapping is laid over a mapping key by key."""
        if isinstance(value, dict) and value:
            for name, inner in value.items():
                self.put((*key, str(name)), inner, place)
            return
        within = self.values
        for n, name in enumerate(key[:-1], 1):
            inner = within.get(name)
            if not isinstance(inner, dict):
                inner = within[name] = {}
            self.places.setdefault(key[:n], place)
            within = inner
        within[key[-1]] = value
        self.places = {other: at for other, at in self.places.items() if other[: len(key)] != key} | {key: place}


_BOOL: Final = "tag:yaml.org,2002:bool"
_DATE: Final = "tag:yaml.org,2002:timestamp"
_TEXT: Final = "tag:yaml.org,2002:str"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml is there or it is not
    yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML's own name and shape
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in {_BOOL, _DATE}]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def read_yaml(text: str, name: str) -> tuple[object, Source]:
    """Return what the text says (None when it is empty) and where: lines as places, double keys as mistakes.

    Raises NotYaml.
    """
    source = Source(name)
    try:
        _check_shape(text)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None, source
            _walk(node, (), source)
            return loader.construct_document(node), source
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        hint = "; indent with spaces, not tabs" if "cannot start any token" in str(error.problem) else ""
        at = (mark.line + 1, mark.column + 1) if mark else (None, None)
        raise NotYaml(f"this is not YAML: {error.problem or error.context}{hint}", *at) from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a number of more digits than Python reads
        if isinstance(error, NotYaml):
            raise
        raise NotYaml(f"this is not YAML: {' '.join(str(error).split())}") from error


def _check_shape(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            wrong = f"nested more than {DEEPEST} levels deep"
        elif isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            wrong = "anchors (&name) and aliases (*name) are not used here; put the value in quotes if it is text"
        else:
            continue
        mark = event.start_mark
        assert mark, "the parser notes where every event begins"
        raise NotYaml(wrong, mark.line + 1, mark.column + 1)


def _walk(node: yaml.Node, key: Key, source: Source) -> None:
    """Note the line of every value and the keys that are there twice, and make all keys text."""
    if isinstance(node, yaml.SequenceNode):
        for n, item in enumerate(node.value):
            source.places[(*key, f"[{n}]")] = f"{source.name}:{item.start_mark.line + 1}"
            _walk(item, (*key, f"[{n}]"), source)
    elif isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if isinstance(name, yaml.ScalarNode):
                name.tag = _TEXT
            inner = (*key, str(name.value))
            first = source.places.get(inner)
            source.places[inner] = f"{source.name}:{name.start_mark.line + 1}"
            if first:
                source.note(inner, f"is already set in line {first.rpartition(':')[2]}; keep one of the two")
            _walk(value, inner, source)


def environment(
    source: Source, environ: Mapping[str, str], names: Callable[[Key, Iterable[str]], Iterable[str]]
) -> None:
    """Lay the variables that begin with PREFIX over what is set, those of whole sections first.

    ``names`` knows the keys that may stand under a key, given those that do: ``FASTER_WHISPER`` is ``faster-whisper``.
    """
    variables = sorted(name for name in environ if name.upper().startswith(PREFIX))
    for variable in sorted(variables, key=lambda name: name.count("__")):
        parts = variable[len(PREFIX) :].split("__")
        key = tuple(_spelled(parts, source.values, names))
        if not all(parts):
            source.mistakes.append(Mistake(variable, key, f"names no setting; write it like {PREFIX}LIMITS__TEXT"))
            continue
        try:
            value, inner = read_yaml(environ[variable], variable)
        except NotYaml as error:
            source.mistakes.append(Mistake(variable, key, str(error)))
        else:
            source.mistakes += (Mistake(variable, key + mistake.key, mistake.text) for mistake in inner.mistakes)
            source.put(key, value, variable)


def _spelled(
    parts: Iterable[str], values: object, names: Callable[[Key, Iterable[str]], Iterable[str]]
) -> Iterator[str]:
    """Spell the parts of a variable's name as the keys are: no case there, and only letters, digits and ``_``."""
    key: Key = ()
    for part in parts:
        there = [str(name) for name in values] if isinstance(values, dict) else []
        known = {_folded(name): name for name in names(key, there)}
        name = known.get(_folded(part), part.lower())
        yield name
        key = (*key, name)
        values = values.get(name) if isinstance(values, dict) else None


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "_", name.lower())
