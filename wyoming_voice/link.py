"""How a server and its workers spell a segment and a piece: plain Wyoming events, so any Wyoming server is an engine.

What Wyoming has no field for travels in ``context`` (to speak) and beside ``text`` in a ``transcript-chunk`` (heard),
where other peers ignore it.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from wyoming.event import Event

from . import fields
from .engines.protocol import Heard, Reference, Segment, Word

_DAY: Final = 86_400.0  # seconds; no piece is longer
_REFERENCES: Final = 16

SPEED: Final = (0.25, 4.0)
"""The least and the most that a client may ask for; a pitch likewise."""
PITCH: Final = (0.25, 4.0)
SEEDS: Final = 2**32
"""How many seeds there are."""


def segment_event(segment: Segment) -> Event:
    """Ask a worker to speak a segment."""
    voice = {"name": segment.voice, "language": segment.language, "speaker": segment.speaker}
    return Event(
        type="synthesize",
        data={
            "text": segment.text,
            "voice": {name: value for name, value in voice.items() if value is not None},
            "text_format": "ssml" if segment.ssml else "text",
            "context": {
                "speed": segment.speed,
                "pitch": segment.pitch,
                "style": segment.style,
                "references": [asdict(reference) for reference in segment.references],
                "description": segment.description,
                "seed": segment.seed,
            },
        },
    )


def read_segment(event: Event) -> Segment:
    """Read what :func:`segment_event` or any other client wrote; raises BadRequest."""
    voice = fields.mapping(event.data, "voice")
    context = fields.mapping(event.data, "context")
    return Segment(
        text=fields.text(event.data),
        voice=fields.string(voice, "name") or "",
        language=fields.string(voice, "language"),
        speaker=fields.string(voice, "speaker"),
        style=fields.string(context, "style"),
        speed=fields.number(context, "speed", 1.0, least=SPEED[0], most=SPEED[1]),
        pitch=fields.number(context, "pitch", 1.0, least=PITCH[0], most=PITCH[1]),
        ssml=fields.string(event.data, "text_format") == "ssml",
        references=tuple(map(_read_reference, fields.mappings(context, "references", most=_REFERENCES))),
        description=fields.string(context, "description"),
        seed=fields.integer(context, "seed", least=0, most=SEEDS - 1),
    )


def _read_reference(reference: fields.Data) -> Reference:
    return Reference(path=fields.text(reference, "path"), text=fields.string(reference, "text"))


def transcribe_event(
    *,
    language: str | None,
    prompt: str | None = None,
    terms: Sequence[str] = (),
    model: str | None = None,
    prefix: str = "",
    word_times: bool = False,
) -> Event:
    """Ask a worker to listen to the audio that follows."""
    context = {"prompt": prompt or None, "prefix": prefix or None, "word_times": word_times or None}
    spoken = {
        "name": model,
        "language": language,
        "transcript_names": list(terms) or None,
        "context": {name: value for name, value in context.items() if value is not None} or None,
    }
    return Event(type="transcribe", data={name: value for name, value in spoken.items() if value is not None})


def heard_event(heard: Heard) -> Event:
    """Tell some more of a transcript."""
    data = {name: value for name, value in asdict(heard).items() if value is not None}
    return Event(type="transcript-chunk", data=data)


def read_heard(event: Event) -> Heard:
    """Read a ``transcript-chunk`` or a ``transcript`` of any Wyoming server; raises BadRequest."""
    words = event.data.get("words")
    return Heard(
        text=fields.text(event.data),
        start=fields.number(event.data, "start", 0.0, least=0.0, most=_DAY),
        end=fields.number(event.data, "end", 0.0, least=0.0, most=_DAY),
        language=fields.string(event.data, "language"),
        words=tuple(_read_word(word) for word in words if isinstance(word, dict)) if isinstance(words, list) else (),
    )


def _read_word(word: fields.Data) -> Word:
    return Word(
        text=fields.text(word),
        start=fields.number(word, "start", 0.0, least=0.0, most=_DAY),
        end=fields.number(word, "end", 0.0, least=0.0, most=_DAY),
        confidence=None if word.get("confidence") is None else fields.number(word, "confidence", 0.0, least=0, most=1),
    )
