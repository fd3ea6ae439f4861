"""Looks inside GigaAM, run by the engine's own interpreter; the last line it prints is JSON.

``same FOLDER SOUND…``: what the package's own decoding and ours make of sounds (float32 samples, 16 kHz).
``cost BACKEND FOLDER SECONDS``: what loading a model and hearing noise of so many seconds takes.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wyoming_voice.engines.gigaam import _load


def same(folder: Path, *sounds: Path) -> dict[str, Any]:
    import torch

    torch.set_num_threads(1)
    recogniser: Any = _load({"model": str(folder), "backend": "torch"})
    return {"sounds": [compared(recogniser, np.fromfile(sound, np.float32)) for sound in sounds]}


def compared(recogniser: Any, samples: NDArray[np.float32]) -> dict[str, Any]:
    """Ours letter by letter, and the package's text of the same encoding."""
    import torch

    (tokens,) = recogniser.recognise([samples])
    model = recogniser._model
    with torch.inference_mode():
        encoded, lengths = model.forward(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
        (theirs,) = model.decoding.decode(model.head, encoded, lengths)
    together = list(recogniser.recognise([samples, samples[: len(samples) // 2], samples]))
    return {
        "ours": "".join(token.text for token in tokens),
        "theirs": theirs,
        "frames": int(lengths[0]),
        "starts": [token.start for token in tokens],
        "together": ["".join(token.text for token in some) for some in together],
        "half": "".join(token.text for token in next(iter(recogniser.recognise([samples[: len(samples) // 2]])))),
    }


def cost(backend: str, folder: Path, seconds: str) -> dict[str, Any]:
    """Seconds to load and to hear, processor seconds of both cores, the least of four; resident megabytes."""
    begin = time.perf_counter()
    recogniser = _load({"model": str(folder), "backend": backend})
    loaded = time.perf_counter()
    samples = (np.random.default_rng(1).standard_normal(round(float(seconds) * 16_000)) * 0.1).astype(np.float32)
    taken, worked, letters = [], [], 0
    for _ in range(4):
        start, work = time.perf_counter(), time.process_time()
        letters = sum(len(tokens) for tokens in recogniser.recognise([samples]))
        taken.append(time.perf_counter() - start)
        worked.append(time.process_time() - work)
    return {
        "load": round(loaded - begin, 2),
        "first": round(taken[0], 3),
        "hear": round(min(taken), 3),
        "processor": round(min(worked), 3),
        "letters": letters,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "mb": int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize() // 2**20,
    }


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    found = cost(arguments[0], Path(arguments[1]), arguments[2]) if what == "cost" else same(*map(Path, arguments))
    print(json.dumps(found, ensure_ascii=False))
