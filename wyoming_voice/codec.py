"""Files of audio: any recording to PCM, PCM to the formats that clients ask for. Streams, so memory has a bound."""

import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, Final, Protocol

import av
import numpy as np
import soundfile

from wyoming_voice.audio import CHANNELS, Converter, PcmFormat, check_format
from wyoming_voice.errors import BadRequest, TooLarge, UnsupportedAudio

# What phones, browsers and recorders make. FFmpeg knows many more, among them playlists, which open other files and
# addresses, and pictures; and each decoder less is an attack less.
_CONTAINERS: Final = "wav,w64,aiff,au,caf,mp3,aac,flac,ogg,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,amr,asf"
_DECODERS: Final = frozenset(
    "aac aac_fixed ac3 adpcm_ima_qt adpcm_ima_wav adpcm_ms alac amrnb amrwb eac3 flac gsm gsm_ms libopencore_amrnb "
    "libopencore_amrwb libopus libspeex libvorbis mp1float mp2float mp3 mp3float opus pcm_alaw pcm_f32be pcm_f32le "
    "pcm_f64be pcm_f64le pcm_mulaw pcm_s16be pcm_s16le pcm_s24be pcm_s24le pcm_s32be pcm_s32le pcm_s8 pcm_u8 speex "
    "vorbis wmapro wmav1 wmav2 wmavoice".split()
)
_SEND: Final = "Send a recording as WAV, MP3, M4A, Ogg, Opus, WebM or FLAC."


def decode(file: BinaryIO | Path, target: PcmFormat, *, max_seconds: float) -> Iterator[bytes]:
    """Yield a recording as PCM in pieces of about a second; of one that breaks off, what there is.

    Reads nothing but ``file``, which may lie about everything in it. Raises UnsupportedAudio for what is no recording
    (at the first step), and TooLarge once more than ``max_seconds`` have come out. Blocks: call it in a thread.
    """
    if isinstance(file, Path):
        with file.open("rb") as opened:
            yield from decode(opened, target, max_seconds=max_seconds)
        return
    left = int(max_seconds * target.rate) * target.frame_size
    found = False
    with _opened(file) as container:
        for pcm in _converted(_frames(container), target):
            found = True
            left -= len(pcm)
            if left < 0:
                raise TooLarge(f"The recording is longer than {max_seconds:g} seconds. Send it in shorter parts.")
            if pcm:
                yield pcm
    if not found:
        raise UnsupportedAudio(f"There is no sound in this file, or it is damaged. {_SEND}")


def _opened(file: BinaryIO) -> Any:
    """Open a container, and nothing that it names."""
    # Without its name: a suffix must not choose the demuxer.
    nameless = SimpleNamespace(read=file.read, seek=file.seek, tell=file.tell, seekable=file.seekable)
    options = {
        "format_whitelist": _CONTAINERS,
        "codec_whitelist": ",".join(sorted(_DECODERS)),
        "protocol_whitelist": "none",
    }
    try:
        return av.open(nameless, "r", container_options=options, io_open=_refuse, metadata_errors="replace")
    except av.FFmpegError as error:
        raise UnsupportedAudio(f"This file is not audio, or damaged from its beginning. {_SEND}") from error


def _refuse(url: str, _flags: int, _options: dict[str, str]) -> BinaryIO:
    raise UnsupportedAudio(f"This file refers to another one ({url[:80]!r}), which is not opened. {_SEND}")


def _frames(container: Any) -> Iterator[Any]:
    """Decode the first audio track that can be; steps over what is damaged."""
    tracks = [track for track in container.streams.audio if track.codec_context is not None]
    track = next((track for track in tracks if track.codec_context.codec.name in _DECODERS), None)
    if track is None:
        raise UnsupportedAudio(f"There is no audio track in this file that can be decoded. {_SEND}")
    packets = container.demux(track)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:  # broken off in the middle
            return
        if packet is None:
            return
        if packet.has_sidedata("encryption_info"):
            raise UnsupportedAudio(f"The recording is encrypted. {_SEND}")
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue
        yield from frames


def _converted(frames: Iterator[Any], target: PcmFormat) -> Iterator[bytes]:
    """Convert frames about a second at a time; the format may change among them, as in chained Ogg files."""
    source, converter, packer = None, None, None
    held: list[bytes] = []
    frames_held = 0
    for frame in frames:
        shape = (frame.sample_rate, frame.layout.name, frame.format.name)
        if shape != source or converter is None or packer is None:
            if converter is not None:
                yield converter.feed(b"".join(held)) + converter.finish()
                held, frames_held = [], 0
            source = shape
            converter = Converter(check_format(frame.sample_rate, 4, frame.layout.nb_channels), target)
            packer = av.AudioResampler(format="s32")
        for packed in packer.resample(frame):
            held.append(bytes(packed.planes[0])[: packed.samples * 4 * packed.layout.nb_channels])
        frames_held += frame.samples
        if frames_held >= frame.sample_rate:
            yield converter.feed(b"".join(held))
            held, frames_held = [], 0
    if converter is not None:
        yield converter.feed(b"".join(held)) + converter.finish()
