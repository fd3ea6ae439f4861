"""Run the measurements, which are part of the checkout and not of the package."""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import Final

from .config import Settings
from .errors import EngineUnavailable

_CHECKOUT: Final = Path(__file__).resolve().parent.parent


async def bench(_settings: Settings, chosen: argparse.Namespace) -> int:
    """Print the tables in a child process; returns its status, and raises EngineUnavailable without a checkout."""
    if not (_CHECKOUT / "bench" / "__main__.py").is_file():
        raise EngineUnavailable(
            f"The measurements are not part of the installed package ({Path(__file__).parent}). "
            "Get the source of wyoming-voice, and run there: ./run.sh bench"
        )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench", *chosen.names, cwd=_CHECKOUT, env=_environment(chosen.config)
    )
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


def _environment(config: str | None) -> dict[str, str]:
    # A safe path leaves out the working directory, where `bench` is.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    return {**environ, "WYOMING_VOICE_CONFIG": str(Path(config).absolute())} if config else environ
