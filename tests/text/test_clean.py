"""Markdown that becomes speech, plain text that stays as it is, and the law that chunks do not matter."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wyoming_voice.text.clean import Cleaner
from wyoming_voice.text.markup import HELD
from wyoming_voice.text.split import SentenceSplitter

RUSSIAN = [
    ("**Привет**, мир!", "Привет, мир!"),
    ("Это *важно*, очень __важно__ и _срочно_.", "Это важно, очень важно и срочно."),
    ("***Всё сразу*** и ~~нет~~.", "Всё сразу и нет."),
    ("при**вет**ствие", "приветствие"),
    ("**Важно:**текст", "Важно:текст"),
    ("«**Слово**» (*другое*)", "«Слово» (другое)"),
    ("Введите `ls -la` и ``два``.", "Введите ls -la и два."),
    ("# Заголовок\nТекст", "Заголовок\n\nТекст"),
    ("### Третий\n\nТекст", "Третий\n\n\nТекст"),
    ("Купи:\n- хлеб\n- молоко\n* соль", "Купи:\n\nхлеб\n\nмолоко\n\nсоль"),
    ("• хлеб\n•молоко", "хлеб\n\nмолоко"),
    ("- [ ] помыть\n- [x] купить", "помыть\n\nкупить"),
    ("1. Раз\n2. Два", "1. Раз\n2. Два"),
    ("  - вложенный\n    - глубже", "вложенный\n\nглубже"),
    ("> Цитата\n> дальше\n>> глубже", "Цитата\nдальше\nглубже"),
    ("до\n\n---\n\nпосле", "до\n\n\n\nпосле"),
    ("до\n\n* * *\n\nпосле", "до\n\n\n\nпосле"),
    ("=====\nИтог\n=====", "\nИтог\n"),
    ("Раздел ----- конец ••• да", "Раздел конец да"),
    ("```python\nx = a * b_c # **\n```\nКонец", "x = a * b_c # **\nКонец"),
    ("~~~\nкод\n~~~", "код\n"),
    ("[Википедия](https://ru.wikipedia.org/wiki/A_(b)) знает", "Википедия знает"),
    ('[текст](http://a.b "подсказка").', "текст."),
    ("[**жирная** ссылка](x)", "жирная ссылка"),
    ("![кошка](cat.png) спит", "кошка спит"),
    ("[![значок](a.svg)](https://a.b) и", "значок и"),
    ("Смотри https://www.example.com/a/b?x=1.", "Смотри example.com."),
    ("(https://user:pw@ya.ru:8080/путь), да", "(ya.ru), да"),
    ("Адрес http://192.168.1.5:8123/lovelace", "Адрес 192.168.1.5"),
    ("<https://ya.ru/x> и www.ya.ru/y!", "ya.ru и ya.ru!"),
    ("**https://ya.ru/**", "ya.ru"),
    ("(см. https://ru.wikipedia.org/wiki/A_(b)), www.нет", "(см. ru.wikipedia.org), www.нет"),
    ("Раз<br>два<br/>три", "Раз\nдва\nтри"),
    ("<p>Абзац</p><p class='x'>Второй</p>", "Абзац\n\nВторой\n\n"),
    ('<b>Жирный</b> <span style="color: red">красный</span>', "Жирный красный"),
    ("до<!-- тайна -- да -->после", "допосле"),
    ("5&nbsp;000 &lt;тег&gt; &amp; &laquo;да&raquo; &#8212; &unknown;", "5 000 <тег> & «да» — &unknown;"),
    ("Привет 😀 мир!", "Привет мир!"),
    ("👨‍👩‍👧‍👦 Семья 👍🏽 и 🇷🇺 флаг ❤️", "Семья и флаг "),
    ("1️⃣ Раз\n2️⃣ Два #️⃣", "Раз\nДва "),
    ("сло\u00adво\u200b и \ufeffещё\u2060\x07", "слово и ещё"),
    ("| Имя | Лет |\n|-----|:---:|\n| Аня | 5 лет |", "Имя, Лет\n\n\nАня, 5 лет"),
    ("Имя | Лет\n--- | ---\nАня | 5", "Имя , Лет\n\nАня , 5"),
    ("\\*не курсив\\* и a\\_b", "*не курсив* и a_b"),
    ("Не закрыто **жирное", "Не закрыто жирное"),
    ("Не закрыто [скобка", "Не закрыто [скобка"),
    ("Не закрыто [скобка](http://a", "Не закрыто [скобка](a"),
    ("Конец **", "Конец **"),
    ("Конец `", "Конец `"),
]

ENGLISH = [
    ("**Hello**, world!", "Hello, world!"),
    ("It is *important*, __very__ _urgent_.", "It is important, very urgent."),
    ("un**believ**able", "unbelievable"),
    ("**Note:** text", "Note: text"),
    ("Use `ls` and the `light`s.", "Use ls and the lights."),
    ("## A heading\ntext", "A heading\n\ntext"),
    ("Buy:\n- bread\n+ milk", "Buy:\n\nbread\n\nmilk"),
    ("> quoted\ntext", "quoted\ntext"),
    ("a\n***\nb", "a\n\nb"),
    ("```\nx < y && z\n```", "x < y && z\n"),
    ("```js\nlet a = `b`;\n```\nEnd", "let a = `b`;\nEnd"),
    ("See [the docs](https://a.b/c#d), please.", "See the docs, please."),
    ("![a cat](cat.png)", "a cat"),
    ("![](cat.png)Cat", "Cat"),
    ("Go to HTTPS://WWW.Example.com/a?b=c, now", "Go to Example.com, now"),
    ("http://localhost:8123", "localhost"),
    ("<a href='https://x.y'>link</a>", "link"),
    ("<ul><li>one</li><li>two</li></ul>", "one\n\ntwo\n\n"),
    ("it&#39;s &copy; &quot;fine&quot;", 'it\'s © "fine"'),
    ("Great job 🎉🎉 now ☎️ me", "Great job now me"),
    ("a\x00b\x1bc", "abc"),
    ("|a|b|\n|-|-|\n|c|d|", "a, b\n\n\nc, d"),
    ("~~old~~ new", "old new"),
    ("__init__ and **kwargs", "init and kwargs"),
]

PLAIN = """
Привет, как дела?
2 * 3 = 6
5*4
5 * 4 * 3
snake_case
a_b и a_b_c
sensor.kitchen_temperature
C# и F# и #1
#тег
-5 °C
5-6 и 2020–2021
и/или
<3
x < y > z
a<b и b>c
if a<5
«Кавычки», „лапки“ и "прямые" 'тоже'
Слово — тире – и дефис-то
за́мок и замо́к
2+2=4, +7 900 123-45-67
ivan.petrov_1@example.com
Как сказано [1], это так [см. выше].
100% и 5 ‰
№ 5
Отель 5*, завтрак*
~5 минут
R&D и AT&T; да
example.com и example.com/path
C:\\Users\\test
Привет!\\nКак дела?\\n\\nХорошо.
  отступ
