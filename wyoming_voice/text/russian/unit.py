"""Units and currencies that stand behind numbers, as Russian nouns, in one literal table."""

import re
from dataclasses import dataclass
from typing import Final

from .number import Case, Gender, form

_CASES: Final = "ngdaip"
# Endings of the singular, then of the plural, in the order of _CASES
_PARADIGMS: Final = {
    "m": (" а у  ом е", "ы ов ам ы ами ах"),  # градус
    "m0": (" а у  ом е", "ы  ам ы ами ах"),  # ватт: 5 ватт
    "mё": ("ь я ю ь ём е", "и ей ям и ями ях"),  # рубль
    "mь": ("ь я ю ь ем е", "и ей ям и ями ях"),  # паскаль
    "mц": (" а у  ем е", "ы ев ам ы ами ах"),  # месяц
    "че": (" а у а ом е", "а  ам  ами ах"),  # человек
    "f": ("а ы е у ой е", "ы  ам ы ами ах"),  # тонна
    "fй": ("йка йки йке йку йкой йке", "йки ек йкам йки йками йках"),  # копейка
    "fь": ("ь и и ь ью и", "и ей ям и ями ях"),  # часть
    "fл": ("я и е ю ей е", "и ь ям и ями ях"),  # неделя
    "fг": ("а и е у ой е", "и  ам и ами ах"),  # штука
    "fч": ("а и е у ей е", "и  ам и ами ах"),  # тысяча
    "fя": ("я и и ю ей и", "и й ям и ями ях"),  # унция
    "fе": ("на ны не ну ной не", "ны ен нам ны нами нах"),  # гривна
    "i": ("     ", "     "),  # евро
    "йый": ("ый ого ому ый ым ом", "ые ых ым ые ыми ых"),  # квадратный
    "йая": ("ая ой ой ую ой ой", "ые ых ым ые ыми ых"),  # лошадиная
    "йий": ("ий ого ому ий им ом", "ие их им ие ими их"),  # кубический
}


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun that can be counted: its words, each with its paradigm, and what follows unchanged."""

    words: tuple[tuple[str, str], ...]
    tail: str = ""

    @property
    def gender(self) -> Gender:
        kind = self.words[-1][1]
        return "f" if kind[0] == "f" else "m"

    def declined(self, case: Case, *, plural: bool) -> str:
        column = _CASES.index(case)
        said = [stem + _PARADIGMS[kind][plural].split(" ")[column] for stem, kind in self.words]
        return " ".join(said) + self.tail

    def counted(self, number: int, case: Case = "n") -> str:
        """Return the form after a numeral in ``case``: 1 градус, 2 градуса, 5 градусов, до 5 градусов."""
        kind = form(number)
        if kind == 1:
            return self.declined(case, plural=False)
        if case not in "na":
            return self.declined(case, plural=True)
        if kind == 2 and len(self.words) == 1:
            return self.declined("g", plural=False)
        if kind == 2:  # «два квадратных метра», «две лошадиные силы»
            adjective = Noun(self.words[:1]).declined("n" if self.gender == "f" else "g", plural=True)
            return f"{adjective} {Noun(self.words[1:], self.tail).declined('g', plural=False)}"
        return self.declined("g", plural=True)

    def part(self) -> str:
        """Return the form after a decimal: 2,5 градуса."""
        return self.declined("g", plural=False)


def _noun(text: str) -> Noun:
    """«квадратн:йый метр:m | в секунду»."""
    words, _, tail = text.partition("|")
    parts = [word.split(":") for word in words.split()]
    return Noun(tuple((stem, kind) for stem, kind in parts), f" {tail.strip()}" if tail else "")


_TABLE: Final = """
°C ℃ °С ºC ºС = градус:m | Цельсия
°F ℉ ºF = градус:m | Фаренгейта
° º = градус:m
K К = кельвин:m
% = процент:m
‰ = промилле:i
ppm = част:fь | на миллион
ppb = част:fь | на миллиард
lx лк lux = люкс:m0
lm лм = люмен:m
cd кд = кандел:f
W Вт вт = ватт:m0
mW мВт = милливатт:m0
kW КВт кВт квт = киловатт:m0
MW МВт = мегаватт:m0
GW ГВт = гигаватт:m0
Wh W·h Вт·ч Вт⋅ч Вт*ч Вт-ч = ватт-час:m
kWh kW·h кВт·ч кВт⋅ч кВт*ч кВт-ч кВтч КВтч КВт·ч квтч кВт/ч = киловатт-час:m
MWh МВт·ч МВтч = мегаватт-час:m
VA ВА В·А = вольт-ампер:m0
var вар = вар:m
V В = вольт:m0
mV мВ = милливольт:m0
kV кВ = киловольт:m0
A А = ампер:m0
mA мА = миллиампер:m0
Ah А·ч Ач = ампер-час:m
mAh мА·ч мАч = миллиампер-час:m
Ω Ом ом = ом:m0
kΩ кОм = килоом:m0
Hz Гц гц = герц:m0
kHz кГц = килогерц:m0
MHz МГц = мегагерц:m0
GHz ГГц = гигагерц:m0
hPa гПа = гектопаскал:mь
kPa кПа = килопаскал:mь
MPa МПа = мегапаскал:mь
Pa Па = паскал:mь
mbar мбар = миллибар:m
bar бар = бар:m
atm атм атм. = атмосфер:f
psi = фунт:m | на квадратный дюйм
mmHg мм_рт._ст. мм_рт.ст. мм_рт_ст = миллиметр:m | ртутного столба
J Дж = джоул:mь
kJ кДж = килоджоул:mь
cal кал = калори:fя
kcal ккал = килокалори:fя
N Н = ньютон:m
dB дБ dBA дБА = децибел:m0
dBm дБм = децибел:m0 | на милливатт
bit бит = бит:m0
B Б байт = байт:m0
kB KB КБ кБ Кб кб Kb = килобайт:m0
MB МБ Мб мб = мегабайт:m0
GB ГБ Гб гб Gb = гигабайт:m0
TB ТБ Тб тб = терабайт:m0
KiB КиБ = кибибайт:m0
MiB МиБ = мебибайт:m0
GiB ГиБ = гибибайт:m0
TiB ТиБ = тебибайт:m0
bit/s bps бит/с = бит:m0 | в секунду
kbit/s kbps кбит/с Кбит/с кбит/сек Кбит/сек = килобит:m0 | в секунду
Mbit/s Mbps Мбит/с мбит/с Мбит/сек мбит/сек Мб/с = мегабит:m0 | в секунду
Gbit/s Gbps Гбит/с гбит/с Гбит/сек = гигабит:m0 | в секунду
B/s Б/с = байт:m0 | в секунду
kB/s KB/s КБ/с = килобайт:m0 | в секунду
MB/s МБ/с = мегабайт:m0 | в секунду
GB/s ГБ/с = гигабайт:m0 | в секунду
px пикс. = пиксел:mь
Mpx Мп Мпикс МП = мегапиксел:mь
fps кадр/с кадров/с = кадр:m | в секунду
rpm об/мин об./мин = оборот:m | в минуту
km км = километр:m
m м = метр:m
dm дм = дециметр:m
cm см = сантиметр:m
mm мм = миллиметр:m
µm μm мкм um = микрометр:m
nm нм = нанометр:m
mi = мил:fл
ft = фут:m
in = дюйм:m
m² m2 м² м2 кв.м кв.м. кв._м кв._м. = квадратн:йый метр:m
km² км² км2 кв._км = квадратн:йый километр:m
cm² см² см2 = квадратн:йый сантиметр:m
m³ m3 м³ м3 куб.м куб._м куб._м. = кубическ:йий метр:m
cm³ см³ см3 = кубическ:йий сантиметр:m
m³/h м³/ч м3/ч = кубическ:йий метр:m | в час
га ha = гектар:m
км/ч km/h kmh kph км/час = километр:m | в час
м/с m/s м/сек = метр:m | в секунду
км/с km/s = километр:m | в секунду
м/мин m/min = метр:m | в минуту
м/с² m/s² = метр:m | на секунду в квадрате
mph = мил:fл | в час
л l L = литр:m
мл ml mL = миллилитр:m
л/мин L/min l/min = литр:m | в минуту
л/ч L/h l/h = литр:m | в час
gal = галлон:m
g г гр гр. = грамм:m
mg мг = миллиграмм:m
kg кг Кг = килограмм:m
т t = тонн:f
ц = центнер:m
lb lbs = фунт:m
oz = унци:fя
г/м³ g/m³ = грамм:m | на кубический метр
мг/м³ mg/m³ мг/м3 mg/m3 = миллиграмм:m | на кубический метр
мкг/м³ µg/m³ μg/m³ ug/m³ мкг/м3 ug/m3 µg/m3 = микрограмм:m | на кубический метр
мкг µg μg = микрограмм:m
г/л g/l = грамм:m | на литр
мг/л mg/l = миллиграмм:m | на литр
кг/м³ = килограмм:m | на кубический метр
Вт/м² W/m² = ватт:m0 | на квадратный метр
мм/ч mm/h = миллиметр:m | в час
л/100_км = литр:m | на сто километров
мЗв = миллизиверт:m0
мкЗв/ч µSv/h μSv/h = микрозиверт:m0 | в час
мкр/ч мкР/ч = микрорентген:m0 | в час
ч ч. час. h = час:m
мин мин. min = минут:f
с с. сек сек. s sec = секунд:f
мс ms = миллисекунд:f
мкс µs μs = микросекунд:f
нс ns = наносекунд:f
нед нед. = недел:fл
мес мес. = месяц:mц
шт шт. = штук:fг
экз экз. = экземпляр:m
чел чел. = человек:че
стр стр. = страниц:f
л.с. л._с. hp = лошадин:йая сил:f
₽ руб руб. р. RUB р = рубл:mё
коп коп. = копе:fй
$ USD долл долл. = доллар:m
¢ = цент:m
€ EUR = евро:i
£ GBP = фунт:m | стерлингов
¥ JPY = йен:f
CNY = юан:mь
₸ KZT = тенге:i
₴ UAH = грив:fе
₿ BTC = биткоин:m
₺ TRY = лир:f
₾ GEL = лари:i
Br BYN = белорусск:йий рубл:mь
у.е. у._е. = условн:йая единиц:f
"""
_SYMBOLS: Final[dict[str, Noun]] = {
    symbol: _noun(noun)
    for line in _TABLE.strip().splitlines()
    for symbols, noun in [line.split(" = ")]
    for symbol in symbols.split()
}
UNITS: Final = {symbol.replace("_", ""): noun for symbol, noun in _SYMBOLS.items()}
"""By symbol without spaces."""
SCALES: Final = {
    **dict.fromkeys(("тыс", "тыс."), (1_000, _noun("тысяч:fч"))),
    **dict.fromkeys(("млн", "млн."), (10**6, _noun("миллион:m"))),
    **dict.fromkeys(("млрд", "млрд."), (10**9, _noun("миллиард:m"))),
    **dict.fromkeys(("трлн", "трлн."), (10**12, _noun("триллион:m"))),
}
SMALL: Final = {"₽": "коп", "руб": "коп", "руб.": "коп", "р.": "коп", "$": "¢", "€": "¢"}
"""What the hundredth part of a currency is."""
PREFIXED: Final = frozenset("$€£¥₽₸₴₿₺₾")

_WORDS: Final = frozenset("с с. s in р р.".split())


def _pattern(symbols: frozenset[str]) -> str:
    return "|".join(re.escape(symbol).replace("_", " ?") for symbol in sorted(symbols, key=lambda s: (-len(s), s)))


SYMBOL: Final = (
    rf"(?:(?:{_pattern(frozenset(_SYMBOLS) - _WORDS)})(?![^\W_]|[·/²³]\w| ?\w\. ?\w\.)"
    rf"|(?:{_pattern(_WORDS)})(?= ?(?:$|[,;:!?)»\"./–—-])))"
)
"""A unit behind a number; what is also a word («с», "in") only where a sentence or a clause ends after it."""
SCALE: Final = r"(?:тыс|млн|млрд|трлн)(?!\w)\.?"
