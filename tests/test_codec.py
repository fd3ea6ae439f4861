"""Files of audio: real ones, made ones, broken ones and those that want to read other files."""

import gc
import io
import json
import os
import struct
import wave
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wyoming_voice import codec
from wyoming_voice.audio import Converter, PcmFormat, duration, to_float
from wyoming_voice.codec import FORMATS, Encoder, decode, wav_header
from wyoming_voice.errors import BadRequest, TooLarge, UnsupportedAudio

SPEECH = Path(os.environ.get("WYOMING_VOICE_SPEECH") or Path(__file__).parents[2] / "shared/speech")
HEARD = PcmFormat(16_000, 2, 1)


@cache
def voice(seconds: float = 2.0, fmt: PcmFormat = HEARD) -> bytes:
    """A vowel that glides and comes in syllables: what codecs for speech keep."""
    time = np.arange(round(seconds * fmt.rate)) / fmt.rate
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 1.3 * time)) / fmt.rate
    wave_ = sum(np.sin(k * phase) / k for k in range(1, 12)) * (0.15 + 0.15 * np.sin(2 * np.pi * 2.5 * time) ** 2)
    floats = np.repeat(np.asarray(wave_, np.float64), fmt.channels)
    mono = PcmFormat(fmt.rate, 4, fmt.channels)
    return Converter(mono, fmt).feed((floats * 2**31).astype("<i4").tobytes())


def samples(pcm: bytes) -> NDArray[np.float64]:
    return np.frombuffer(pcm, "<i2").astype(np.float64)


def likeness(pcm: bytes, original: bytes) -> tuple[float, float]:
    """How late it is, in seconds, and the correlation there of what a telephone passes; both 16 kHz mono."""
    size = 2 ** int(np.ceil(np.log2((len(pcm) + len(original)) / 2)))
    hertz = np.fft.rfftfreq(size, 1 / HEARD.rate)
    passed = (hertz > 300) & (hertz < 3_000)
    ours, theirs = (np.fft.irfft(np.fft.rfft(samples(one), size) * passed) for one in (pcm, original))
    cross = np.fft.irfft(np.fft.rfft(ours) * np.conj(np.fft.rfft(theirs)))
    at = int(np.argmax(cross))
    correlation = cross[at] / np.sqrt((ours**2).sum() * (theirs**2).sum())
    return (at if at < size // 2 else at - size) / HEARD.rate, float(correlation)


def heard(file: bytes | Path, *, max_seconds: float = 60) -> bytes:
    source = io.BytesIO(file) if isinstance(file, bytes) else file
    return b"".join(decode(source, HEARD, max_seconds=max_seconds))


def encoded(name: str, pcm: bytes, fmt: PcmFormat = HEARD, step: int = 1_001) -> list[bytes]:
    encoder = Encoder(name, fmt)
    return [*(encoder.feed(pcm[at : at + step]) for at in range(0, len(pcm), step)), encoder.finish()]


def ffmpeg_file(container: str, name: str, rate: int, pcm: bytes | None = None, **options: str) -> bytes:
    file = io.BytesIO()
    fmt = PcmFormat(rate, 2, 1)
    with av.open(file, "w", format=container, container_options=options) as output:
        stream = output.add_stream(name, rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate = 12_200 if rate == 8_000 else 96_000  # the best that AMR can do
        whole = np.frombuffer(voice(fmt=fmt) if pcm is None else pcm, "<i2").reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(whole, format="s16", layout="mono")
        frame.sample_rate = rate
        output.mux([*stream.encode(frame), *stream.encode(None)])
    return file.getvalue()


def soundfile_file(container: str, subtype: str, rate: int = 44_100, channels: int = 1) -> bytes:
    file = io.BytesIO()
    fmt = PcmFormat(rate, 2, channels)
    soundfile.write(file, to_float(voice(fmt=fmt), fmt), rate, format=container, subtype=subtype)
    return file.getvalue()


def picture(container: str, name: str, pixels: str, frames: int) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(name, rate=10, width=64, height=64, pix_fmt=pixels)
        assert isinstance(stream, av.VideoStream)
        black = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        output.mux([packet for _ in range(frames) for packet in stream.encode(black)])
        output.mux(stream.encode(None))
    return file.getvalue()


# --- what is made by others ------------------------------------------------------------------------------------------


@pytest.mark.speech
@pytest.mark.skipif(
    not (SPEECH / "manifest.json").exists(), reason=f"no recorded speech: {SPEECH} has no manifest.json"
)
def test_recorded_speech_has_the_length_that_its_manifest_says() -> None:
    for entry in json.loads((SPEECH / "manifest.json").read_text()):
        path = SPEECH / entry["file"]
        # The manifest has an MP3's length with the encoder's padding, which its LAME tag tells to drop.
        allowed = 0.1 if path.suffix == ".mp3" else 0.05
        assert duration(heard(path), HEARD) == pytest.approx(entry["duration_s"], abs=allowed), path.name


@pytest.mark.speech
@pytest.mark.skipif(not (SPEECH / "en_jfk.mp3").exists(), reason=f"no recorded speech: {SPEECH} has no en_jfk.mp3")
def test_recorded_mp3_is_the_recorded_wav() -> None:
    original = heard(SPEECH / "en_jfk_16k.wav")
    late, correlation = likeness(heard(SPEECH / "en_jfk.mp3"), original)
    assert abs(late) < 0.01
    assert correlation > 0.95


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        ("WAV", "PCM_U8"), ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_32"), ("WAV", "FLOAT"),
        ("WAV", "DOUBLE"), ("WAV", "ULAW"), ("WAV", "ALAW"), ("WAV", "MS_ADPCM"), ("WAV", "IMA_ADPCM"),
        ("WAV", "GSM610"), ("WAVEX", "PCM_16"), ("RF64", "PCM_16"), ("W64", "FLOAT"), ("AU", "ULAW"),
        ("AIFF", "PCM_16"), ("AIFF", "PCM_24"), ("CAF", "PCM_16"), ("CAF", "ALAC_16"), ("FLAC", "PCM_16"),
        ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III"),
    ],
)  # fmt: skip
def test_files_of_recorders_are_heard(container: str, subtype: str) -> None:
    pcm = heard(soundfile_file(container, subtype))
    late, correlation = likeness(pcm, voice())
    assert duration(pcm, HEARD) == pytest.approx(2, abs=0.05)
    assert abs(late) < 0.01
    assert correlation > 0.98


