"""How many words are heard wrong: in recordings, and in what our own voices say."""

from collections.abc import Sequence
from typing import Final

import jiwer
import numpy as np
import soxr

from .ask import Spoken, hear, speak
from .recording import RATE, recordings
from .report import Table, progress
from .server import Running, models, serve, voices
from .text import SENTENCES

_LANGUAGES: Final = ("en", "ru")
_NORMAL: Final = jiwer.Compose(
    [
        jiwer.ToLowerCase(),
        jiwer.SubstituteRegexes({"ё": "е", r"[-–—]": " ", r"\bmr\b": "mister"}),
        jiwer.RemovePunctuation(),  # type: ignore[no-untyped-call]
        jiwer.RemoveMultipleSpaces(),
        jiwer.Strip(),
        jiwer.ReduceToListOfListOfWords(),
    ]
)


async def accuracy() -> Table:
    """Word error rates; every transcript comes from the server, as a client gets it."""
    rows: list[tuple[str, ...]] = []
    notes = []
    async with serve() as server:
        for language in _LANGUAGES:
            if not models(language):
                notes.append(f"No engine on this machine hears {language}: nothing was measured for it.")
            for model in models(language):
                progress(f"{model.name}, {language}: recordings")
                rows += [(model.name, *row) for row in await _recorded(server, model.name, language)]
                for voice in voices(language):
                    progress(f"{model.name}, {language}: what {voice.name} says")
                    rows.append((model.name, *await _round_trip(server, model.name, language, voice.name)))
    if not any(one.transcript for one in recordings()):
        notes.append("The recordings with transcripts are not here: only the round trip was measured.")
    return Table(
        "Words heard wrong",
        ("engine", "language", "speech", "clips", "words", "wrong", "word error rate"),
        rows,
        "Lower case, without punctuation; substituted, missing and added words over the words that were said "
        f"(`jiwer`). {' '.join(notes)}",
    )


async def _recorded(server: Running, model: str, language: str) -> list[tuple[str, ...]]:
    said = [one for one in recordings() if one.language == language and one.transcript]
    rows = []
    for what, derived in (("recorded", False), ("recorded, as MP3, Ogg, WebM, µ-law", True)):
        several = [one for one in said if one.derived is derived]
        heard = [(await hear(server.port, one.pcm, language, model)).text for one in several]
        if several:
            rows.append((language, what, *_figures([one.transcript for one in several], heard)))
    return rows


async def _round_trip(server: Running, model: str, language: str, voice: str) -> tuple[str, ...]:
    heard = []
    for sentence in SENTENCES[language]:
        spoken = await speak(server.port, sentence, voice, keep=True)
        heard.append((await hear(server.port, _heard(spoken), language, model)).text)
    return (language, f"said by {voice}", *_figures(SENTENCES[language], heard))


def _heard(spoken: Spoken) -> bytes:
    samples = soxr.resample(np.frombuffer(spoken.pcm, "<i2"), spoken.rate, RATE)
    return bytes(samples.astype("<i2").tobytes())


def _figures(said: Sequence[str], heard: Sequence[str]) -> tuple[str, ...]:
    counted = jiwer.process_words(list(said), list(heard), _NORMAL, _NORMAL)
    wrong = counted.substitutions + counted.deletions + counted.insertions
    words = counted.hits + counted.substitutions + counted.deletions
    return str(len(said)), str(words), str(wrong), f"{counted.wer:.1%}"
