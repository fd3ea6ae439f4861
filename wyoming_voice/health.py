"""Is a server well? A describe round trip, for containers: ``python -m wyoming_voice.health tcp://HOST:PORT``."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Final

from . import client
from .errors import BadRequest, VoiceError, WorkerLost

_ANSWER_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 0.5


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 when the server describes itself, 1 when it does not, 2 for a wrong address."""
    parser = argparse.ArgumentParser(prog="python -m wyoming_voice.health", description="Ask a server for its info.")
    parser.add_argument("uri", nargs="?", default="tcp://127.0.0.1:10300", metavar="tcp://HOST:PORT")
    parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="how long it may take to start")
    chosen = parser.parse_args(arguments)
    try:
        asyncio.run(healthy(chosen.uri, chosen.wait))
    except VoiceError as error:
        print(error.text, file=sys.stderr)
        return 2 if isinstance(error, BadRequest) else 1
    return 0


async def healthy(uri: str, seconds: float) -> None:
    """Wait until a server describes itself and can do something; raises VoiceError when so many seconds are over."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        try:
            info = await client.describe(uri, _ANSWER_SECONDS)
            if info.tts or info.asr:
                return
            trouble = WorkerLost(f"The server at {uri} runs, but can neither speak nor hear: install an engine.")
        except WorkerLost as error:
            trouble = WorkerLost(error.text.replace("engine's worker", "server"))
        if loop.time() >= end:
            raise trouble
        await asyncio.sleep(_AGAIN_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
