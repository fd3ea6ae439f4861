"""Give engines Python environments of their own, and their weights, and take them away again.

What counts is a folder's name: it is made in a hidden folder beside its place and renamed when it works, so a running
server sees it whole or not at all.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Final

from .config import Settings
from .config_mistake import guess
from .download import megabytes
from .engines.protocol import Options
from .engines.qwen_asr_files import ALIGNER
from .engines.table import EngineSpec, engines, environment
from .engines.weights import DEFAULT_MODELS
from .environment import asked_for, build, is_made_of, requirements
from .errors import BadRequest, UnknownEngine, VoiceError
from .folder import delete, disk_errors, locked, put_in_place, size, take_away, tidy, unfinished
from .sources import Wanted, wanted
from .weights import bring, drop

_RHVOICE_SCRIPT: Final = Path(__file__).resolve().parent.parent / "scripts" / "install-rhvoice.sh"
_RHVOICE_PACKAGES: Final = "librhvoice5 rhvoice-russian rhvoice-english"


@dataclass(frozen=True, slots=True)
class Weights:
    """What to do about weights: fetch them, or take them ``source``, a folder; of a ``model`` other than configured."""

    source: Path | None = None
    model: str | None = None


async def install(settings: Settings, names: Sequence[str], weights: Weights | None = None) -> int:
    """Install engines, with their weights where those are asked for too. One that fails does not keep the others.

    An environment that is there already is made anew, unless weights are what is missing. Returns 1 where something
    failed, or an engine with weights still lacks some. Raises UnknownEngine, BadRequest for an engine that is not ours
    to install, and EngineUnavailable with the reason.
    """
    specs = {name: _spec(settings, name) for name in names}
    if [spec.name for spec in specs.values()] == ["rhvoice"]:
        return await _install_rhvoice()
    unlike = {spec.name: spec for spec in specs.values()}  # two names of the user's own may stand for one engine
    lacking = [spec for spec in unlike.values() if weights is None or not _is_installed(settings, spec)]
    files = {spec.name: _file(spec) for spec in lacking}
    models = {name: _models(settings, name, spec, weights) for name, spec in specs.items()}
    for name, spec in specs.items():
        _say(_licence(spec, _options(settings, name), weights))
    shelf = environment(settings.data_dir, "any").parent
    turn = asyncio.Lock()
    with disk_errors(shelf), locked(shelf):
        tidy(shelf)
        making = [_install(settings, spec, files[spec.name], turn) for spec in lacking]
        ended = await asyncio.gather(*making, return_exceptions=True)
    if weights is not None:
        for name in names:
            ended += await asyncio.gather(_bring(specs[name], models[name], weights), return_exceptions=True)
    errors = [error for error in ended if error is not None]
    for error in errors:
        if len(names) == 1 or not isinstance(error, VoiceError):
            raise error
        _say(error.text)
    ready = [_tell(settings, name, spec, weights) for name, spec in specs.items()]
    return 1 if errors or (weights is not None and not all(ready)) else 0


def _tell(settings: Settings, name: str, spec: EngineSpec, weights: Weights | None) -> bool:
    """Say whether an engine is ready, and what is left to do; of a model that is not configured, how to use it."""
    options = _options(settings, name)
    configured = options.get("model") or DEFAULT_MODELS.get(spec.name)  # None: it uses whatever there is
    model = weights.model if weights is not None else None
    if model is not None and configured is not None and model not in (configured, ALIGNER):
        missing = spec.missing({**options, "model": model})
        use = f"To use {model}, name it in config.yml: engines: {{{name}: {{options: {{model: {model}}}}}}}"
    else:
        missing = spec.missing(options)
        use = f"{spec.description}: a running server offers it within 15 s."
    _say(missing or use)
    return missing is None


async def _install(settings: Settings, spec: EngineSpec, file: Path, turn: asyncio.Lock) -> None:
    own = environment(settings.data_dir, spec.name)
    made = unfinished(own)
    started = monotonic()
    with disk_errors(own):
        delete(made)
        try:
            _say(f"Installing {spec.description} into an environment of its own: {', '.join(asked_for(file))} …")
            seen = await build(spec, file, made, turn)
            put_in_place(made, own)
        finally:
            delete(made)
        took = f"{size(own) // 1_000_000} MB, {monotonic() - started:.0f} s"
    _say(f"{spec.description} is installed in {own} ({', '.join(filter(None, (took, str(seen))))}).")


def _licence(spec: EngineSpec, options: Options, weights: Weights | None) -> str:
    """Say what an engine may be used for, before it is there; its model's licence may be another."""
    if weights is not None and weights.model is not None:
        options = {**options, "model": weights.model}
    model = spec.model_licence(options)
    of_model = f" The model {options.get('model') or DEFAULT_MODELS.get(spec.name, '')}: {model}." if model else ""
    return f"The licence of {spec.description}: {spec.licence}.{of_model}"


