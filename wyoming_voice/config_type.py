"""The kinds of values in config.yml, each with what it refuses and why."""

import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, model_validator

from .config_mistake import Unit

_MOST_WORKERS = 64
_BROKER_PORTS = {"mqtt": 1883, "mqtts": 8883}


def _language(tag: str) -> str:
    tag = tag.replace("_", "-").lower()
    if not re.fullmatch(r"[a-z]{2,3}(-[a-z0-9]{1,8})*", tag):
        raise ValueError(f"must be a language tag such as 'ru' or 'en-gb', not {tag!r}")
    return tag


def _distinct(languages: tuple[str, ...]) -> tuple[str, ...]:
    twice = [tag for n, tag in enumerate(languages) if tag in languages[:n]]
    if twice:
        raise ValueError(f"has {twice[0]!r} more than once")
    return languages


def _address(uri: str) -> str:
    parts = urlsplit(uri)
    if parts.scheme == "unix" and parts.path and not parts.netloc:
        return uri
    try:
        if parts.scheme == "tcp" and parts.hostname and parts.port is not None and not parts.path:
            return uri
    except ValueError:  # a port that is no number, or above 65535
        pass
    raise ValueError(f"must be tcp://HOST:PORT or unix:///PATH, not {uri!r}")


def _reachable(uri: str) -> str:
    if _address(uri).startswith("tcp:") and not urlsplit(uri).port:
        raise ValueError("port 0 cannot be connected to; give the port on which that server listens")
    return uri


def _addresses(value: object) -> object:
    if value is None:
        return None
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not given or not all(isinstance(one, str) for one in given):
        raise ValueError(f"must be tcp://HOST:PORT or unix:///PATH, or a list of such, not {value!r}")
    twice = next((one for n, one in enumerate(given) if one in given[:n]), None)
    if twice is not None:
        raise ValueError(f"has {twice!r} more than once; `workers` says how many requests it is sent at once")
    return tuple(_reachable(one) for one in given)


@dataclass(frozen=True, slots=True)
class Workers:
    """How many workers there are, at least and at most."""

    min: int = 0
    max: int = 1

    def __str__(self) -> str:
        return f"{{min: {self.min}, max: {self.max}}}" if self.min else str(self.max)


def _workers(value: object) -> object:
    if isinstance(value, Workers):
        return value
    if not isinstance(value, dict):
        return Workers(max=_between(1, value))
    if unknown := [name for name in value if name not in ("min", "max")]:
        raise ValueError(f"has min and max, not {unknown[0]!r}")
    least = _between(0, value.get("min", 0), "min ")
    most = _between(1, value.get("max", max(1, least)), "max ")
    if least > most:
        raise ValueError(f"min must not be more than max, {most}, as {least} is")
    return Workers(least, most)


def _between(least: int, count: object, what: str = "") -> int:
    if not isinstance(count, int) or isinstance(count, bool):
        raise ValueError(f"{what}must be a whole number, not {count!r}")  # noqa: TRY004 - pydantic takes this one
    if count < least:
        raise ValueError(f"{what}must be at least {least}, not {count}")
    if count > _MOST_WORKERS:
        raise ValueError(f"{what}must be at most {_MOST_WORKERS}, not {count}")
    return count


def _http(address: str) -> str:
    if address == "off":
        return address
    try:
        parts = urlsplit(f"//{address}")
        if parts.hostname and parts.port is not None and parts.netloc == address:
            return address
    except ValueError:  # a port that is no number, or above 65535
        pass
    raise ValueError(f"must be HOST:PORT, or off, not {address!r}")


def _no_port_alone(address: object) -> object:
    if isinstance(address, int) and not isinstance(address, bool):
        raise ValueError(  # noqa: TRY004 - pydantic reports a ValueError as a mistake of the user
            f"must be HOST:PORT, such as 127.0.0.1:{address} (this machine only), or off, not {address}"
        )
    return address


def _broker(address: str) -> str:
    if "@" in address:
        raise ValueError("has no place for a user name; write mqtt.username and mqtt.password")
    uri = address if "://" in address else f"mqtt://{address}"
    try:
        parts = urlsplit(uri)
        if parts.scheme in _BROKER_PORTS and parts.hostname and parts.path in ("", "/"):
            host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
            return f"{parts.scheme}://{host}:{parts.port or _BROKER_PORTS[parts.scheme]}"
    except ValueError:  # a port that is no number, or above 65535
        pass
    raise ValueError(f"must be mqtt://HOST:PORT, mqtts://HOST:PORT or HOST:PORT, not {address!r}")


def _topic(prefix: str) -> str:
    if re.fullmatch(r"[^/+#$\x00-\x1f][^+#\x00-\x1f]{0,126}", prefix) and not prefix.endswith("/"):
        return prefix
    raise ValueError(f"must be the beginning of a topic, such as 'home/voice', without + and #, not {prefix!r}")


def _secret(value: object) -> object:
    if value is None or isinstance(value, str):
        return value
    raise ValueError("must be text; put it in quotes, twice in the environment: '\"1234\"'")  # without showing it


def _never(value: object) -> object:
    return None if value == "never" else value


def empty(value: object) -> object:
    """Take a section whose every line is commented out, which YAML calls null, for one without keys."""
    return {} if value is None else value


Language = Annotated[str, AfterValidator(_language)]
Languages = Annotated[tuple[Language, ...], Field(min_length=1), AfterValidator(_distinct)]
Count = Annotated[int, Strict(), Field(ge=1)]
Bytes = Annotated[int, Strict(), Field(ge=1024), Unit("bytes")]
Characters = Annotated[int, Strict(), Field(ge=1), Unit("characters")]
Seconds = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False), Unit("seconds")]
SecondsOrZero = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False), Unit("seconds")]
SecondsOrNever = Annotated[SecondsOrZero | None, BeforeValidator(_never), Unit("seconds")]
ListenAddress = Annotated[str, AfterValidator(_address)]
ServerAddresses = Annotated[tuple[str, ...], BeforeValidator(_addresses)]
"""One or more; one may stand without a list."""
WorkerCount = Annotated[Workers, BeforeValidator(_workers)]
"""A number is the most there may be."""
Share = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
HttpAddress = Annotated[str, BeforeValidator(_no_port_alone), AfterValidator(_http)]
Token = Annotated[str, Strict(), Field(min_length=8)]
BrokerAddress = Annotated[str, AfterValidator(_broker)]
TopicPrefix = Annotated[str, AfterValidator(_topic)]
Password = Annotated[str, BeforeValidator(_secret)]


class Section(BaseModel):
    """Keys under a key, each with a default; keys that are not known are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _nothing_set(cls, value: object) -> object:
        return empty(value)
