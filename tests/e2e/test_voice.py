"""Which voice speaks: by name, by language, by speaker, by the script of the text."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from wyoming.tts import Synthesize, SynthesizeVoice

from tests.e2e.dialogue import ask, ask_on, kinds, refused, say, stream
from tests.process import ServerProcess, log_lines, only_fakes, run_server

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("voice")
    async with run_server(folder, only_fakes(folder, languages=["ru", "en"])) as running:
        yield running


def asked(server: ServerProcess) -> list[str]:
    """Voice, language and speaker of the last segment."""
    line = [line for line in log_lines(server.log) if line.startswith("as ")][-1]
    return line.rpartition(": ")[2].split()[:3]


@pytest.mark.parametrize(
    ("voice", "wanted"),
    [
        ({"name": "fake-en"}, ["en", "None", "None"]),
        ({"name": "FAKE-En"}, ["en", "None", "None"]),
        ({"name": "fake-de", "speaker": "two"}, ["de", "None", "two"]),
        ({"name": "fake-de", "speaker": None}, ["de", "None", "None"]),
        ({"language": "en"}, ["en", "en", "None"]),
        ({"language": "en-GB"}, ["en", "en-GB", "None"]),
        ({"language": "en_US"}, ["en", "en_US", "None"]),
        ({"language": "de"}, ["de", "de", "None"]),
        ({"name": "fake-en", "language": "ru"}, ["en", "None", "None"]),  # the name says more
        ({"name": "fake-en", "language": "en"}, ["en", "en", "None"]),
        ({"name": "en"}, ["en", "None", "None"]),  # clients before 1.10 write the language here
        ({"name": "en_US"}, ["en", "None", "None"]),
        ({"name": "", "language": "en", "speaker": ""}, ["en", "en", "None"]),
        ({"name": None, "language": None, "speaker": None}, ["ru", "None", "None"]),
        ({}, ["ru", "None", "None"]),
    ],
)
async def test_a_voice_is_found_by_what_the_client_says_of_it(
    server: ServerProcess, voice: dict[str, str | None], wanted: list[str]
) -> None:
    await ask(server, say("12345.", voice))  # a text that says nothing of its language
    assert asked(server) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Добрый вечер.", "ru"),
        ("Good evening.", "en"),
        ("Включи Spotify на кухне.", "ru"),
        ("12:30", "ru"),  # the first language is the default
    ],
)
async def test_without_a_voice_the_script_of_the_text_decides(server: ServerProcess, text: str, wanted: str) -> None:
    await ask(server, say(text))
    assert asked(server)[0] == wanted
    await ask(server, *stream(*text))
    assert asked(server)[0] == wanted


async def test_a_voice_of_null_is_no_voice(server: ServerProcess) -> None:
    event = say("Good evening.")
    event.data["voice"] = None
    await ask(server, event)
    assert asked(server)[0] == "en"


async def test_the_voice_of_a_stream_is_the_voice_of_its_start(server: ServerProcess) -> None:
    await ask(server, *stream("Добрый ", "вечер.", voice={"name": "fake-de", "speaker": "one"}))
    assert asked(server) == ["de", "None", "one"]


async def test_the_classes_of_the_package_say_what_they_mean(server: ServerProcess) -> None:
    await ask(server, Synthesize(text="1", voice=SynthesizeVoice(name="fake-de", speaker="one")).event())
    assert asked(server) == ["de", "None", "one"]
    await ask(server, Synthesize(text="1", voice=SynthesizeVoice(language="en")).event())
    assert asked(server) == ["en", "en", "None"]
    await ask(server, Synthesize(text="1", voice=SynthesizeVoice()).event())
    assert asked(server)[0] == "ru"


@pytest.mark.parametrize(
    ("voice", "why"),
    [
        ({"name": "fake-fr"}, "no voice 'fake-fr'"),
        ({"name": "no-such-voice"}, "no voice 'no-such-voice'"),
        ({"name": "en_US-lessac-medium"}, "no voice 'en_US-lessac-medium'"),  # a voice's name, although it begins so
        ({"language": "fi"}, "No voice speaks 'fi'"),
        ({"name": "fake-de", "speaker": "three"}, "no speaker 'three'"),
        ({"name": "fake-en", "speaker": "one"}, "no speaker 'one'"),
    ],
)
async def test_a_voice_that_is_not_there_is_an_error_and_not_another_voice(
    server: ServerProcess, voice: dict[str, str], why: str
) -> None:
    events = await ask(server, say("Who says that?", voice))
    code, text = refused(events)
    assert code == "unknown-voice"
    assert why in text
    assert kinds(events) == ["error", "audio-stop"]
    events = await ask(server, *stream("Who says that?", voice=voice))
    assert refused(events) == (code, text)
    assert kinds(events) == ["error", "audio-stop", "synthesize-stopped"]


async def test_a_voice_that_is_nearly_there_is_guessed(server: ServerProcess) -> None:
    _, text = refused(await ask(server, say("Who?", {"name": "fake-eng"})))
    assert "Did you mean 'fake-en'?" in text


async def test_the_voice_set_for_everybody_speaks_and_those_set_for_languages(tmp_path: Path) -> None:
    engines = {"another": {"type": "fake", "languages": ["en"], "options": {"log": str(tmp_path / "other")}}}
    config = only_fakes(tmp_path, voice="fake-de", voices={"en": "another-en"})
    assert isinstance(config["engines"], dict)
    config["engines"].update(engines)
    async with run_server(tmp_path, config) as server, server.client() as client:
        await ask_on(client, say("12"))
        assert asked(server)[0] == "de"
        await ask_on(client, say("Good evening."))
        assert "begin Good evening." in log_lines(tmp_path / "other")
        await ask_on(client, say("Добрый вечер."))
        assert asked(server)[0] == "ru"


async def test_a_voice_that_is_set_and_not_there_is_told_of_at_the_start_and_another_one_speaks(tmp_path: Path) -> None:
    async with run_server(tmp_path, only_fakes(tmp_path, voice="fake-run")) as server:
        await ask(server, say("Добрый вечер."))
        assert asked(server)[0] == "ru"
    assert "  voice: There is no voice 'fake-run'. Did you mean 'fake-ru'? `./run.sh voices` lists them." in server.said


async def test_a_server_that_cannot_speak_says_what_to_run(tmp_path: Path) -> None:
    engines = {name: {"enabled": False} for name in ("rhvoice", "espeak", "moonshine", "faster-whisper")}
    async with run_server(tmp_path, {"engines": engines}, fake=False) as server:
        code, text = refused(await ask(server, say("Who speaks?")))
    assert code == "engine-unavailable"
    assert "Piper has no voice" in text
