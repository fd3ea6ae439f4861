"""How commands are typed here. Our sentences say ``./run.sh …``, as in a checkout, which not everybody has.

Errors, findings and notices pass through :func:`typed` on their way to whoever reads them.
"""

import os
import re
from pathlib import Path
from typing import Final, Literal

Place = Literal["checkout", "package", "add-on"]
"""A checkout has ``run.sh``; a package (pip, Docker) the command ``wyoming-voice``; the add-on its configuration."""

_CHECKOUT: Final = "./run.sh"
_PACKAGE: Final = "wyoming-voice"
_INSTALL: Final = re.compile(
    r"(?P<before>[Rr]un: )?\./run\.sh engines install (?P<engine>[\w-]+)(?: --weights)?(?: --model (?P<model>[^\s,]+))?"
)


def here() -> Place:
    """Tell where we run; the Supervisor gives each of its add-ons a token."""
    if (Path(__file__).resolve().parent.parent / "run.sh").exists():
        return "checkout"
    return "add-on" if "SUPERVISOR_TOKEN" in os.environ else "package"


PLACE: Final[Place] = here()
PROGRAM: Final = _CHECKOUT if PLACE == "checkout" else _PACKAGE
"""What a command line begins with."""


def typed(sentence: str, place: Place = PLACE) -> str:
    """Write a sentence's commands as they are typed at a place; in the add-on engines are an option, no command."""
    if place == "checkout":
        return sentence
    if place == "add-on":
        sentence = _INSTALL.sub(_option, sentence)
    return sentence.replace(_CHECKOUT, _PACKAGE)


def _option(found: re.Match[str]) -> str:
    """Name the add-on's options in place of a command."""
    add = "Add" if (found["before"] or "").startswith("R") else "add"
    model = f", name {found['model']} under Model of each engine" if found["model"] else ""
    return f"{add} {found['engine']} to Engines to install in the add-on's configuration{model}, and restart it"
