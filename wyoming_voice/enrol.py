"""Make a voice of recordings: read them, check them, have them recognised, keep them in the library."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import soundfile

from .app import App
from .audio import Converter, PcmFormat, to_float
from .codec import decode
from .engines.protocol import Reference
from .engines.reference import check_reference
from .errors import BadRequest, EngineUnavailable, TooLarge, UnsupportedAudio
from .listening import HEARD
from .speech import Listening, once
from .stream import entered_in_thread
from .voice_file import LONGEST_TEXT, MOST_REFERENCES, LibraryVoice, safe_name

KEPT: Final = PcmFormat(24_000, 2, 1)
"""How references are kept: mono, the rate of the engines that clone."""
_LOOKING: Final = ThreadPoolExecutor(2, "reference")
"""Looks at recordings, which takes 100 MB each for half a second: however many come, no more at once."""
_LONGEST: Final = 120.0  # seconds that are decoded before a recording is told to be too long


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording of a voice as the user brings it: any format, and what it says where that is known."""

    file: BinaryIO | Path
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """A voice to be made: of recordings, or of a description."""

    name: str
    recordings: tuple[Recording, ...] = ()
    description: str | None = None
    engine: str | None = None
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A voice that could be kept: its recordings as FLAC with what they say."""

    voice: LibraryVoice
    recordings: tuple[tuple[bytes, str | None], ...]
    recognised: bool
    """Whether some text was recognised here, and should be shown to the user."""


async def draft(app: App, wanted: Enrolment) -> Draft:
    """Check all that is needed for a voice; a text that is left out is recognised where an engine hears it.

    Raises BadRequest and UnsupportedAudio for what is wrong with it, EngineUnavailable when no engine could speak with
    it, or hear what it says, and what else recognising raises.
    """
    name = safe_name(wanted.name)
    _check(app, name, wanted)
    recordings: list[tuple[bytes, str | None]] = []
    recognised = False
    for number, recording in enumerate(wanted.recordings, 1):
        with _naming(recording, number, len(wanted.recordings)):
            pcm = await _in_turn(lambda one: read_reference(one.file), recording)
        text = _text(recording)
        if text is None:
            text = await _recognise(app, pcm, wanted)
            recognised = True
        recordings.append((await asyncio.to_thread(_flac, pcm), text))
    voice = LibraryVoice(
        name=name, engine=wanted.engine, languages=wanted.languages, description=wanted.description or None
    )
    return Draft(voice, tuple(recordings), recognised)


async def keep(app: App, kept: Draft) -> LibraryVoice:
    """Put a voice into the library, where it is one like any other; raises BadRequest for a name that is taken."""
    voice = await asyncio.to_thread(app.voices.library.add, kept.voice, kept.recordings)
    await app.voices.look()
    return voice


async def forget(app: App, name: str) -> None:
    """Remove a voice from the library, and what engines computed of recordings.

    Raises UnknownVoice, and EngineUnavailable where the disk refuses.
    """
    await asyncio.to_thread(app.voices.library.remove, name)
    await app.voices.look()
    await asyncio.to_thread(app.voices.library.forget_computed)


@asynccontextmanager
async def borrow(app: App, recordings: Sequence[Recording]) -> AsyncIterator[tuple[Reference, ...]]:
    """Take recordings for one request; they are gone from the disk when the block is left.

    Raises BadRequest and UnsupportedAudio for what is wrong with them.
    """
    if len(recordings) > MOST_REFERENCES:
        raise TooLarge(f"A voice may have {MOST_REFERENCES} recordings.")
    texts = [_text(recording) for recording in recordings]
    decoded = []
    for number, recording in enumerate(recordings, 1):
        with _naming(recording, number, len(recordings)):
            decoded.append(await _in_turn(lambda one: _flac(read_reference(one.file)), recording))
    if not decoded:
        yield ()
        return
    async with entered_in_thread(app.voices.library.lent()) as put:
        paths = await asyncio.to_thread(lambda: [str(put(recording)) for recording in decoded])
        yield tuple(map(Reference, paths, texts))


def read_reference(file: BinaryIO | Path) -> bytes:
    """Decode a recording to mono PCM of 24 kHz (KEPT); raises BadRequest with what is wrong with it. Blocks."""
    pcm = b"".join(decode(file, KEPT, max_seconds=_LONGEST))
    check_reference(to_float(pcm, KEPT).reshape(-1).astype(np.float32), KEPT.rate)
    return pcm


def _check(app: App, name: str, wanted: Enrolment) -> None:
    catalogue = app.voices.catalogue
    catalogue.check_free(name)
    if bool(wanted.recordings) == bool(wanted.description):
        raise BadRequest("A voice is made of recordings or of a description: give one of them.")
    if len(wanted.recordings) > MOST_REFERENCES:
        raise TooLarge(f"A voice may have {MOST_REFERENCES} recordings.")
    if len(wanted.description or "") > LONGEST_TEXT:
        raise TooLarge(f"A description may have {LONGEST_TEXT} characters.")
    catalogue.able("clone" if wanted.recordings else "design", wanted.engine, wanted.languages)


async def _recognise(app: App, pcm: bytes, wanted: Enrolment) -> str | None:
    converter = Converter(KEPT, HEARD)
    heard = await asyncio.to_thread(lambda: converter.feed(pcm) + converter.finish())
    listening = Listening(audio=once(heard), language=wanted.languages[0] if wanted.languages else None)
    try:
        async with app.speech.transcribe(listening) as pieces:
            return "".join([piece.text async for piece in pieces]).strip() or None
    except EngineUnavailable as error:
        raise EngineUnavailable(
            f"{error.text} Or write down what the recording says, and send it as its text."
        ) from error


async def _in_turn(work: Callable[[Recording], bytes], recording: Recording) -> bytes:
    return await asyncio.get_running_loop().run_in_executor(_LOOKING, work, recording)


@contextmanager
def _naming(recording: Recording, number: int, of: int) -> Iterator[None]:
    """Say of several recordings with which one something is wrong: a file by its name, what was sent by its number."""
    try:
        yield
    except (BadRequest, UnsupportedAudio, TooLarge) as error:
        if of == 1:
            raise
        which = recording.file.name if isinstance(recording.file, Path) else f"Recording {number}"
        raise type(error)(f"{which}: {error.text}") from error


def _text(recording: Recording) -> str | None:
    text = (recording.text or "").strip()
    if len(text) > LONGEST_TEXT:
        raise TooLarge(f"What a recording says may have {LONGEST_TEXT} characters.")
    return text or None


def _flac(pcm: bytes) -> bytes:
    file = io.BytesIO()  # a stream's encoder could not go back to write how long it is, which readers rely on
    soundfile.write(file, np.frombuffer(pcm, "<i2"), KEPT.rate, format="FLAC")
    return file.getvalue()
