"""Sentences: tables of what a reader would say, and the law that chunks do not matter."""

import time

import pytest
import razdel
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wyoming_voice.text.split import LOOKAHEAD, SentenceSplitter

# "¦" is where one sentence ends; the text is the case without it.

RUSSIAN = """
Привет. ¦Как дела?
Привет.¦Как дела?
Привет!¦Как дела?
Да?¦Нет!¦Может быть.
Да. ¦Нет. ¦Не знаю.
Что?! ¦Не может быть!!! ¦Да…
Ну... не знаю.
Ну... ¦Ладно.
Он живёт на ул. Ленина. ¦Я тоже.
Она живёт на ул. Ленина, д. 5, корп. 2, кв. 17. ¦Этаж третий.
Москва, ул.Тверская, д.7. ¦Вход со двора.
г. Москва, пр. Мира, стр. 3. ¦Домофон не работает.
Это случилось в 2020 г. ¦Потом всё изменилось.
Это случилось в 2020 г. в Москве.
В XIX в. ¦Россия росла.
С 1941 по 1945 гг. шла война.
Он ушёл, т. е. совсем. ¦Больше его не видели.
Он ушёл, т.е. совсем.
Т. к. дождь кончился, мы пошли. ¦Было тепло.
Яблоки, груши и т. д. ¦Всё свежее.
Яблоки, груши и т.д. продаются здесь.
Яблоки, груши и т. п. ¦Ещё есть сливы.
Лисы, волки и др. звери. ¦Все спят.
Лисы, волки и др. ¦Все спят.
Столы, стулья и пр. ¦Всё новое.
Это стоит 5 тыс. руб. в месяц. ¦Дорого.
Это стоит 100 руб. ¦Дорого.
Население — 1,5 млн. человек.
Бюджет — 3 млрд. руб. ¦Это много.
Театр им. Пушкина открыт. ¦Билеты есть.
Это проф. Иванов. ¦Он читает лекции.
См. стр. 25. ¦Там всё написано.
Рост 180 см. ¦Вес 80 кг. ¦Здоров.
Роман написал А. С. Пушкин. ¦Это классика.
Роман написал А.С. Пушкин. ¦Это классика.
Ф. М. Достоевский и Л. Н. Толстой — писатели. ¦Оба великие.
Это был тов. Сухов. ¦Он стрелял.
Число пи равно 3.14. ¦Это важно.
Версия 1.2.3 вышла. ¦Обновите 1.2.2.
Адрес 192.168.1.1 занят. ¦Возьмите 192.168.1.2.
Сейчас 12:30. ¦Поезд в 13.45. ¦Успеем.
Сайт example.com не работает. ¦Попробуйте ya.ru.
Сайт пример.рф открыт. ¦Заходите.
Откройте https://www.example.com/a.html?q=1!2#x и читайте. ¦Там всё.
Пишите на a.b@example.com. ¦Ответим.
Датчик sensor.kitchen_temperature показывает 21.5 °C. ¦Тепло.
«Привет!» — сказал он. ¦«Пока», — ответила она.
«Кто там?» — Иван прислушался. ¦Тишина.
«Привет!» ¦Никто не ответил.
Он спросил: «Кто там?» ¦Никто не ответил.
— Привет! — сказал он. ¦— Как дела? ¦— Хорошо.
— Да. ¦— Нет.
(Он пришёл.) ¦Потом ушёл.
Он пришёл (в 5 ч. утра). ¦Потом ушёл.
Он взял всё (хлеб, соль и т. д.). ¦Потом ушёл.
"Пойдём домой." ¦"Не хочу."
1. Первое. ¦Второе.
1. Включи свет.¦\\n2. Выключи свет.¦\\n3. Спи.
1) Включи свет¦\\n2) Выключи свет
а) хлеб¦\\nб) молоко
- хлеб¦\\n- молоко¦\\n- соль
— яблоки;¦\\n— груши.
Купи:¦\\n- хлеб¦\\n- соль
Это длинное предложение,\\nкоторое продолжается здесь. ¦Вот так.
Я живу в\\nМоскве. ¦А ты?
Я живу на ул.\\nЛенина. ¦А ты?
Заголовок¦\\n\\nТекст начинается. ¦И идёт.
Заголовок¦\\nТекст начинается. ¦И идёт.
Первый абзац без точки¦\\n\\n\\nвторой абзац
Это цена (100 руб.). ¦Покупаю.
Холодно. ¦-5 градусов. ¦Оденьтесь.
Пришло пять. ¦15 человек ушло. ¦Осталось пусто.
У меня есть iPhone. ¦iPhone дорогой.
Кто это? ¦Это я. ¦Открывай.
Ой! ¦Ай! ¦Ух ты!
Я устал
В т. ч. налоги. ¦Итого 120 руб. 50 коп. ¦Спасибо.
Родился в 10 в. до н. э. в Риме. ¦Умер там же.
Встреча 5 янв. 2025 г. в 10:00. ¦Не опаздывай!
P.S. Не забудь. ¦Жду.
Статья опубликована в США. ¦Потом в Европе.
Платформа .NET работает. ¦И node.js тоже.
Он сказал «да». ¦Она — «нет».
Ужас!.. ¦Он упал.
Как?.. ¦Опять?
Формула E = mc². ¦Просто.
Яндекс.Погода обещает снег. ¦Верим.
Это 5 %. ¦Потом больше.
Это план Б. 5 человек знают.
Рис. 5 показывает это. ¦Табл. 2 тоже.
"""

