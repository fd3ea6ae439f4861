"""Abbreviations, initialisms, Roman numerals and signs in a Russian sentence."""

import re
from typing import Final, cast

from wyoming_voice.text.reading import Reader, Rule, Sentence
from wyoming_voice.text.roman import ROMAN, roman

from .abbreviation import CAPITAL_AFTER, NUMBER_AFTER, PHRASES, PLACES, WORDS, place
from .grammar import NEXT_WORD, forms, governed, lemmas
from .lexicon import CASES_AFTER, LETTERS, ROMAN_AFTER, SPELLED
from .number import Case, Gender, ordinal
from .unit import UNITS

_PREPOSITION: Final = re.compile(r"(?:^|[^\w-])([а-я]+) $", re.IGNORECASE)
_LAST_WORD: Final = re.compile(r"([А-ЯЁа-яё]+)[ \u00a0]$")
_VOWEL: Final = re.compile("[АЕЁИОУЫЭЮЯ]")


def _cased(source: str, words: str) -> str:
    return words[0].upper() + words[1:] if source[0].isupper() else words


def _phrase(match: re.Match[str], sentence: Sentence) -> str | None:
    """«т. е.», «и т. д.»"""
    if not match[0][1:].islower():
        return None  # «И. О. Иванов»
    key = re.sub(r"(?<=\.)(?=\w)", " ", match[0].lower())
    said = PHRASES.get(key)
    return None if said is None else _cased(match[0], said) + sentence.stop(match)


def _word(match: re.Match[str], sentence: Sentence) -> str | None:
    """«напр.», «кол-во»."""
    said = WORDS.get(match[0].lower())
    if said is None or (match[0].lower() == "вс." and not sentence.stop(match)):
        return None
    return _cased(match[0], said) + sentence.stop(match)


def _place(match: re.Match[str], sentence: Sentence) -> str | None:
    """«на ул. Ленина», «г. Москва», «кв. 17»."""
    key = match["place"].lower()
    if len(key) == 2 and match["place"] != key:
        return None  # «А. С. Пушкин»
    after = sentence.text[match.end() : match.end() + 2]
    named, numbered = after[:1].isupper() or after[:1] in '«"', after[:1].isdigit()
    if key in CAPITAL_AFTER and not named and not (key in NUMBER_AFTER and numbered):
        return None
    if key in NUMBER_AFTER and not numbered and not (key in CAPITAL_AFTER and named):
        return None
    if key == "г." and sentence.left(match.start()).rstrip().endswith(tuple("0123456789")):
        return None
    word, kind = PLACES[key]
    if named:
        word, kind = {"с.": ("село", "село"), "д.": ("деревня", "fя")}.get(key, (word, kind))
    elif key == "с.":
        word, kind = "страница", "улица"
    before = _PREPOSITION.search(sentence.left(match.start()))
    case = CASES_AFTER.get(before[1].lower(), "n") if before else "n"
    if sentence.left(match.start()).lower().endswith("см. "):
        case = "a"
    gap = match["gap"] or (" " if after[:1].isalnum() else sentence.stop(match))
    return _cased(match[0], place(word, kind, case)) + gap


def _days(match: re.Match[str], sentence: Sentence) -> str:
    """«пн–пт»."""
    first, last = (_DAYS[match[name].lower()] for name in ("one", "two"))
    return f"с {first[1]} по {first_accusative(last)}{sentence.stop(match)}"


_DAYS: Final = {
    "пн": ("понедельник", "понедельника"), "вт": ("вторник", "вторника"), "ср": ("среда", "среды"),
    "чт": ("четверг", "четверга"), "пт": ("пятница", "пятницы"), "сб": ("суббота", "субботы"),
    "вс": ("воскресенье", "воскресенья"),
}  # fmt: skip


def first_accusative(day: tuple[str, str]) -> str:
    """«по пятницу»."""
    return day[0][:-1] + "у" if day[0].endswith("а") else day[0]


def _initialism(match: re.Match[str], sentence: Sentence) -> str | None:
    """«ГИБДД» is spelled, «НАТО» is a word; a shout is neither."""
    word = match["word"]
    said = SPELLED.get(word)
    if said is None and len(word) <= 6 and not _VOWEL.search(word):
        said = spell(word)
    if said is None or (len(word) > 1 and sentence.shouted and _VOWEL.search(word)):
        return None
    return said


def spell(word: str) -> str:
    """Read letter by letter: «эм-че-эс»."""
    names = ["эл" if char == "л" else LETTERS[char] for char in word.lower()]
    return "-".join(names)