def _is_installed(settings: Settings, spec: EngineSpec) -> bool:
    """Tell whether an engine's packages are those of its requirements, or in our own Python."""
    own, file = environment(settings.data_dir, spec.name), requirements(spec.name)
    if own.exists() and file is not None:
        return is_made_of(own, file) and not spec.absent({"data_dir": str(settings.data_dir)})
    return all(find_spec(module) for module in spec.modules)


def _models(settings: Settings, name: str, spec: EngineSpec, weights: Weights | None) -> Sequence[Wanted]:
    """Return the models that are asked for; raises BadRequest for a name that is none's."""
    if weights is None:
        return ()
    options = _options(settings, name)
    if weights.model is not None:
        options = {**options, "model": weights.model}
    return wanted(spec.name, options, settings.languages)


async def _bring(spec: EngineSpec, models: Sequence[Wanted], weights: Weights) -> None:
    if not models:
        _say(f"{spec.description} needs no weights besides its packages, or those that its options name are your own.")
    for model in models:
        await bring(model, weights.source)


async def remove(settings: Settings, names: Sequence[str], *, weights: bool = False) -> int:
    """Remove engines' own environments, and the weights of their models if asked to; raises UnknownEngine."""
    specs = {name: _spec(settings, name) for name in names}
    statuses = [_remove(settings, spec) for spec in {spec.name: spec for spec in specs.values()}.values()]
    if not weights:
        return max(statuses)
    for name, spec in specs.items():
        for model in wanted(spec.name, _options(settings, name), settings.languages):
            freed = drop(model)
            _say(f"{model.name}: {f'{megabytes(freed)} are free again' if freed else 'was not there'}.")
    return 0


def _remove(settings: Settings, spec: EngineSpec) -> int:
    if spec.name == "rhvoice":
        print(f"RHVoice belongs to the system. To remove it: sudo apt-get remove {_RHVOICE_PACKAGES}")
        return 1
    own = environment(settings.data_dir, spec.name)
    if not own.exists() and not unfinished(own).exists():
        shared = all(find_spec(module) for module in spec.modules)
        where = f" It is installed in the server's own Python, {sys.prefix}." if shared else ""
        _say(f"{spec.description} has no environment of its own in {own.parent}: nothing to remove.{where}")
        return 1
    with disk_errors(own), locked(own.parent):
        freed = tidy(own.parent) + (take_away(own) if own.exists() else 0)
    _say(f"{spec.description} is removed from {own}; {freed // 1_000_000} MB are free again.")
    return 0


def _options(settings: Settings, name: str) -> Options:
    """Return an engine's options as its worker gets them."""
    engine = settings.engine(name)
    return {"device": engine.device, **engine.options, "data_dir": str(settings.data_dir)}


def _spec(settings: Settings, name: str) -> EngineSpec:
    """Find the engine of the table that a name stands for, which may be a name of the user's own."""
    configured = settings.engines.get(name)
    if configured is not None and configured.uri is not None:
        raise BadRequest(
            f"The engine {name} runs at {', '.join(configured.uri)}; there is nothing to install or to remove here."
        )
    spec = engines().get((configured and configured.type) or name)
    if spec is None:
        raise UnknownEngine(
            f"There is no engine '{name}'{guess(name, engines()) or '.'} There are {', '.join(engines())}."
        )
    return spec


def _file(spec: EngineSpec) -> Path:
    file = requirements(spec.name)
    if file is None:
        raise BadRequest(f"{spec.description} has no environment of its own. To install it: {spec.install}")
    return file


async def _install_rhvoice() -> int:
    """Run the script of the checkout as root, else say what to run: RHVoice is a library of the system."""
    if not _RHVOICE_SCRIPT.is_file():
        print("RHVoice belongs to the system. Debian, with non-free in its sources, Ubuntu with universe:")
        print(f"  sudo apt-get update\n  sudo apt-get install --no-install-recommends {_RHVOICE_PACKAGES}")
        return 1
    if os.geteuid() != 0:
        print(f"RHVoice belongs to the system, so installing it needs root. Run:\n  sudo sh {_RHVOICE_SCRIPT}")
        return 1
    shell = shutil.which("sh") or "/bin/sh"
    process = await asyncio.create_subprocess_exec(shell, str(_RHVOICE_SCRIPT), stdout=sys.stderr.fileno())
    return await process.wait()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
