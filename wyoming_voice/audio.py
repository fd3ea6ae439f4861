"""PCM in, PCM out: formats checked, and a streaming conversion of rate, width and channels."""

from collections.abc import Container
from dataclasses import dataclass
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from wyoming_voice.errors import UnsupportedAudio

RATES = range(1_000, 384_001)
"""Sample rates in Hz that anybody makes: below it is no voice, above it no microphone."""
WIDTHS = (1, 2, 3, 4)
CHANNELS = range(1, 9)
_RATES_SAID: Final = f"whole Hz from {RATES[0]} to {RATES[-1]}"
_CHANNELS_SAID: Final = f"{CHANNELS[0]} to {CHANNELS[-1]}"

_AT_ONCE: Final = 16_384
"""Frames converted at once, before or after, whichever are more: soxr keeps as much memory as its largest piece took,
and what leaves the processor's cache takes twice as long."""

Samples = NDArray[np.float32]
"""Shape (frames, channels), -1.0 … 1.0."""


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """How PCM is laid out: interleaved, little endian; width 1 is unsigned, the others are signed."""

    rate: int
    """Frames per second."""
    width: int
    """Bytes per sample: 1, 2, 3 or 4."""
    channels: int

    @property
    def frame_size(self) -> int:
        """Bytes per frame, which is one sample of every channel."""
        return self.width * self.channels

    @property
    def byte_rate(self) -> int:
        """Bytes per second."""
        return self.rate * self.frame_size


def check_format(rate: object, width: object, channels: object) -> PcmFormat:
    """Build the format that a peer announced; raises UnsupportedAudio for one that cannot be."""
    return PcmFormat(
        _check("sample rate", rate, RATES, _RATES_SAID),
        _check("sample width", width, WIDTHS, "1, 2, 3 or 4 bytes"),
        _check("number of channels", channels, CHANNELS, _CHANNELS_SAID),
    )


def _check(name: str, number: object, allowed: Container[int], meaning: str) -> int:
    # bool is an int to Python, and 16000.0 == 16000: neither is a rate that a sane peer sends
    if type(number) is not int or number not in allowed:
        raise UnsupportedAudio(f"The audio's {name} is {number!r}; it must be {meaning}.")
    return number


def silence(seconds: float, fmt: PcmFormat) -> bytes:
    """Digital silence of the nearest whole number of frames."""
    return (b"\x80" if fmt.width == 1 else b"\0") * (round(seconds * fmt.rate) * fmt.frame_size)


def duration(pcm: bytes, fmt: PcmFormat) -> float:
    """Seconds that this PCM lasts."""
    return len(pcm) / fmt.byte_rate


class Converter:
    """A stream of PCM from one format to another, whatever the cuts in it.

    A frame may be split anywhere between two calls: the rest waits for the next. Channels are mixed down by their mean
    and up by repeating it. Resampling is soxr's HQ, which holds back about 40 ms (up to 120 ms for a ratio of two);
    n frames become n · target.rate / source.rate, rounded half up. What is out of range is clipped, never wrapped.
    """

    def __init__(self, source: PcmFormat, target: PcmFormat) -> None:
        self._source = source
        self._target = target
        self._rest = b""
        self._step = _AT_ONCE // max(1, -(-target.rate // source.rate)) * source.frame_size
        self._finished = False
        # Channels that go are mixed before the resampler, channels that come are made after it: it sees the fewer.
        self._between = source.channels if source.channels == target.channels else 1
        self._resampler = (
            None
            if source.rate == target.rate
            else soxr.ResampleStream(source.rate, target.rate, self._between, dtype="float32", quality="HQ")
        )

    def feed(self, pcm: bytes) -> bytes:
        """Convert some more; may be empty while a frame or the resampler's filter is not full."""
        assert not self._finished, "audio after its end"
        if self._rest:
            pcm = self._rest + pcm
        split = len(pcm) % self._source.frame_size
        self._rest = pcm[len(pcm) - split :]
        whole = pcm[: len(pcm) - split] if split else pcm
        if self._source == self._target or not whole:
            return whole
        if len(whole) <= self._step:
            return self._convert(whole, last=False)
        parts = (whole[start : start + self._step] for start in range(0, len(whole), self._step))
        return b"".join(self._convert(part, last=False) for part in parts)

    def finish(self) -> bytes:
        """Give what was held back; the bytes of a frame that never became whole are dropped."""
        assert not self._finished, "a stream ends once"
        self._finished = True
        return self._convert(b"", last=True) if self._resampler else b""

    def _convert(self, pcm: bytes, *, last: bool) -> bytes:
        samples = to_float(pcm, self._source)
        if self._between < self._source.channels:
            # np.mean over so short an axis takes 30 times as long as adding the channels one to the other
            samples = (sum(samples.T) / np.float32(self._source.channels)).reshape(-1, 1)
        if self._resampler:
            samples = self._resampler.resample_chunk(samples, last=last)
        if self._between < self._target.channels:
            samples = np.repeat(samples, self._target.channels, axis=1)
        return from_float(samples, self._target.width)


def to_float(pcm: bytes, fmt: PcmFormat) -> Samples:
    """Give the samples of whole frames: shape (frames, channels), full scale ±1.0."""
    samples: Samples
    match fmt.width:
        case 1:
            samples = (np.frombuffer(pcm, np.uint8).astype(np.float32) - np.float32(128)) / np.float32(128)
        case 2:
            samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(2**15)
        case 3:
            wide = np.zeros((len(pcm) // 3, 4), np.uint8)
            wide[:, 1:] = np.frombuffer(pcm, np.uint8).reshape(-1, 3)  # the low byte stays 0
            samples = wide.view("<i4").astype(np.float32) / np.float32(2**31)
        case _:
            samples = np.frombuffer(pcm, "<i4").astype(np.float32) / np.float32(2**31)
    return samples.reshape(-1, fmt.channels)


def from_float(samples: Samples, width: int) -> bytes:
    """Give PCM of samples of any shape, rounded to the nearest step and clipped at full scale."""
    full = 2 ** (8 * width - 1)
    # float32 cannot hold 2**31 - 1, and the next number above wraps
    steps: NDArray[np.floating] = samples.astype(np.float64 if width == 4 else np.float32) * full
    np.clip(np.rint(steps, out=steps), -full, full - 1, out=steps)
    match width:
        case 1:
            return (steps + 128).astype(np.uint8).tobytes()
        case 2:
            return steps.astype("<i2").tobytes()
        case 3:
            return steps.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
        case _:
            return steps.astype("<i4").tobytes()
