"""What an engine gets to read, through sockets: words, where numbers and signs were written."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.e2e.dialogue import ask, say, stream
from tests.process import ServerProcess, log_lines, only_fakes, run_server


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    async with run_server(tmp_path, only_fakes(tmp_path, languages=["ru", "en", "de"])) as running:
        yield running


def spoken(server: ServerProcess) -> list[str]:
    return [line.removeprefix("begin ") for line in log_lines(server.log) if line.startswith("begin ")]


async def test_numbers_are_read_in_the_language_of_the_voice(server: ServerProcess) -> None:
    await ask(server, say("В 7:05 было −5 °C. Ветер 3 м/с."))
    await ask(server, say("It is 5 °C.", {"name": "fake-en"}))
    assert spoken(server) == [
        "В семь часов пять минут было минус пять градусов Цельсия.",
        "Ветер три метра в секунду.",
        "It is five degrees Celsius.",
    ]


async def test_a_number_that_is_cut_while_it_arrives_is_one_number(server: ServerProcess) -> None:
    await ask(server, *stream("Сейчас 2", "1,", "5 °", "C в спал", "ьне."))
    assert spoken(server) == ["Сейчас двадцать одна целая пять десятых градуса Цельсия в спальне."]


async def test_other_languages_and_plain_words_go_to_the_engine_as_they_are(server: ServerProcess) -> None:
    await ask(server, say("Es sind 5 °C.", {"name": "fake-de"}))
    await ask(server, say("Всё хорошо."))
    assert spoken(server) == ["Es sind 5 °C.", "Всё хорошо."]
