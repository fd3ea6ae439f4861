"""Whether a language model's reply can stand for the text that it was given. Pure functions."""

import re
from typing import Final

FACTOR: Final = 3
SPARE: Final = 200
"""A reply may have so many times the characters of its text, and so many more: «25» becomes «двадцать пять»."""
_THOUGHT: Final = re.compile(r"\s*<think>.*?(?:</think>|\Z)", re.DOTALL)
_FENCE: Final = re.compile(r"\A```[\w-]*\n(.*?)\n?```\Z", re.DOTALL)
_REFUSAL: Final = re.compile(
    r"\b(?:I(?:['’]m| am) (?:very |so |really )?sorry,? but|I (?:can(?:no|['’])t|am (?:unable|not able) to|won['’]t) "
    r"(?:help|assist|comply|fulfil|do that|process|provide|answer|rewrite)|as an AI\b|"
    r"(?:я )?не могу (?:помочь|выполнить|ответить|обсуждать|обработать|предоставить|говорить)|"
    r"как (?:языковая модель|ИИ|искусственный интеллект)|я (?:всего лишь )?(?:языковая модель|ИИ-ассистент))",
    re.IGNORECASE,
)


def room(text: str) -> int:
    """Return how many characters a reply to this text may have."""
    return FACTOR * len(text) + SPARE


def thinks(reply: str) -> bool:
    """Tell whether a reply that still arrives begins with thoughts."""
    return reply.lstrip().startswith("<think>")


def stripped(reply: str) -> str:
    """Take off what is around a reply: the thoughts of a model that thinks aloud, a fence around it all."""
    said = _THOUGHT.sub("", reply, count=1).strip()
    fenced = _FENCE.match(said)
    return fenced[1].strip() if fenced else said


def nonsense(reply: str, text: str) -> str | None:
    """Say what is wrong with a stripped reply, without quoting it; None: nothing."""
    if not any(map(str.isalnum, reply)):
        return "is empty"
    if len(reply) > room(text):
        return "is much longer than its text"
    refusal = _REFUSAL.search(reply)
    if refusal is not None and refusal[0].casefold() not in text.casefold():
        return "is a refusal"
    return None
