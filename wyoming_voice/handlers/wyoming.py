"""The Wyoming front door: what a peer may ask, and the two requests that take work.

Facts about its clients, Home Assistant first, are in ``docs/protocol.md``.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from wyoming.asr import Transcript
from wyoming.audio import AudioStart, AudioStop
from wyoming.event import Event

from wyoming_voice import fields
from wyoming_voice.audio import Converter, PcmFormat, check_format
from wyoming_voice.channel import Channel
from wyoming_voice.connection import Connection, Job
from wyoming_voice.errors import BadRequest, TooLarge, UnknownEngine, VoiceError
from wyoming_voice.link import PITCH, SEEDS, SPEED
from wyoming_voice.listening import HEARD
from wyoming_voice.speech import Finish, Listening, Speech, Utterance, Wanted
from wyoming_voice.voices import VoiceChoice

_SILENT: Final = PcmFormat(22_050, 2, 1)  # what an utterance without audio says it would have been
_TRAILING: Final = {"relaxed": 1.25, "default": 0.7, "aggressive": 0.25}
"""Seconds of silence that end speech, by ``vad_sensitivity``: Home Assistant's own."""
_GRAIN: Final = 1024  # bytes that are passed on at once: 32 ms, so that tiny chunks do not cost more than their audio
_ENOUGH: Final = 8 * 2**20
"""Bytes that wait to be recognised when a client is not read any more: four minutes, so that a command or a voice
message is always read to its end, and that its client has left is known at once."""


class WyomingSession:
    """What one peer may ask for."""

    def __init__(
        self,
        speech: Callable[[], Speech],
        info: Callable[[], bytes],
        name: str,
        text: int,
        audio: float,
        *,
        endpointing: bool = False,
    ) -> None:
        self._speech = speech
        self._endpointing = endpointing
        self._info = info
        self._name = name
        self._most_text = text
        self._most_audio = audio

    def begin(self, event: Event, connection: Connection) -> Job | Sequence[Event] | bytes:
        """Begin a request, or answer at once."""
        match event.type:
            case "describe":
                return self._info()
            case "select-program":
                return self._select(fields.text(event.data, "name"))
            case "synthesize" | "synthesize-start":
                return Speaking(event, connection, self._speech(), self._most_text)
            case "transcribe" | "audio-start":
                return Hearing(event, connection, self._speech(), self._most_audio, endpointing=self._endpointing)
            case "synthesize-chunk" | "synthesize-stop":
                raise BadRequest(f"'{event.type}' without a 'synthesize-start' before it.")
            case "audio-chunk" | "audio-stop":
                raise BadRequest(f"'{event.type}' without an 'audio-start' before it.")
        return []  # events of other services: Wyoming asks servers to drop what they do not know

    def _select(self, name: str) -> Sequence[Event]:
        if name != self._name:
            raise UnknownEngine(f"There is no program '{name}'; the only one is '{self._name}'.")
        return []


class Speaking:
    """``synthesize``, or ``synthesize-start``, ``-chunk``…, ``-stop``: text to audio, while the text arrives."""

    def __init__(self, event: Event, connection: Connection, speech: Speech, most: int) -> None:
        self._connection = connection
        self._speech = speech
        self._most = most
        self._room = most
        self._text: Channel[str] = Channel(most, len)
        self._streams = event.type == "synthesize-start"
        self.complete = False
        self._request = self._read(event)

    def _read(self, event: Event) -> Utterance | VoiceError:
        """Read the request; what is wrong with it is told by the job, which then also ends the audio."""
        try:
            utterance = _utterance(event, self._text)
            if not self._streams:
                self._take(fields.text(event.data))
                self._finish()
        except VoiceError as error:
            self._finish()
            return error
        return utterance

    def accept(self, event: Event) -> bool:
        """Take the text as it comes; the whole text that Home Assistant sends after its chunks is dropped."""
        if self.complete:
            return False
        match event.type:
            case "synthesize-chunk":
                self._take(fields.text(event.data))
            case "synthesize-stop":
                self._finish()
            case "synthesize":
                pass
            case _:
                return False
        return True

    async def run(self) -> None:
        """Speak; the audio starts with the first sentence."""
        if isinstance(self._request, VoiceError):
            raise self._request
        started = False
        async with self._speech.synthesize(self._request) as audio:
            async for chunk in audio:
                events = [chunk.event()]
                if not started:
                    started = True
                    events.insert(0, _start(PcmFormat(chunk.rate, chunk.width, chunk.channels)))
                await self._connection.send(*events)
        if not started:
            await self._connection.send(_start(_SILENT))

    def end(self) -> Sequence[Event]:
        """End the audio, and the stream if it is one: a client waits for both, also after an error."""
        stop = AudioStop().event()
        return [stop, Event(type="synthesize-stopped")] if self._streams else [stop]

    def _take(self, text: str) -> None:
        self._room -= len(text)
        if self._room < 0:
            raise TooLarge(f"A text may have {self._most} characters (limits.text).")
        if text:
            self._text.put_nowait(text)

    def _finish(self) -> None:
        self.complete = True
        self._text.close()


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
        self._change_format(check_format(*(event.data.get(name) for name in ("rate", "width", "channels"))))

    def _take(self, event: Event) -> None:
        if self._over:
            return  # the speech was over before the client's audio was
        source = check_format(*(event.data.get(name) for name in ("rate", "width", "channels")))
        if source != self._source:  # a client without audio-start, or one whose chunks disagree with it
            self._change_format(source)
        assert self._converter is not None, "a format comes with its converter"
        self._add(self._converter.feed(event.payload or b""))

    def _change_format(self, source: PcmFormat) -> None:
        if self._converter is not None:
            self._add(self._converter.finish())
        self._source, self._converter = source, Converter(source, HEARD)

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


def _start(sound: PcmFormat) -> Event:
    return AudioStart(rate=sound.rate, width=sound.width, channels=sound.channels).event()


def _utterance(event: Event, text: AsyncIterator[str]) -> Utterance:
    voice = fields.mapping(event.data, "voice")
    context = fields.mapping(event.data, "context")
    text_format = fields.string(event.data, "text_format") or "text"
    if text_format not in ("text", "ssml"):
        raise BadRequest(f"There is no text_format '{text_format}'; there are text and ssml.")
    return Utterance(
        text=text,
        voice=VoiceChoice(
            name=fields.string(voice, "name") or None,
            language=fields.string(voice, "language") or None,
            speaker=fields.string(voice, "speaker") or None,
        ),
        style=fields.string(context, "style"),
        speed=fields.number(context, "speed", 1.0, least=SPEED[0], most=SPEED[1]),
        pitch=fields.number(context, "pitch", 1.0, least=PITCH[0], most=PITCH[1]),
        ssml=text_format == "ssml",
        seed=fields.integer(context, "seed", least=0, most=SEEDS - 1),
        wanted=Wanted(llm=_choice(context, "use_llm_tts", "use_llm"), stress=_choice(context, "use_stress")),
    )


def _choice(context: fields.Data, *names: str) -> bool | None:
    """Return true or false under the first of these names that is there; None: under none."""
    return next((fields.flag(context, name) for name in names if context.get(name) is not None), None)


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
            correct_terms=_choice(context, "correct_terms"),
            llm=_choice(context, "use_llm_stt", "use_llm"),
            digits=_choice(context, "digits"),
        ),
    )