ENGLISH = """
Hello. ¦How are you?
Hello.¦How are you?
Hello!¦How are you?
Yes. ¦No. ¦Maybe.
What?! ¦No way!!! ¦Well…
Well... maybe.
Well... ¦Fine.
Dr. Smith arrived. ¦He sat down.
Mr. and Mrs. Brown live here. ¦They are old.
Ms. Lee met Prof. Jones. ¦They talked.
St. Petersburg is cold. ¦Take a coat.
Use a tool, e.g. a hammer. ¦Hit it.
The capital, i.e. London, is big. ¦Very big.
Apples, pears, etc. are fruit. ¦Eat them.
Apples, pears, etc. ¦Everything is fresh.
It is cats vs. dogs. ¦Dogs win.
The case of Roe v. Wade is known. ¦Read it.
The U.S. Army arrived. ¦It was late.
He lives in the U.S. ¦He likes it.
He lives in the U.S. and works in the U.K. ¦She does not.
The U.S.A. is large. ¦So is Canada.
Wake me at 7 a.m. tomorrow. ¦Thanks.
It is 5 p.m. ¦Dinner is ready.
It is 5 p.m. on Monday. ¦Go home.
See No. 5 on the list. ¦It is good.
No. ¦It is not.
No. ¦Never.
On Jan. 5 it snowed. ¦On Feb. 6 it did not.
It happened in Dec. ¦Nobody saw it.
J. K. Rowling wrote it. ¦I read it.
J.K. Rowling wrote it. ¦I read it.
John F. Kennedy spoke. ¦Everyone listened.
Martin Luther King Jr. was there. ¦So was I.
Apple Inc. sells phones. ¦They are dear.
He works for Acme Corp. ¦She works for Foo Ltd. ¦Both earn well.
Pi is 3.14. ¦It goes on.
Version 1.2.3 is out. ¦Update from 1.2.2.
The address is 192.168.1.1. ¦Ping it.
It is 12:30. ¦The train leaves at 13.45. ¦Run.
Go to example.com now. ¦Then to www.Example.Com/Foo.
Go to example.Com. ¦Then leave.
Open https://www.example.com/a.html?q=1!2#X and read. ¦It is all there.
Write to John.Smith@Example.com. ¦He answers.
Call System.Out.println first. ¦Then stop.
Open README.Md first. ¦Then edit main.py.
The sensor.kitchen_temperature shows 21.5 °C. ¦Warm.
"Hello!" he said. ¦"Bye," she answered.
“Hello.” ¦“Bye.”
“Who is there?” asked Tom. ¦Silence.
He asked, "Who is there?" ¦Nobody answered.
(He came.) ¦Then he left.
He came (at 5 a.m.). ¦Then he left.
He said 'stop.' ¦Then he left.
It costs $5. ¦$10 is too much.
It costs 5 dollars. ¦10 is too much.
1. Turn on the light. ¦Then wait.
1. Turn on the light.¦\\n2. Turn it off.¦\\n3. Sleep.
1) Turn on¦\\n2) Turn off
- bread¦\\n- milk¦\\n* salt
Buy:¦\\n- bread¦\\n- salt
This is a long sentence\\nthat goes on here. ¦Yes.
I live in\\nLondon. ¦And you?
I met Dr.\\nSmith. ¦And you?
A heading¦\\n\\nThe text begins. ¦And goes on.
A heading¦\\nThe text begins. ¦And goes on.
first paragraph¦\\n\\nsecond paragraph
It is cold. ¦-5 degrees. ¦Dress well.
I have one. ¦iPhones are dear.
It was I. ¦Then he came.
Take vitamin C. ¦It helps.
Oh! ¦Ah! ¦Wow!
No stop here
She has a Ph.D. in physics. ¦He does not.
See Fig. 3 and Sec. 4. ¦They differ.
See pp. 5–7 and vol. 2. ¦They differ.
Gen. Lee met Col. Mustard. ¦They fought.
Mt. Everest is high. ¦Very high.
P.S. Bring milk. ¦Thanks.
The .NET platform works. ¦So does node.js.
It weighs 5 lbs. and is 6 ft. tall. ¦Big.
The end...¦\\nThe beginning.
He left?! ¦Yes — he did.
It's here, isn't it? ¦It isn't.
Yahoo! is a company. ¦So is Google.
A. First option¦\\nB. Second option
Smith et al. 2020 said so. ¦Others did not.
"""

