"""Words whose full stop is no end of a sentence, in one literal table; ``split.py`` has the rules.

The Russian part began as razdel 0.5's (MIT, Alexander Kukushkin); what is also a whole word («рис», «ум», "No") is
where it harms least. An entry in lower case also stands for its capitalised form, others for themselves alone.
"""

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split()) | frozenset(word.capitalize() for word in text.split() if word.islower())


HEAD: Final = _words(
    """
    ул д пр просп пер пл наб бул бульв туп г гор пос дер с р о оз ст м а корп лит им проф акад доц тов гр св преп зам
    зав нач ред сост мл арх корр чл гл кн п т см напр ср англ нем фр исп итал лат греч рус укр яп кит евр араб букв
    гос mr mrs ms dr prof Gen Sen Rep Gov Lt Col Capt Sgt Maj Cpl Adm Cmdr Hon Rev Pres Messrs Mme Mlle St Ste Mt Ft
    vs cf viz v
    """
)
"""A name or a number follows: never the end."""

TAIL: Final = _words(
    """
    др тыс млн млрд трлн руб коп долл проц кв куб пог мин сек час шт экз чел га км мм кг л ч в вв гг стр обл ш рис
    табл эт оф каб комн пом разд вып изд тел доб доп моб ок род ум ед мн муж жен прим пп юр физ эл мес нед янв февр
    авг сент окт нояб дек пн вт чт пт сб вс etc Jr Sr Inc Ltd Co Corp Bros Esq Ave Blvd Rd dept est ext tel max approx
    al ca ed eds vol pp p fig no nos Art Sec Eq oz lb lbs ft hr hrs mins Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov
    Dec Mon Tue Tues Wed Thu Thur Thurs Fri Sat Sun
    """
)
"""The end only where a capital follows: «5 тыс. руб.», but «…и др. Потом»; "No. 5", but "No. Never"."""

UNITS: Final = _words("г м см р с т а о п гр д")
"""Entries of HEAD that are of TAIL right after a number: «г. Москва», but «в 2020 г. Потом»."""

HEAD_PAIRS: Final = _words("т.е т.к т.н т.ч и.о л.д к.п п.н к.н т.с e.g i.e P.S З.Ы")
TAIL_PAIRS: Final = _words("т.д т.п н.э у.е л.с с.ш ю.ш в.д з.д с.г а.е a.m p.m")

STARTERS: Final = _words(
    """
    он она оно они это этот эта эти я мы вы ты но и а потом затем там тут здесь теперь сейчас в на если когда как что
    кто где так также однако поэтому после he she it they we you the a an i this that these those but and then there
    here now if when what who where how so in on at my his her its their our your however after
    """
)
"""Words that begin a sentence after what may be initials or an acronym: "in the U.S. He left", but "the U.S. Army"."""

SUFFIXES: Final = _words(
    """
    com net org info biz io ai dev app ru su eu uk fr pl ua kz tv edu gov рф js ts py rs txt pdf doc md csv json xml
    html htm php exe zip png jpg java dll cfg yml yaml
    """
)
"""What may follow a full stop without a space in one name: "example.Com", "README.Md"."""

PREFIXES: Final = frozenset({"www", "Яндекс", "Yandex"})
"""What a full stop without a space joins to a capital: «Яндекс.Погода»."""

UNFINISHED: Final = _words(
    """
    в во на с со к ко о об от до за из по под у и а но или не ни при для без над через между перед the a an of in on
    at to for and or but with by from as is are was my your his her our their this that
    """
)
"""A line that ends with one of these goes on in the next."""
