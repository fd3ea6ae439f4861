"""What pydantic finds wrong with a value, in a sentence for the person who wrote it, with a guess at what was meant."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError

from .config_source import Key
from .errors import BadRequest


class ConfigError(BadRequest):
    """The configuration cannot be used; every mistake is a line of its text."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What a number counts, as metadata of its type."""

    name: str


_WHOLE = "must be a whole number{of_unit}, not {wrong}"
_NUMBER = "must be a number{of_unit}, not {wrong}"
_TRUTH = "must be true or false, not {wrong}"
_TEXT = "must be text, not {wrong}"
_KEYS = "must have keys of its own, indented under it, not {wrong}"

_SENTENCES: Final[Mapping[str, str]] = {
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "finite_number": _NUMBER,
    "greater_than": "must be more than {gt:g}{unit}, not {wrong}",
    "greater_than_equal": "must be at least {ge:g}{unit}, not {wrong}",
    "less_than_equal": "must be at most {le:g}{unit}, not {wrong}",
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "string_type": _TEXT,
    "path_type": _TEXT,
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "literal_error": "must be {expected}, not {wrong}",
    "model_type": _KEYS,
    "dict_type": _KEYS,
    "tuple_type": "must be a list, as in [ru, en], not {wrong}",
    "invalid-json-value": "must be text, a number, true, false, a list or keys with such values, not {wrong}",
}
"""pydantic's names of mistakes: https://docs.pydantic.dev/latest/errors/validation_errors/."""


def guess(wrong: str, names: Iterable[str]) -> str:
    """Return ``; did you mean 'text'?``, or nothing when no name is close."""
    close = get_close_matches(wrong.lower(), list(names), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def names(root: type[BaseModel], key: Key, there: Iterable[str] = ()) -> Iterable[str]:
    """Return the keys that may stand under a key: a section's own, or those there, where the user names them."""
    kind = _walk(root, key)[0]
    return kind.model_fields if _is_model(kind) else there


def sentences(error: ValidationError, root: type[BaseModel]) -> Iterator[tuple[Key, str]]:
    """Yield the key of each mistake, and what is wrong there."""
    for detail in error.errors(include_url=False):
        parts = [part for part in detail["loc"] if part != "[key]"]
        key = tuple(f"[{part}]" if isinstance(part, int) else part for part in parts)
        yield key, _sentence(detail["type"], detail["input"], detail.get("ctx", {}), root, key) or detail["msg"]


def _sentence(kind: str, value: object, ctx: dict[str, Any], root: type[BaseModel], key: Key) -> str | None:
    match kind:
        case "extra_forbidden":
            return "no such key" + (guess(key[-1], names(root, key[:-1])) or _elsewhere(root, key))
        case "value_error":
            return str(ctx["error"])
    unit = _walk(root, key)[1]
    facts = {"unit": unit and f" {unit}", "of_unit": unit and f" of {unit}", "wrong": _short(value)}
    template = _SENTENCES.get(kind)
    hint = ""
    if kind == "literal_error":
        hint = guess(str(value), ctx["expected"].split("'")[1::2])
    elif template == _TEXT and isinstance(value, int | float):
        hint = "; put it in quotes if it is meant so"
    return template and template.format_map(ctx | facts) + hint


def _short(value: object) -> str:
    if value is None:
        return "empty"
    text = ("false", "true")[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _walk(root: type[BaseModel], key: Key) -> tuple[Any, str]:
    """Return the type that stands at a key (None where there is no such key) and the unit that it counts."""
    kind: Any = root
    unit = ""
    for part in key:
        field = kind.model_fields.get(part) if _is_model(kind) else None
        if field is not None:
            kind = field.annotation
            unit = next((fact.name for fact in field.metadata if isinstance(fact, Unit)), "")
        else:
            kind = get_args(kind)[1] if get_origin(kind) is dict else None
            unit = ""
    return kind, unit


def _elsewhere(root: type[BaseModel], key: Key) -> str:
    """Guess at a key that stands in another section."""
    found = [name for name in root.model_fields if key[-1] in names(root, (name,))]
    if len(key) > 1 and key[-1] in root.model_fields:
        return f"; did you mean '{key[-1]}' at the left margin?"
    return f"; did you mean '{found[0]}.{key[-1]}'?" if found else ""
