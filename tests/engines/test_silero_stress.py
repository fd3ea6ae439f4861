"""silero-stress with its real model, which is in its wheel, in a worker."""

import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.engines.environment import WorkerEngine, engine_python, probe, worker
from wyoming_voice.engines.table import engines
from wyoming_voice.errors import EngineUnavailable
from wyoming_voice.text.stress import bare, marked, merge

ENTRY = "wyoming_voice.engines.silero_stress:SileroStress"

# The word in question, marked; the model gets the sentence without marks. Homographs in both of their readings,
# then words that are often said wrong, then the words of a smart home.
KNOWN = """
Повесь на дверь зам+ок.
Рыцарь построил з+амок на горе.
Ключ не подходит к замк+у на двери.
В доме нет мук+и, хлеб не испечь.
Он терпел страшные м+уки.
Дор+ога до города долгая.
Эта вещь очень дорог+а мне.
Стр+елки на часах показывают полдень.
Это ст+оит больших денег.
Машина сто+ит во дворе.
Б+елки живут в лесу.
В яйце есть белк+и и желтки.
Сердце — важный +орган человека.
+Атлас мира лежит на полке.
Платье из шёлка и атл+аса.
Кр+ужки стоят на столе.
Дети ходят в кружк+и после школы.
Он уж+е пришёл.
Этот проход +уже того.
Я плач+у за покупки картой.
Я горько пл+ачу от обиды.
Пот+ом мы пошли домой.
Он обливался п+отом.
Договор+ились, догов+ор подписан вчера.
Катал+ог товаров на сайте.
Закрой жалюз+и в гостиной.
Т+орты на столе.
Он звон+ит мне каждый день.
Купи хлеба и молок+а.
Позвон+и маме завтра.
Я дома, всё хорош+о.
На +улице идёт снег.
Свет на к+ухне выключен.
Включ+и свет в сп+альне.
Температ+ура в комнате двадцать градусов.
Вор+ота гараж+а откр+ыты.
Дверь балк+она открыта.
Пылес+ос н+ачал уб+орку.
Включи обогрев+атель.
Стир+альная маш+ина зак+ончила.
""".strip().splitlines()

RESTORED = {
    "Все готово.": "Вс+ё гот+ово.",
    "Все люди дома.": "Вс+е л+юди д+ома.",
    "Елка стоит в углу.": "+Ёлка сто+ит в угл+у.",
    "ЕЩЕ один день.": "ЕЩ+Ё од+ин д+ень.",
    "Самолет приземлился.": "Самол+ёт приземл+ился.",
    "Теплый чай с медом.": "Т+ёплый ч+ай с м+ёдом.",
    "Ребёнок спит.": "Реб+ёнок сп+ит.",
}


def run(folder: Path, **options: object) -> Iterator[WorkerEngine]:
    with worker("silero-stress", ENTRY, "text", options, folder) as engine:
        yield engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerEngine]:
    engine_python("silero-stress")
    yield from run(tmp_path_factory.mktemp("socket"))


@pytest.fixture(scope="module")
def restoring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerEngine]:
    engine_python("silero-stress")
    yield from run(tmp_path_factory.mktemp("socket"), yo=True)


@pytest.mark.parametrize("sentence", KNOWN)
def test_words_are_stressed_where_people_stress_them(engine: WorkerEngine, sentence: str) -> None:
    found = engine.rewrite(bare(sentence), "ru").split()
    wanted = [(place, word) for place, word in enumerate(sentence.split()) if "+" in word]
    assert [(place, found[place]) for place, _ in wanted] == wanted
    assert merge(bare(sentence), " ".join(found)) == " ".join(found)


@pytest.mark.parametrize("sentence", ["Орг+ан церкви звучит громко.", "Она крас+ивее всех."])
@pytest.mark.xfail(reason="the model does not know it")
def test_what_the_model_says_wrong(engine: WorkerEngine, sentence: str) -> None:
    word = next(word for word in sentence.split() if "+" in word)
    assert word in engine.rewrite(bare(sentence), "ru").split()


