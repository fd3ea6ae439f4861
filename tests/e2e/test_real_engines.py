"""The engines that a fresh machine has, behind the server: heard speech is understood, spoken text is heard."""

import wave
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from wyoming.audio import AudioStart

from tests.conftest import Speech
from tests.e2e.dialogue import ask, ask_on, kinds, pcm, record, refused, say, stream, transcript
from tests.engines.hearing import CITIES, word_error_rate
from tests.process import ServerProcess, run_server
from wyoming_voice.engines import voices

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENGLISH = "The weather in the mountains changes quickly, so take a warm jacket with you when you go for a walk."
RUSSIAN = "Погода в горах быстро меняется, поэтому возьмите с собой тёплую куртку."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    async with run_server(tmp_path_factory.mktemp("real"), fake=False) as running:
        yield running


def read_wave(path: Path) -> dict[str, object]:
    """Read a recording as the keywords of :func:`record`."""
    with wave.open(str(path)) as file:
        sound = {"rate": file.getframerate(), "width": file.getsampwidth(), "channels": file.getnchannels()}
        return {"pcm": file.readframes(file.getnframes()), **sound}


async def hear(server: ServerProcess, sound: dict[str, object], size: int = 4096) -> str:
    return transcript(await ask(server, *record(**sound, size=size, language="en")))  # type: ignore[arg-type]


def loudness(audio: bytes) -> float:
    return float(np.abs(np.frombuffer(audio, "<i2").astype(np.float64)).mean())


@pytest.mark.parametrize(
    ("voice", "text", "seconds"),
    [("espeak-ru", RUSSIAN, (3, 10)), ("espeak-en-us", ENGLISH, (4, 11)), ("espeak-en-gb", "Hello.", (0.2, 2))],
)
async def test_espeak_speaks(server: ServerProcess, voice: str, text: str, seconds: tuple[float, float]) -> None:
    events = await ask(server, say(text, {"name": voice}))
    start = AudioStart.from_event(events[0])
    assert (start.rate, start.width, start.channels) == (22_050, 2, 1)
    audio = pcm(events)
    assert seconds[0] < len(audio) / 2 / start.rate < seconds[1]
    assert loudness(audio) > 300


async def test_espeak_speaks_faster_and_higher(server: ServerProcess) -> None:
    voice = {"name": "espeak-en-us"}
    plain = len(pcm(await ask(server, say(ENGLISH, voice))))
    fast = len(pcm(await ask(server, say(ENGLISH, voice, context={"speed": 2.0}))))
    slow = len(pcm(await ask(server, say(ENGLISH, voice, context={"speed": 0.5}))))
    assert 0.35 * plain < fast < 0.7 * plain
    assert 1.4 * plain < slow < 2.6 * plain
    assert pcm(await ask(server, say("Hm.", voice, context={"pitch": 1.5}))) != pcm(
        await ask(server, say("Hm.", voice))
    )


async def test_espeak_speaks_as_one_of_its_speakers(server: ServerProcess) -> None:
    spoken = [
        pcm(await ask(server, say("Hello.", {"name": "espeak-en-us", "speaker": speaker}))) for speaker in (None, "f2")
    ]
    assert spoken[0] != spoken[1]


async def test_espeak_understands_ssml(server: ServerProcess) -> None:
    voice = {"name": "espeak-en-us"}
    plain = len(pcm(await ask(server, say("One two three.", voice))))
    paused = '<speak>One <break time="2s"/> two three.</speak>'
    slowed = '<speak><prosody rate="50%">One two three.</prosody></speak>'
    assert len(pcm(await ask(server, say(paused, voice, text_format="ssml")))) > plain + 1.5 * 44_100
    assert len(pcm(await ask(server, say(slowed, voice, text_format="ssml")))) > 1.3 * plain
    code, _ = refused(await ask(server, say("<speak>One <break></speak>", voice, text_format="ssml")))
    assert code == "bad-request"


@pytest.mark.parametrize(
    "text", ["\x00\x01", "[[", "a" * 5000, "🙂", "%%%", "<speak>", "١٢٣ 中文 हिन्दी", "\u202e\ufeff", "+" * 500]
)
async def test_espeak_survives_any_text(server: ServerProcess, text: str) -> None:
    assert kinds(await ask(server, say(text, {"name": "espeak-ru"})))[-1] == "audio-stop"
    assert pcm(await ask(server, say("Да.", {"name": "espeak-ru"})))


async def test_the_sample_of_the_wheel_is_understood(server: ServerProcess) -> None:
    spec = find_spec("moonshine_voice")
    assert spec is not None
    assert spec.origin is not None
    heard = await hear(server, read_wave(Path(spec.origin).parent / "assets" / "two_cities.wav"))
    heard_so_far = " ".join(heard.split()[: len(CITIES.split())])
    assert word_error_rate(CITIES, heard_so_far) < 0.15


@pytest.mark.speech
@pytest.mark.parametrize(
    ("file", "bound"), [("en_jfk_16k.wav", 0.1), ("en_lamp_44k_stereo.wav", 0.2), ("en_austen_0870_16k.wav", 0.3)]
)
async def test_recorded_speech_is_understood(server: ServerProcess, speech: Speech, file: str, bound: float) -> None:
    said = next(recording["transcript"] for recording in speech.recordings if recording["file"] == file)
    assert word_error_rate(said, await hear(server, read_wave(speech.path(file)), size=1000)) <= bound


async def test_silence_and_noise_are_not_understood_as_words(server: ServerProcess) -> None:
    noise = np.random.default_rng(1).normal(0, 2000, 32_000).astype("<i2").tobytes()
    for sound in (bytes(64_000), noise):
        assert await hear(server, {"pcm": sound}) == ""


async def test_russian_is_not_heard_as_english(server: ServerProcess) -> None:
    code, why = refused(await ask(server, *record(bytes(32_000), language="ru")))
    assert code == "engine-unavailable"
    assert "faster-whisper" in why


VOICES = [
    ("espeak-en-us", 0.35),
    pytest.param(
        "rhvoice-slt",
        0.15,
        marks=pytest.mark.skipif(voices.rhvoice_missing({}) is not None, reason="RHVoice is not installed"),
    ),
]


@pytest.mark.parametrize(("voice", "bound"), VOICES)
async def test_what_is_spoken_is_understood(server: ServerProcess, voice: str, bound: float) -> None:
    async with server.client() as client:
        spoken = await ask_on(client, *stream(*ENGLISH, voice={"name": voice}))
        rate = AudioStart.from_event(spoken[0]).rate
        heard = transcript(await ask_on(client, *record(pcm(spoken), rate=rate, language="en", size=4096)))
    assert word_error_rate(ENGLISH, heard) <= bound, heard


@pytest.mark.skipif(voices.rhvoice_missing({}) is not None, reason="RHVoice is not installed")
async def test_rhvoice_is_the_voice_of_russian_and_english_where_it_is_installed(server: ServerProcess) -> None:
    for text, voice in ((RUSSIAN, "rhvoice-elena"), (ENGLISH, "rhvoice-slt")):
        assert pcm(await ask(server, say(text))) == pcm(await ask(server, say(text, {"name": voice})))
