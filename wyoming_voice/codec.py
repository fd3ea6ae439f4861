"""Files of audio: any recording to PCM, PCM to the formats that clients ask for. Streams, so memory has a bound."""

import ctypes
import struct
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO, Final, Protocol

import av
import numpy as np
import soundfile
from av.container import InputContainer

from wyoming_voice.audio import Converter, PcmFormat, check_format
from wyoming_voice.errors import BadRequest, TooLarge, UnsupportedAudio

# What phones, browsers and recorders make. FFmpeg knows many more, among them playlists, which open other files and
# addresses, and pictures; and each decoder less is an attack less.
_CONTAINERS: Final = "wav,w64,aiff,au,caf,mp3,aac,flac,ogg,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,amr,asf"
_DECODERS: Final = (
    "aac,aac_fixed,ac3,adpcm_ima_qt,adpcm_ima_wav,adpcm_ms,alac,amrnb,amrwb,eac3,flac,gsm,gsm_ms,libopencore_amrnb,"
    "libopencore_amrwb,libopus,libspeex,libvorbis,mp1float,mp2float,mp3,mp3float,opus,pcm_alaw,pcm_f32be,pcm_f32le,"
    "pcm_f64be,pcm_f64le,pcm_mulaw,pcm_s16be,pcm_s16le,pcm_s24be,pcm_s24le,pcm_s32be,pcm_s32le,pcm_s8,pcm_u8,speex,"
    "vorbis,wmapro,wmav1,wmav2,wmavoice"
)
# An MP4 of 19 kB that announces 80 million packets made FFmpeg take 2.8 GB before the first of them. No allocation of
# its in this process is larger than this, which is an index of 1.4 million packets: eight hours of AAC. PyAV has no
# name for the limit, but the libraries that it loads have (where they are not found, there is none).
_LARGEST_ALLOCATION: Final = 32 * 2**20
_MOST_TRACKS: Final = 16
with suppress(AttributeError):
    ctypes.CDLL(av.container.core.__file__).av_max_alloc(ctypes.c_size_t(_LARGEST_ALLOCATION))

_LIVE: Final = {"probesize": "16384", "analyzeduration": "100000"}  # bytes, microseconds
_SEND: Final = "Send a recording as WAV, MP3, M4A, Ogg, Opus, WebM or FLAC."


def decode(
    file: BinaryIO | Path, target: PcmFormat, *, max_seconds: float, live: bool = False
) -> Generator[bytes, None, None]:
    """Yield a recording as PCM in pieces of about a second; of one that breaks off, what there is.

    One that is ``live`` arrives while it is read: little is looked at before the first piece, and pieces are small.

    Reads nothing but ``file``, which may lie about everything in it. Raises UnsupportedAudio for what is no recording
    (at the first step), and TooLarge once more than ``max_seconds`` have come out. Blocks: call it in a thread.
    """
    if isinstance(file, Path):
        with file.open("rb") as opened:
            yield from decode(opened, target, max_seconds=max_seconds, live=live)
        return
    left = int(max_seconds * target.rate) * target.frame_size
    found = False
    with _opened(file, _LIVE if live else {}) as container:
        for pcm in _converted(_frames(container), target, 0.1 if live else 1.0):
            found = True
            left -= len(pcm)
            if left < 0:
                raise TooLarge(f"The recording is longer than {max_seconds:g} seconds. Send it in shorter parts.")
            if pcm:
                yield pcm
    if not found:
        raise UnsupportedAudio(f"There is no sound in this file, or it is damaged. {_SEND}")


def _opened(file: BinaryIO, also: Mapping[str, str]) -> InputContainer:
    """Open a container, and nothing that it names."""
    # Without its name: a suffix must not choose the demuxer.
    nameless = SimpleNamespace(read=file.read, seek=file.seek, tell=file.tell, seekable=file.seekable)
    options = {
        "format_whitelist": _CONTAINERS,
        "codec_whitelist": _DECODERS,
        "protocol_whitelist": "none",  # of no file and no address, should a container name one after all
        "max_streams": str(_MOST_TRACKS),
        **also,
    }
    try:
        return av.open(nameless, "r", container_options=options, metadata_errors="replace")
    except av.FFmpegError as error:
        raise UnsupportedAudio(f"This file is not audio, or damaged from its beginning. {_SEND}") from error


