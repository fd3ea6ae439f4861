"""The connection to an MQTT broker: made again whenever it is lost, with a bounded queue in both directions."""

import asyncio
import logging
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from aiomqtt import Client, MqttError, Will

from wyoming_voice.config_door import Mqtt

from .mqtt_broker import Inbox, reason, tls_context
from .mqtt_outbox import Outbox, Outgoing

_LOGGER = logging.getLogger(__name__)

_INCOMING: Final = 1024  # messages that wait to be read
_CONNECT_SECONDS: Final = 5.0  # nor can the server stop before: half a connection cannot be taken back
_PUBLISH_SECONDS: Final = 30.0
_GOODBYE_SECONDS: Final = 2.0
_STEADY_SECONDS: Final = 30.0  # a connection that lasted so long was a good one
_KEEPALIVE: Final = 30  # seconds
_REFUSED: Final = 128  # of a subscription, MQTT 3.1.1 section 3.9.3

Publish = Callable[[Outgoing], Awaitable[None]]

_QUIET = logging.getLogger(f"{__name__}.client")
_QUIET.setLevel(logging.CRITICAL)  # what happens to connections is said here, once


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait between attempts: twice as long each time, at random, so that a broker's clients spread."""

    first: float = 1.0
    most: float = 60.0

    def seconds(self, attempt: int) -> float:
        """Return the wait after so many failed attempts."""
        longest = min(self.first * 2.0 ** min(attempt, 16), self.most)
        return random.uniform(longest / 2, longest)  # noqa: S311 - no secret


