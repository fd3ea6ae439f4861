"""The shapes that Deepgram's replies have, over WebSocket and REST."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from wyoming_voice.engines.protocol import Heard

from .recording import Transcription, transcript_of

VERSION: Final = "2026-01-01.0"
"""Of a model, as clients want one."""
_UNKNOWN: Final = 1.0
"""Confidence where the engine tells none: clients drop what is below a threshold of theirs."""


def model_id(name: str) -> str:
    """Return the UUID that a model of this name always has."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:wyoming-voice:{name}"))


def alternative(pieces: Sequence[Heard], text: str | None = None) -> dict[str, object]:
    """Spell a transcript; None: as it was recognised."""
    words = [word for piece in pieces for word in piece.words]
    known = [word.confidence for word in words if word.confidence is not None]
    return {
        "transcript": transcript_of(pieces) if text is None else text,
        "confidence": sum(known) / len(known) if known else _UNKNOWN,
        "words": [
            {
                "word": word.text.strip(' .,!?;:…«»"').lower() or word.text,
                "punctuated_word": word.text.strip(),
                "start": rounded(word.start),
                "end": rounded(word.end),
                "confidence": _UNKNOWN if word.confidence is None else word.confidence,
            }
            for word in words
        ],
    }


def utterances(heard: Transcription) -> Iterator[dict[str, object]]:
    """Spell the pieces of a recording."""
    for piece in heard.pieces:
        yield {"start": rounded(piece.start), "end": rounded(piece.end), "channel": 0, **alternative([piece])}


def paragraphs(heard: Transcription) -> dict[str, object]:
    """Spell the pieces of a recording as paragraphs of one sentence."""
    said = [(piece, piece.text.strip()) for piece in heard.pieces]
    return {
        "transcript": "".join(f"\n{text}\n" for _, text in said),
        "paragraphs": [
            {
                "sentences": [{"text": text, "start": rounded(piece.start), "end": rounded(piece.end)}],
                "num_words": len(text.split()),
                "start": rounded(piece.start),
                "end": rounded(piece.end),
            }
            for piece, text in said
        ],
    }


def metadata(request_id: str, model: str, seconds: float, sha256: str = "") -> dict[str, object]:
    """Describe a transcription of so many seconds; the digest is of a recording that was sent whole."""
    return {
        "transaction_key": "deprecated",
        "request_id": request_id,
        "sha256": sha256,
        "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "duration": rounded(seconds),
        "channels": 1,
        "models": [model_id(model)],
        "model_info": {model_id(model): model_info(model)},
    }


def model_info(model: str) -> dict[str, str]:
    """Describe an engine."""
    return {"name": model, "version": VERSION, "arch": model}


def rounded(seconds: float) -> float:
    """Round to milliseconds."""
    return round(seconds, 3)
