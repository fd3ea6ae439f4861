"""The models of GigaAM, and what of them is on this machine: only names and files, for the server too."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from .protocol import Options
from .weights import DEFAULT_MODELS, weights_folder

Backend = Literal["torch", "onnx"]

MODELS: Final = ("v3_e2e_rnnt", "v3_e2e_ctc", "v3_rnnt", "v3_ctc", "v2_rnnt", "v2_ctc")
"""Full names only: in the ``gigaam`` package of PyPI "rnnt" is v2_rnnt, and in the one of GitHub it is v3_rnnt."""


def model_name(options: Options) -> str:
    """Return the name of the model that the options ask for, a path's last part; it may be none of MODELS."""
    named = str(options.get("model") or DEFAULT_MODELS["gigaam"])
    return Path(named).name.removesuffix(".ckpt")


def folder(options: Options) -> Path:
    """Where the files of the model are."""
    found = weights_folder("gigaam", options)
    return found.parent if found.suffix == ".ckpt" else found


def files(name: str, backend: Backend, quantization: str | None = None) -> tuple[str, ...]:
    """Return the files that a model consists of, for the ``gigaam`` package or for onnx-asr."""
    if backend == "torch":
        return (f"{name}.ckpt",)
    end = f".{quantization}.onnx" if quantization else ".onnx"
    graphs = ("encoder", "decoder", "joint") if name.endswith("rnnt") else ()
    vocabulary = name if "e2e" in name else name.partition("_")[0]
    models = tuple(f"{name}_{graph}{end}" for graph in graphs) or (f"{name}{end}",)
    return (*models, f"{vocabulary}_vocab.txt", "config.json")


def backends(name: str) -> Sequence[Backend]:
    """Return what can run a model, the faster on a CPU first; PyPI's ``gigaam`` has no v3."""
    return ("onnx", "torch") if name.startswith("v2") else ("onnx",)


def backend(options: Options) -> Backend | None:
    """Choose what runs the model: what the option ``backend`` names, else the best whose files are here, or None."""
    here, name = folder(options), model_name(options)
    wanted = [some for some in backends(name) if options.get("backend") in (None, some)]
    if str(options.get("device") or "cpu") != "cpu":
        wanted.reverse()  # torch finds a GPU by itself, ONNX Runtime needs another package for one
    quantization = str(options["quantization"]) if options.get("quantization") else None
    for some in wanted:
        needed = set(files(name, some, quantization))
        if name.startswith("v2"):
            needed.discard("config.json")  # what onnx-asr takes for granted is v2
        if all((here / file).is_file() for file in needed):
            return some
    return None


def missing(options: Options) -> str | None:
    """Say that the model is not here, and how to get it, or that there is none of this name; None: it is ready."""
    name, asked = model_name(options), options.get("backend")
    if name not in MODELS:
        return (
            f"GigaAM has no model {name!r}. Choose one of {', '.join(MODELS)} in engines: gigaam: options: model: "
            "(short names mean different models in different releases, so they are not understood)"
        )
    able = backends(name)
    if asked is not None and asked not in able:
        return (
            f"GigaAM's {name} runs on the backend {' or '.join(able)}, not on {asked!r}: "
            "change or remove the option backend."
        )
    if backend(options) is not None:
        return None
    return f"GigaAM's model {name} is not in {folder(options)}. Run: ./run.sh engines install gigaam --weights"