def _frames(container: InputContainer) -> Iterator[av.AudioFrame]:
    """Decode the first audio track that can be; steps over what is damaged."""
    known = _DECODERS.split(",")
    # A track that FFmpeg has no decoder for has no codec context, whatever PyAV's types say.
    track = next((t for t in container.streams.audio if t.codec_context and t.codec_context.name in known), None)
    if track is None:
        raise UnsupportedAudio(f"There is no audio track in this file that can be decoded. {_SEND}")
    with suppress(av.FFmpegError):  # broken off in the middle
        for packet in container.demux(track):
            if packet.has_sidedata("encryption_info"):
                raise UnsupportedAudio(f"The recording is encrypted. {_SEND}")
            with suppress(av.FFmpegError):
                yield from packet.decode()


def _converted(frames: Iterator[av.AudioFrame], target: PcmFormat, piece: float) -> Iterator[bytes]:
    """Convert frames about so many seconds at a time; the format may change among them, as in chained Ogg files."""
    for _, run in groupby(frames, key=lambda frame: (frame.sample_rate, frame.layout.name, frame.format.name)):
        converter: Converter | None = None
        packer = av.AudioResampler(format="s32")  # whatever the codec made: bits, floats, planes
        held = bytearray()
        for frame in run:
            source = check_format(frame.sample_rate, 4, frame.layout.nb_channels)
            converter = converter or Converter(source, target)
            for packed in packer.resample(frame):
                held += memoryview(packed.planes[0])[: packed.samples * source.frame_size]  # the plane is padded
            if len(held) >= piece * source.byte_rate:
                yield converter.feed(bytes(held))
                held.clear()
        assert converter is not None, "groupby makes no empty groups"
        yield converter.feed(bytes(held)) + converter.finish()


@dataclass(frozen=True, slots=True)
class FileFormat:
    """What clients call a kind of file, and how FFmpeg makes it where it does."""

    mime: str
    suffix: str
    container: str = ""
    codec: str = ""
    bit_rate: int = 0
    """Bits per second and channel; 0: lossless."""
    options: tuple[tuple[str, str], ...] = ()


FORMATS: Final = {
    "wav": FileFormat("audio/wav", ".wav"),
    "pcm": FileFormat("audio/pcm", ".pcm"),
    "flac": FileFormat("audio/flac", ".flac", "flac", "flac", 0, (("metadata_header_padding", "0"),)),
    "ogg": FileFormat("audio/ogg; codecs=vorbis", ".ogg"),
    # Pages of 100 ms: FFmpeg's own second would be heard as a delay.
    "opus": FileFormat("audio/ogg; codecs=opus", ".opus", "ogg", "libopus", 48_000, (("page_duration", "100000"),)),
    # Without the tags at the beginning that are written again at the end.
    "mp3": FileFormat("audio/mpeg", ".mp3", "mp3", "libmp3lame", 64_000, (("write_xing", "0"), ("id3v2_version", "0"))),
    "aac": FileFormat("audio/aac", ".aac", "adts", "aac", 64_000),
}
"""What an Encoder makes: WAV, raw PCM, FLAC, Ogg Vorbis, Ogg Opus, MP3, AAC (ADTS)."""


def wav_header(fmt: PcmFormat, length: int | None) -> bytes:
    """Begin a WAV file with ``length`` bytes of PCM; None: it ends where the stream does."""
    unknown = 2**32 - 1
    size = unknown if length is None else min(length, unknown)
    riff = min(36 + size + size % 2, unknown)
    shape = (1, fmt.channels, fmt.rate, fmt.byte_rate, fmt.frame_size, 8 * fmt.width)  # 1 is PCM
    return struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", riff, b"WAVE", b"fmt ", 16, *shape, b"data", size)


