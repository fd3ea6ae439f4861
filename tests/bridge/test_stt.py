"""POST /stt over real sockets: every container, every way to be wrong."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import psutil
import pytest

from tests.bridge.door import Door, form, open_door, recording, tone
from tests.process import log_line, log_lines, until


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with open_door(tmp_path) as door:
        yield door


def contained(container: str, codec: str, rate: int, layout: str) -> bytes:
    """Make a second of tone in one of FFmpeg's containers."""
    file = io.BytesIO()
    channels = 1 if layout == "mono" else 2
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        samples = tone(1.0, rate, channels).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="flt", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        for packed in av.AudioResampler(format=stream.format, layout=layout, rate=rate).resample(frame):
            output.mux(stream.encode(packed))
        output.mux(stream.encode(None))
    return file.getvalue()


FILES: dict[str, tuple[Any, ...]] = {
    **{
        f"{subtype} at {rate} Hz, {channels} channels": ("WAV", subtype, rate, channels)
        for subtype, rate, channels in (
            ("PCM_U8", 11_025, 1),
            ("PCM_16", 44_100, 2),
            ("PCM_24", 48_000, 1),
            ("PCM_32", 96_000, 4),
            ("FLOAT", 22_050, 6),
            ("ULAW", 8_000, 1),
            ("ALAW", 8_000, 2),
        )
    },
    "FLAC": ("FLAC", "PCM_24", 192_000, 2),
    "Ogg Vorbis": ("OGG", "VORBIS", 32_000, 1),
    "Ogg Opus": ("OGG", "OPUS", 48_000, 2),
    "MP3": ("MP3", "MPEG_LAYER_III", 44_100, 2),
    "M4A": ("ipod", "aac", 44_100, "stereo"),
    "MP4": ("mp4", "aac", 16_000, "mono"),
    "WebM": ("webm", "libopus", 48_000, "mono"),
    "Matroska": ("matroska", "flac", 16_000, "stereo"),
}


def made(kind: str, how: str, rate: int, sound: Any) -> bytes:
    if isinstance(sound, str):
        return contained(kind, how, rate, sound)
    return recording(rate=rate, channels=sound, kind=kind, subtype=how)


async def test_every_container_is_heard_whole(door: Door) -> None:
    for name, parts in FILES.items():
        async with door.client.post(f"{door.url}/stt", data=form(made(*parts))) as reply:
            assert reply.status == 200, (name, await reply.text())
            heard = await reply.json()
        assert heard["duration"] == pytest.approx(1.0, abs=0.13), name  # AAC comes in frames of 64 ms
        assert heard["language"] == "ru", name
        loudness = float(heard["text"].split()[-1])
        assert loudness == pytest.approx(0.5, abs=0.1), name


async def test_transcript_has_its_pieces_with_times(door: Door) -> None:
    fields = {"language": "en", "model": "fake-ears", "context": "weather", "prompt": "rain"}
    async with door.client.post(f"{door.url}/stt", data=form(recording(2.0), **fields)) as reply:
        heard = await reply.json()
    assert heard == {
        "raw_text": "2.0 seconds at 0.50",
        "text": "2.0 seconds at 0.50",
        "language": "en",
        "duration": 2.0,
        "segments": [
            {
                "text": "2.0 seconds",
                "start": 0.0,
                "end": 2.0,
                "words": [{"word": "seconds", "start": 0.0, "end": 2.0, "confidence": 0.5}],
            },
            {"text": "at 0.50", "start": 2.0, "end": 2.0, "words": []},
        ],
    }
    assert "hear 2.00 en weather rain " in log_lines(door.server.log)
    assert not list(door.server.folder.rglob("stt_*")), "nothing is kept unless the user says so"


async def test_saved_transcripts_are_named_and_fetched(tmp_path: Path) -> None:
    async with open_door(tmp_path, outputs={"save_stt": True}) as door:
        async with door.client.post(f"{door.url}/stt", data=form(recording())) as reply:
            heard = await reply.json()
        for key, text in (("raw_path", "raw_text"), ("path", "text")):
            path = Path(heard[key])
            assert path.read_text("utf-8") == heard[text]
            async with door.client.get(f"{door.url}/outputs/{path.name}") as file:
                assert (file.status, file.content_type) == (200, "text/plain")
                assert await file.text() == heard[text]


async def test_what_is_no_recording_is_refused(door: Door) -> None:
    for file in (b"", b"hello", b"#EXTM3U\nfile:///etc/passwd\n", recording()[:30]):
        refused = await door.refused("POST", "/stt", data=form(file))
        assert (refused.status, refused.code) == (415, "unsupported-audio")


async def test_form_without_what_it_needs_is_refused(door: Door) -> None:
    refused = await door.refused("POST", "/stt", data=form(None, language="en"))
    assert (refused.status, refused.param) == (400, "file")
    two = form(recording())
    two.add_field("file", io.BytesIO(recording()), filename="another")
    assert (await door.refused("POST", "/stt", data=two)).param == "file"
    assert (await door.refused("POST", "/stt", json={"file": "x"})).status == 400
    assert (await door.refused("POST", "/stt", data=form(recording(), model="nobody"))).status == 404
    refused = await door.refused("POST", "/stt", data=form(recording(), language="fr"))
    assert (refused.status, refused.code) == (503, "engine-unavailable")


async def test_damaged_forms_are_the_clients_mistake(door: Door) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    for kind, body in (
        ("multipart/form-data", b"hello"),
        ("multipart/form-data; boundary=x", b"hello"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", head + b"never ends"),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: " + b"a" * 200_000 + b"\r\n\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: \xff\xfe;;;\r\n\r\nx\r\n--x--\r\n"),
        ("multipart/form-data; boundary=" + "x" * 100, b"x"),
        (
            "multipart/mixed; boundary=x",
            b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\n--y--\r\n--x--",
        ),
        ("nonsense", b"\x00"),
    ):
        refused = await door.refused("POST", "/stt", data=body, headers={"Content-Type": kind})
        assert refused.status == 400, (kind, body[:50])
        assert refused.code == "bad-request"


async def test_client_that_leaves_while_it_is_heard_frees_the_engine(door: Door) -> None:
    data = form(recording(), prompt="endless talk")
    task = asyncio.create_task(door.client.post(f"{door.url}/stt", data=data).__aenter__())
    await log_line(door.server.log, "hear 1.00")
    task.cancel()
    await asyncio.wait([task])
    await log_line(door.server.log, "closed endless")


async def test_client_that_leaves_in_the_middle_of_its_upload_leaves_nothing_behind(door: Door) -> None:
    server = psutil.Process(door.server.process.pid)
    before = server.num_fds()
    writers = [await _start_upload(door.port) for _ in range(5)]
    await until(lambda: server.num_fds() >= before + 10)  # a socket and a file on disk each
    for writer in writers:
        writer.transport.abort()
    await until(lambda: server.num_fds() <= before + 2)  # what is opened once may stay
    assert not log_lines(door.server.log), "no engine was asked"


async def _start_upload(port: int) -> asyncio.StreamWriter:
    """Send more of a recording than is kept in memory, and not all of it."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /stt HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000000\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + bytes(4_000_000)
    )
    await writer.drain()
    return writer
