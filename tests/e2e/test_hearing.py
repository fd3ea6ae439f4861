"""``transcribe``: audio of any shape to a transcript. The fake ears tell how long and how loud it was."""

import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from wyoming.asr import Transcript, TranscriptChunk, TranscriptStart
from wyoming.event import Event

from tests.e2e.dialogue import answer, ask, ask_on, kinds, loud, record, refused, transcript
from tests.process import ServerProcess, log_lines, only_fakes, run_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

WHOLE = ["transcript-start", "transcript-chunk", "transcript", "transcript-stop"]
SILENT = ["transcript-start", "transcript", "transcript-stop"]
SOUND = {"rate": 16_000, "width": 2, "channels": 1}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("hearing")
    config = only_fakes(folder, limits={"audio": 100}, languages=["ru", "en", "fr"])
    assert isinstance(config["engines"], dict)
    config["engines"]["faster-whisper"] = {"languages": ["fr"]}  # without a model: it cannot hear yet
    async with run_server(folder, config) as running:
        yield running


def heard(server: ServerProcess) -> str:
    """How the fake ears were asked last."""
    return [line.removeprefix("hear ") for line in log_lines(server.log) if line.startswith("hear ")][-1]


async def test_a_command_is_heard_as_home_assistant_sends_it(server: ServerProcess) -> None:
    events = await ask(server, *record(loud(2.0), language="ru"))
    assert kinds(events) == WHOLE
    assert transcript(events) == "2.0 seconds at 0.50"
    assert Transcript.from_event(events[-2]).language == "ru"
    assert heard(server) == "2.00 ru None "
    TranscriptStart.from_event(events[0])
    assert TranscriptChunk.from_event(events[1]).text == "2.0 seconds"


@pytest.mark.parametrize("size", [1, 3, 319, 1023, 65_537])
async def test_it_makes_no_difference_where_the_audio_was_cut(server: ServerProcess, size: int) -> None:
    seconds = 0.02 if size == 1 else 1.0
    events = await ask(server, *record(loud(seconds), language="en", size=size))
    assert transcript(events) == f"{seconds:.1f} seconds at 0.50"


def wave(seconds: float, rate: int, channels: int, width: int) -> bytes:
    """A tone of half the loudness, 100 Hz, in PCM of this format."""
    tone = 0.5 * np.sin(2 * np.pi * 100 * np.arange(round(seconds * rate)) / rate).repeat(channels)
    match width:
        case 1:
            return bytes((128 + 127 * tone).astype("u1"))
        case 2:
            return bytes((32767 * tone).astype("<i2"))
        case 3:
            return b"".join(struct.pack("<i", sample)[:3] for sample in (8388607 * tone).astype("<i4"))
    return bytes((2147483647 * tone).astype("<i4"))


@pytest.mark.parametrize(
    ("rate", "channels", "width"),
    [(16_000, 1, 1), (8_000, 1, 2), (44_100, 2, 2), (48_000, 1, 3), (22_050, 6, 4), (11_025, 1, 2), (96_000, 2, 3)],
)
async def test_audio_of_any_format_is_heard(server: ServerProcess, rate: int, channels: int, width: int) -> None:
    sound = wave(2.0, rate, channels, width)
    events = await ask(server, *record(sound, rate=rate, channels=channels, width=width, size=1001, language="en"))
    seconds, _, loudness = transcript(events).replace(" seconds", "").split()
    assert float(seconds) == 2.0
    assert 0.45 < float(loudness) < 0.56


async def test_a_format_that_changes_in_the_middle_is_followed(server: ServerProcess) -> None:
    start, opening, *first, _stop = record(loud(1.0), language="en")
    _start, _opening, *second = record(loud(1.0, rate=44_100, channels=2), rate=44_100, channels=2, size=4096)
    _start2, reopening, *third = record(wave(1.0, 8_000, 1, 1), rate=8_000, width=1)
    middle = second[:-1]  # without a second audio-start: the chunks say what they are
    events = await ask(server, start, opening, *first, *middle, reopening, *third)
    assert transcript(events).startswith("3.0 seconds at 0.5")


async def test_an_upload_that_ends_at_once_is_an_empty_transcript(server: ServerProcess) -> None:
    for events in (
        [Event(type="transcribe", data={"language": "en"}), Event(type="audio-stop")],
        [*record(b"", language="en")],
        [Event(type="audio-start", data=SOUND), Event(type="audio-stop", data={"timestamp": None})],
        [*record(b"\x01", language="en")],  # half a sample
    ):
        said = await ask(server, *events)
        assert kinds(said) == SILENT
        assert transcript(said) == ""


async def test_silence_is_an_empty_transcript(server: ServerProcess) -> None:
    assert kinds(await ask(server, *record(loud(1.0, level=0), language="en"))) == SILENT


async def test_a_client_need_not_say_what_it_wants(server: ServerProcess) -> None:
    _transcribe, *audio = record(loud(1.0))
    assert transcript(await ask(server, *audio)) == "1.0 seconds at 0.50"
    assert heard(server) == "1.00 ru None "  # the first of the user's languages


async def test_requests_follow_one_another_on_a_connection(server: ServerProcess) -> None:
    async with server.client() as client:
        for seconds in (0.5, 1.0, 0.2):
            said = await ask_on(client, *record(loud(seconds), language="en"))
            assert transcript(said) == f"{seconds:.1f} seconds at 0.50"