class Encoder:
    """PCM to a file, as it comes: encoded bytes leave while audio still arrives.

    Held back: nothing for pcm and wav, 0.1 s for flac, mp3 and aac, 0.2 s for opus, a second of speech for ogg (pages
    of 4 kB). What a format does not have becomes the next that it has: a higher rate, mono for three channels or more.
    Raises BadRequest for a format that is not in FORMATS.
    """

    def __init__(self, name: str, source: PcmFormat) -> None:
        if name not in FORMATS:
            raise BadRequest(f"There is no audio format {name!r} here. Choose one of: {', '.join(FORMATS)}.")
        self._sink = _Sink()
        self._track: _Track
        if FORMATS[name].codec:
            self._track = _Ffmpeg(self._sink, FORMATS[name], source)
        elif name == "ogg":
            self._track = _Vorbis(self._sink, source)
        else:
            self._track = _Raw(self._sink, wav_header(source, None) if name == "wav" else b"", source)
        self._converter = Converter(source, self._track.takes)

    def feed(self, pcm: bytes) -> bytes:
        """Encode some more, cut anywhere; gives what is ready, at first the header."""
        if converted := self._converter.feed(pcm):
            self._track.write(converted)
        return self._sink.take()

    def finish(self) -> bytes:
        """Give the rest of the file."""
        if converted := self._converter.finish():
            self._track.write(converted)
        self._track.close()
        return self._sink.take()


class _Sink:
    """A file that can only be written; what was written is taken out again."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._position = 0

    def write(self, encoded: bytes) -> int:
        self._held += encoded
        self._position += len(encoded)
        return len(encoded)

    def seekable(self) -> bool:
        return False

    def seek(self, _offset: int, _whence: int = 0) -> int:
        """Stay: libsndfile only looks for the end, and goes nowhere else for Ogg."""
        return self._position

    def tell(self) -> int:
        return self._position

    def take(self) -> bytes:
        encoded = bytes(self._held)
        self._held.clear()
        return encoded


class _Track(Protocol):
    """PCM of whole frames in, a file written to a sink."""

    takes: PcmFormat

    def write(self, pcm: bytes) -> None: ...

    def close(self) -> None: ...


class _Raw:
    def __init__(self, sink: _Sink, header: bytes, source: PcmFormat) -> None:
        self.takes = source
        self._sink = sink
        self._sink.write(header)

    def write(self, pcm: bytes) -> None:
        self._sink.write(pcm)

    def close(self) -> None:
        """End where the stream does."""


class _Ffmpeg:
    def __init__(self, sink: _Sink, kind: FileFormat, source: PcmFormat) -> None:
        rates = av.Codec(kind.codec, "w").audio_rates or [source.rate]
        rate = min((rate for rate in rates if rate >= source.rate), default=max(rates))
        self.takes = PcmFormat(rate, 2 if kind.bit_rate or source.width <= 2 else 4, _one_or_two(source.channels))
        self._format = "s16" if self.takes.width == 2 else "s32"
        self._layout = "mono" if self.takes.channels == 1 else "stereo"
        options = {"flush_packets": "1", **dict(kind.options)}
        self._container = av.open(sink, "w", format=kind.container, container_options=options)
        stream = self._container.add_stream(kind.codec, rate=rate, layout=self._layout)
        assert isinstance(stream, av.AudioStream), "every codec in FORMATS is one of audio"
        self._stream = stream
        if kind.bit_rate:
            stream.bit_rate = kind.bit_rate * self.takes.channels
        else:
            stream.format = self._format
        self._container.start_encoding()

    def write(self, pcm: bytes) -> None:
        samples = np.frombuffer(pcm, f"<i{self.takes.width}").reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format=self._format, layout=self._layout)
        frame.sample_rate = self.takes.rate
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()


class _Vorbis:
    """By libsndfile: FFmpeg's own Vorbis encoder is an experiment, and stereo only."""

    def __init__(self, sink: _Sink, source: PcmFormat) -> None:
        self.takes = PcmFormat(min(max(source.rate, 8_000), 48_000), 2, _one_or_two(source.channels))
        self._file = soundfile.SoundFile(
            sink, "w", self.takes.rate, self.takes.channels, format="OGG", subtype="VORBIS"
        )

    def write(self, pcm: bytes) -> None:
        self._file.buffer_write(pcm, dtype="int16")

    def close(self) -> None:
        self._file.close()


def _one_or_two(channels: int) -> int:
    return channels if channels <= 2 else 1
