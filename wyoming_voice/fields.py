"""Typed reading of an event's data: a peer may send anything under any name."""

from collections.abc import Mapping
from typing import cast

from .errors import BadRequest

Data = Mapping[str, object]


def string(data: Data, name: str) -> str | None:
    """Return a string, or None where there is none or null; what Unicode cannot say becomes U+FFFD."""
    value = data.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadRequest(f'"{name}" must be a string.')
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate: JSON can carry it, no engine can say it
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def text(data: Data, name: str = "text") -> str:
    """Return a string that must be there."""
    value = string(data, name)
    if value is None:
        raise BadRequest(f'"{name}" is missing.')
    return value


def number(data: Data, name: str, default: float, *, least: float, most: float) -> float:
    """Return a number between ``least`` and ``most``."""
    value = data.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise BadRequest(f'"{name}" must be a number between {least:g} and {most:g}.')
    return float(value)


def strings(data: Data, name: str, *, most: int = 1000) -> tuple[str, ...]:
    """Return a list of strings, empty where there is none."""
    value = data.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > most:
        raise BadRequest(f'"{name}" must be a list of at most {most} strings.')
    return tuple(text({name: item}, name) for item in value)


def mapping(data: Data, name: str) -> Data:
    """Return an object, empty where there is none or null."""
    value = data.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequest(f'"{name}" must be an object.')
    return cast("Data", value)


def mappings(data: Data, name: str, *, most: int) -> tuple[Data, ...]:
    """Return a list of objects, empty where there is none."""
    value = data.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > most:
        raise BadRequest(f'"{name}" must be a list of at most {most} objects.')
    return tuple(mapping({name: item}, name) for item in value)


def integer(data: Data, name: str, *, least: int, most: int) -> int | None:
    """Return a whole number between ``least`` and ``most``, or None where there is none."""
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadRequest(f'"{name}" must be a whole number between {least} and {most}.')
    return value


def flag(data: Data, name: str) -> bool:
    """Return true or false; false where there is none."""
    value = data.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise BadRequest(f'"{name}" must be true or false.')
    return value


def choice(data: Data, *names: str) -> bool | None:
    """Return true or false under the first of these names that is there; None: under none."""
    return next((flag(data, name) for name in names if data.get(name) is not None), None)