class BrokerLink:
    """Keeps a connection for as long as :meth:`run` runs.

    ``receive`` is called with every message that is not a retained one; ``attend`` runs while there is a connection,
    and publishes what has to be there first. What is put into ``outbox`` is published when it can be.
    """

    def __init__(
        self,
        settings: Mqtt,
        *,
        will: Outgoing,
        topics: Sequence[str],
        receive: Callable[[str, bytes], None],
        attend: Callable[[Publish], Awaitable[None]],
        backoff: Backoff | None = None,
    ) -> None:
        assert settings.broker is not None, "without a broker there is no link"
        self.outbox = Outbox(settings.queue)
        self.topics = list(topics)
        self._settings = settings
        self._broker = settings.broker
        self._tls = tls_context(settings)
        self._will = will
        self._receive = receive
        self._attend = attend
        self._backoff = backoff or Backoff()
        self._identifier = f"wyoming-voice-{secrets.token_hex(4)}"
        self._client: Client | None = None
        self._said: str | None = None
        self._struggled: Outgoing | None = None
        self._closing = False

    @property
    def connected(self) -> bool:
        """Whether the broker is there now."""
        return self._client is not None

    async def run(self) -> None:
        """Be connected, and connect again, until cancelled."""
        attempt = 0
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                await self._serve()
            except* (MqttError, OSError) as errors:
                self._complain(_first(errors))
            except* Exception:  # the outermost loop: whatever it was, speech goes on by the other doors
                _LOGGER.exception("The MQTT front door stumbled and starts again")
            self._heed()
            attempt = 0 if clock() - began > _STEADY_SECONDS else attempt + 1
            await asyncio.sleep(self._backoff.seconds(attempt - 1 if attempt else 0))

    def close(self) -> None:
        """Heed the cancelling that follows: ``wait_for`` of Python 3.11, which aiomqtt uses, can swallow it.

        https://github.com/python/cpython/issues/86296; and ``cancelling`` counts too many there after a TaskGroup.
        """
        self._closing = True

    def _heed(self) -> None:
        if self._closing:
            raise asyncio.CancelledError

    async def subscribe(self, topic: str) -> None:
        """Hear one more topic, now and after every reconnection."""
        self.topics.append(topic)
        if self._client is not None:
            with suppress(MqttError):  # then the link is broken, and all topics are subscribed to again
                await self._client.subscribe(topic)
        self._heed()

    async def unsubscribe(self, topic: str) -> None:
        """Hear it no more."""
        self.topics.remove(topic)
        if self._client is not None and topic not in self.topics:
            with suppress(MqttError):
                await self._client.unsubscribe(topic)
        self._heed()

    async def _serve(self) -> None:
        async with self._connected() as client:

            async def publish(message: Outgoing) -> None:
                await client.publish(
                    message.topic, message.payload, qos=1, retain=message.retain, timeout=_PUBLISH_SECONDS
                )
                self._heed()
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise asyncio.CancelledError

            topics = list(self.topics)
            codes = await client.subscribe([(topic, 1) for topic in topics])
            self._heed()
            refused = [topic for topic, code in zip(topics, codes, strict=True) if code == _REFUSED]
            if refused:
                _LOGGER.warning("The MQTT broker does not let this user read %s", ", ".join(refused))
            self._said = None
            _LOGGER.info("Connected to the MQTT broker %s", self._broker)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(client), name="mqtt read")
                tasks.create_task(self._write(publish), name="mqtt write")
                tasks.create_task(_attended(self._attend, publish), name="mqtt attend")

    async def _read(self, client: Client) -> None:
        async for message in client.messages:
            if not message.retain:  # a command that the broker kept was meant for another time
                assert isinstance(message.payload, bytes), "a payload comes as it was sent"
                self._receive(str(message.topic), message.payload)
            await self.outbox.half_empty()  # who is flooded with requests has to be heard out first

    async def _write(self, publish: Publish) -> None:
        while True:
            message = await self.outbox.first()
            if message is self._struggled:
                _LOGGER.warning(
                    "The MQTT broker does not take a message of %s bytes on %s; it is dropped. If the broker has a "
                    "limit, set mqtt.inline below it",
                    len(message.payload),
                    message.topic,
                )
                self.outbox.sent(message)
                continue
            try:
                await publish(message)
            except BaseException:
                self._struggled = message if len(message.payload) > 1 else None
                raise
            self.outbox.sent(message)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Client]:
        client = self._make()
        entering = asyncio.ensure_future(client.__aenter__())
        try:
            await asyncio.shield(entering)
        except asyncio.CancelledError:  # it is let come about, and closed
            await asyncio.wait([entering])
            if entering.exception() is None:
                await self._leave(client)
            raise
        self._client = client
        try:
            yield client
        finally:
            self._client = None
            await self._leave(client)

    async def _leave(self, client: Client) -> None:
        """Say goodbye, which the broker otherwise says for us, and close."""
        client.timeout = _GOODBYE_SECONDS
        with suppress(MqttError):
            await client.publish(self._will.topic, self._will.payload, retain=self._will.retain)
        with suppress(MqttError):
            await client.__aexit__(None, None, None)

    def _make(self) -> Client:
        address = urlsplit(self._broker)
        assert address.hostname is not None, "checked by the settings"
        assert address.port is not None, "checked by the settings"
        return Client(
            address.hostname,
            address.port,
            username=self._settings.username,
            password=self._settings.password,
            identifier=self._identifier,
            logger=_QUIET,
            queue_type=Inbox,
            will=Will(self._will.topic, self._will.payload, 1, self._will.retain),
            timeout=_CONNECT_SECONDS,
            keepalive=_KEEPALIVE,
            max_queued_incoming_messages=_INCOMING,
            tls_context=self._tls,
        )

    def _complain(self, error: Exception) -> None:
        why = reason(error)
        level = logging.DEBUG if why == self._said else logging.WARNING
        self._said = why
        _LOGGER.log(level, "The MQTT broker %s %s; it is tried again, and again", self._broker, why)


async def _attended(attend: Callable[[Publish], Awaitable[None]], publish: Publish) -> None:
    await attend(publish)


def _first(errors: BaseExceptionGroup[Exception]) -> Exception:
    found = errors.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
