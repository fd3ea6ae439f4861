"""Text to speech for a Wyoming peer: the request, and its one job."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from wyoming.audio import AudioStart, AudioStop
from wyoming.event import Event

from wyoming_voice import fields
from wyoming_voice.audio import PcmFormat
from wyoming_voice.channel import Channel
from wyoming_voice.connection import Connection
from wyoming_voice.errors import BadRequest, TooLarge, VoiceError
from wyoming_voice.link import PITCH, SEEDS, SPEED
from wyoming_voice.speech import Speech, Utterance, Wanted
from wyoming_voice.voices import VoiceChoice

_SILENT: Final = PcmFormat(22_050, 2, 1)  # what an utterance without audio says it would have been


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
        wanted=Wanted(
            llm=fields.choice(context, "use_llm_tts", "use_llm"), stress=fields.choice(context, "use_stress")
        ),
    )
