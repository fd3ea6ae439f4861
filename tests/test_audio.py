"""PCM conversion: lengths, cuts, levels and what is no format."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wyoming_voice.audio import Converter, PcmFormat, check_format, duration, from_float, silence, to_float
from wyoming_voice.errors import UnsupportedAudio

HEARD = PcmFormat(16_000, 2, 1)
RATES = [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000]
formats = st.builds(PcmFormat, st.sampled_from(RATES), st.sampled_from([1, 2, 3, 4]), st.integers(1, 8))


def convert(pcm: bytes, source: PcmFormat, target: PcmFormat, sizes: list[int] | None = None) -> bytes:
    converter = Converter(source, target)
    pieces, at = [], 0
    for size in sizes or []:
        pieces.append(converter.feed(pcm[at : at + size]))
        at += size
    return b"".join([*pieces, converter.feed(pcm[at:]), converter.finish()])


def tone(hertz: float, fmt: PcmFormat, seconds: float = 1.0, level: float = 0.9) -> bytes:
    wave = level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * fmt.rate)) / fmt.rate)
    return from_float(np.repeat(wave[:, None], fmt.channels, axis=1).astype(np.float32), fmt.width)


def steps(pcm: bytes, width: int) -> NDArray[np.int64]:
    """Every sample as the whole number that it is, computed another way than the product does."""
    samples = [pcm[at : at + width] for at in range(0, len(pcm), width)]
    if width == 1:
        return np.array([sample[0] - 128 for sample in samples], np.int64)
    return np.array([int.from_bytes(sample, "little", signed=True) for sample in samples], np.int64)


@pytest.mark.parametrize(
    ("rate", "width", "channels"),
    [
        (0, 2, 1), (-16_000, 2, 1), (999, 2, 1), (384_001, 2, 1), (10**30, 2, 1),
        (16_000, 0, 1), (16_000, 5, 1), (16_000, -2, 1), (16_000, 2, 0), (16_000, 2, 9), (16_000, 2, -1),
        (16_000.0, 2, 1), ("16000", 2, 1), (None, 2, 1), (True, 2, 1), (16_000, True, 1), (16_000, 2, True),
        (16_000, 2.0, 1), (16_000, 2, [1]), (float("nan"), 2, 1), ({}, 2, 1),
    ],
)  # fmt: skip
def test_impossible_formats_are_refused_with_what_is_possible(rate: object, width: object, channels: object) -> None:
    with pytest.raises(UnsupportedAudio, match=r"The audio's .* must be"):
        check_format(rate, width, channels)


@given(st.integers(1_000, 384_000), st.integers(1, 4), st.integers(1, 8))
def test_possible_formats_are_taken(rate: int, width: int, channels: int) -> None:
    fmt = check_format(rate, width, channels)
    assert fmt == PcmFormat(rate, width, channels)
    assert fmt.byte_rate == rate * width * channels


@given(st.floats(0, 3), formats)
def test_silence_is_silent_and_as_long_as_asked(seconds: float, fmt: PcmFormat) -> None:
    pcm = silence(seconds, fmt)
    assert not to_float(pcm, fmt).any()
    assert len(pcm) % fmt.frame_size == 0
    assert duration(pcm, fmt) == pytest.approx(seconds, abs=0.5 / fmt.rate + 1e-9)


@settings(max_examples=150, deadline=None)
@given(st.data(), formats, formats, st.integers(0, 3_000))
def test_length_is_exact_and_cuts_do_not_matter(
    data: st.DataObject, source: PcmFormat, target: PcmFormat, frames: int
) -> None:
    pcm = np.random.default_rng(frames).bytes(frames * source.frame_size)
    sizes = data.draw(st.lists(st.integers(0, 700), max_size=40))
    whole = convert(pcm, source, target)
    assert convert(pcm, source, target, sizes) == whole
    # rounded half up
    assert len(whole) == (2 * frames * target.rate + source.rate) // (2 * source.rate) * target.frame_size


@settings(max_examples=50, deadline=None)
@given(formats, formats)
def test_silence_stays_silence(source: PcmFormat, target: PcmFormat) -> None:
    pcm = convert(silence(0.3, source), source, target)
    assert pcm == silence(len(pcm) / target.byte_rate, target)


def test_the_same_format_is_the_same_bytes_without_a_copy() -> None:
    converter = Converter(HEARD, HEARD)
    pcm = bytes(range(200))
    assert converter.feed(pcm) is pcm
    assert converter.finish() == b""


def test_a_frame_that_never_became_whole_is_dropped() -> None:
    fmt = PcmFormat(16_000, 2, 2)
    converter = Converter(fmt, fmt)
    assert converter.feed(b"abcdefg") == b"abcd"
    assert converter.feed(b"") == b""
    assert converter.feed(b"hij") == b"efgh"
    assert converter.finish() == b""


@pytest.mark.parametrize("after", ["feed", "finish"])
def test_a_stream_ends_once(after: str) -> None:
    converter = Converter(HEARD, HEARD)
    converter.finish()
    with pytest.raises(AssertionError):
        converter.feed(b"") if after == "feed" else converter.finish()


@given(st.binary(min_size=1, max_size=400), st.integers(1, 4), st.integers(1, 4))
def test_width_is_rounded_to_the_nearest_step_and_saturates(raw: bytes, narrow: int, wide: int) -> None:
    source, target = PcmFormat(16_000, narrow, 1), PcmFormat(16_000, wide, 1)
    pcm = raw * narrow
    expected = steps(pcm, narrow).astype(np.float64) * 2.0 ** (8 * (wide - narrow))
    if narrow == 4 != wide:  # 24 bits are as many as float32 has
        expected = expected.astype(np.float32).astype(np.float64)
    full = 2 ** (8 * wide - 1)
    assert (steps(convert(pcm, source, target), wide) == np.clip(np.rint(expected), -full, full - 1)).all()


@given(st.binary(max_size=300), st.integers(1, 3), st.integers(1, 4))
def test_wider_and_back_is_lossless(raw: bytes, narrow: int, wide: int) -> None:
    source, target = PcmFormat(16_000, narrow, 1), PcmFormat(16_000, max(narrow, wide), 1)
    pcm = raw * narrow
    assert convert(convert(pcm, source, target), target, source) == pcm


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100])
def test_full_scale_does_not_wrap(width: int, rate: int) -> None:
    # A square wave at full scale rings above it in every resampler.
    source = PcmFormat(48_000, 2, 2)
    square = np.where(np.arange(48_000) // 50 % 2, 32_767, -32_768).astype("<i2")
    target = PcmFormat(rate, width, 1)
    out = to_float(convert(np.repeat(square, 2).tobytes(), source, target), target)[:, 0]
    middle = np.where((np.arange(len(out)) + 0.5) * 48_000 / rate // 50 % 2, 1.0, -1.0)
    inner = np.abs((np.arange(len(out)) + 0.5) * 48_000 / rate % 50 - 25) < 15  # away from the edges
    assert (np.abs(out - middle)[inner] < 0.25).all()
    assert out.max() > 0.99
    assert out.min() == -1.0


def test_everything_above_full_scale_is_clipped() -> None:
    loud = np.array([[1.0], [1.5], [1e9], [-1.0], [-1.5], [-1e9]], np.float32)
    for width in (1, 2, 3, 4):
        full = 2 ** (8 * width - 1)
        assert list(steps(from_float(loud, width), width)) == [full - 1] * 3 + [-full] * 3


def snr(out: bytes, target: PcmFormat, hertz: float) -> float:
    """Decibels of a tone over all that is not it, the ends left out."""
    wave = to_float(out, target)[target.rate // 10 : -target.rate // 10, 0].astype(np.float64)
    time = np.arange(len(wave)) / target.rate
    basis = np.stack([np.sin(2 * np.pi * hertz * time), np.cos(2 * np.pi * hertz * time)], axis=1)
    fit = basis @ np.linalg.lstsq(basis, wave, rcond=None)[0]
    return float(10 * np.log10((fit**2).sum() / ((wave - fit) ** 2).sum()))


@pytest.mark.parametrize("rate", [8_000, 22_050, 24_000, 44_100, 48_000, 96_000])
def test_a_tone_survives_on_its_way_to_16_khz(rate: int) -> None:
    source = PcmFormat(rate, 2, 2)
    out = convert(tone(1_000, source), source, HEARD)
    assert snr(out, HEARD, 1_000) > 80


def test_what_16_khz_cannot_hold_is_gone_and_not_folded_back() -> None:
    source = PcmFormat(48_000, 2, 1)
    out = to_float(convert(tone(11_000, source), source, HEARD), HEARD)
    assert np.abs(out[1_600:-1_600]).max() < 1e-4


def test_channels_are_mixed_by_their_mean_and_made_by_repeating() -> None:
    stereo = np.array([[100, 300], [-5, -7], [32_767, 32_767], [-32_768, -32_768]], "<i2")
    two, one, six = (PcmFormat(16_000, 2, channels) for channels in (2, 1, 6))
    mono = convert(stereo.tobytes(), two, one)
    assert list(steps(mono, 2)) == [200, -6, 32_767, -32_768]
    assert convert(mono, one, two) == np.repeat(np.frombuffer(mono, "<i2"), 2).tobytes()
    assert convert(stereo.tobytes(), two, six) == np.repeat(np.frombuffer(mono, "<i2"), 6).tobytes()


def test_channels_stay_apart_while_resampled() -> None:
    source, target = PcmFormat(48_000, 2, 2), PcmFormat(16_000, 2, 2)
    left = to_float(tone(500, PcmFormat(48_000, 2, 1)), HEARD)
    out = to_float(convert(from_float(np.hstack([left, 0 * left]), 2), source, target), target)
    assert np.abs(out[:, 0]).max() > 0.8
    assert not out[:, 1].any()


def test_the_resampler_holds_back_little() -> None:
    for rate, most in ((48_000, 0.06), (22_050, 0.06), (44_100, 0.06), (24_000, 0.06), (8_000, 0.15)):
        source = PcmFormat(rate, 2, 1)
        out = Converter(source, HEARD).feed(silence(2, source))
        assert 2 - most < duration(out, HEARD) <= 2


@pytest.mark.parametrize("rate", [1_000, 48_000])
def test_a_large_piece_takes_little_more_memory_than_what_comes_of_it(rate: int) -> None:
    source = PcmFormat(rate, 1, 1)
    pcm = np.random.default_rng(rate).bytes(2**19)
    tracemalloc.start()
    converted = Converter(source, HEARD).feed(pcm)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2 * len(converted) + 2**20, "its parts, and the parts joined"
    assert convert(pcm, source, HEARD) == convert(pcm, source, HEARD, [999] * 500)