OTHERS = """
你好。¦你好吗？¦我很好！
「行く。」と言った。¦そして消えた。
彼は来た。¦そして去った。
他说：“你好。”¦我说：“再见。”
كيف حالك؟ ¦أنا بخير.
مرحبا. ¦كيف حالك؟
नमस्ते। ¦आप कैसे हैं?
नमस्ते।¦आप कैसे हैं।
Bonjour ! ¦Ça va ? ¦« Oui ! » ¦Il part.
¿Qué tal? ¦¡Muy bien! ¦Adiós.
Guten Tag. ¦Über uns.
Γεια σου. ¦Τι κάνεις;
Բարև։ ¦Ինչպես ես։
שלום. ¦מה שלומך?
안녕하세요. ¦잘 지내세요?
สวัสดี
Привіт. ¦Їжак спить. ¦Є молоко?
"""


def cases(table: str) -> list[str]:
    return [line.replace("\\n", "\n") for line in table.strip().splitlines()]


def expected(case: str) -> list[str]:
    return [" ".join(sentence.split()) for sentence in case.split("¦")]


def sentences(text: str, step: int | None = None, limit: int = 400) -> list[str]:
    splitter = SentenceSplitter(limit)
    chunks = [text[at : at + step] for at in range(0, len(text), step)] if step else [text]
    return [sentence for chunk in chunks for sentence in splitter.feed(chunk)] + splitter.finish()


