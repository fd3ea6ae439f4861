"""English abbreviations, initialisms and words that numbers depend on, in literal tables."""

from typing import Final

MONTHS: Final = "January February March April May June July August September October November December".split()
MONTH_NAMES: Final[dict[str, str]] = (
    {month.lower(): month for month in MONTHS} | {month[:3].lower(): month for month in MONTHS} | {"sept": "September"}
)

ABBREVIATIONS: Final[dict[str, str]] = {
    "e.g.": "for example", "i.e.": "that is", "etc.": "et cetera", "vs.": "versus", "vs": "versus", "cf.": "compare",
    "approx.": "approximately", "approx": "approximately", "Mr.": "Mister", "Mr": "Mister", "Mrs.": "Missus",
    "Mrs": "Missus", "Ms.": "Miz", "Prof.": "Professor", "Gen.": "General", "Sen.": "Senator",
    "Rep.": "Representative", "Gov.": "Governor", "Lt.": "Lieutenant", "Col.": "Colonel", "Capt.": "Captain",
    "Sgt.": "Sergeant", "Maj.": "Major", "Rev.": "Reverend", "Hon.": "Honorable", "Jr.": "Junior", "Jr": "Junior",
    "Sr.": "Senior", "Ave.": "Avenue", "Blvd.": "Boulevard", "Rd.": "Road", "Ln.": "Lane", "Pkwy.": "Parkway",
    "Hwy.": "Highway", "Sq.": "Square", "Apt.": "Apartment", "Ste.": "Suite", "Dept.": "Department",
    "dept.": "department", "Inc.": "Incorporated", "Ltd.": "Limited", "Co.": "Company", "Corp.": "Corporation",
    "Bros.": "Brothers", "est.": "established", "Mt.": "Mount", "Ft.": "Fort", "w/o": "without", "w/": "with",
    "b/c": "because", "temp.": "temperature", "max.": "maximum", "min.": "minimum", "ext.": "extension",
    "tel.": "telephone", "Tel.": "telephone", "dept": "department", "govt.": "government", "avg.": "average",
    "misc.": "miscellaneous", "incl.": "including", "excl.": "excluding", "et al.": "and others",
    "a.k.a.": "also known as", "aka": "also known as", "Messrs.": "Messieurs", "Mon.": "Monday", "Tue.": "Tuesday",
    "Tues.": "Tuesday", "Wed.": "Wednesday", "Thu.": "Thursday", "Thurs.": "Thursday", "Fri.": "Friday",
    "Sat.": "Saturday", "Sun.": "Sunday", "24/7": "twenty-four seven", "Jan.": "January", "Feb.": "February",
    "Aug.": "August", "Sept.": "September", "Oct.": "October", "Nov.": "November", "Dec.": "December",
}  # fmt: skip
"""As written; what is a word too ("No.", "St.", "Dr.", "p.") has rules of its own."""
NUMBERED: Final[dict[str, str]] = {
    "no.": "number", "nos.": "numbers", "p.": "page", "pp.": "pages", "vol.": "volume", "fig.": "figure",
    "ch.": "chapter", "sec.": "section", "art.": "article", "ver.": "version", "ed.": "edition", "eq.": "equation",
}  # fmt: skip
"""Only before a number."""

SPELLED: Final = frozenset(
    """
    USB TV LED CPU GPU AI UI UX API URL IP ID IT HR PR PC UK US USA EU UN FBI CIA BBC CNN ATM DVD CD VPN LAN WAN DNS
    HTTP HTTPS
    HTML SSD HDD HDMI MQTT AC DC EV UV UPS GPS SMS QR PDF OS IOS HVAC RGB HD UHD CO VOC SSH FTP UDP TCP POE NFC LTE
    GSM DIY FAQ
    CEO CTO CFO PIN-code NFL NBA MLB NHL IBM BMW AMD MIT UCLA NYC LA DJ MC FM AM PM HA IR RF AQI OK TVOC EU-wide ETA
    IQ VIP ISP
    AP BLE IEEE ISO AWS SQL PHP XML CSV JSONL CCTV IOT DSL RSVP OLED
    """.split()
) - {"PIN-code", "EU-wide", "JSONL", "TVOC", "OLED", "OK", "HVAC"}
"""Initialisms with a vowel that are read letter by letter; those without one always are, all others are words."""

SAID: Final[dict[str, str]] = {
    "CO2": "C O two", "H2O": "H two O", "PM2.5": "P M two point five", "PM10": "P M ten", "PM1": "P M one",
    "NO2": "N O two", "O3": "O three", "Wi-Fi": "Wi-Fi", "HVAC": "H-vac", "OLED": "O-led", "TVOC": "T-voc",
    "MP3": "M P three", "MP4": "M P four", "C++": "C plus plus", "C#": "C sharp", "JSON": "Jason", "YAML": "yammel",
    "ESPHome": "E S P Home", "mDNS": "M D N S", "WLED": "W led", "JPEG": "jay-peg", "PhD": "P H D", "PoE": "P O E",
    "IoT": "I O T", "WiFi": "Wi-Fi", "iOS": "i O S", "macOS": "mac O S", "QLED": "Q-led",
    "Zigbee2MQTT": "Zigbee to M Q T T", "MySQL": "my S Q L", "WWII": "World War two", "WWI": "World War one",
    "AT&T": "A T and T", "R&B": "R and B", "B&B": "B and B", "Q&A": "Q and A", "mph": "miles per hour",
    "km/h": "kilometers per hour",
}  # fmt: skip
"""Names whose letters do not tell how they are said."""

VULGAR: Final = {
    "½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅖": (2, 5), "⅗": (3, 5), "⅘": (4, 5),
    "⅙": (1, 6), "⅛": (1, 8), "⅜": (3, 8), "⅝": (5, 8), "⅞": (7, 8),
}  # fmt: skip

RANKED: Final = frozenset(
    """
    king queen pope emperor empress tsar czar prince louis henry charles george edward william james elizabeth catherine
    peter nicholas alexander philip francis frederick napoleon richard ramses john paul benedict pius leo mary
    """.split()
)
"""Names after which a Roman numeral is an ordinal: "Louis XIV"; after other words it is a cardinal: "Chapter IV"."""
PARTS: Final = frozenset(
    """
    chapter part book volume act scene section article title phase type level class world war episode season figure
    table stage group grade superbowl bowl rocky star wars final fantasy generation gen mark mk corps
    """.split()
)
"""Words after which a Roman numeral is a cardinal."""

CYRILLIC: Final = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        "a b v g d e yo zh z i y k l m n o p r s t u f kh ts ch sh shch _ y _ e yu ya".replace("_", "").split(" "),
        strict=True,
    )
)
"""Cyrillic letters in Latin ones, as BGN/PCGN writes them for English readers."""
