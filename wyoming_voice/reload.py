"""Read the configuration again while the server runs: on ``SIGHUP``, and on ``POST /reload``.

Engines, voices and languages come and go; a request that an engine has finishes as it began. Whatever was used up when
the doors were opened keeps its value until the next start, and that is said. A file with a mistake changes nothing.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from .app import App
from .config import Settings
from .errors import BadRequest, VoiceError
from .voices import Place

_LOGGER = logging.getLogger(__name__)

LIVE: Final = frozenset({"languages", "voice", "voices", "prefer", "text", "listening", "engines", "devices", "ray"})
"""The sections that change at once."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What became of the configuration that was read again."""

    added: tuple[str, ...]
    """Engines that are new,"""
    changed: tuple[str, ...]
    """those whose workers are replaced, because something of their settings changed,"""
    removed: tuple[str, ...]
    """and those that are gone."""
    restart: tuple[str, ...]
    """Keys that have another value in the file, and keep the one they had until the server is started again."""

    def __str__(self) -> str:
        parts = [("new", self.added), ("changed", self.changed), ("gone", self.removed)]
        said = [f"{what}: {', '.join(names)}" for what, names in parts if names]
        waiting = f". For the next start: {', '.join(self.restart)}" if self.restart else ""
        return f"engines {'; '.join(said) or 'as before'}{waiting}"


async def reload(app: App) -> Reloaded:
    """Read the configuration again and go on with it.

    Raises ConfigError with every mistake there is, one a line; then nothing has changed.
    """
    if app.read is None:
        raise BadRequest("This server has no configuration that could be read again.")
    wanted = await asyncio.to_thread(app.read)
    while True:
        before = app.settings
        settings = _kept(wanted, before)
        catalogue = await app.voices.picture(settings)
        if app.settings is before:  # else somebody else reloaded it meanwhile
            break
    old, new = app.voices.catalogue.places, catalogue.places
    added = tuple(name for name in new if name not in old)
    changed = tuple(name for name, place in new.items() if name in old and _differs(old[name], place))
    removed = tuple(name for name in old if name not in new)
    done = Reloaded(added, changed, removed, tuple(sorted(_restart(before, wanted))))
    app.take(settings, catalogue, [*added, *changed])
    _LOGGER.info("The configuration was read again: %s", done)
    await app.voices.look()  # servers elsewhere that are new say what they have
    await app.speech.warm()
    return done


def on_hangup(app: App, stop: Callable[[], object]) -> "asyncio.Task[None]":
    """Reload at every ``SIGHUP`` from now on, until the task is cancelled.

    A terminal that is closed sends the same signal to what runs in it: then ``stop`` is called, since a server that
    nobody sees any more would only keep its port from the next one.
    """
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    terminal = _at_terminal()
    loop.add_signal_handler(signal.SIGHUP, lambda: stop() if terminal and not _at_terminal() else asked.set())
    return asyncio.create_task(_reload_whenever(asked, app), name="reload")


async def _reload_whenever(asked: asyncio.Event, app: App) -> None:
    while True:
        await asked.wait()
        asked.clear()
        try:
            await reload(app)
        except VoiceError as error:
            _LOGGER.error("The configuration stays as it was: %s", error.text)  # noqa: TRY400 - what to do is in the text


def _at_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _kept(wanted: Settings, before: Settings) -> Settings:
    """Take what can change from the one, the rest from the other."""
    fixed = {name: getattr(before, name) for name in type(wanted).model_fields if name not in LIVE}
    return wanted.model_copy(update=fixed)


def _restart(before: Settings, wanted: Settings) -> Iterator[str]:
    found = _differing(dict(before), dict(wanted), ())
    return (key for key in found if key.partition(".")[0] not in LIVE)


def _differing(before: Mapping[str, object], wanted: Mapping[str, object], key: Iterable[str]) -> Iterator[str]:
    """Yield the keys whose values differ, as a user writes them; no values, some are secrets."""
    for name, value in wanted.items():
        had = before[name]
        if isinstance(value, BaseModel) and isinstance(had, BaseModel):
            yield from _differing(dict(had), dict(value), (*key, name))
        elif value != had:
            yield ".".join((*key, name))


def _differs(old: Place, new: Place) -> bool:
    """Tell whether a worker that was started for one is not what the other means."""
    return (old.settings, old.spec, old.options) != (new.settings, new.spec, new.options)
