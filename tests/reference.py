"""A recording that a voice can be cloned from: eSpeak's, since every machine has it."""

import io
import wave
from functools import cache

from wyoming_voice.engines.espeak import Espeak
from wyoming_voice.engines.protocol import Segment

SAYS = "The north wind and the sun were disputing which was the stronger, when a traveller came along in a warm cloak."


@cache
def recording(times: int = 1) -> bytes:
    """Return a WAV of about seven seconds of speech, or of several times that."""
    espeak = Espeak({})
    chunks = [chunk for _ in range(times) for chunk in espeak.synthesize(Segment(SAYS, "en-us", language="en"))]
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, chunks[0].rate, 0, "NONE", "not compressed"))
        writer.writeframes(b"".join(chunk.audio for chunk in chunks))
    return file.getvalue()
