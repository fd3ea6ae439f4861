"""The part of Rhasspy's Hermes that is still spoken: ``hermes/tts`` and ``hermes/asr``.

https://rhasspy.readthedocs.io/en/latest/reference/#mqtt-api. Sites, sessions and ids come back as they were sent.
"""

import asyncio
import io
import json
import secrets
import wave
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from wyoming_voice import fields
from wyoming_voice.activity import Activity
from wyoming_voice.audio import Converter, PcmFormat, check_format
from wyoming_voice.channel import Channel, Full
from wyoming_voice.endpoint import Endpointer, EndpointRules, SpeechPiece
from wyoming_voice.errors import Busy, Deadline, TooLarge, UnsupportedAudio, VoiceError
from wyoming_voice.listening import HEARD
from wyoming_voice.speech import Listening, Utterance, once
from wyoming_voice.voices import VoiceChoice

from .mqtt_link import BrokerLink
from .mqtt_outbox import Outgoing
from .mqtt_speech import SITE, level, read, read_json, speak
from .mqtt_state import Application

Fail = Callable[[VoiceError], None]
"""Tells who asked that nothing comes of it."""
Begin = Callable[[Callable[[], Awaitable[None]], Fail, int], None]

_LONGEST: Final = 300.0  # seconds of one session
_LONGEST_COMMAND: Final = 30.0  # seconds of one that ends by itself when nobody speaks any more, as Rhasspy's
_TRAILING: Final = 0.5  # seconds of silence that end it


@dataclass(frozen=True, slots=True)
class _Session:
    """Whose request it is."""

    site: str
    session: str | None

    def spelled(self) -> dict[str, object]:
        return {"siteId": self.site, "sessionId": self.session}


class _Recording:
    """A session's sound as it comes."""

    def __init__(self) -> None:
        self.audio: Channel[bytes] = Channel(round(_LONGEST * HEARD.byte_rate), len)
        self._source: PcmFormat | None = None
        self._converter = Converter(HEARD, HEARD)
        self._ended = False

    def end(self, error: VoiceError | None = None) -> None:
        """Take no more."""
        self._ended = True
        self.audio.close(error)

    def add(self, frame: bytes) -> None:
        """Take a WAV file with some more sound; what is no sound breaks the recording off."""
        if self._ended:
            return
        try:
            with wave.open(io.BytesIO(frame)) as file:
                source = check_format(file.getframerate(), file.getsampwidth(), file.getnchannels())
                pcm = file.readframes(file.getnframes())
            if source != self._source:
                self._source, self._converter = source, Converter(source, HEARD)
            if converted := self._converter.feed(pcm):
                self.audio.put_nowait(converted)
        except (wave.Error, EOFError):
            self.end(UnsupportedAudio("An audioFrame is a small WAV file; this was none."))
        except Full:
            self.end(TooLarge(f"A session may have {_LONGEST:g} s of sound."))
        except VoiceError as error:
            self.end(error)


