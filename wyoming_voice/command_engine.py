"""The command ``engines``: list them with what they take up, install them and their weights, remove them."""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from .app import open_app
from .command import table
from .config import Settings
from .download import megabytes
from .engines.table import environment
from .errors import BadRequest
from .folder import size
from .install import Weights, install, remove
from .sources import wanted
from .voices import Catalogue, Place


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
    offers: str
    licence: str

    @property
    def row(self) -> tuple[str, ...]:
        """The columns of the table for people."""
        own = megabytes(self.environment_bytes) if self.environment else ""
        weights = megabytes(self.weights_bytes) if self.weights == "present" else self.weights
        return (self.engine, self.task, self.device, own, weights, self.state, self.offers, self.licence)


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
        print(json.dumps([asdict(line) for line in lines], ensure_ascii=False, indent=2))
    else:
        head = ("ENGINE", "TASK", "DEVICE", "PACKAGES", "WEIGHTS", "STATE", "OFFERS", "LICENCE")
        table(head, [line.row for line in lines])
    return 0


def _line(catalogue: Catalogue, place: Place) -> _Line:
    spec, settings = place.spec, catalogue.settings
    spoken = sum(voice.engine == place.name for voice, _ in catalogue.offered)
    heard = [known for model in catalogue.models if model.engine == place.name for known in model.languages]
    offers = [f"{spoken} voices"] if spoken else []
    if heard:
        offers.append(f"hears {', '.join(catalogue.wanted(heard))}")
    own = environment(settings.data_dir, spec.name) if spec is not None else None
    installed = own is not None and (own / "bin" / "python").exists()
    models = wanted(spec.name, place.options, settings.languages) if spec is not None else ()
    present = [model for model in models if model.is_here]
    return _Line(
        engine=place.name,
        task=spec.task if spec is not None else f"at {', '.join(place.settings.uri or ())}",
        device=place.settings.device if spec is not None else "",
        environment=str(own) if installed else "",
        environment_bytes=size(own) if installed and own is not None else 0,
        weights="" if not models else "present" if len(present) == len(models) else "absent",
        weights_bytes=sum(model.size for model in present),
        state=place.missing or "ready",
        offers="; ".join(offers),
        licence=spec.licence if spec is not None else "",
    )
