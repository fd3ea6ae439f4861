"""Numbers, signs, abbreviations and foreign letters, made the words that a speaker of the language would say.

Own rules over num2words (numerals in every case) and pymorphy3 (the form of the noun after a number), after trying what
exists on fifty sentences of a smart home and on hostile input:

* ru-normalizr 1.3 is the best for Russian, but takes 6 ms a sentence and 80 s for 100,000 letters, capitalises and adds
  full stops to sentences, and reads «CO2 850 ppm» as «си оу две тысячи восемьсот пятьдесят ппм».
* rutextnorm 2.1 (MIT) takes 0.2 ms, but knows no gender («один книга») and few units, and hangs on 100,000 digits.
* Not run, by their documentation and size: runorm is a neural network with torch; nemo_text_processing needs pynini and
  compiles its grammars; damga brings 128 MB of transducers.
* voxnorm (English) leaves alone what could be read in two ways; spokenform brings 18 MB for sixty languages.

A sentence is read at once and for itself, so it does not matter how the text was cut into chunks.
"""

from typing import Final

from .reading import Sentence

LANGUAGES: Final = frozenset({"ru", "en"})
"""Languages that are normalised; other texts stay as they are."""


def normalize(sentence: str, language: str, reads: frozenset[str] = frozenset()) -> str:
    """Spell out what is not words; a sentence of words alone comes back as it is.

    ``language`` (BCP 47) is what numbers and signs are read in; ``reads`` names foreign letters that the engine reads
    itself (``latin``, ``cyrillic``). What comes out comes out the same again.
    """
    first, _, region = language.lower().replace("_", "-").partition("-")
    if first == "ru":
        from .russian.rules import russian  # noqa: PLC0415 - a server that speaks no Russian needs no Russian grammar

        return russian(Sentence(sentence, reads, region))
    if first == "en":
        from .english.rules import english  # noqa: PLC0415 - the same

        return english(Sentence(sentence, reads, region))
    return sentence


def warm(language: str) -> None:
    """Load what the language needs: about 0.3 s and 40 MB for Russian. A sentence then takes far less than 1 ms."""
    normalize("1 час", language)
    normalize("1st 5", language)
