"""The chain before speech as a whole: no input stops it or loses a word, and how it is cut changes nothing."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wyoming_voice.config import Settings
from wyoming_voice.engines.table import ANY_LETTERS
from wyoming_voice.llm import Llm
from wyoming_voice.pool import Pool, Worker
from wyoming_voice.steps import Steps, Wanted, split
from wyoming_voice.voices import Catalogue, Voice

TEXTS = st.text(st.sampled_from("абвгде АБ. !? ё+\u0301\n1234,5°C%*`[](){}<>#|&;«»—-😀abc/:@_\u00a0"), max_size=150)
WORDS = st.lists(st.sampled_from("Дом свет. лампа, зам+ок окно! «кухня» ночь".split()), max_size=15)


async def arriving(parts: Sequence[str]) -> AsyncIterator[str]:
    for part in parts:
        yield part


async def nobody(_engine: str, _device: str | None) -> Worker:
    raise AssertionError("no engine is asked")


def voice(mark: str | None, reads: frozenset[str] = ANY_LETTERS) -> Voice:
    return Voice(
        name="v", engine="e", voice="v", languages=("ru", "en"), description="", reads=reads, stress=mark
    )  # fmt: skip


async def spoken(parts: Sequence[str], mark: str | None, **wanted: bool) -> list[str]:
    """Send a text through all steps; the model is down and the stress engine not installed."""
    config = Settings(languages=("ru", "en"))
    catalogue = Catalogue(config)
    llm = Llm(Path("nowhere") / "settings.yml")
    steps = Steps(config, Pool({}, {}, nobody), lambda: catalogue, llm)
    chosen = Wanted(**wanted)
    text: Any = arriving(parts)
    if steps.retells(chosen):
        text = steps.retold(text, None)
    return [(await steps.apply(sentence, None, voice(mark), chosen)).spoken async for sentence in split(text, 100_000)]


@pytest.mark.parametrize("mark", ["+", "\u0301", None])
@pytest.mark.parametrize("llm", [True, False])
@settings(deadline=None, max_examples=60)
@given(text=TEXTS, cuts=st.lists(st.integers(0, 150), max_size=4))
async def test_cutting_the_text_anywhere_changes_nothing(
    mark: str | None, llm: bool, text: str, cuts: list[int]
) -> None:
    ends = sorted(cut for cut in cuts if cut <= len(text))
    parts = [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]
    assert await spoken(parts, mark, llm=llm) == await spoken([text], mark)


@pytest.mark.parametrize("mark", ["+", "\u0301", None])
@settings(deadline=None, max_examples=40)
@given(words=WORDS)
async def test_no_word_is_lost(mark: str | None, words: list[str]) -> None:
    def letters(text: str) -> list[str]:
        return re.findall(r"\w+", text.replace("+", "").replace("\u0301", ""))

    said = await spoken([" ".join(words)], mark, llm=True, stress=True)
    assert letters(" ".join(said)) == letters(" ".join(words))


async def test_marks_by_hand_are_spelled_as_the_voice_understands_them() -> None:
    found = {mark: await spoken(["Старый зам+ок."], mark) for mark in ("+", "\u0301", None)}
    assert found == {"+": ["Старый зам+ок."], "\u0301": ["Старый замо\u0301к."], None: ["Старый замок."]}


async def test_a_model_that_is_set_up_wrongly_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    llm = Llm(Path("nowhere") / "settings.yml")
    for _ in range(3):
        assert await llm.reply("tts", "ru", "Привет.") is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Привет" not in caplog.text
    await llm.aclose()


@pytest.mark.parametrize("size", [100, 999, 50_000])
async def test_others_have_their_turn_while_a_text_without_a_sentence_comes_in(size: int) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    waiting = asyncio.create_task(others())
    parts = ["\n" * size] * (50_000 // size)
    assert [sentence async for sentence in split(arriving(parts), 50_000)] == []
    waiting.cancel()
    assert turns >= 25, "after every 2,000 characters at the latest"