@pytest.mark.parametrize(
    ("container", "name", "rate"),
    [
        ("mp4", "aac", 44_100), ("ipod", "aac", 48_000), ("mov", "pcm_s16le", 44_100), ("ipod", "alac", 44_100),
        ("adts", "aac", 22_050), ("mp3", "libmp3lame", 24_000), ("webm", "libopus", 48_000), ("ogg", "libopus", 16_000),
        ("matroska", "pcm_s16le", 44_100), ("3gp", "libopencore_amrnb", 8_000), ("amr", "libopencore_amrnb", 8_000),
        ("mp4", "ac3", 48_000), ("flac", "flac", 96_000),
    ],
)  # fmt: skip
def test_files_of_phones_and_browsers_are_heard(container: str, name: str, rate: int) -> None:
    pcm = heard(ffmpeg_file(container, name, rate))
    late, correlation = likeness(pcm, voice())
    assert duration(pcm, HEARD) == pytest.approx(2, abs=0.1)  # an AAC frame at 22,050 Hz is 46 ms
    assert abs(late) < 0.07
    assert correlation > 0.9


@pytest.mark.parametrize("channels", range(1, 9))
def test_any_number_of_microphones_is_heard(channels: int) -> None:
    assert likeness(heard(soundfile_file("WAV", "PCM_16", channels=channels)), voice())[1] > 0.99


@pytest.mark.parametrize("target", [PcmFormat(48_000, 3, 2), PcmFormat(8_000, 1, 1), PcmFormat(24_000, 4, 1)])
def test_the_format_is_the_one_asked_for(target: PcmFormat) -> None:
    pieces = list(decode(io.BytesIO(soundfile_file("FLAC", "PCM_24")), target, max_seconds=60))
    assert duration(b"".join(pieces), target) == 2
    assert all(duration(piece, target) < 1.3 for piece in pieces)


def test_a_format_that_changes_on_the_way_is_followed() -> None:
    chained = ffmpeg_file("mp3", "libmp3lame", 44_100, id3v2_version="0") + ffmpeg_file("mp3", "libmp3lame", 32_000)
    assert duration(heard(chained), HEARD) == pytest.approx(4, abs=0.3)


def test_a_path_and_an_open_file_that_knows_its_name_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "recording.m3u8"  # the name must not choose how it is read
    path.write_bytes(soundfile_file("FLAC", "PCM_16"))
    with path.open("rb") as file:
        assert b"".join(decode(file, HEARD, max_seconds=60)) == heard(path)
        assert not file.closed