async def test_names_terms_and_prompt_reach_the_engine(server: ServerProcess) -> None:
    asked: dict[str, Any] = {
        "transcript_names": ["Мурка", "Jean-Luc"],
        "transcript_terms": ["torsiometer"],
        "context": {"prompt": "about engines", "conversation_id": 5},
        "vad_sensitivity": "relaxed",
        "name": None,
    }
    await ask(server, *record(loud(0.5), language="en", **asked))
    assert heard(server) == "0.50 en about engines Мурка,Jean-Luc,torsiometer"


@pytest.mark.parametrize("language", ["en", "EN-us", "en_GB", "ru-RU"])
async def test_a_language_finds_who_hears_it(server: ServerProcess, language: str) -> None:
    assert transcript(await ask(server, *record(loud(0.5), language=language))).startswith("0.5 seconds")
    assert heard(server).split()[1] == language


async def test_the_model_is_chosen_by_name_or_by_the_name_of_the_program(server: ServerProcess) -> None:
    for name in ("fake-ears", "wyoming-voice", ""):
        assert transcript(await ask(server, *record(loud(0.5), language="en", name=name)))


@pytest.mark.parametrize(
    ("asked", "code", "why"),
    [
        ({"language": "fr"}, "engine-unavailable", "faster-whisper has no model"),
        ({"language": "fi"}, "engine-unavailable", "Nothing that hears 'fi' is installed"),
        ({"language": "en", "name": "parrot"}, "unknown-engine", "no model 'parrot'; there are"),
        ({"language": "fr", "name": "faster-whisper"}, "engine-unavailable", "faster-whisper has no model"),
        ({"language": "fi", "name": "fake-ears"}, "bad-request", "does not hear 'fi', but ru, en"),
    ],
)
async def test_what_nobody_hears_is_refused_with_what_to_do(
    server: ServerProcess, asked: dict[str, Any], code: str, why: str
) -> None:
    events = await ask(server, *record(loud(0.5), **asked))
    assert refused(events)[0] == code
    assert why in refused(events)[1]
    assert kinds(events) == ["error"]


@pytest.mark.parametrize(
    ("sound", "code"),
    [
        ({"rate": 0}, "unsupported-audio"),
        ({"rate": -16_000}, "unsupported-audio"),
        ({"rate": 10**9}, "unsupported-audio"),
        ({"rate": "16000"}, "unsupported-audio"),
        ({"width": 5}, "unsupported-audio"),
        ({"width": 2.0}, "unsupported-audio"),
        ({"channels": 0}, "unsupported-audio"),
        ({"channels": 10_000}, "unsupported-audio"),
        ({"channels": None}, "unsupported-audio"),
    ],
)
async def test_audio_of_an_impossible_format_is_refused(
    server: ServerProcess, sound: dict[str, object], code: str
) -> None:
    for kind in ("audio-start", "audio-chunk"):
        events = await ask(server, Event(type="transcribe"), Event(type=kind, data={**SOUND, **sound}))
        assert refused(events)[0] == code
    assert refused(await ask(server, Event(type="audio-start", data={**SOUND, **sound})))[0] == code


@pytest.mark.parametrize(
    "asked",
    [
        {"language": 5},
        {"language": ["en"]},
        {"name": {}},
        {"context": "about cats"},
        {"context": {"prompt": 5}},
        {"transcript_names": "Мурка"},
        {"transcript_terms": [1]},
        {"transcript_names": ["a"] * 1001},
    ],
)
async def test_a_wrong_request_is_told_why(server: ServerProcess, asked: dict[str, object]) -> None:
    assert refused(await ask(server, Event(type="transcribe", data=asked)))[0] == "bad-request"


async def test_a_recording_over_the_limit_is_refused_while_it_comes(server: ServerProcess) -> None:
    async with server.client() as client:
        start, opening, *chunks = record(loud(101.0, level=0), language="en", size=65_536)
        for event in (start, opening, *chunks[:-1]):  # the end is not even said
            await client.write_event(event)
        events = await answer(client, "transcript-stop")
    assert refused(events)[0] == "too-large"
    assert "limits.audio" in refused(events)[1]
    assert "100 s" in refused(events)[1]


async def test_a_long_recording_is_heard_in_pieces_that_are_joined_by_spaces(server: ServerProcess) -> None:
    speech, pause = loud(18.0), loud(1.0, level=0)
    events = await ask(server, *record(speech + pause + speech + pause + speech, language="en", size=65_536))
    pieces = transcript(events).split(" at 0.50")
    assert len(pieces) == 4
    assert pieces[1:3] == [f" {float(piece.split()[0]):.1f} seconds" for piece in pieces[1:3]]
    assert sum(float(piece.split()[0]) for piece in pieces[:3]) == pytest.approx(56.0, abs=0.2)
    assert kinds(events) == WHOLE


async def test_the_first_pieces_of_a_long_recording_are_heard_before_its_end(server: ServerProcess) -> None:
    async with server.client() as client:
        *begun, _stop = record(loud(30.0), language="en", size=65_536)
        for event in begun:
            await client.write_event(event)
        first = [await client.read_event() for _ in range(2)]
        assert kinds(event for event in first if event) == ["transcript-start", "transcript-chunk"]
        await client.write_event(Event(type="audio-stop"))
        assert kinds(await answer(client, "transcript-stop"))[-2:] == ["transcript", "transcript-stop"]


async def test_an_engine_that_does_not_load_says_why(tmp_path: Path) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path, asr={"options": {"broken": True}})) as server:
        events = await ask(server, *record(loud(0.5), language="en"))
    assert refused(events) == ("engine-unavailable", "The fake ears are deaf. Run: mend them")
