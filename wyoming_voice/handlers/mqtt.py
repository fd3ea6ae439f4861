"""The MQTT front door: requests by topics, the device that Home Assistant finds, and how the server is.

``docs/mqtt.md`` has every topic. What is retained holds no text and no transcript.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, replace
from typing import Final

from wyoming_voice.errors import BadRequest, Busy, EngineUnavailable, Internal, TooLarge, UnknownEngine, VoiceError
from wyoming_voice.speech import Utterance, once

from .mqtt_choice import Choices, choose, load, save
from .mqtt_entity import Component, components, discovery, slug
from .mqtt_hermes import Fail, Hermes
from .mqtt_link import BrokerLink, Publish
from .mqtt_outbox import Outgoing
from .mqtt_speech import Refused, Say, Whose, level, read_say, speak, transcribe
from .mqtt_state import Application, engine_voice, snapshot

_LOGGER = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 2.0  # how often it is looked whether something has changed
_PAUSE_SECONDS: Final = 0.2  # between two looks, however much happens
_LONGEST: Final = 1024  # bytes of something chosen
_ANONYMOUS: Final = "none"  # the id of a recording that came without


@asynccontextmanager
async def open_mqtt(app: Application) -> AsyncIterator["MqttDoor | None"]:
    """Open the MQTT door where the settings name a broker; leaving the block ends what is under way.

    The broker need not be there. Raises ConfigError for certificates that cannot be used.
    """
    if app.settings.mqtt.broker is None:
        yield None
        return
    door = MqttDoor(app)
    running = asyncio.create_task(door.run(), name="mqtt")
    try:
        yield door
    finally:
        door.close()
        running.cancel()
        await asyncio.wait([running])


class MqttDoor:
    """The open door."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._settings = app.settings.mqtt
        self._prefix = self._settings.prefix
        self._choices = self._kept = Choices()
        self._saving: asyncio.Task[None] | None = None
        self._jobs: set[asyncio.Task[None]] = set()
        self._held = 0
        self._draining = False
        self._published: dict[str, bytes] = {}
        self._components: Mapping[str, Component] = {}
        self._look = asyncio.Event()
        self._birth = f"{self._settings.discovery_prefix}/status"
        own = ("say", "transcribe/#", "set/#", "unload", "reload")
        topics = [f"{self._prefix}/{topic}" for topic in own]
        if self._settings.discovery_prefix != "off":
            topics.append(self._birth)
        self._link = BrokerLink(
            self._settings,
            will=Outgoing(f"{self._prefix}/availability", b"offline", retain=True),
            topics=topics,
            receive=self._receive,
            attend=self._attend,
        )
        self._hermes: Hermes | None = None
        if self._settings.hermes:
            self._hermes = Hermes(app, self._link, self.begin, lambda: self._choices.speed)

    async def run(self) -> None:
        """Serve until cancelled."""
        self._choices = self._kept = await asyncio.to_thread(load, self._app.settings.data_dir)
        self._app.voices.prefer(self._choices.voice)
        try:
            await self._link.run()
        finally:
            for job in self._jobs:
                job.cancel()
            await asyncio.gather(*self._jobs, return_exceptions=True)
            if self._hermes is not None:
                await self._hermes.close()

    def close(self) -> None:
        """Make ready to be cancelled."""
        self._link.close()

    async def drain(self, seconds: float) -> None:
        """Refuse new work from now on, and give that under way so many seconds to end and to be published."""
        self._draining = True
        try:
            async with asyncio.timeout(seconds):
                while self._jobs:
                    await asyncio.wait(self._jobs)
                if self._link.connected:
                    await self._link.outbox.empty()
        except TimeoutError:
            _LOGGER.info("MQTT requests were still under way")

    # What comes in

    def _receive(self, topic: str, payload: bytes) -> None:
        try:
            if topic == self._birth:
                self._published.clear()
                self._look.set()
            elif self._hermes is not None and topic.startswith("hermes/"):
                self._hermes.receive(topic, payload)
            else:
                self._command(topic.removeprefix(f"{self._prefix}/").split("/"), payload)
        except Refused as refused:
            self._failing(refused.whose)(refused.error)
        except VoiceError as error:
            self._failing(Whose())(error)

    def _command(self, topic: list[str], payload: bytes) -> None:
        match topic:
            case ["say"]:
                say = read_say(payload)
                self.begin(lambda: self._say(say), self._failing(say.whose), len(payload))
            case ["transcribe", *rest] if len(rest) <= 2:
                self._begin_hearing(payload, *rest)
            case ["set", *key]:
                self._choose(key, payload)
            case ["unload"]:
                for engine in self._app.pool.states():
                    self._app.pool.unload(engine)
            case ["reload"]:
                self.begin(self._app.voices.look, self._failing(Whose()), 0)
            case _:
                raise BadRequest(f"There is no topic '{'/'.join(topic)[:100]}' below {self._prefix}.")
        self._look.set()

    def _begin_hearing(self, recording: bytes, name: str = "", language: str = "") -> None:
        whose = Whose(level("id", name, _ANONYMOUS))
        if len(recording) > self._settings.recording:
            most = self._settings.recording
            raise Refused(TooLarge(f"A recording may have {most} bytes (mqtt.recording)."), whose)
        self.begin(lambda: self._transcribe(recording, whose, language or None), self._failing(whose), len(recording))

    def _choose(self, key: list[str], payload: bytes) -> None:
        before = self._choices
        said = payload[:_LONGEST].decode(errors="replace")
        self._choices = chosen = choose(before, self._app.voices.catalogue, key, said)
        if chosen.voice != before.voice:
            self._app.voices.prefer(chosen.voice)
        if self._saving is None or self._saving.done():  # no request: what was chosen is kept, however busy we are
            self._saving = asyncio.create_task(self._save(), name="keep what was chosen")
            self._jobs.add(self._saving)
            self._saving.add_done_callback(self._jobs.discard)

    async def _save(self) -> None:
        """Write what is chosen until that is what was written: one writer, so that the last choice is the last."""
        while self._kept is not self._choices:
            chosen = self._choices
            await asyncio.to_thread(save, self._app.settings.data_dir, chosen)
            self._kept = chosen

    # The work

    def begin(self, work: Callable[[], Awaitable[None]], fail: Fail, size: int) -> None:
        """Begin a request that holds so many bytes, unless as much is under way as may be."""
        most = self._app.settings.limits.queue
        if self._draining:
            fail(EngineUnavailable("The server is stopping; try again in a moment."))
        elif len(self._jobs) >= most or (self._jobs and self._held + size > 2 * self._settings.recording):
            fail(Busy(f"{len(self._jobs)} requests by MQTT are under way; try again later."))
        else:
            job = asyncio.create_task(self._finish(work, fail, size), name="mqtt request")
            self._jobs.add(job)
            job.add_done_callback(self._jobs.discard)

    async def _finish(self, work: Callable[[], Awaitable[None]], fail: Fail, size: int) -> None:
        self._held += size
        try:
            await work()
        except VoiceError as error:
            fail(error)
        except Exception:  # the outermost frame of a request: whoever asked is told, the log has the rest
            _LOGGER.exception("A request by MQTT failed")
            fail(Internal("The server made a mistake; its log says more."))
        finally:
            self._held -= size
            self._look.set()

    async def _say(self, say: Say) -> None:
        async def give(wav: bytes) -> None:
            message = Outgoing(f"{self._prefix}/audio/{say.whose.site}/{say.whose.id}", wav)
            await self._link.outbox.put(message, self._app.settings.limits.write)

        voice = say.voice
        if say.engine is not None:
            found = engine_voice(self._app.voices.catalogue, self._choices, say.engine)
            if found is None:
                raise UnknownEngine(f"No engine '{say.engine}' speaks; `./run.sh engines` lists them.")
            voice = replace(voice, name=voice.name or found.name)
        utterance = Utterance(
            text=once(say.text),
            voice=voice,
            style=say.style,
            speed=say.speed or self._choices.speed,
            pitch=say.pitch,
            ssml=say.ssml,
        )
        spoken = await speak(self._app.speech, utterance, self._settings.inline, give)
        await self._answer("sayFinished", {**asdict(say.whose), **asdict(spoken)})

    async def _transcribe(self, recording: bytes, whose: Whose, language: str | None) -> None:
        heard = await transcribe(self._app.speech, recording, language, None, self._app.settings.limits.audio)
        await self._answer("transcript", {"id": whose.id, "language": language, **asdict(heard)})

    # What goes out

    def _failing(self, whose: Whose) -> Fail:
        def fail(error: VoiceError) -> None:
            said = {"code": error.code, "text": error.text, **asdict(whose)}
            self._link.outbox.put_nowait(Outgoing(f"{self._prefix}/error", _json(said)))

        return fail

    async def _answer(self, topic: str, said: Mapping[str, object]) -> None:
        message = Outgoing(f"{self._prefix}/{topic}", _json(said))
        await self._link.outbox.put(message, self._app.settings.limits.write)

    async def _attend(self, publish: Publish) -> None:
        """Publish what the server is, and again whatever of it changes, while there is a connection."""
        self._published.clear()
        while True:
            self._look.clear()
            for message in await self._pictures():
                if self._published.get(message.topic) != message.payload:
                    self._published[message.topic] = message.payload
                    await publish(message)
            await asyncio.sleep(_PAUSE_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._look.wait()

    async def _pictures(self) -> list[Outgoing]:
        found = []
        if self._settings.discovery_prefix != "off":
            name, catalogue = self._app.settings.server.name, self._app.voices.catalogue
            self._components = components(self._prefix, catalogue, self._components)
            device = discovery(self._prefix, name, self._components)
            topic = f"{self._settings.discovery_prefix}/device/{slug(self._prefix)}/config"
            found.append(Outgoing(topic, _json(device), retain=True))
        state = await snapshot(self._app, self._choices)
        found.append(Outgoing(f"{self._prefix}/state", _json(state), retain=True))
        found.append(Outgoing(f"{self._prefix}/availability", b"online", retain=True))
        return found


def _json(said: Mapping[str, object]) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode()