@pytest.mark.parametrize(("sentence", "found"), RESTORED.items())
def test_yo_is_restored_where_it_is_wanted(restoring: WorkerEngine, sentence: str, found: str) -> None:
    assert restoring.rewrite(sentence, "ru") == found


def test_a_word_without_its_yo_stays_unmarked_where_it_is_not_wanted(engine: WorkerEngine) -> None:
    assert engine.rewrite("Елка и ёлка.", "ru-RU") == "Елка +и +ёлка."


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("Открой з+амок.", "Откр+ой з+амок."),
        ("Открой за́мок.", "Откр+ой з+амок."),
        ("Откро́й зам+ок и дверь.", "Откр+ой зам+ок +и дв+ерь."),
        ("и\u0306од и C++", "й+од +и C++"),
        ("2+2", "2+2"),
    ],
)
def test_marks_of_a_user_are_kept(engine: WorkerEngine, sentence: str, found: str) -> None:
    assert engine.rewrite(sentence, None) == found


@pytest.mark.parametrize(
    ("language", "sentence", "found"),
    [
        ("uk", "Я люблю слухати казки.", "+Я любл+ю сл+ухати казк+и."),
        ("be", "Я люблю чытаць кнігі.", "+Я любл+ю чыт+аць кн+ігі."),
        ("en", "Hello, мир.", "Hello, мир."),
        ("kk", "Мен сөйлеймін.", "Мен сөйлеймін."),
    ],
)
def test_other_languages(engine: WorkerEngine, language: str, sentence: str, found: str) -> None:
    assert engine.rewrite(sentence, language) == found


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("абежзмокёйАЕЁЗ +-.,!«»\n\t\u0301\u0306İß\ud7ff😀x9ңѐ_") | st.characters(codec="utf-8")))
@example("замок-то, замок\u00a0и  замок…\u2028замок")
@example("за\u200bмок З А М О К замокx xзамок 1замок")
@example("-" * 50 + "+" * 50 + "=(/\\)" * 10)
def test_no_letter_is_lost(engine: WorkerEngine, restoring: WorkerEngine, text: str) -> None:
    same = marked(unicodedata.normalize("NFC", text)).replace("+", "").replace("\u0301", "")
    assert engine.rewrite(text, "ru").replace("+", "").replace("\u0301", "") == same
    found = restoring.rewrite(text, "ru").replace("+", "").replace("\u0301", "")
    assert found.replace("ё", "е").replace("Ё", "Е") == same.replace("ё", "е").replace("Ё", "Е")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text", ["ж" * 5000, "замок " * 200, " " * 5000, "а-" * 2500, "замок" * 1000, "+а" * 2500, "ё" * 5000, "." * 5000]
)
def test_hostile_text_takes_no_longer_than_text(engine: WorkerEngine, text: str) -> None:
    assert bare(engine.rewrite(text, "ru")) == bare(text)


def test_one_torch_thread_is_used_unless_more_are_asked_for(tmp_path: Path) -> None:
    assert probe("silero-stress") == {"threads": [1, 2]}
    with pytest.raises(EngineUnavailable, match="threads must be a whole number from 1 up, not 0"):
        next(run(tmp_path, threads=0))


@pytest.mark.parametrize("name", ["silero-stress", "silero"])
def test_an_engine_without_its_packages_says_what_to_run(name: str, tmp_path: Path) -> None:
    spec = engines()[name]
    (tmp_path / "model.pt").write_bytes(b"")
    options = {"model": str(tmp_path / "model.pt"), "speakers": ["x"]}
    with (
        pytest.raises(EngineUnavailable, match=f"is not installed .* engines install {name}"),
        worker(name, spec.entry, spec.task, options, tmp_path, python=sys.executable),
    ):
        pass