def _roman(match: re.Match[str], sentence: Sentence) -> str | None:
    """«XXI век», «глава IV», «Пётр I», «II мировая»."""
    text = match["roman"].replace("Х", "X").replace("І", "I").replace("М", "M").replace("С", "C")
    number = roman(text)
    if number is None:
        return None
    century = _CENTURY.match(sentence.text, match.end())
    if century:
        return _century(number, match, century, sentence)
    before = _LAST_WORD.search(sentence.left(match.start()))
    named = before is not None and (before[1][0].isupper() or lemma_gender(before[1]) is not None)
    if before is not None and named and (len(text) > 1 or text in "IVX") and before[1].lower() not in CASES_AFTER:
        return _after(number, before[1], sentence, match)
    following = NEXT_WORD.match(sentence.text, match.end())
    if following and (len(text) > 1 or text in "IVX"):
        return _before(number, following[1], sentence, match)
    return None


def lemma_gender(word: str) -> Gender | None:
    return next((ROMAN_AFTER[lemma] for lemma in lemmas(word) if lemma in ROMAN_AFTER), None)


def _after(number: int, word: str, sentence: Sentence, match: re.Match[str]) -> str | None:
    """«Екатерины II», «главе IV»: as the word before."""
    known = [one for one in forms(word) if not one.plural and not one.adjective]
    gender = lemma_gender(word)
    if gender is None and not any(one.animate for one in known) and number > 40:
        return None
    if not known:
        return ordinal(number)
    at = match.start() - len(word) - 1
    wanted = governed(sentence, at, at)
    order: list[Case] = [*wanted, "n"]
    best = next((one for case in order for one in known if one.case == case), known[0])
    return ordinal(number, best.case, gender or best.gender, animate=best.animate)


def _before(number: int, word: str, sentence: Sentence, match: re.Match[str]) -> str | None:
    """«II мировая», «на IV этаже»."""
    known = forms(word)
    if not known:
        return None
    wanted = governed(sentence, match.start(), match.end())
    best = next((one for case in (*wanted, "n") for one in known if one.case == case), known[0])
    return ordinal(number, best.case, best.gender, plural=best.plural, animate=best.animate)


_CENTURY: Final = re.compile(r" ?(?P<word>век(?:а|у|ом|е|ов|ам|ами|ах)?|вв\.|в\.|столети[а-я]+|тысячелети[а-я]+)(?!\w)")
_CENTURY_CASES: Final[dict[str, Case]] = {
    "": "n",
    "а": "g",
    "у": "d",
    "ом": "i",
    "е": "p",
    "ов": "g",
    "ам": "d",
    "ами": "i",
    "ах": "p",
}


def _century_case(left: str) -> Case:
    """Return the case of «в.» after a number: of the preposition, else «начало XX в.» and alone «XX в.»."""
    before = _PREPOSITION.search(left)
    if before and before[1].lower() in CASES_AFTER:
        return CASES_AFTER[before[1].lower()]
    return "g" if before or left.endswith(("г. ", "год ", "годы ")) else "n"


def _century(number: int, match: re.Match[str], century: re.Match[str], sentence: Sentence) -> str:
    word = century["word"]
    if word.startswith("век"):
        case, gender = _CENTURY_CASES[word[3:]], "m"
    elif word in {"в.", "вв."}:
        case, gender = _century_case(sentence.left(match.start())), "m"
    else:
        known = [one for one in forms(word) if not one.plural] or [*forms(word)]
        wanted = governed(sentence, match.start(), match.end())
        case = next((one.case for want in wanted for one in known if one.case == want), known[0].case if known else "n")
        gender = "n"
    return ordinal(number, case, cast("Gender", gender))


def _centuries(match: re.Match[str], sentence: Sentence) -> str | None:
    """«XIX–XX веков»."""
    first, last = roman(match["first"].replace("Х", "X")), roman(match["roman"].replace("Х", "X"))
    century = _CENTURY.match(sentence.text, match.end())
    if first is None or last is None or century is None:
        return None
    said = _century(last, match, century, sentence)
    case = "n" if century["word"] == "века" else _CENTURY_CASES.get(century["word"][3:], "n")
    if "." in century["word"]:
        case = _century_case(sentence.left(match.start()))
    if century["word"] == "века":
        said = ordinal(last)
    return f"{ordinal(first, case)} — {said}"


def _century_mark(match: re.Match[str], sentence: Sentence) -> str | None:
    """«в.» after a Roman numeral: «века»."""
    left = sentence.left(match.start())
    found = re.search(r"(?<!\w)(?:[IVXХLCDM]{1,8} ?[-–—] ?)?[IVXХLCDM]{1,8} ?$", left)
    if not found:
        return None
    plural, case = match[0] == "вв.", _century_case(left[: found.start()])
    said = {
        "n": ("век", "века"),
        "g": ("века", "веков"),
        "d": ("веку", "векам"),
        "a": ("век", "века"),
        "i": ("веком", "веками"),
        "p": ("веке", "веках"),
    }
    return said[case][plural] + sentence.stop(match)


