"""Units and currencies that stand behind numbers, as English nouns, in one literal table."""

import re
from typing import Final

_TABLE: Final = """
°C ℃ ºC = degree_Celsius degrees_Celsius
°F ℉ ºF = degree_Fahrenheit degrees_Fahrenheit
° º = degree degrees
K = kelvin kelvins
% = percent percent
‰ = per_mille per_mille
ppm = part_per_million parts_per_million
ppb = part_per_billion parts_per_billion
lx lux = lux lux
lm = lumen lumens
cd = candela candelas
W = watt watts
mW = milliwatt milliwatts
kW KW = kilowatt kilowatts
MW = megawatt megawatts
GW = gigawatt gigawatts
Wh W·h = watt-hour watt-hours
kWh kW·h kW⋅h KWh = kilowatt-hour kilowatt-hours
MWh MW·h = megawatt-hour megawatt-hours
VA = volt-ampere volt-amperes
var = var vars
V = volt volts
mV = millivolt millivolts
kV = kilovolt kilovolts
A = amp amps
mA = milliamp milliamps
Ah = amp-hour amp-hours
mAh = milliamp-hour milliamp-hours
Ω = ohm ohms
kΩ = kiloohm kiloohms
Hz = hertz hertz
kHz = kilohertz kilohertz
MHz = megahertz megahertz
GHz = gigahertz gigahertz
hPa = hectopascal hectopascals
kPa = kilopascal kilopascals
MPa = megapascal megapascals
Pa = pascal pascals
mbar = millibar millibars
bar = bar bars
atm = atmosphere atmospheres
psi = pound_per_square_inch pounds_per_square_inch
inHg = inch_of_mercury inches_of_mercury
mmHg = millimeter_of_mercury millimeters_of_mercury
J = joule joules
kJ = kilojoule kilojoules
kcal = kilocalorie kilocalories
cal = calorie calories
BTU = B_T_U B_T_Us
N = newton newtons
dB dBA = decibel decibels
dBm = decibel-milliwatt decibel-milliwatts
bit = bit bits
B = byte bytes
kB KB = kilobyte kilobytes
MB = megabyte megabytes
GB = gigabyte gigabytes
TB = terabyte terabytes
PB = petabyte petabytes
KiB = kibibyte kibibytes
MiB = mebibyte mebibytes
GiB = gibibyte gibibytes
TiB = tebibyte tebibytes
bit/s bps = bit_per_second bits_per_second
kbit/s kbps = kilobit_per_second kilobits_per_second
Mbit/s Mbps Mb/s = megabit_per_second megabits_per_second
Gbit/s Gbps Gb/s = gigabit_per_second gigabits_per_second
B/s = byte_per_second bytes_per_second
kB/s KB/s = kilobyte_per_second kilobytes_per_second
MB/s = megabyte_per_second megabytes_per_second
GB/s = gigabyte_per_second gigabytes_per_second
px = pixel pixels
MP Mpx = megapixel megapixels
fps = frame_per_second frames_per_second
rpm RPM = revolution_per_minute revolutions_per_minute
bpm = beat_per_minute beats_per_minute
km = kilometer kilometers
m = meter meters
dm = decimeter decimeters
cm = centimeter centimeters
mm = millimeter millimeters
µm μm um = micrometer micrometers
nm = nanometer nanometers
mi mi. = mile miles
yd = yard yards
ft ft. = foot feet
in in. inch = inch inches
″ = inch inches
m² m2 sqm = square_meter square_meters
km² km2 = square_kilometer square_kilometers
cm² cm2 = square_centimeter square_centimeters
ft² ft2 sqft = square_foot square_feet
m³ m3 = cubic_meter cubic_meters
cm³ cm3 = cubic_centimeter cubic_centimeters
ft³ ft3 = cubic_foot cubic_feet
m³/h m3/h = cubic_meter_per_hour cubic_meters_per_hour
ha = hectare hectares
km/h kmh kph = kilometer_per_hour kilometers_per_hour
m/s = meter_per_second meters_per_second
km/s = kilometer_per_second kilometers_per_second
m/s² m/s2 = meter_per_second_squared meters_per_second_squared
mph = mile_per_hour miles_per_hour
mpg = mile_per_gallon miles_per_gallon
kn = knot knots
ft/s = foot_per_second feet_per_second
l L = liter liters
ml mL = milliliter milliliters
L/min l/min = liter_per_minute liters_per_minute
L/h l/h = liter_per_hour liters_per_hour
gal gal. = gallon gallons
gpm = gallon_per_minute gallons_per_minute
fl_oz fl._oz. = fluid_ounce fluid_ounces
g = gram grams
mg = milligram milligrams
kg = kilogram kilograms
µg μg = microgram micrograms
t = ton tons
lb lb. lbs lbs. = pound pounds
oz oz. = ounce ounces
g/m³ g/m3 = gram_per_cubic_meter grams_per_cubic_meter
mg/m³ mg/m3 = milligram_per_cubic_meter milligrams_per_cubic_meter
µg/m³ μg/m³ ug/m³ ug/m3 µg/m3 = microgram_per_cubic_meter micrograms_per_cubic_meter
mg/L mg/l = milligram_per_liter milligrams_per_liter
W/m² W/m2 = watt_per_square_meter watts_per_square_meter
mm/h = millimeter_per_hour millimeters_per_hour
in/h = inch_per_hour inches_per_hour
µSv/h μSv/h = microsievert_per_hour microsieverts_per_hour
h hr hr. hrs hrs. = hour hours
min min. mins mins. = minute minutes
s sec sec. secs = second seconds
ms = millisecond milliseconds
µs μs = microsecond microseconds
ns = nanosecond nanoseconds
d = day days
wk = week weeks
mo = month months
yr yr. yrs yrs. = year years
hp = horsepower horsepower
$ USD US$ = dollar dollars
¢ = cent cents
€ EUR = euro euros
£ GBP = pound pounds
¥ JPY = yen yen
CNY = yuan yuan
₽ RUB = ruble rubles
₴ UAH = hryvnia hryvnias
₸ KZT = tenge tenge
₹ INR = rupee rupees
₿ BTC = bitcoin bitcoins
₺ TRY = lira liras
CHF = Swiss_franc Swiss_francs
pcs = piece pieces
"""