def solid(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("case", cases(RUSSIAN))
def test_russian_is_split_as_a_reader_would(case: str) -> None:
    assert sentences(case.replace("¦", "")) == expected(case)


@pytest.mark.parametrize("case", cases(ENGLISH))
def test_english_is_split_as_a_reader_would(case: str) -> None:
    assert sentences(case.replace("¦", "")) == expected(case)


@pytest.mark.parametrize("case", cases(OTHERS))
def test_other_scripts_are_split_at_their_own_stops(case: str) -> None:
    assert sentences(case.replace("¦", "")) == expected(case)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_the_tables_come_out_the_same_in_pieces(step: int) -> None:
    for case in cases(RUSSIAN) + cases(ENGLISH) + cases(OTHERS):
        assert sentences(case.replace("¦", ""), step) == expected(case)


def test_the_tables_are_long_enough_to_mean_something() -> None:
    assert len(cases(RUSSIAN)) >= 60
    assert len(cases(ENGLISH)) >= 60


def test_razdel_on_whole_texts_gets_fewer_of_the_tables_right() -> None:
    table = cases(RUSSIAN) + cases(ENGLISH)
    right = sum(
        [" ".join(found.text.split()) for found in razdel.sentenize(case.replace("¦", ""))] == expected(case)
        for case in table
    )
    assert right < len(table) * 3 / 4


def test_a_sentence_leaves_with_the_first_letter_of_the_next() -> None:
    splitter = SentenceSplitter()
    assert splitter.feed("Привет. ") == []
    assert splitter.feed("К") == ["Привет."]
    assert splitter.feed("ак дела?\n") == []
    assert splitter.feed("\n") == ["Как дела?"]
    assert splitter.finish() == []


def test_no_judgement_waits_longer_than_the_docstring_says() -> None:
    for opening in ("«" * 100, "А" * 100, "1" * 100, "- " * 100, "А. " * 100, "«А" * 100, "\nа) " * 100):
        for stop in ("Дело. ", "Дело.", "U.S. ", "дело\n", "Дело… "):
            text = stop + opening
            fed = [SentenceSplitter().feed(text[:length]) for length in range(len(text))]
            whole = SentenceSplitter().feed(text)
            if whole and whole[0] == stop.strip():
                assert fed[len(stop) + LOOKAHEAD + 1][:1] == whole[:1]


def test_a_splitter_serves_another_text_after_finish() -> None:
    splitter = SentenceSplitter()
    assert [splitter.feed("Раз. Два"), splitter.finish(), splitter.feed("Три. Четыре"), splitter.finish()] == [
        ["Раз."], ["Два"], ["Три."], ["Четыре"],
    ]  # fmt: skip


def test_a_long_sentence_is_cut_at_its_last_clause_mark() -> None:
    assert sentences("Первая часть, вторая часть, третья часть и конец.", limit=30) == [
        "Первая часть, вторая часть,",
        "третья часть и конец.",
    ]
    assert sentences("Это 3,14 и 12:30 подряд без знаков.", limit=20) == ["Это 3,14 и 12:30", "подряд без знаков."]
    assert sentences("Слово — это слово и слово.", limit=12) == ["Слово —", "это слово и", "слово."]


def test_only_a_word_longer_than_the_limit_is_broken() -> None:
    assert sentences("да абвгдежзиклмн нет", limit=5) == ["да", "абвгд", "ежзик", "лмн", "нет"]
    assert sentences("абвгд абвгд", limit=5) == ["абвгд", "абвгд"]
    assert sentences("раз, два", limit=4) == ["раз,", "два"]


def test_nothing_to_say_is_no_sentence() -> None:
    assert sentences("") == []
    assert sentences(" \n\n \t ") == []
    assert sentences("\n\nПривет.\n\n") == ["Привет."]


ALPHABETS = [
    st.text(alphabet='абвАБВ гд.,!?…«»—-\n12"()', max_size=120),
    st.text(alphabet="abcABI st.,!?'\"():;-\n12*", max_size=120),
    st.text(alphabet=".!?…。؟। \n\t\u2029»«\"')—-1aАяIС", max_size=80),
    st.lists(
        st.sampled_from(
            ["Привет", "Как", "ул", "г", "т", "д", "U", "S", "Mr", "No", "He", "Он", "А", "а", "5", "com", "в", "1",
             ".", ".", ". ", "? ", "!", "...", ", ", " ", "\n", "\n\n", "\r\n", "- ", "— ", "«", "»", "(", ")",
             "1. ", ": "]
        ),
        max_size=60,
    ).map("".join),
    st.text(max_size=60),
]  # fmt: skip


@settings(max_examples=1500, deadline=None)
@example(text="1111 1\n\n?", cuts=[1], limit=7)
@given(
    text=st.one_of(ALPHABETS),
    cuts=st.lists(st.integers(1, 7), min_size=1, max_size=9),
    limit=st.sampled_from([1, 7, 40, 400]),
)
def test_chunks_do_not_matter_and_nothing_is_lost(text: str, cuts: list[int], limit: int) -> None:
    whole = sentences(text, limit=limit)
    splitter, parts, at = SentenceSplitter(limit), [], 0
    for turn in range(len(text)):
        step = cuts[turn % len(cuts)]
        parts += splitter.feed(text[at : at + step])
        at += step
    assert parts + splitter.finish() == whole == sentences(text, 1, limit)
    assert solid("".join(whole)) == solid(text)
    assert all(sentence == sentence.strip() and 0 < len(sentence) <= limit for sentence in whole)


HOSTILE = [
    ".",
    "*",
    "[",
    " ",
    "(",
    "1",
    "а",
    "\n",
    ". ",
    "! ",
    "A. ",
    "1. ",
    "\n- ",
    "Aa.",
    "«",
    ". (",
    '." ',
    "a\n",
    ", ",
]


@pytest.mark.parametrize("part", HOSTILE)
def test_hostile_text_takes_linear_time(part: str) -> None:
    text = (part * 100_000)[:100_000]
    started = time.process_time()
    whole = sentences(text)
    one_by_one = sentences(text, 1)
    assert time.process_time() - started < 4
    assert whole == one_by_one