def _numero(match: re.Match[str], sentence: Sentence) -> str | None:
    """«№ 5», «№№ 1, 2»."""
    if not _NUMBERED.match(sentence.text, match.end()):
        return None
    left, right = sentence.left(match.start())[-1:], sentence.right(match.end())[:1]
    return ("номера" if right == "№" else "номер" if left != "№" else "") + (" " if right.isalnum() else "")


def _sign(match: re.Match[str], sentence: Sentence) -> str | None:
    """«&», «=» and other signs that stand for a word."""
    char, left, right = match[0], sentence.left(match.start())[-1:], sentence.right(match.end())[:1]
    words = _SIGN_WORDS[char]
    if char in "~≈±<>≤≥" and not re.match(r" ?[+\-−]?\d", sentence.text[match.end() : match.end() + 4]):
        return None
    if char in "+−=<>" and not (left.isspace() or left.isalnum() or left == ")"):
        return None
    if char == "+" and not (right.isspace() or right.isalnum()):
        return f"{' ' if left.isalnum() else ''}{words}"
    before = " " if left and not left.isspace() else ""
    after = " " if right and not right.isspace() else ""
    return before + words + after


_NUMBERED: Final = re.compile(r" ?(?:\d|№|[А-ЯA-Z]{1,3}[-\d])")
_SIGN_WORDS: Final = {
    "&": "и", "+": "плюс", "−": "минус", "=": "равно", "~": "примерно", "≈": "примерно", "§": "параграф", "×": "на",
    "÷": "разделить на", "±": "плюс-минус", "<": "меньше", ">": "больше", "≤": "не больше", "≥": "не меньше",
    "≠": "не равно", "∞": "бесконечность", "√": "корень из",
}  # fmt: skip


def _alternatives(words: "list[str]") -> str:
    return "|".join(re.escape(word).replace(r"\ ", " ?") for word in sorted(words, key=lambda one: (-len(one), one)))


_ENDS: Final = r"(?!\w|-\w)"


def _rule(pattern: str, reader: Reader, flags: int = 0) -> Rule:
    return re.compile(pattern, flags), reader


def _power(match: re.Match[str], _sentence: Sentence) -> str:
    return {"²": " в квадрате", "³": " в кубе"}[match[0]]


def _operator(match: re.Match[str], _sentence: Sentence) -> str:
    return {"/": "разделить на", "*": "умножить на"}[match[0]]


def _lone_unit(match: re.Match[str], sentence: Sentence) -> str:
    """«в км/ч»."""
    inside = re.search(r"(?<!\w)(?:в|во) $", sentence.left(match.start()), re.IGNORECASE)
    return UNITS[match[0]].declined("p" if inside else "g", plural=True)


_LONE: Final = """км/ч м/с кВт·ч кВт Вт·ч Мбит/с Гбит/с МБ/с мкг/м³ мг/м³ ГБ МБ ТБ кг мм см км Вт гПа ГГц МГц кГц Гц дБ
    kWh kW km/h m/s Mbit/s Mbps Gbit/s hPa kPa GHz MHz Hz dB ppm lx °C °F""".split()
LONE_UNITS: Final = "|".join(sorted(map(re.escape, _LONE), key=len, reverse=True))
UNIT_WORDS: Final = (_rule(rf"(?:{LONE_UNITS})(?![^\W_]|[/·])", _lone_unit),)
SIGNS: Final = (
    _rule("[²³]", _power),
    _rule("[/*]", _operator),
    _rule("°[CF](?!\\w)", _lone_unit),
    _rule("[№#]", _numero),
    _rule("[%₽$€°](?![^\\W_])", _lone_unit),
    _rule("[&+−=~≈§×÷±<>≤≥≠∞√]", _sign),
)
WORD_RULES: Final = (
    _rule(rf"(?:{_alternatives([*PHRASES])}){_ENDS}", _phrase, re.IGNORECASE),
    _rule(r"(?P<one>пн|вт|ср|чт|пт|сб|вс)\.? ?[-–—] ?(?P<two>пн|вт|ср|чт|пт|сб|вс)(?!\w)\.?", _days, re.IGNORECASE),
    *UNIT_WORDS,
    _rule(r"вв?\.", _century_mark),
    _rule(rf"(?P<place>{_alternatives([*PLACES])})(?!\w*-\w)(?P<gap> ?)", _place, re.IGNORECASE),
    _rule(rf"(?:{_alternatives([*WORDS])}){_ENDS}", _word, re.IGNORECASE),
    _rule(r"(?P<roman>[XХ]{1,3})(?![^\W_])", _roman),
    _rule(r"(?P<word>[А-ЯЁ]{2,6})(?![А-ЯЁа-яё]|-[а-яё])", _initialism),
)  # fmt: skip
ROMANS: Final = (
    _rule(rf"(?P<first>{ROMAN}) ?[-–—] ?(?P<roman>{ROMAN})(?![^\W_])", _centuries),
    _rule(rf"(?P<roman>{ROMAN})(?![^\W_])", _roman),
)