UNITS: Final[dict[str, tuple[str, str]]] = {
    symbol.replace("_", " "): (one.replace("_", " "), many.replace("_", " "))
    for line in _TABLE.strip().splitlines()
    for symbols, names in [line.split(" = ")]
    for one, many in [names.split()]
    for symbol in symbols.split()
}
SCALES: Final = {
    "k": "thousand", "K": "thousand", "thousand": "thousand", "M": "million", "m": "million", "mn": "million",
    "million": "million", "B": "billion", "bn": "billion", "billion": "billion", "T": "trillion",
    "trillion": "trillion",
}  # fmt: skip
SMALL: Final = {"$": ("cent", "cents"), "€": ("cent", "cents"), "£": ("penny", "pence"), "USD": ("cent", "cents")}
"""What the hundredth part of a currency is."""
CURRENCY: Final = "(?:US\\$|[$€£¥₽₴₸₹₿₺])"

_WORDS: Final = frozenset("″ in d t m s h".split())


def _pattern(symbols: "frozenset[str]") -> str:
    return "|".join(re.escape(symbol).replace(r"\ ", " ?") for symbol in sorted(symbols, key=lambda s: (-len(s), s)))


SYMBOL: Final = (
    rf"(?:(?:{_pattern(frozenset(UNITS) - _WORDS)})(?![^\W_]|[·/²³]\w)"
    rf"|(?:{_pattern(_WORDS - {'in'})})(?![^\W_]|[·/²³'’]\w|\.\w)|in(?= ?(?:$|[,;:!?)×])|\.(?:\s|$)))"
)
