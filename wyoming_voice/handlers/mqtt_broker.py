"""What a broker shows and sends: certificates, reasons, and more messages than can be read."""

import asyncio
import logging
import ssl
from typing import Final

from aiomqtt import Message

from wyoming_voice.config_door import Mqtt
from wyoming_voice.config_mistake import ConfigError

_LOGGER = logging.getLogger(__name__)

_INCOMING_BYTES: Final = 64 * 2**20


class Inbox(asyncio.Queue[Message]):
    """What has come and is not read yet: so many messages, and so many bytes; the next are lost."""

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        self._bytes = 0
        self._lost = False

    def full(self) -> bool:
        """Tell whether the next message is lost, and say it once."""
        full = super().full() or self._bytes > _INCOMING_BYTES
        if full and not self._lost:
            _LOGGER.warning("More MQTT messages come than can be read: some are lost")
        self._lost = full
        return full

    def _put(self, item: Message) -> None:
        self._bytes += _size(item)
        super()._put(item)

    def _get(self) -> Message:
        item = super()._get()
        self._bytes -= _size(item)
        return item


def _size(message: Message) -> int:
    return len(message.payload) if isinstance(message.payload, bytes) else 0


def reason(error: Exception) -> str:
    """Say what is wrong with the connection, in words that lead to the setting."""
    text = str(error)
    if "authorized" in text.lower() or "authorised" in text.lower() or "user name" in text.lower():
        return f"refuses this user ({text}): check mqtt.username and mqtt.password"
    if "certificate" in text.lower():
        return f"shows a certificate that is not trusted ({text}): set mqtt.tls.ca"
    if "disconnect" in text.lower():
        return "went away"
    return f"cannot be reached ({text})"


class _Socket(ssl.SSLSocket):
    """Closes itself when the handshake fails, where Paho only forgets it."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def tls_context(settings: Mqtt) -> ssl.SSLContext | None:
    """Prepare TLS; raises ConfigError for files that cannot be used."""
    assert settings.broker is not None, "without a broker there is nothing to protect"
    if not settings.broker.startswith("mqtts:"):
        return None
    tls = settings.tls
    try:
        context = ssl.create_default_context(cafile=tls.ca)
        if tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key)
    except OSError as error:  # an SSLError too
        raise ConfigError(f"mqtt.tls: the files cannot be used: {error}") from error
    context.sslsocket_class = _Socket
    if tls.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
