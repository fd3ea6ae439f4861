"""A language model that rewrites what is spoken and mends what was heard, at any OpenAI-compatible address.

It never stands in the way: when it is down, slow or answers nonsense, a text goes on as it is, with one warning, and it
is left alone for a while (``breaker.py``). Files say how it is asked (``llm_file.py``).
"""

import asyncio
import importlib
import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .breaker import Breaker
from .errors import EngineUnavailable
from .llm_file import LlmFiles, LlmSettings, Task
from .llm_reply import nonsense, room, stripped, thinks

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletionMessageParam

_LOGGER = logging.getLogger(__name__)

_ODD_IN_A_ROW: Final = 3
"""So many useless replies, one after another, count as a failure."""
_MOST_AT_ONCE: Final = 4
"""Questions under way at a time; the next waits, within its own time."""
_THOUGHTS: Final = 32_768
"""Characters beyond what a reply may have: what a model thinks aloud before it."""
Turn = tuple[str, str]
"""A text that the model was given before, and what it made of it."""


class _Failed(Exception):
    """The model could not be asked, or did not answer; the text says why, without what was said."""


class Llm:
    """The model of ``text.llm``. ``clock`` counts seconds."""

    def __init__(self, settings: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._files = LlmFiles(settings)
        self._breaker = Breaker(clock)
        self._client: tuple[LlmSettings, str, AsyncOpenAI] | None = None
        self._building = asyncio.Lock()
        self._places = asyncio.Semaphore(_MOST_AT_ONCE)
        self._odd = 0

    def use(self, settings: Path) -> None:
        """Take other settings from now on: config.yml was read again."""
        self._files = LlmFiles(settings)

    async def aclose(self) -> None:
        """Close its connections."""
        if self._client is not None:
            await self._client[2].close()
            self._client = None

    async def warm(self) -> None:
        """Load the client's library, which takes a second or two."""
        await asyncio.to_thread(importlib.import_module, "openai")

    async def reply(
        self,
        task: Task,
        language: str,
        text: str,
        *,
        before: Sequence[Turn] = (),
        context: str = "",
        terms: Sequence[str] = (),
    ) -> str | None:
        """Return what the model makes of a text; None: use the text as it is. Leaving closes its stream.

        Raises nothing: why there is no reply is logged once, until there is one again.
        """
        if not self._breaker.admit():
            return None
        try:
            settings = self._files.settings()
            prompt = self._files.prompt(task, language, context=context, terms=", ".join(terms))
            said = await self._ask(settings, _messages(prompt, before, text), room(text))
        except (_Failed, EngineUnavailable) as error:
            if self._breaker.fail():
                _LOGGER.warning("The language model is left out for a while: %s", error)
            return None
        except asyncio.CancelledError:
            self._breaker.withdraw()
            raise
        return self._judge(stripped(said), text)

    def _judge(self, reply: str, text: str) -> str | None:
        wrong = nonsense(reply, text)
        if wrong is None:
            self._odd = 0
            if self._breaker.succeed():
                _LOGGER.warning("The language model answers again")
            return reply
        self._odd += 1
        if self._odd == 1:
            _LOGGER.warning("A reply of the language model %s: the text goes on as it was", wrong)
        if self._odd >= _ODD_IN_A_ROW:
            self._breaker.fail()
        else:
            self._breaker.withdraw()
        return None

    async def _ask(self, settings: LlmSettings, messages: "list[ChatCompletionMessageParam]", most: int) -> str:
        """Collect a whole answer, within the time and the characters that it may have."""
        loop = asyncio.get_running_loop()
        client = await self._connection(settings)
        began = loop.time()
        try:
            async with asyncio.timeout_at(began + settings.first_token_timeout) as deadline, self._places:
                return await _stream(
                    client,
                    settings,
                    messages,
                    most,
                    begun=lambda: deadline.reschedule(began + settings.timeout),
                )
        except TimeoutError:
            raise _Failed("it took too long (first_token_timeout, timeout)") from None

    async def _connection(self, settings: LlmSettings) -> "AsyncOpenAI":
        key = os.environ.get(settings.api_key_env, "") if settings.api_key_env else "none"
        if not key:
            raise _Failed(f"the environment has no {settings.api_key_env} (api_key_env)")
        async with self._building:
            if self._client is None or self._client[:2] != (settings, key):
                old, self._client = self._client, None
                client = await asyncio.to_thread(_build, settings, key)
                self._client = settings, key, client
                if old is not None:
                    await old[2].close()
            return self._client[2]


def _build(settings: LlmSettings, key: str) -> "AsyncOpenAI":
    """Load the library, which takes a second or two, and make a client."""
    openai = importlib.import_module("openai")
    for chatty in ("httpx", "httpx2", "openai"):  # they log each request at INFO, and at DEBUG what is in it
        logging.getLogger(chatty).setLevel(logging.WARNING)
    client: AsyncOpenAI = openai.AsyncOpenAI(
        base_url=settings.base_url, api_key=key, max_retries=0, timeout=settings.timeout
    )
    return client


async def _stream(
    client: "AsyncOpenAI",
    settings: LlmSettings,
    messages: "list[ChatCompletionMessageParam]",
    most: int,
    begun: Callable[[], None],
) -> str:
    from openai import APIConnectionError, APIStatusError, OpenAIError, omit  # noqa: PLC0415 - loaded when it is used

    parts: list[str] = []
    left, finish, first, thoughtful = most, None, True, False
    try:
        stream = await client.chat.completions.create(
            model=settings.model,
            messages=messages,
            stream=True,
            temperature=omit if settings.temperature is None else settings.temperature,
            max_tokens=omit if settings.max_tokens is None else settings.max_tokens,
        )
        async with stream:
            async for chunk in stream:
                for choice in chunk.choices[:1]:
                    said = choice.delta.content or ""
                    if first and (said or getattr(choice.delta, "reasoning_content", None)):
                        first = False
                        begun()
                    parts.append(said)
                    left -= len(said)
                    finish = choice.finish_reason or finish
                if left < 0:
                    if thoughtful or not thinks("".join(parts)):
                        return "".join(parts)  # too long to be used
                    thoughtful = True
                    left += _THOUGHTS
    except APIStatusError as error:
        raise _Failed(f"{settings.base_url} answers {error.status_code}") from None
    except APIConnectionError:
        raise _Failed(f"{settings.base_url} cannot be reached, or broke off") from None
    except (OpenAIError, ValueError, TypeError, AttributeError, LookupError) as error:
        raise _Failed(f"{settings.base_url} does not answer as OpenAI does ({type(error).__name__})") from None
    if finish not in ("stop", "length", "content_filter"):
        raise _Failed(f"{settings.base_url} broke off")
    return "".join(parts) if finish == "stop" else ""  # what is cut off is of no use


def _messages(prompt: str, before: Sequence[Turn], text: str) -> "list[ChatCompletionMessageParam]":
    messages: list[ChatCompletionMessageParam] = [{"role": "system", "content": prompt}]
    for said, made in before:
        messages += [{"role": "user", "content": said}, {"role": "assistant", "content": made}]
    return [*messages, {"role": "user", "content": text}]
