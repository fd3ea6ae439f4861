"""The only place that builds things: what is opened here is closed in reverse order."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import Final

import psutil
from wyoming.info import Info

from . import client
from .activity import Activity
from .config import Settings
from .connection import PeerLimits
from .errors import EngineUnavailable, VoiceError
from .handlers.info import describe
from .handlers.wyoming import WyomingSession
from .launch import Cluster, ProcessLauncher, reach
from .library import Library
from .llm import Llm
from .metrics import Metrics
from .pool import DevicePlan, EnginePlan, Pool, Worker
from .server import Server
from .speech import Speech
from .survey import survey
from .voices import Catalogue, Place, matches
from .wire import EventLimits, encode

_LOGGER = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 15.0
"""How often the machine is looked at again: what is installed meanwhile is offered without a restart."""
_SEEK_SECONDS: Final = 2.5
"""How often a server elsewhere is asked that never answered: it may be starting, as Home Assistant may, which asks for
what there is four times, 2 s apart."""
_REMOTE_SECONDS: Final = 5.0
_HIDES: Final = "'%s' is a voice of your own; %s has one of that name too. To have both, rename your own's folder in %s"
_UNSPOKEN: Final = (
    "Your voice '%s' is not offered: no engine has a model that speaks with it, or not the one that voice.yml in %s "
    "names. docs/voices.md says which model does"
)


Read = Callable[[], Settings]
"""Reads the settings; raises ConfigError."""


class Voices:
    """The catalogue of the moment, and the info made of it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._remote: dict[str, Info] = {}
        self._preferred: str | None = None
        self._looks = self._shown = 0  # looks that began, and the one whose picture is shown
        self.library = Library(settings.data_dir / "voices", settings.data_dir / "cache")
        """The voices of the user's own; :meth:`look` after a change."""
        self.catalogue = Catalogue(settings)
        self.info = b""
        """The answer to `describe`, ready to be written."""
        self._show(survey(settings, {}, self.library.voices()))
        self.places = dict(self.catalogue.places)
        """The engines that the pool may start, by its names: those too that have changed and still have a request."""

    async def keep_true(self, renew: Callable[[], object]) -> None:
        """Look again for as long as the server runs: at servers elsewhere first, then at this machine.

        ``renew`` is called after each look.
        """
        while True:
            await asyncio.to_thread(self.library.tidy)
            await self.look()
            renew()
            for _ in range(round(_LOOK_SECONDS / _SEEK_SECONDS)):
                await asyncio.sleep(_SEEK_SECONDS)
                if await self._ask(place for place in self._elsewhere() if place.name not in self._remote):
                    break

    async def look(self) -> None:
        """Look once; of looks at once the one that began last counts."""
        await self._ask(self._elsewhere())
        settings = None
        while settings is not self._settings:  # else they changed while we looked
            settings = self._settings
            self._looks += 1
            this = self._looks
            catalogue = await self.picture(settings)
        if this > self._shown:
            self._shown = this
            self._show(catalogue)

    async def picture(self, settings: Settings) -> Catalogue:
        """Look at the machine with these settings; nothing changes."""
        return await asyncio.to_thread(lambda: survey(settings, dict(self._remote), self.library.voices()))

    def take(self, settings: Settings, catalogue: Catalogue, renamed: Mapping[str, str]) -> None:
        """Go on with other settings and the picture made by them; ``renamed`` engines still have requests."""
        for name, aside in renamed.items():
            self.places[aside] = self.places.pop(name)
            self._remote.pop(name, None)
        self.places.update(catalogue.places)
        self._settings = settings
        self._show(catalogue)

    def renewed(self) -> list[str]:
        """Name the engines whose environment has come, gone or been made anew since they were taken as they are."""
        found = self.catalogue.places.items()
        return [name for name, place in found if place.environment != self.places[name].environment]

    def prefer(self, name: str | None) -> None:
        """Choose the voice for everybody who names none, while there is one of this name; None: as config.yml says."""
        self._preferred = name
        self._show(self.catalogue)

    def _show(self, catalogue: Catalogue) -> None:
        for voice in catalogue.hidden:
            if voice not in self.catalogue.hidden:
                _LOGGER.warning(_HIDES, voice.name, voice.engine, self.library.folder)
        for name in catalogue.unspoken:
            if name not in self.catalogue.unspoken:
                _LOGGER.warning(_UNSPOKEN, name, self.library.folder)
        self.catalogue = replace(catalogue, settings=_preferring(self._settings, catalogue, self._preferred))
        self.info = encode(describe(self.catalogue))

    def _elsewhere(self) -> list[Place]:
        return [place for place in self.catalogue.places.values() if place.settings.uri is not None]

    async def _ask(self, places: Iterable[Place]) -> bool:
        """Ask servers elsewhere what they can do; returns whether one answered."""
        return any(await asyncio.gather(*map(self._ask_one, places)))

    async def _ask_one(self, place: Place) -> bool:
        for uri in place.settings.uri or ():  # they share one engine's work: any of them can tell
            try:
                self._remote[place.name] = await client.describe(uri, _REMOTE_SECONDS)
            except VoiceError as error:  # it keeps what it had: a request says what is wrong
                _LOGGER.debug("%s does not describe itself: %s", place.name, error.text)
            else:
                return True
        return False


