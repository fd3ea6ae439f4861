"""What is said in the benchmarks."""

from typing import Final

SHORT: Final = {"ru": "Свет на кухне включён.", "en": "The kitchen light is on."}
LONG: Final = {
    "ru": "Сегодня до вечера будет облачно и без дождя, ветер слабый, а к ночи похолодает до минус трёх градусов, "
    "поэтому возьмите с собой тёплую куртку.",
    "en": "It will stay cloudy and dry until the evening with a light wind, and the temperature will drop to three "
    "degrees below zero at night, so take a warm jacket with you.",
}

# IEEE Recommended Practice for Speech Quality Measurements (1969), lists 1 and 2: the "Harvard sentences"
HARVARD: Final = (
    "The birch canoe slid on the smooth planks.",
    "Glue the sheet to the dark blue background.",
    "It's easy to tell the depth of a well.",
    "These days a chicken leg is a rare dish.",
    "Rice is often served in round bowls.",
    "The juice of lemons makes fine punch.",
    "The box was thrown beside the parked truck.",
    "The hogs were fed chopped corn and garbage.",
    "Four hours of steady work faced us.",
    "A large size in stockings is hard to sell.",
    "The boy was there when the sun rose.",
    "A rod is used to catch pink salmon.",
    "The source of the huge river is the clear spring.",
    "Kick the ball straight and follow through.",
    "Help the woman get back to her feet.",
    "A pot of tea helps to pass the evening.",
    "Smoky fires lack flame and heat.",
    "The soft cushion broke the man's fall.",
    "The salt breeze came across from the sea.",
    "The girl at the booth sold fifty bonds.",
)
RUSSIAN: Final = (
    "Включи свет в гостиной и закрой шторы.",
    "Завтра утром будет сильный снег.",
    "Старый мост через реку давно закрыт.",
    "На столе стоит чашка горячего чая.",
    "Поезд отходит через двадцать минут.",
    "Дети играли во дворе до темноты.",
    "Бабушка испекла пирог с яблоками.",
    "Мы долго шли по узкой лесной тропе.",
    "Он открыл окно и посмотрел на море.",
    "Температура в спальне двадцать два градуса.",
)
SENTENCES: Final = {"en": HARVARD, "ru": RUSSIAN}
