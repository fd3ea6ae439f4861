"""What is fuzzed: each target takes any bytes, and fails only where the product makes a mistake.

``test_targets.py`` feeds them by hypothesis, as a part of the suite; ``scripts/fuzz/run.sh`` by atheris, which sees the
branches that an input takes. What either finds becomes an example of ``test_targets.py``.
"""

import asyncio
import io
import logging
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Final, cast

from aiohttp import StreamReader, web
from aiohttp.test_utils import make_mocked_request
from pydantic import BaseModel, ValidationError

from http_bridge.body import field_error, read_audio_body, read_json, read_upload
from http_bridge.bridge import BRIDGE, Bridge
from http_bridge.output import Outputs
from http_bridge.server import ROUTES
from http_bridge.socket import parse
from wyoming_voice.app import App
from wyoming_voice.audio import PcmFormat
from wyoming_voice.codec import decode
from wyoming_voice.config import Settings
from wyoming_voice.config_load import load
from wyoming_voice.errors import VoiceError
from wyoming_voice.library import Library
from wyoming_voice.link import read_heard
from wyoming_voice.text.clean import Cleaner
from wyoming_voice.text.normalize import normalize
from wyoming_voice.text.split import SentenceSplitter
from wyoming_voice.text.ssml import strip_ssml
from wyoming_voice.wire import EventLimits, EventParser, encode

Target = Callable[[bytes], None]
logging.getLogger("wyoming_voice.library").setLevel(logging.ERROR)  # it says of each damaged folder what is wrong


def wyoming(sent: bytes) -> None:
    """Read a peer's bytes in two pieces; what was an event can be written and read again."""
    parser = EventParser(EventLimits(header=4096, data=4096, payload=4096))
    with suppress(VoiceError):
        middle = len(sent) // 2
        for event in [*parser.feed(sent[:middle]), *parser.feed(sent[middle:]), *parser.finish()]:
            again = EventParser(EventLimits())
            (back,) = again.feed(encode(event))
            assert back.type == event.type
            with suppress(VoiceError):
                read_heard(event)


def websocket(sent: bytes) -> None:
    """Read a message of a socket."""
    read = parse(sent.decode("utf-8", "replace"))
    assert isinstance(read, str) or isinstance(read["type"], str)
    with suppress(VoiceError):
        parse(sent)


def json_body(sent: bytes) -> None:
    """Read a body as each of the models that routes have."""
    for model in [route.request for route in ROUTES if route.request is not None]:
        wrong = None
        try:
            model.model_validate_json(sent)
        except ValidationError as error:
            wrong = field_error(error)
        assert wrong is None or wrong.text
    _in_loop(sent, b"application/json", lambda request: read_json(request, _Anything))


class _Anything(BaseModel):
    pass


def form(sent: bytes) -> None:
    """Read a form: the boundary is the first line, as in a real one."""
    boundary = sent.partition(b"\r\n")[0].removeprefix(b"--")[:70]

    async def whole(request: web.Request) -> None:
        async with read_upload(request, most=3) as upload:
            for file in upload.files:
                file.read()

    _in_loop(sent, b"multipart/form-data; boundary=" + boundary, whole)
    _in_loop(sent, b"application/x-www-form-urlencoded", whole)


def audio_body(sent: bytes) -> None:
    """Read a body that is a recording."""

    async def whole(request: web.Request) -> None:
        async with read_audio_body(request) as file:
            assert file.read() == sent

    _in_loop(sent, b"audio/wav", whole)


def audio(sent: bytes) -> None:
    """Decode a recording, of ten seconds at most."""
    size = 0
    with suppress(VoiceError):
        for pcm in decode(io.BytesIO(sent), PcmFormat(16_000, 2, 1), max_seconds=10):
            size += len(pcm)
    assert size <= 320_000


def ssml(sent: bytes) -> None:
    """Take the text out of a document."""
    with suppress(VoiceError):
        strip_ssml(sent.decode("utf-8", "surrogateescape"))


def text(sent: bytes) -> None:
    """Clean, split and spell out a text as it arrives; no letter of its own is lost by the splitting."""
    whole = sent.decode("utf-8", "replace")
    cleaner, splitter = Cleaner(), SentenceSplitter()
    parts = [*splitter.feed(cleaner.feed(whole[:7])), *splitter.feed(cleaner.feed(whole[7:]))]
    for sentence in [*parts, *splitter.feed(cleaner.finish()), *splitter.finish()]:
        for language in ("ru", "en", "de"):
            assert isinstance(normalize(sentence, language, frozenset()), str)


def configuration(sent: bytes) -> None:
    """Load a file of settings; each mistake names its place."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yml"
        path.write_bytes(sent)
        wrong = "config.yml"
        try:
            load(path, {}, [])
        except VoiceError as error:
            wrong = error.text
        assert "config.yml" in wrong


def voice(sent: bytes) -> None:
    """Read a folder of a voice: its name is the first line, its voice.yml the rest."""
    name, _, content = sent.partition(b"\n")
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Path(folder))
        with suppress(OSError, ValueError):  # no name of a folder
            place = Path(folder) / name.decode("utf-8", "surrogateescape")
            if place.parent == Path(folder):
                place.mkdir(exist_ok=True)
                (place / "voice.yml").write_bytes(content)
        assert all(Path(one.path).is_relative_to(folder) for own in library.voices() for one in own.references)
        for gone in (name.decode("utf-8", "replace"), "nobody"):
            with suppress(VoiceError):
                library.remove(gone)


TARGETS: Final[dict[str, Target]] = {
    target.__name__: target
    for target in (wyoming, websocket, json_body, form, audio_body, audio, ssml, text, configuration, voice)
}


@cache
def _application() -> web.Application:
    application = web.Application()
    app = cast("App", SimpleNamespace(settings=Settings()))
    application[BRIDGE] = Bridge(app, Outputs(Path("nowhere"), 1, 1))
    return application


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def _in_loop(sent: bytes, kind: bytes, work: Callable[[web.Request], object]) -> None:
    """Have a request read that has this body."""
    _loop().run_until_complete(_asked(sent, kind, work))


async def _asked(sent: bytes, kind: bytes, work: Callable[[web.Request], object]) -> None:
    protocol = SimpleNamespace(_reading_paused=False, resume_reading=lambda **_: None, pause_reading=lambda **_: None)
    stream = StreamReader(cast("asyncio.Protocol", protocol), 2**16, loop=asyncio.get_running_loop())  # type: ignore[arg-type]
    stream.feed_data(sent)
    stream.feed_eof()
    headers = {"Content-Type": kind.decode("latin-1").replace("\r", "").replace("\n", "").replace("\0", "")}
    request = make_mocked_request("POST", "/", headers=headers, payload=stream, app=_application())
    with suppress(VoiceError):
        await cast("asyncio.Future[object]", work(request))