class App:
    """A running application without front doors: what the command line needs to speak and to listen."""

    def __init__(
        self, settings: Settings, voices: Voices, pool: Pool, activity: Activity, *, llm: Llm, metrics: Metrics
    ) -> None:
        self.settings = settings
        self.activity = activity
        self.voices = voices
        self.pool = pool
        self.metrics = metrics
        self.read: Read | None = None
        """How the settings are read again; None: there is nothing to read."""

        def speech(settings: Settings) -> Speech:
            llm.use(settings.text.llm.settings)
            return Speech(
                settings, pool, lambda: voices.catalogue, self.metrics, activity, llm=llm, held=voices.library.held
            )

        self._speech = speech
        self.speech = speech(settings)

    def take(self, settings: Settings, catalogue: Catalogue, changed: Sequence[str]) -> None:
        """Go on with other settings from now on; requests that an engine has finish as they began."""
        plans = _engine_plans(settings, catalogue.places)
        renamed = self.pool.reconfigure(plans, _device_plans(settings), changed)
        self.voices.take(settings, catalogue, renamed)
        self.settings, self.speech = settings, self._speech(settings)
        for name in changed:
            place = catalogue.places.get(name)
            if place is not None and place.settings.preload and place.missing is None:
                self.pool.preload(name)

    def renew(self) -> None:
        """Replace workers whose environment is not there any more: what they have not imported yet is gone or another.

        They would hold the memory and the disk of what was removed, too.
        """
        if changed := self.voices.renewed():
            _LOGGER.info("Workers are replaced, since these were installed or removed: %s", ", ".join(changed))
            self.take(self.settings, self.voices.catalogue, changed)

    def memory(self, engine: str) -> int:
        """Return the bytes that an engine's processes hold."""
        found = 0
        for worker in self.pool.workers(engine):
            if worker.pid is not None:
                with suppress(psutil.NoSuchProcess):
                    found += psutil.Process(worker.pid).memory_info().rss
        return found


@asynccontextmanager
async def open_app(settings: Settings, read: Read | None = None) -> AsyncIterator[App]:
    """Build the application; leaving the block ends every worker. ``read`` reads the settings again."""
    async with AsyncExitStack() as stack:
        voices = Voices(settings)
        metrics = Metrics(texts=settings.bridge.recent_texts)
        launcher = stack.enter_context(
            ProcessLauncher(settings.data_dir, lambda engine: metrics.warnings.labels(engine).inc())
        )

        async def start(engine: str, address: str | None) -> Worker:
            place = voices.places[engine]
            if address is not None:
                return await reach(engine, address, _REMOTE_SECONDS, place.settings.step_timeout)
            assert place.spec is not None, "an engine without an address is one of the table's"
            cluster = cluster_of(app.settings, place)
            return await launcher.start(place.spec, place.options, place.start_timeout, cluster)

        pool = Pool(_engine_plans(settings, voices.catalogue.places), _device_plans(settings), start)
        stack.push_async_callback(pool.close)
        activity = Activity(lambda: app.settings.listening.vad)
        stack.push_async_callback(activity.close)
        llm = Llm(settings.text.llm.settings)
        stack.push_async_callback(llm.aclose)
        app = App(settings, voices, pool, activity, llm=llm, metrics=metrics)
        app.read = read
        yield app


