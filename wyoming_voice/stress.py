"""Stress marks of sentences on their way to a voice, by the engine ``silero-stress`` where it is installed.

It never stands in the way: what fails is left alone for a while (``breaker.py``), with one warning.
"""

import asyncio
import logging
import re
import unicodedata
from collections.abc import Callable
from typing import Final, cast

from . import client
from .breaker import Breaker
from .config import Settings
from .errors import VoiceError
from .pool import Pool
from .text.stress import ACUTE, Mark, marked, merge, spell
from .voices import Catalogue, Voice

_LOGGER = logging.getLogger(__name__)

ENGINE: Final = "silero-stress"
_LANGUAGES: Final = frozenset({"ru", "uk", "be"})
"""Languages with marks: what the engine knows, and what a user may write by hand."""
_CYRILLIC: Final = re.compile("[\u0400-\u04ff]")
_LONGEST: Final = 10.0
"""Seconds that a sentence waits for its marks; then it goes without. While the engine loads, text.stress_wait."""


def has_stress(language: str) -> bool:
    """Tell whether stress is marked in a language."""
    return language.lower().replace("_", "-").partition("-")[0] in _LANGUAGES


class Stress:
    """Marks stressed vowels by the pool's engine."""

    def __init__(self, settings: Settings, pool: Pool, catalogue: Callable[[], Catalogue]) -> None:
        self._settings = settings
        self._pool = pool
        self._catalogue = catalogue
        self._breaker = Breaker(asyncio.get_running_loop().time)
        self._missed = False
        self._loading = False
        """It was left alone because it was loading, and for nothing else."""

    def warm(self) -> None:
        """Start the engine where it is installed and a voice of the user's languages understands its marks."""
        offered = self._catalogue().offered
        useful = any(voice.stress and any(map(has_stress, languages)) for voice, languages in offered)
        if self._settings.text.stress and useful and self._missing() is None:
            self._pool.preload(ENGINE)

    async def mark(self, sentence: str, language: str, voice: Voice, wanted: bool | None) -> str:
        """Mark a sentence as the voice understands it; ``wanted`` None: as config.yml says, where marks are of use.

        Marks of the user's own (U+0301 by now) are kept; for a voice that understands none, all are dropped.
        """
        mark = cast("Mark | None", voice.stress)  # a spec's, which has no others
        asked = self._settings.text.stress and mark is not None if wanted is None else wanted
        if asked and self._there(wanted):
            plus = marked(unicodedata.normalize("NFC", sentence))
            rewritten = await self._rewritten(plus, language)
            if rewritten is not None:
                return spell(merge(plus, rewritten), mark)
        if mark == "+":
            return marked(sentence)
        return sentence if mark == ACUTE else sentence.replace(ACUTE, "")

    def _there(self, wanted: bool | None) -> bool:
        missing = self._missing()
        if missing is not None and wanted and not self._missed:
            self._missed = True
            _LOGGER.warning("No stress is marked: %s", missing)
        return missing is None

    def _missing(self) -> str | None:
        place = self._catalogue().places.get(ENGINE)
        return f"{ENGINE} is not enabled." if place is None else place.missing

    async def _rewritten(self, sentence: str, language: str) -> str | None:
        """Ask the engine; None: it could not be had."""
        if _CYRILLIC.search(sentence) is None:
            return None
        loaded = bool(self._pool.workers(ENGINE))
        if loaded and self._loading:
            self._loading = False
            self._breaker.succeed()
        if not self._breaker.admit():
            return None
        seconds = _LONGEST if loaded else self._settings.text.stress_wait
        try:
            async with asyncio.timeout(seconds):
                with self._pool.ticket(ENGINE) as ticket:
                    async with ticket.turn() as worker:
                        found = await client.rewrite(worker.uri, sentence, language, _LONGEST)
        except (VoiceError, TimeoutError) as error:
            self._loading = not loaded and isinstance(error, TimeoutError)
            if self._breaker.fail():
                reason = error.text if isinstance(error, VoiceError) else f"{ENGINE} took longer than {seconds:g} s."
                if self._loading:
                    reason = (
                        f"{ENGINE} is still loading, and a sentence waits {seconds:g} s for that (text.stress_wait)."
                    )
                _LOGGER.warning("No stress is marked for a while: %s", reason)
            return None
        except asyncio.CancelledError:
            self._breaker.withdraw()
            raise
        self._breaker.succeed()
        return found
