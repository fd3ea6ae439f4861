"""Stress marks on their way to a voice, over real sockets: they help where they can and never stand in the way."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.dialogue import ask, say
from tests.engines.environment import engine_python
from tests.process import ServerProcess, log_lines, only_fakes, run_server

ACUTE = "\u0301"


def spoken(server: ServerProcess) -> list[str]:
    return [line.removeprefix("begin ") for line in log_lines(server.log) if line.startswith("begin ")]


def asked(server: ServerProcess) -> list[str]:
    return [line for line in log_lines(server.log) if line.startswith("stress ")]


def config(folder: Path, stress: dict[str, Any] | None = None, **more: Any) -> dict[str, object]:
    """Make the fake stress stand for silero-stress."""
    return only_fakes(folder, stress=stress or {}, **more)


async def test_stress_is_marked_after_the_numbers_are_words(tmp_path: Path) -> None:
    async with run_server(tmp_path, config(tmp_path)) as server:
        await ask(server, say("Сейчас 5 часов. It is late."))
    assert spoken(server) == ["Сейч+ас п+ять час+ов.", "It is late."]
    assert asked(server) == ["stress ru Сейчас пять часов."]


async def test_marks_of_the_user_are_kept(tmp_path: Path) -> None:
    async with run_server(tmp_path, config(tmp_path)) as server:
        await ask(server, say(f"Старый з+амок. За{ACUTE}мок и зам+ок."))
    assert spoken(server) == ["Стар+ый з+амок.", "З+амок +и зам+ок."]


async def test_a_request_or_the_settings_may_do_without(tmp_path: Path) -> None:
    async with run_server(tmp_path, config(tmp_path)) as server:
        await ask(server, say("Старый зам+ок.", context={"use_stress": False}))
    assert spoken(server) == ["Старый зам+ок."]
    async with run_server(tmp_path / "off", config(tmp_path / "off", text={"stress": False})) as server:
        await ask(server, say("Старый дом."))
        await ask(server, say("Старый дом.", context={"use_stress": True}))
    assert spoken(server) == ["Старый дом.", "Стар+ый д+ом."]


@pytest.mark.parametrize("stress", [{"options": {"broken": True}}, {}])
async def test_a_failure_is_warned_of_once_and_nothing_is_lost(tmp_path: Path, stress: dict[str, Any]) -> None:
    async with run_server(tmp_path, config(tmp_path, stress)) as server:
        await ask(server, say("Авария дома. Старый дом. Старый дом."))
        await ask(server, say("Старый зам+ок."))
        said = server.complained
    assert spoken(server) == ["Авария дома.", "Старый дом.", "Старый дом.", "Старый зам+ок."]
    assert said.count("No stress is marked") == 1
    assert "Старый" not in said


async def test_a_sentence_does_not_wait_long_for_an_engine_that_loads_and_its_marks_come_once_it_has(
    tmp_path: Path,
) -> None:
    made = config(tmp_path, {"options": {"closed": True}}, text={"stress_wait": 0.2})
    async with run_server(tmp_path, made) as server:
        async with asyncio.timeout(5):
            await ask(server, say("Старый дом. Старый лес."))
        assert spoken(server) == ["Старый дом.", "Старый лес."]
        (told,) = [line for line in server.complained.splitlines() if "No stress is marked" in line]
        assert "silero-stress is still loading, and a sentence waits 0.2 s for that (text.stress_wait)." in told
        (tmp_path / "stress").touch()
        async with asyncio.timeout(4):  # less than what fails is left alone for
            while spoken(server)[-1] != "Стар+ый д+ом.":
                await ask(server, say("Старый дом."))
        assert server.complained.count("No stress is marked") == 1


async def test_other_words_are_not_taken_over(tmp_path: Path) -> None:
    async with run_server(tmp_path, config(tmp_path)) as server:
        await ask(server, say("Чушь собачья."))
    assert spoken(server) == ["Чушь собачья."]


async def test_an_engine_that_is_not_installed_is_done_without_in_silence(tmp_path: Path) -> None:
    made = only_fakes(tmp_path)
    assert isinstance(made["engines"], dict)
    made["engines"]["silero-stress"] = {"enabled": True}
    made["data_dir"] = str(tmp_path / "data")
    async with run_server(tmp_path, made) as server:
        await ask(server, say("Старый зам+ок."))
        assert "stress" not in server.complained
        await ask(server, say("Старый дом.", context={"use_stress": True}))
        await ask(server, say("Старый дом.", context={"use_stress": True}))
        assert server.complained.count("engines install silero-stress") == 1
    assert spoken(server) == ["Старый зам+ок.", "Старый дом.", "Старый дом."]


@pytest.mark.timeout(300)
async def test_homographs_are_told_apart_by_the_real_model(tmp_path: Path) -> None:
    python = Path(engine_python("silero-stress"))
    made = only_fakes(tmp_path)
    assert isinstance(made["engines"], dict)
    made["engines"]["silero-stress"] = {"enabled": True, "start_timeout": 240}
    data = tmp_path / "data" / "engines"
    data.mkdir(parents=True)
    (data / "silero-stress").symlink_to(python.parent.parent)
    made["data_dir"] = str(tmp_path / "data")
    async with run_server(tmp_path, made) as server:
        async with asyncio.timeout(240):  # torch takes a minute on a busy machine, and a sentence does not wait for it
            while "+" not in "".join(spoken(server)):
                await ask(server, say("Погода."))
        await ask(server, say("Повесь на дверь замок. Рыцарь построил замок на горе."))
    hung, built = spoken(server)[-2:]
    assert "зам+ок" in hung
    assert "з+амок" in built
