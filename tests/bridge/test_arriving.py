"""Recordings in containers over a WebSocket, as browsers send them: decoded while they arrive."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import av
import numpy as np
import psutil
import pytest
import pytest_asyncio
import soundfile

from tests.bridge.door import Door, open_door
from tests.process import DEADLINE, until
from tests.reference import recording as reference

pytestmark = pytest.mark.asyncio(loop_scope="module")
LISTEN = "/v1/listen?vad_events=true&utterance_end_ms=1000&interim_results=true"
KINDS = {
    "webm": ("webm", "libopus", {"cluster_time_limit": "200"}),  # MediaRecorder of Chromium and Firefox
    "ogg": ("ogg", "libopus", {"page_duration": "200000"}),
    "mp4": ("mp4", "aac", {"movflags": "empty_moov+frag_every_frame+default_base_moof"}),  # … and of Safari
    "mp3": ("mp3", "libmp3lame", {}),
    "flac": ("flac", "flac", {}),
    "wav": ("wav", "pcm_s16le", {}),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    folder: Path = tmp_path_factory.mktemp("arriving")
    async with open_door(folder) as opened:
        yield opened


class Piped(io.BytesIO):
    """A file that nobody can go back in, as what a recorder has sent is gone."""

    def seekable(self) -> bool:
        return False


def recorded(kind: str) -> tuple[bytes, float]:
    """Record eSpeak's speech and a second of silence; returns it and its seconds."""
    sound, rate = soundfile.read(io.BytesIO(reference()), dtype="int16")
    sound = np.append(sound, np.zeros(rate, np.int16))
    form, codec, options = KINDS[kind]
    file = Piped()
    with av.open(file, "w", format=form, options=options) as container:
        stream = container.add_stream(codec, rate=48_000 if codec == "libopus" else rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue(), len(sound) / rate


async def told(socket: "aiohttp.ClientWebSocketResponse", kind: str) -> dict[str, Any]:
    """Read until a message of this type."""
    while True:
        message: dict[str, Any] = await socket.receive_json(timeout=DEADLINE)
        if message["type"] == kind:
            return message


@pytest.mark.parametrize("kind", KINDS)
async def test_a_recording_is_heard_while_it_arrives(door: Door, kind: str) -> None:
    file, seconds = recorded(kind)
    async with door.client.ws_connect(door.url + LISTEN) as socket:
        for start in range(0, len(file), 1000):
            await socket.send_bytes(file[start : start + 1000])
        await told(socket, "SpeechStarted")  # although the recording has no end yet
        results = [await told(socket, "Results")]
        await socket.send_json({"type": "CloseStream"})
        while (message := await socket.receive_json(timeout=DEADLINE))["type"] != "Metadata":
            results += [message] if message["type"] == "Results" else []
    assert message["duration"] == pytest.approx(seconds, abs=0.15)
    final = [one["channel"]["alternatives"][0]["transcript"] for one in results if one["is_final"]]
    assert "seconds at" in "".join(final)


async def test_what_is_no_recording_is_told(door: Door) -> None:
    async with door.client.ws_connect(door.url + LISTEN) as socket:
        await socket.send_bytes(b"This is no recording. " * 1000)
        await socket.send_json({"type": "CloseStream"})
        closed = await socket.receive(DEADLINE)
    assert closed.type is aiohttp.WSMsgType.CLOSE
    assert "not audio" in str(closed.extra)


@pytest.mark.parametrize("sent", [0, 100, 20_000])
async def test_who_leaves_leaves_no_thread(door: Door, sent: int) -> None:
    server = psutil.Process(door.server.process.pid)

    before = server.num_threads()
    sockets = [await door.client.ws_connect(door.url + LISTEN) for _ in range(20)]
    for socket in sockets:
        await socket.send_bytes(recorded("webm")[0][:sent] or b"\x1a")
    await until(lambda: server.num_threads() >= before + 20)
    async with door.client.get(f"{door.url}/health") as reply:
        assert reply.status == 200
    for socket in sockets:
        await socket.close()
    await until(lambda: server.num_threads() <= before)