@asynccontextmanager
async def open_server(app: App) -> AsyncIterator[Server]:
    """Open the Wyoming front door, and start what is to be there before anybody asks."""
    settings = app.settings
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            Server(
                settings.server.uri,
                lambda: WyomingSession(
                    lambda: app.speech,
                    lambda: app.voices.info,
                    settings.server.name,
                    settings.limits.text,
                    settings.limits.audio,
                    endpointing=app.settings.listening.endpointing,
                ),
                _peer_limits(settings),
                connections=settings.limits.connections,
                connections_per_address=settings.limits.connections_per_address,
            )
        )
        looking = asyncio.create_task(app.voices.keep_true(app.renew), name="keep the catalogue true")
        stack.callback(looking.cancel)
        warming = asyncio.create_task(app.speech.warm(), name="load what requests need")
        stack.push_async_callback(_end, warming)  # it may be starting a process
        app.pool.keep()
        for name, place in app.voices.catalogue.places.items():
            if place.settings.preload:
                app.pool.preload(name)
        yield server


def _preferring(settings: Settings, catalogue: Catalogue, name: str | None) -> Settings:
    """Write the voice that was chosen while the server runs over what config.yml says, for its languages too."""
    voice = next((voice for voice in catalogue.voices if voice.name == name), None)
    if voice is None:
        return settings
    kept = {tag: own for tag, own in settings.voices.items() if not any(matches(one, tag) for one in voice.languages)}
    return settings.model_copy(update={"voice": voice.name, "voices": kept})


def _engine_plans(settings: Settings, places: Mapping[str, Place]) -> dict[str, EnginePlan]:
    return {name: _engine_plan(settings, place) for name, place in places.items()}


def _engine_plan(settings: Settings, place: Place) -> EnginePlan:
    engine = place.settings
    addresses = engine.uri or ()
    several = len(addresses) > 1  # these are looked after all the time: who is there is known before a request comes
    by_sentence = place.spec is not None and place.spec.task == "text" and "ttl" not in engine.model_fields_set
    return EnginePlan(
        workers=engine.workers.max,
        least=len(addresses) * engine.workers.max if several else engine.workers.min,
        addresses=addresses,
        queue=settings.limits.queue,
        ttl=None if several or by_sentence else engine.ttl,  # the first sentence after a pause waits for no loading
        device=engine.device if place.is_here else "",
        turns=None if place.spec is None else place.spec.turns,
        seats=1 if place.spec is None else place.spec.seats(place.options),
    )


def cluster_of(settings: Settings, place: Place) -> Cluster | None:
    """Return where the workers of an engine are started; None: on this machine. Raises EngineUnavailable."""
    if place.settings.launcher == "process":
        return None
    if settings.ray.address is None:
        raise EngineUnavailable(f"The engine {place.name} is for a Ray cluster, and ray.address names none.")
    return Cluster(settings.ray.address, place.settings.ray)


def _device_plans(settings: Settings) -> dict[str, DevicePlan]:
    return {name: DevicePlan(running=device.running, loaded=device.loaded) for name, device in settings.devices.items()}


def _peer_limits(settings: Settings) -> PeerLimits:
    limits = settings.limits
    return PeerLimits(
        events=EventLimits(limits.header, limits.data, limits.payload),
        idle=limits.idle,
        event=limits.event,
        input=limits.input,
        write=limits.write,
    )


async def _end(task: "asyncio.Task[None]") -> None:
    """Cancel a task, and wait until it has cleaned up."""
    task.cancel()
    await asyncio.wait([task])
