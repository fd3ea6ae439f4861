"""Transcripts as subtitles: SubRip (``.srt``) and WebVTT (``.vtt``)."""

from collections.abc import Iterator, Sequence

from wyoming_voice.engines.protocol import Heard

from .recording import Transcription


def srt(heard: Transcription) -> str:
    """Spell a transcript as SubRip."""
    cues = (
        f"{number}\n{_time(start, ',')} --> {_time(end, ',')}\n{text}\n"
        for number, (start, end, text) in enumerate(_cues(heard), 1)
    )
    return "\n".join(cues)


def vtt(heard: Transcription) -> str:
    """Spell a transcript as WebVTT."""
    cues = (f"\n{_time(start, '.')} --> {_time(end, '.')}\n{_escaped(text)}\n" for start, end, text in _cues(heard))
    return "WEBVTT\n" + "".join(cues)


def _cues(heard: Transcription) -> Iterator[tuple[float, float, str]]:
    """Yield start, end and text; a piece without an end is shown until the next one, or the end of the recording."""
    pieces = [piece for piece in heard.pieces if piece.text.strip()]
    for number, piece in enumerate(pieces):
        end = piece.end if piece.end > piece.start else _next(pieces, number, heard.seconds)
        yield piece.start, max(end, piece.start + 0.001), " ".join(piece.text.split())


def _next(pieces: Sequence[Heard], number: int, seconds: float) -> float:
    return pieces[number + 1].start if number + 1 < len(pieces) else seconds


def _time(seconds: float, comma: str) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{comma}{milliseconds:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