1) раз\\n2) два
a == b, a != b, a -> b => c
*.py и /*
5 > 3
— Да. — Нет.
http и www и how
!важно [ ] ()
it's o'clock, don`t
T-shirt e-mail 3.14 1.2.3
50 $ 100 € ₽ © ® ™ ± ≈
Ёлка їжак ґанок ß ñ 你好 مرحبا
می‌خواهم
{"a": [1, 2], "b": null}
@user #5 ^2 1;2
...и вот… да?!
""".strip().splitlines()


def cleaned(text: str, step: int | None = None) -> str:
    cleaner = Cleaner()
    chunks = [text[at : at + step] for at in range(0, len(text), step)] if step else [text]
    return "".join([cleaner.feed(chunk) for chunk in chunks]) + cleaner.finish()


@pytest.mark.parametrize(("written", "spoken"), RUSSIAN)
def test_russian_markdown_becomes_what_is_read_aloud(written: str, spoken: str) -> None:
    assert cleaned(written) == spoken == cleaned(written, 1)


@pytest.mark.parametrize(("written", "spoken"), ENGLISH)
def test_english_markdown_becomes_what_is_read_aloud(written: str, spoken: str) -> None:
    assert cleaned(written) == spoken == cleaned(written, 1)


@pytest.mark.parametrize("text", [line.replace("\\n", "\n") for line in PLAIN])
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert cleaned(text) == text


def test_all_of_the_plain_text_at_once_stays_as_it_is() -> None:
    text = "\n".join(PLAIN)
    assert cleaned(text) == text == cleaned(text, 1)


def test_plain_words_leave_at_once() -> None:
    cleaner = Cleaner()
    assert cleaner.feed("Привет, ") == "Привет, "
    assert cleaner.feed("мир") == "мир"
    assert cleaner.feed(" **") == " "
    assert cleaner.feed("ура") == "ура"


def test_a_cleaner_serves_another_text_after_finish() -> None:
    cleaner = Cleaner()
    cleaner.feed("```\nкод **")
    cleaner.finish()
    assert cleaner.feed("**да** ") + cleaner.finish() == "да "


def test_list_items_reach_the_splitter_as_sentences_of_their_own() -> None:
    splitter = SentenceSplitter()
    text = cleaned("Купи:\n- хлеб\n- молоко и\n  соль\n\n# План\nпотом")
    assert splitter.feed(text) + splitter.finish() == ["Купи:", "хлеб", "молоко и соль", "План", "потом"]


@pytest.mark.parametrize(
    "opening", ["[", "[a](", '<a href="', "<!-- ", "https://a.b/", "&", "![", "*", "`", "- ", "|", "[a [b](c"]
)
def test_a_mark_that_never_closes_does_not_hold_the_text_for_ever(opening: str) -> None:
    cleaner = Cleaner()
    text = opening + "x" * (2 * HELD)
    given = "".join(cleaner.feed(char) for char in text)
    assert len(given) > 0
    assert given + cleaner.finish() == cleaned(text)


PIECES = [
    "Привет", "a", "5", " ", "  ", "\n", "\n\n", "\r\n", "*", "**", "_", "__", "~~", "`", "```", "```py\n", "#",
    "# ", "- ", "-", "---", "•", "> ", ">", "|", " | ", "|---|", "[", "]", "](", "](u)", "(", ")", "!", "![",
    "https://a.b/c", "http://", "www.", "h", "w", "<b>", "</p>", "<br>", "<", "<!--", "-->", "&nbsp;", "&",
    "&amp", ";", "😀", "\u200d", "1\ufe0f\u20e3", "\ufe0f", "🇷🇺", "\xad", "\\", "\\*", "=", "===", "—", ".",
    ", ", '"', "[x] ", "\x0c",
]  # fmt: skip


@settings(max_examples=1500, deadline=None)
@given(
    text=st.one_of(st.lists(st.sampled_from(PIECES), max_size=40).map("".join), st.text(max_size=60)),
    cuts=st.lists(st.integers(1, 7), min_size=1, max_size=9),
)
def test_chunks_do_not_matter(text: str, cuts: list[int]) -> None:
    cleaner, given_text, at = Cleaner(), "", 0
    for turn in range(len(text)):
        step = cuts[turn % len(cuts)]
        given_text += cleaner.feed(text[at : at + step])
        at += step
    assert given_text + cleaner.finish() == cleaned(text) == cleaned(text, 1)


@given(text=st.text(alphabet="абвгдеёжз АБВ.,:;!?«»()\"'%№$€+/\n5abcXYZ\u0301", max_size=200))
def test_text_without_marks_comes_out_byte_for_byte(text: str) -> None:
    assert cleaned("+5".join(text.split("+"))) == "+5".join(text.split("+"))


HOSTILE = [
    ".", "*", "_", "[", "]", " ", "(", "1", "\n", "#", "> ", "- ", "|", "| ", "`", "<", "<a ", "<a href=",
    "<!--", "&", "http://", "https://a.b/", "h", "![", "[a](", "[a](b", "[a](u)", "😀", "\u200d", "=", "\\",
    "*a", "**a", "a ", "[a](" + "b" * 1990, '<a b="' + "b" * 2990, "<!-- " + "-" * 2900, "<!-- " + "- " * 1400,
]  # fmt: skip


@pytest.mark.parametrize("part", HOSTILE)
def test_hostile_text_takes_linear_time(part: str) -> None:
    text = (part * 100_000)[:100_000]
    started = time.process_time()
    whole = cleaned(text)
    one_by_one = cleaned(text, 1)
    assert time.process_time() - started < 4
    assert whole == one_by_one
