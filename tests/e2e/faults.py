"""What the fake engines do wrong when they are told to, and what clients may see of it."""

from typing import Final, Literal

from wyoming.event import Event

from tests.e2e.dialogue import refused, words

Outcome = Literal["right", "error", "early"]
CODES: Final = {"worker-lost", "deadline", "internal", "engine-unavailable"}


def spoken(events: list[Event], right: int) -> Outcome:
    """Say what a client saw, of an answer that ought to have so many words."""
    audio = any(event.type == "audio-chunk" for event in events)
    if any(event.type == "error" for event in events):
        code, text = refused(events)
        assert code in CODES
        assert len(text) > 20, "it is a sentence"
        assert "Traceback" not in text
        return "early" if audio else "error"
    assert words(events) == right, "no error, and not the right answer"
    return "right"


SPEAKING: Final[dict[str, tuple[int, set[Outcome]]]] = {
    "Crash now.": (2, {"error"}),
    "Falter tts now.": (1, {"right"}),
    "Stumble now.": (2, {"early"}),
    "Hang now.": (2, {"error"}),
    "Freeze now.": (2, {"error"}),
    "Garbage now.": (2, {"early"}),
    "Gorge now.": (2, {"early"}),
    "Mistake now.": (2, {"error"}),
    "Slow but sure.": (3, {"right"}),
    "A good one. Crash after it.": (5, {"early"}),
    "A good one. Hang after it.": (5, {"early"}),
}
"""What is said, how many words it ought to be, and what may come of it."""

HEARING: Final[dict[str, str | None]] = {
    "crash": None,
    "falter ears": "0.5 seconds at 0.50",
    "stumble": None,
    "hang": None,
    "late hang": None,
    "garbage": None,
    "gorge": None,
    "mistake": None,
    "slow": "0.5 seconds at 0.50",
}
"""Prompts, and what is heard all the same; None: an error."""