@pytest.mark.parametrize(
    ("riff", "data"),
    [
        (0, 0),
        (36, 0),
        (2**32 - 1, 2**32 - 1),
        (2**31 - 1, 2**31 - 37),
        (2**32 - 1, 0x7FFFF000),
        (0, 2**32 - 2),
        (9, 2**31),
    ],
)
def test_a_wav_of_unknown_length_is_heard_to_its_end(riff: int, data: int) -> None:
    header = bytearray(wav_header(HEARD, 0))
    struct.pack_into("<I", header, 4, riff)
    struct.pack_into("<I", header, 40, data)
    assert heard(bytes(header) + voice()) == voice()


def test_a_recording_shorter_than_a_frame_of_the_target_is_empty() -> None:
    assert heard(wav_header(PcmFormat(48_000, 2, 1), None) + b"\0\0") == b""


# --- what is broken, and what is no audio ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("container", "name"),
    [("mp3", "libmp3lame"), ("adts", "aac"), ("webm", "libopus"), ("flac", "flac"), ("wav", "pcm_s16le")],
)
def test_a_file_cut_off_in_the_middle_gives_what_there_is(container: str, name: str) -> None:
    rate = 48_000 if name == "libopus" else 44_100
    # a webm's index lies at its end, after some tags
    file = ffmpeg_file(container, name, rate, voice(8, PcmFormat(rate, 2, 1)))
    assert 2 < duration(heard(file[: len(file) * 6 // 10]), HEARD) < 7


def test_a_fragmented_mp4_cut_off_in_the_middle_gives_what_there_is() -> None:
    file = ffmpeg_file("mp4", "aac", 44_100, movflags="frag_keyframe+empty_moov", frag_duration="100000")
    assert 0.5 < duration(heard(file[: len(file) * 6 // 10]), HEARD) < 1.7


def test_damage_in_the_middle_is_stepped_over() -> None:
    file = bytearray(ffmpeg_file("mp3", "libmp3lame", 44_100))
    file[len(file) // 2 : len(file) // 2 + 300] = np.random.default_rng(0).bytes(300)
    assert duration(heard(bytes(file)), HEARD) > 1.8


NO_AUDIO = {
    "empty": b"",
    "one byte": b"\0",
    "zeros": bytes(100_000),
    "noise": np.random.default_rng(1).bytes(100_000),
    "text": b"Turn on the living room lamp.\n" * 500,
    "page": b"<!doctype html><html><body><h1>404</h1></body></html>",
    "only a header": wav_header(HEARD, None),
    "absurd rate": wav_header(PcmFormat(1, 2, 1), None) + bytes(1_000),
    "m3u": b"#EXTM3U\nother.flac\n",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="other.flac"/></svg>',
}


@pytest.mark.parametrize("name", NO_AUDIO)
def test_what_is_no_recording_is_refused_with_what_to_send(name: str) -> None:
    with pytest.raises(UnsupportedAudio, match=r"Send a recording as|must be"):
        heard(NO_AUDIO[name])


def test_a_picture_is_refused() -> None:
    with pytest.raises(UnsupportedAudio, match="not audio"):
        heard(picture("image2pipe", "png", "rgb24", 1))


def test_a_film_without_sound_is_refused() -> None:
    with pytest.raises(UnsupportedAudio, match="no audio track"):
        heard(picture("mp4", "mpeg4", "yuv420p", 10))


def test_an_encrypted_recording_is_refused() -> None:
    file = ffmpeg_file(
        "mp4", "aac", 44_100, encryption_scheme="cenc-aes-ctr", encryption_key="76" * 16, encryption_kid="a7" * 16
    )
    with pytest.raises(UnsupportedAudio, match="encrypted"):
        heard(file)


def test_more_than_eight_channels_are_refused() -> None:
    with pytest.raises(UnsupportedAudio, match="channels is 9"):
        heard(soundfile_file("WAV", "PCM_16", channels=9))


@cache
def seed_files() -> tuple[bytes, ...]:
    return (
        ffmpeg_file("mp4", "aac", 44_100), ffmpeg_file("webm", "libopus", 48_000), ffmpeg_file("flac", "flac", 44_100),
        ffmpeg_file("3gp", "libopencore_amrnb", 8_000), ffmpeg_file("ipod", "alac", 44_100),
        soundfile_file("WAV", "MS_ADPCM"), soundfile_file("OGG", "VORBIS"), soundfile_file("CAF", "ALAC_16"),
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 7), st.lists(st.tuples(st.floats(0, 0.999), st.binary(max_size=8)), max_size=8), st.booleans())
def test_no_damage_is_more_than_an_error_of_ours(
    seed: int, damages: list[tuple[float, bytes]], in_header: bool
) -> None:
    file = bytearray(seed_files()[seed])
    for where, wrong in damages:
        at = int(where * (min(len(file), 500) if in_header else len(file)))
        file[at : at + len(wrong)] = wrong
    with suppress(UnsupportedAudio, TooLarge):
        heard(bytes(file), max_seconds=5)


# --- what wants more than it may have --------------------------------------------------------------------------------


def test_a_recording_is_refused_as_soon_as_it_is_too_long() -> None:
    long = ffmpeg_file("ogg", "libopus", 16_000, bytes(600 * HEARD.byte_rate))
    pieces, came = decode(io.BytesIO(long), HEARD, max_seconds=3.5), list[bytes]()
    with pytest.raises(TooLarge, match=r"longer than 3\.5 seconds"):
        came.extend(pieces)
    assert 2 < duration(b"".join(came), HEARD) <= 3.5
    assert len(long) < 200_000  # ten minutes, which is why the size of a file is no limit


def test_a_recording_as_long_as_it_may_be_is_taken() -> None:
    assert duration(heard(soundfile_file("FLAC", "PCM_16", 16_000), max_seconds=2), HEARD) == 2


def test_a_header_that_promises_eighty_million_packets_gets_no_memory_for_them() -> None:
    file = bytearray(ffmpeg_file("ipod", "aac", 44_100))
    packets = 80_000_000
    struct.pack_into(">II", file, file.index(b"stsz") + 8, 1, packets)  # all of one byte
    struct.pack_into(">III", file, file.index(b"stsc") + 12, 1, packets, 1)  # all in one chunk
    struct.pack_into(">II", file, file.index(b"stts") + 12, packets, 1_024)
    with pytest.raises(UnsupportedAudio):
        heard(bytes(file))
    peak = int(next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line).split()[1])
    assert peak < 1_500_000, "kB; without the limit it is 2.8 GB"


def test_memory_stays_the_same_however_long_the_recording() -> None:
    minutes = 10
    file = io.BytesIO(wav_header(PcmFormat(48_000, 2, 2), None) + bytes(minutes * 60 * 192_000))
    process = psutil.Process()
    pieces = decode(file, HEARD, max_seconds=3_600)
    duration(next(pieces), HEARD)
    before, most = process.memory_info().rss, 0
    for _ in pieces:
        most = max(most, process.memory_info().rss)
    assert most - before < 20_000_000  # of 115 MB


def test_closing_the_iterator_lets_go_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "long.flac"
    path.write_bytes(soundfile_file("FLAC", "PCM_16") * 2)
    pieces = decode(path, HEARD, max_seconds=60)
    assert next(pieces)
    assert str(path) in [file.path for file in psutil.Process().open_files()]
    pieces.close()
    assert str(path) not in [file.path for file in psutil.Process().open_files()]


class Disk(io.BytesIO):
    def read(self, _size: int | None = -1, /) -> bytes:
        raise OSError(5, "Input/output error")


def test_a_disk_that_fails_is_not_the_recordings_fault() -> None:
    with pytest.raises(OSError, match="Input/output error"):
        list(decode(Disk(), HEARD, max_seconds=60))


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.flac"
    path.write_bytes(soundfile_file("FLAC", "PCM_16"))
    return path


def playlist(secret: Path) -> bytes:
    return f"ffconcat version 1.0\nfile '{secret}'\n".encode()


def test_a_playlist_opens_no_other_file(secret: Path) -> None:
    path = secret.with_name("list.ffconcat")
    path.write_bytes(playlist(secret))
    with av.open(path, options={"safe": "0"}) as trap:
        assert next(trap.decode(audio=0)).samples, "the trap works where nobody guards it"
    for named in (playlist(secret), playlist(Path(secret.name)), f"#EXTM3U\n#EXTINF:2,\n{secret}\n".encode()):
        with pytest.raises(UnsupportedAudio, match="not audio"):
            heard(named)
    with pytest.raises(UnsupportedAudio, match="not audio"):
        heard(path)


def test_even_a_playlist_that_was_let_in_opens_no_other_file(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "_CONTAINERS", "concat,flac")
    monkeypatch.chdir(secret.parent)  # FFmpeg itself calls a bare name safe
    with pytest.raises(UnsupportedAudio):
        heard(playlist(Path(secret.name)))


# --- what we make ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "source",
    [
        PcmFormat(24_000, 2, 1), PcmFormat(22_050, 2, 1), PcmFormat(48_000, 2, 2), PcmFormat(8_000, 1, 1),
        PcmFormat(44_100, 3, 6), PcmFormat(192_000, 4, 1),
    ],
)  # fmt: skip
def test_what_is_encoded_is_decoded(name: str, source: PcmFormat) -> None:
    file = b"".join(encoded(name, voice(fmt=source), source))
    pcm = heard((wav_header(source, None) if name == "pcm" else b"") + file)
    late, correlation = likeness(pcm, voice())
    delay = 0.2 if name in {"mp3", "aac"} and source.rate == 8_000 else 0.1 if name in {"mp3", "aac"} else 0.003
    assert 2 - 0.001 <= duration(pcm, HEARD) <= 2 + delay
    assert -0.001 < late < delay
    assert correlation > 0.95


@pytest.mark.parametrize("name", FORMATS)
def test_encoded_bytes_leave_while_audio_still_comes(name: str) -> None:
    fmt = PcmFormat(24_000, 2, 1)
    sent, encoder, held = b"", Encoder(name, fmt), []
    most = {"pcm": 0.0, "wav": 0.0, "flac": 0.15, "mp3": 0.15, "aac": 0.15, "opus": 0.25, "ogg": 2.5}[name]
    pcm, step = voice(8, fmt), fmt.byte_rate // 50
    for at in range(0, len(pcm), step):
        sent += encoder.feed(pcm[at : at + step])
        if at and at % fmt.byte_rate == 0 and at > 4 * fmt.byte_rate:
            file = (wav_header(fmt, None) if name == "pcm" else b"") + sent
            held.append((at + step) / fmt.byte_rate - duration(heard(file), HEARD))
    assert held
    assert max(held) <= most + 0.001


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_and_next_to_nothing_can_be_encoded(name: str) -> None:
    assert isinstance(Encoder(name, HEARD).finish(), bytes)
    encoder = Encoder(name, HEARD)
    assert isinstance(encoder.feed(b"") + encoder.feed(b"\0") + encoder.feed(b"\0") + encoder.finish(), bytes)


@pytest.mark.parametrize("name", FORMATS)
def test_an_encoder_can_be_left_in_the_middle(name: str) -> None:
    encoder = Encoder(name, HEARD)
    encoder.feed(voice())
    del encoder
    gc.collect()  # what an abandoned encoder prints or raises would fail the test


@pytest.mark.parametrize("name", ["wav", "pcm", "flac", "aac", "mp3"])
def test_the_file_does_not_depend_on_where_the_audio_was_cut(name: str) -> None:
    fmt = PcmFormat(22_050, 2, 1)
    assert b"".join(encoded(name, voice(fmt=fmt), fmt, 333)) == b"".join(encoded(name, voice(fmt=fmt), fmt, 10**9))


@pytest.mark.parametrize("name", ["flac", "wav"])
@pytest.mark.parametrize("width", [2, 3])
def test_lossless_is_lossless(name: str, width: int) -> None:
    fmt = PcmFormat(24_000, width, 2)
    file = b"".join(encoded(name, voice(fmt=fmt), fmt))
    assert b"".join(decode(io.BytesIO(file), fmt, max_seconds=60)) == voice(fmt=fmt)


@pytest.mark.parametrize("name", ["", "WAV", "m4a", "../wav"])
def test_an_unknown_format_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(BadRequest, match="wav, pcm, flac, ogg, opus, mp3, aac"):
        Encoder(name, HEARD)


def test_every_format_has_a_type_and_a_suffix() -> None:
    assert all(kind.mime.startswith("audio/") and kind.suffix.startswith(".") for kind in FORMATS.values())


@pytest.mark.parametrize("fmt", [PcmFormat(8_000, 1, 1), HEARD, PcmFormat(48_000, 3, 2), PcmFormat(96_000, 4, 8)])
@pytest.mark.parametrize("known", [True, False])
def test_others_read_our_wav(fmt: PcmFormat, known: bool, tmp_path: Path) -> None:
    pcm = voice(0.5, fmt)
    file = wav_header(fmt, len(pcm) if known else None) + pcm
    with wave.open(io.BytesIO(file)) as opened:
        assert (opened.getframerate(), opened.getsampwidth(), opened.getnchannels()) == (
            fmt.rate,
            fmt.width,
            fmt.channels,
        )
        assert opened.readframes(len(pcm)) == pcm
        assert not known or opened.getnframes() == len(pcm) // fmt.frame_size
    read: Any = soundfile.read(io.BytesIO(file), dtype="int32", always_2d=True)
    assert read[0].shape == (fmt.rate // 2, fmt.channels)


def test_a_wav_too_long_for_its_header_has_an_unknown_length() -> None:
    assert wav_header(HEARD, 2**33) == wav_header(HEARD, None)
    assert struct.unpack_from("<I", wav_header(HEARD, None), 40) == (2**32 - 1,)
