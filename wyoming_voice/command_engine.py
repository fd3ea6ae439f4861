"""The command ``engines``: list them with what they take up, install them and their weights, remove them."""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from .app import open_app
from .command import table
from .config import Settings
from .download import megabytes
from .engines.table import environment
from .errors import BadRequest
from .folder import size
from .install import Weights, install, remove
from .invocation import typed
from .sources import wanted
from .voices import Catalogue, Place

_SEE_BELOW: Final = "see below"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """What is told of an engine."""

    engine: str
    task: str
    device: str
    environment: str
    """Its own Python environment; empty: it has none, and runs in the server's Python if it can."""
    environment_bytes: int
    """Large files count in every environment that has them, though they are on the disk once."""
    weights: str
    """``present``, ``absent``, or empty: it needs none besides its packages, or the user's own."""
    weights_bytes: int
    state: str
    """``ready``, or what is missing and what to do."""
    offers: str
    licence: str
    short: tuple[str, str]
    """State and licence in a few words."""

    @property
    def row(self) -> tuple[str, ...]:
        """The columns of the table for people."""
        disk = self.environment_bytes + self.weights_bytes
        state, licence = self.short
        return (self.engine, self.task, state, self.device, megabytes(disk) if disk else "", self.offers, licence)


async def engines(settings: Settings, chosen: argparse.Namespace) -> int:
    """List the engines, or install or remove some."""
    if chosen.action == "remove":
        return await remove(settings, chosen.names, weights=chosen.weights)
    if chosen.action == "install":
        source = Path(chosen.weights_from) if chosen.weights_from else None
        if source is not None and not source.is_dir():
            raise BadRequest(f"--weights-from {source}: there is no such folder.")
        weights = Weights(source, chosen.model) if chosen.weights or source or chosen.model else None
        return await install(settings, chosen.names, weights)
    async with open_app(settings) as app:
        await app.voices.look()
        catalogue = app.voices.catalogue
    lines = [_line(catalogue, place) for place in catalogue.places.values()]
    if chosen.json:
        told = [{key: value for key, value in asdict(line).items() if key != "short"} for line in lines]
        print(json.dumps(told, ensure_ascii=False, indent=2))
        return 0
    table(("ENGINE", "TASK", "STATE", "DEVICE", "DISK", "OFFERS", "LICENCE"), [line.row for line in lines])
    more = [f"{line.engine}: {line.state}" for line in lines if line.short[0] == _SEE_BELOW]
    how = typed("To install one with its model: ./run.sh engines install NAME --weights")
    print("\n".join(["", *more, how]), file=sys.stderr)
    return 0


def _line(catalogue: Catalogue, place: Place) -> _Line:
    spec, settings = place.spec, catalogue.settings
    spoken = sum(voice.engine == place.name for voice, _ in catalogue.offered)
    heard = [known for model in catalogue.models if model.engine == place.name for known in model.languages]
    offers = [f"{spoken} voice{'s' * (spoken > 1)}"] if spoken else []
    if spec is not None and spec.task == "tts" and not spoken and spec.languages:
        offers.append(f"speaks {', '.join(catalogue.wanted(spec.languages))}")
    if heard:
        offers.append(f"hears {', '.join(catalogue.wanted(heard))}")
    own = environment(settings.data_dir, spec.name) if spec is not None else None
    installed = own is not None and (own / "bin" / "python").exists()
    models = wanted(spec.name, place.options, settings.languages) if spec is not None else ()
    present = [model for model in models if model.is_here]
    weights = "" if not models else "present" if len(present) == len(models) else "absent"
    return _Line(
        engine=place.name,
        task=spec.task if spec is not None else f"at {', '.join(place.settings.uri or ())}",
        device=place.settings.device if spec is not None else "",
        environment=str(own) if installed else "",
        environment_bytes=size(own) if installed and own is not None else 0,
        weights=weights,
        weights_bytes=sum(model.size for model in present),
        state=place.missing or "ready",
        offers="; ".join(offers),
        licence=spec.licence if spec is not None else "",
        short=(_state(place, weights), _licence(place)),
    )


def _state(place: Place, weights: str) -> str:
    if place.missing is None:
        return "ready"
    if place.spec is not None and place.spec.absent(place.options):
        return "not installed"
    return "no model" if weights == "absent" else _SEE_BELOW


def _licence(place: Place) -> str:
    """Name the licence of the model, where models differ, or of the engine."""
    if place.spec is None:
        return ""
    return place.spec.model_licence(place.options) or place.spec.licence.partition(" (")[0]
