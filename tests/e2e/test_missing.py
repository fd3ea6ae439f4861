"""An engine that the user configured and that is not ready: shown, and who asks for it is told what to run."""

from pathlib import Path

from wyoming.info import Describe, Info

from tests.e2e.dialogue import ask, kinds, refused, say, words
from tests.process import only_fakes, run_server


async def test_configured_engine_without_weights_is_offered_and_says_what_to_run(tmp_path: Path) -> None:
    config = only_fakes(tmp_path, languages=["ru", "en"], data_dir="data")
    assert isinstance(config["engines"], dict)
    config["engines"]["qwen-tts"] = {}
    async with run_server(tmp_path, config) as server:
        info = Info.from_event((await ask(server, Describe().event()))[0])
        named = [voice.name for voice in info.tts[0].voices]
        qwen = [name for name in named if name.startswith("qwen-tts")]
        assert qwen
        events = await ask(server, say("Привет", {"name": qwen[0]}))
        code, text = refused(events)
        assert code == "engine-unavailable"
        assert "./run.sh engines install qwen-tts" in text
        assert kinds(await ask(server, say("Hello there", {"language": "en"})))[0] == "audio-start"
        assert words(await ask(server, say("two words"))) == 2  # by an engine that is ready


async def test_engine_that_nobody_configured_is_not_offered_before_it_is_ready(tmp_path: Path) -> None:
    async with run_server(tmp_path, {"languages": ["ru", "en"], "data_dir": "data"}) as server:
        info = Info.from_event((await ask(server, Describe().event()))[0])
    assert not [voice.name for voice in info.tts[0].voices if voice.name.startswith(("qwen-tts", "silero", "orpheus"))]
