"""Speech to text for a Wyoming peer: the request, and its one job."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from wyoming.asr import Transcript
from wyoming.event import Event

from wyoming_voice import fields
from wyoming_voice.audio import Converter, PcmFormat, check_format
from wyoming_voice.channel import Channel
from wyoming_voice.connection import Connection
from wyoming_voice.errors import TooLarge, UnsupportedAudio
from wyoming_voice.listening import HEARD
from wyoming_voice.speech import Finish, Listening, Speech

_TRAILING: Final = {"relaxed": 1.25, "default": 0.7, "aggressive": 0.25}
"""Seconds of silence that end speech, by ``vad_sensitivity``: Home Assistant's own."""
_GRAIN: Final = 1024  # bytes that are passed on at once: 32 ms, so that tiny chunks do not cost more than their audio
_ENOUGH: Final = 8 * 2**20
"""Bytes that wait to be recognised when a client is not read any more: four minutes, so that a command or a voice
message is always read to its end, and that its client has left is known at once."""
_MOST_FORMATS: Final = 16
"""Formats one after another in a recording: to begin with one costs as much as seconds of audio in it."""


class Hearing:
    """``transcribe``, ``audio-start``, ``-chunk``…, ``-stop``: audio of any format to a transcript."""

    def __init__(self, event: Event, connection: Connection, speech: Speech, most: float, *, endpointing: bool) -> None:
        self._connection = connection
        self._speech = speech
        self._most = most
        self._room = round(most * HEARD.byte_rate)
        self._audio: Channel[bytes] = Channel(self._room, len, self._read_on)
        self._pending = bytearray()
        self._source: PcmFormat | None = None
        self._converter: Converter | None = None
        self._formats = 0
        self._heard: list[str] = []
        self._over = False
        self._polished: str | None = None
        self.complete = False
        self._listening = _listening(event, self._audio, endpointing=endpointing)
        self._language: str | None = None if self._listening.language == "auto" else self._listening.language
        if event.type == "audio-start":
            self._start(event)

    def accept(self, event: Event) -> bool:
        """Take the audio as it comes."""
        if self.complete:
            return False
        match event.type:
            case "audio-start":
                self._start(event)
            case "audio-chunk":
                self._take(event)
            case "audio-stop":
                self._finish()
            case _:
                return False
        return True

    async def run(self) -> None:
        """Listen; what is recognised before the end of a long recording is sent as it comes."""
        async with self._speech.transcribe(self._listening) as pieces:
            async for heard in pieces:
                chunk = Event(type="transcript-chunk", data={"text": heard.text})
                await self._connection.send(*([] if self._heard else [Event(type="transcript-start")]), chunk)
                self._heard.append(heard.text)
                self._language = self._language or heard.language
        if not self._heard:
            await self._connection.send(Event(type="transcript-start"))
        self._over = True
        raw = "".join(self._heard).strip()
        self._polished = await self._speech.polish(raw, self._listening, self._language) if raw else ""

    def end(self) -> Sequence[Event]:
        """Say the whole transcript, which every client waits for, and end the stream; after an error only end it."""
        stop = Event(type="transcript-stop")
        if self._polished is not None:
            transcript = Transcript(text=self._polished, language=self._language).event()
            raw = "".join(self._heard).strip()
            if raw != self._polished:
                transcript.data["raw_text"] = raw
            return [transcript, stop]
        return [stop] if self._heard else []

    def _start(self, event: Event) -> None:
        self._converter_of(check_format(*(event.data.get(name) for name in ("rate", "width", "channels"))))

    def _take(self, event: Event) -> None:
        if self._over:
            return  # the speech was over before the client's audio was
        source = check_format(*(event.data.get(name) for name in ("rate", "width", "channels")))
        self._add(self._converter_of(source).feed(event.payload or b""))

    def _converter_of(self, source: PcmFormat) -> Converter:
        """Go on in this format: some clients send no audio-start, or chunks that disagree with it."""
        if self._converter is None or source != self._source:
            if self._formats == _MOST_FORMATS:
                raise UnsupportedAudio(f"A recording's format may change {_MOST_FORMATS - 1} times; send it in one.")
            self._formats += 1
            if self._converter is not None:
                self._add(self._converter.finish())
            self._source, self._converter = source, Converter(source, HEARD)
        return self._converter

    def _add(self, pcm: bytes) -> None:
        if self._over:
            return
        self._room -= len(pcm)
        if self._room < 0:
            raise TooLarge(f"A recording may have {self._most:g} s (limits.audio).")
        if not self._pending and len(pcm) >= _GRAIN:
            self._pass_on(pcm)
            return
        self._pending += pcm
        if len(self._pending) >= _GRAIN:
            self._flush()

    def _finish(self) -> None:
        if self._converter is not None:
            self._add(self._converter.finish())
        self._flush()
        self.complete = True
        self._audio.close()

    def _flush(self) -> None:
        if self._pending:
            self._pass_on(bytes(self._pending))
            self._pending.clear()

    def _pass_on(self, pcm: bytes) -> None:
        self._audio.put_nowait(pcm)
        if self._audio.held >= _ENOUGH:
            self._connection.hold_back()

    def _read_on(self) -> None:
        if self._audio.held < _ENOUGH // 2:
            self._connection.read_on()


def _listening(event: Event, audio: AsyncIterator[bytes], *, endpointing: bool) -> Listening:
    if event.type == "audio-start":  # a client that does not say what it wants
        return Listening(audio=audio, live=True, trailing=_TRAILING["default"] if endpointing else None)
    context = fields.mapping(event.data, "context")
    sensitivity = fields.string(event.data, "vad_sensitivity") or "default"
    if context.get("endpointing") is not None:
        endpointing = fields.flag(context, "endpointing")
    return Listening(
        audio=audio,
        live=True,
        trailing=_TRAILING.get(sensitivity, _TRAILING["default"]) if endpointing else None,
        language=fields.string(event.data, "language") or None,
        model=fields.string(event.data, "name") or None,
        prompt=fields.string(context, "prompt"),
        terms=fields.strings(event.data, "transcript_names") + fields.strings(event.data, "transcript_terms"),
        finish=Finish(
            correct_terms=fields.choice(context, "correct_terms"),
            llm=fields.choice(context, "use_llm_stt", "use_llm"),
            digits=fields.choice(context, "digits"),
        ),
    )
