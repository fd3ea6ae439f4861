"""From the end of a command to its transcript, recognised ahead at the pause before it and not."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final

import numpy as np

from wyoming_voice.voices import Model

from .ask import Transcribed, hear
from .direct import direct
from .recording import RATE, Recording, recordings
from .reference import FRAME, pcm_of, reference, samples_of
from .report import Table, median, met, ms, progress, quantile
from .server import Running, models, serve

_LANGUAGES: Final = ("en", "ru")
_LONGEST: Final = 8.0
"""Seconds of what may be called a command."""
_TRAILING: Final = 0.7
"""Seconds of silence after which Home Assistant ends the audio."""
_LEAST_ROOM: Final = 0.1
_ROUNDS: Final = 6
_GOAL: Final = 0.020


async def ahead() -> Table:
    """The same commands in real time, to a server that recognises ahead and to one that does not, in turn."""
    rows: list[tuple[str, ...]] = []
    async with AsyncExitStack() as stack:
        servers = {
            how: await stack.enter_async_context(serve({"WYOMING_VOICE__LISTENING__AHEAD": value}))
            for how, value in (("ahead", "true"), ("at the end", "false"))
        }
        for language in _LANGUAGES:
            said = [one for one in recordings() if one.language == language and not one.derived]
            commands = [(one, pcm) for one in said if one.seconds <= _LONGEST and (pcm := _ended(one)) is not None]
            for model in models(language) if commands else ():
                rows += await _rows(servers, model, commands)
    return Table(
        "audio-stop → transcript of commands, recognised ahead and not, milliseconds",
        ("engine", "language", "recognised", "commands", "p50", "p95", "worst", "texts that differ", "goal"),
        rows,
        f"Recorded speech of 1 to {_LONGEST:g} s and {_TRAILING} s of the room after its last sound, in real time, "
        "10 ms a chunk, as Home Assistant sends it; one command at a time. at the end: with `listening.ahead: false`. "
        "engine: its own time, in a process of its own. texts that differ: from those at the end. "
        f"Goal: p50 under {ms(_GOAL)}.",
    )


async def _rows(
    servers: dict[str, Running], model: Model, commands: Sequence[tuple[Recording, bytes]]
) -> list[tuple[str, ...]]:
    took: dict[str, list[Transcribed]] = {"engine": [], **{how: [] for how in servers}}
    async with direct(model.engine) as engine:
        for number in range(_ROUNDS + 1):
            progress(f"{model.name}, {len(commands)} commands, round {number} of {_ROUNDS}")
            for one, pcm in commands:
                heard = {"engine": await engine.hear(pcm, one.language)}
                for how, server in servers.items():
                    # The first round loads and warms.
                    paced = bool(number)
                    heard[how] = await hear(
                        server.port, pcm, one.language, model.name, paced=paced, samples=RATE // 100
                    )
                if number:
                    for how, result in heard.items():
                        took[how].append(result)
    return [(model.name, commands[0][0].language, how, *_figures(how, took)) for how in took]


def _figures(how: str, took: dict[str, list[Transcribed]]) -> tuple[str, ...]:
    seconds = [heard.seconds for heard in took[how]]
    differ = sum(one.text != other.text for one, other in zip(took[how], took["at the end"], strict=True))
    return (
        str(len(seconds)),
        ms(median(seconds)),
        ms(quantile(seconds, 0.95)),
        ms(max(seconds)),
        str(differ) if how == "ahead" else "",
        met(median(seconds) < _GOAL) if how == "ahead" else "",
    )


def _ended(one: Recording) -> bytes | None:
    """End a recording as a microphone does: with the room after the speech, there and back again where it is short.

    Other noise would not do: Silero takes what begins to hiss for a consonant. None: it ends with the speech.
    """
    samples = samples_of(one.pcm)
    end = reference(samples).end * FRAME
    trailing = round(_TRAILING * RATE)
    room = samples[end : end + trailing]
    if len(room) < _LEAST_ROOM * RATE:
        return None
    return pcm_of(np.concatenate([samples[:end], np.pad(room, (0, trailing - len(room)), mode="reflect")]))