class Hermes:
    """Answers Hermes; what is said to it before :meth:`close` is finished by who runs its requests."""

    def __init__(self, app: Application, link: BrokerLink, begin: Begin, speed: Callable[[], float]) -> None:
        self._app = app
        self._link = link
        self._begin = begin
        self._speed = speed
        self._activity = Activity(lambda: app.settings.listening.vad)
        self._recordings: dict[str, _Recording] = {}
        link.topics += ["hermes/tts/say", "hermes/asr/startListening", "hermes/asr/stopListening"]

    async def close(self) -> None:
        """End the process that tells speech from silence, if one was needed."""
        await self._activity.close()

    def receive(self, topic: str, payload: bytes) -> None:
        """Take a message."""
        match topic.split("/"):
            case [_, "audioServer", site, "audioFrame"]:
                if site in self._recordings:
                    self._recordings[site].add(payload)
            case [_, kind, verb]:
                try:
                    self._ask(verb, read_json(payload))
                except VoiceError as error:
                    self._fail(kind, _Session(SITE, None), error)

    def _ask(self, verb: str, asked: fields.Data) -> None:
        session = _Session(
            level("siteId", fields.string(asked, "siteId"), SITE), fields.string(asked, "sessionId") or None
        )
        match verb:
            case "say":
                name = level("id", fields.string(asked, "id"), secrets.token_hex(8))
                text = fields.text(asked)
                language = fields.string(asked, "lang") or None
                self._begin(
                    lambda: self._say(text, language, session, name),
                    lambda error: self._fail("tts", session, error),
                    len(text),
                )
            case "startListening":
                self._listen(asked, session)
            case "stopListening" if session.site in self._recordings:
                self._recordings[session.site].end()

    def _listen(self, asked: fields.Data, session: _Session) -> None:
        if session.site in self._recordings:
            raise Busy(f"The site '{session.site}' is being listened to already; stop that first.")
        language = fields.string(asked, "lang") or None
        stops = "stopOnSilence" not in asked or fields.flag(asked, "stopOnSilence")
        self._begin(
            lambda: self._hear(language, session, stops=stops),
            lambda error: self._fail("asr", session, error),
            round((_LONGEST_COMMAND if stops else _LONGEST) * HEARD.byte_rate),
        )

    async def _say(self, text: str, language: str | None, session: _Session, name: str) -> None:
        async def give(wav: bytes) -> None:
            await self._publish(f"hermes/audioServer/{session.site}/playBytes/{name}", wav)

        utterance = Utterance(text=once(text), voice=VoiceChoice(language=language), speed=self._speed())
        await speak(self._app.speech, utterance, self._app.settings.mqtt.inline, give)
        await self._publish("hermes/tts/sayFinished", _json({"id": name, **session.spelled()}))

    async def _hear(self, language: str | None, session: _Session, *, stops: bool) -> None:
        began = asyncio.get_running_loop().time()
        async with (
            self._recording(session.site) as recording,
            aclosing(self._until_silence(recording) if stops else self._frames(recording)) as audio,
        ):
            text = await read(self._app.speech, Listening(audio=audio, language=language))
        seconds = round(asyncio.get_running_loop().time() - began, 3)
        said = {"text": text, "likelihood": 1.0, "seconds": seconds, "lang": language, **session.spelled()}
        await self._publish("hermes/asr/textCaptured", _json(said))

    @asynccontextmanager
    async def _recording(self, site: str) -> AsyncIterator[_Recording]:
        """Hear a site's microphone for as long as the block lasts, and no longer: it sends all the time."""
        if site in self._recordings:
            raise Busy(f"The site '{site}' is being listened to already; stop that first.")
        topic = f"hermes/audioServer/{site}/audioFrame"
        self._recordings[site] = recording = _Recording()
        try:
            await self._link.subscribe(topic)
            yield recording
        finally:
            del self._recordings[site]
            await self._link.unsubscribe(topic)

    async def _frames(self, recording: _Recording) -> AsyncGenerator[bytes, None]:
        left = _LONGEST
        while left > 0:
            try:
                async with asyncio.timeout(self._app.settings.limits.input):
                    pcm = await anext(recording.audio, None)
            except TimeoutError:
                raise Deadline("The microphone has stopped sending.") from None
            if pcm is None:
                return
            left -= len(pcm) / HEARD.byte_rate
            yield pcm

    async def _until_silence(self, recording: _Recording) -> AsyncGenerator[bytes, None]:
        """Pass the sound on up to the end of the first utterance."""
        endpointer = Endpointer(EndpointRules(trailing=_TRAILING))
        async with self._activity.stream() as activity, aclosing(self._frames(recording)) as frames:
            async for pcm in frames:
                yield pcm
                for chunk, score in await activity.judge(pcm):
                    events = endpointer.feed(chunk, score)
                    if any(isinstance(event, SpeechPiece) and event.last for event in events):
                        return
                if endpointer.now > _LONGEST_COMMAND:
                    return

    def _fail(self, kind: str, session: _Session, error: VoiceError) -> None:
        said = {"error": error.text, "context": error.code, **session.spelled()}
        self._link.outbox.put_nowait(Outgoing(f"hermes/error/{kind}", _json(said)))

    async def _publish(self, topic: str, payload: bytes) -> None:
        await self._link.outbox.put(Outgoing(topic, payload), self._app.settings.limits.write)


def _json(said: Mapping[str, object]) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode()
