"""A step made faster: its thousand small kernels launched as one CUDA graph.

What is captured reads and writes tensors that stay where they are; whoever replays it fills them in first.
"""

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import torch

_LOGGER = logging.getLogger(__name__)

_WARM: Final = 3  # runs before a capture, in which libraries choose their kernels and make their workspaces

Run = Callable[[], tuple[torch.Tensor, ...]]


def captured(name: object, run: Run, index: int | None) -> Run | None:
    """Capture a function of no arguments that returns tensors; the returned one replays it into the same tensors.

    None where the capture fails (an old driver, too little memory): a line is logged. All share one pool of memory:
    they are never replayed at the same time, and what they return is copied before the next one. ``index`` is its GPU:
    a stream is of the current one, and a capture there sees nothing of what is done on another.
    """
    try:
        with torch.cuda.device(-1 if index is None else index):  # -1 changes nothing
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side), torch.inference_mode():
                for _ in range(_WARM):
                    run()
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=_pool()), torch.inference_mode():
                made = run()
    except RuntimeError as error:
        _LOGGER.warning("no CUDA graph of the step %s (%s): all run without, more slowly", name, error)
        return None

    def replay() -> tuple[torch.Tensor, ...]:
        graph.replay()
        return made

    return replay


@lru_cache(maxsize=1)
def _pool() -> Any:
    return torch.cuda.graph_pool_handle()
