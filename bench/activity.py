"""What tells speech from other sound, measured on recorded speech with noise mixed in."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import process_time
from typing import Final

import numpy as np

from wyoming_voice.endpoint import BEGINS, Endpointer, EndpointRules, SpeechPiece
from wyoming_voice.engines.activity import Detector, Silero, WebRtc

from .recording import RATE, Recording, recordings
from .reference import FRAME, Frames, Reference, Samples, pcm_of, reference, samples_of
from .report import Table, progress

_DETECTORS: Final[Mapping[str, Callable[[], Detector]]] = {"silero": Silero, "webrtc": WebRtc}
_RATIOS: Final = (20, 10, 5, 0)  # dB
_LEVEL: Final = 10 ** (-26 / 20)  # of speech, root mean square, where telephony has it (ITU-T P.56)
_BEFORE: Final = 1.0  # seconds of noise alone before a recording
_AFTER: Final = 3.0  # … and after it
_TRAILING: Final = 0.7  # seconds of silence that end a command
_EARLY: Final = 0.3  # seconds of its last word that may be missing: what is given out has 0.3 s more


@dataclass(frozen=True, slots=True)
class _Stream:
    """A recording with noise before, in and after it."""

    pcm: bytes
    truth: Reference


@dataclass(slots=True)
class _Score:
    missed: int = 0
    spoken: int = 0
    alarms: int = 0
    unspoken: int = 0
    right: int = 0
    seconds: float = 0.0
    """Of the processor."""

    def cells(self, commands: int) -> tuple[str, ...]:
        shares = (self.missed / self.spoken, self.alarms / self.unspoken)
        return (*(f"{100 * share:.0f} %" for share in shares), f"{self.right} of {commands}")


async def activity() -> Table:
    """Miss and false alarm of each detector for each noise, and the commands whose end it finds."""
    known = [one for one in recordings() if not one.derived]
    rows, spent, heard = [], dict.fromkeys(_DETECTORS, 0.0), 0.0
    for noise, ratio in [("none", 0), *((noise, ratio) for noise in _NOISES for ratio in _RATIOS)]:
        progress(f"{noise}, {ratio} dB")
        streams = [_mixed(one, known, noise, ratio) for one in known]
        scores = {name: _measured(make, streams) for name, make in _DETECTORS.items()}
        for name, score in scores.items():
            spent[name] += score.seconds
        heard += sum(len(stream.pcm) for stream in streams) / 2 / RATE
        cells = [cell for score in scores.values() for cell in score.cells(len(streams))]
        rows.append((noise, "" if noise == "none" else f"{ratio} dB", *cells))
    columns = [f"{name}: {what}" for name in _DETECTORS for what in ("missed", "false alarm", "ends found")]
    cost = ", ".join(f"{name} {1000 * seconds / heard:.2f}" for name, seconds in spent.items())
    return Table(
        "Speech and other sound",
        ("noise", "speech is louder by", *columns),
        rows,
        f"{len(known)} recordings of people who speak, {sum(one.seconds for one in known):.0f} s, at -26 dBFS, with "
        f"{_BEFORE:g} s before and {_AFTER:g} s after each. What is speech is told by the energy of the clean "
        "recording: 10 ms that are within 25 dB of its loud parts and 10 dB above its own noise, gaps under 0.2 s "
        "closed, sounds under 0.12 s dropped, 60 ms around each change not counted. missed: of that speech. false "
        f"alarm: of the rest. ends found: {_TRAILING} s of silence end a command, in {_AFTER:g} s and not before its "
        "last word. babble: all the other recordings at once. chord: A major, 220 to 880 Hz. Loudness: root mean "
        f"square, of noise against speech. Milliseconds of the processor for a second of sound: {cost}.",
    )


def _measured(make: Callable[[], Detector], streams: Sequence[_Stream]) -> _Score:
    total = _Score()
    for stream in streams:
        detector, endpointer = make(), Endpointer(EndpointRules(trailing=_TRAILING))
        began = process_time()
        judged = list(_judged(detector, stream.pcm))
        total.seconds += process_time() - began
        ends = [
            (end, event.end)
            for end, (chunk, score) in enumerate(judged, 1)
            for event in endpointer.feed(chunk, score)
            if isinstance(event, SpeechPiece) and event.last
        ]
        found = _frames([score for _, score in judged], detector.chunk, len(stream.truth.speech))
        speech, certain = stream.truth.speech, stream.truth.certain
        total.missed += int((~found & speech & certain).sum())
        total.spoken += int((speech & certain).sum())
        total.alarms += int((found & ~speech & certain).sum())
        total.unspoken += int((~speech & certain).sum())
        total.right += _right(ends, stream.truth)
    return total


def _right(ends: Sequence[tuple[int, float]], truth: Reference) -> bool:
    """Tell whether a command ended once it was said; a pause inside that is long enough ends one as well."""
    said = truth.end * FRAME / RATE
    return any(end >= said - _EARLY for _, end in ends)


def _judged(detector: Detector, pcm: bytes) -> Iterator[tuple[bytes, float]]:
    size = 2 * detector.chunk
    for start in range(0, len(pcm) - size + 1, size):
        chunk = pcm[start : start + size]
        (scores,) = detector.judge({0: chunk})
        yield chunk, scores[0] / 255


def _frames(scores: Sequence[float], chunk: int, count: int) -> Frames:
    """Give each frame what the chunk around its middle got; the rest of the last chunk is no speech."""
    chunks = (np.arange(count) * FRAME + FRAME // 2) // chunk
    padded = np.append(np.asarray(scores) >= BEGINS, False)
    found: Frames = padded[np.minimum(chunks, len(scores))]
    return found


def _mixed(one: Recording, known: Sequence[Recording], noise: str, ratio: float) -> _Stream:
    clean = samples_of(one.pcm)
    truth = reference(clean)
    voiced = clean[: len(truth.speech) * FRAME].reshape(-1, FRAME)[truth.speech]
    before, after = round(_BEFORE * RATE), round(_AFTER * RATE)
    padded = np.pad(clean * (_LEVEL / _level(voiced)), (before, after))
    if noise != "none":
        sound = _NOISES[noise](one, known, len(padded))
        padded = padded + sound * (_LEVEL * 10 ** (-ratio / 20) / _level(sound))
    padded /= max(1.0, float(np.abs(padded).max()))
    around = (before // FRAME, (len(padded) - before) // FRAME - len(truth.speech))
    speech = np.pad(truth.speech, around)
    certain = np.pad(truth.certain, around, constant_values=True)
    return _Stream(pcm_of(padded), Reference(speech, certain))


def _level(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def _white(_one: Recording, _known: Sequence[Recording], length: int) -> Samples:
    return np.random.default_rng(1).standard_normal(length)


def _babble(one: Recording, known: Sequence[Recording], length: int) -> Samples:
    draw = np.random.default_rng(2)
    others = [samples_of(other.pcm) for other in known if other is not one]
    return np.sum([np.roll(np.resize(o, length), draw.integers(length)) / _level(o) for o in others], axis=0)


def _chord(_one: Recording, _known: Sequence[Recording], length: int) -> Samples:
    time = np.arange(length) / RATE
    return np.sum([np.sin(2 * np.pi * hertz * time) for hertz in (220.0, 277.18, 329.63, 440.0, 880.0)], axis=0)


_NOISES: Final[Mapping[str, Callable[[Recording, Sequence[Recording], int], Samples]]] = {
    "white": _white,
    "babble": _babble,
    "chord": _chord,
}
