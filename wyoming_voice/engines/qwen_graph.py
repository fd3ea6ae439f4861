"""A step made faster: its thousand small kernels launched as one CUDA graph.

What is captured reads and writes tensors that stay where they are; whoever replays it fills them in first.
"""

import logging
from collections.abc import Callable
from typing import Final

import torch

_LOGGER = logging.getLogger(__name__)

_WARM: Final = 3  # runs before a capture, in which libraries choose their kernels and make their workspaces

Run = Callable[[], tuple[torch.Tensor, ...]]


def captured(name: str, run: Run) -> Run:
    """Capture a function of no arguments that returns tensors; the returned one replays it into the same tensors.

    Where the capture fails (an old driver, too little memory) the function itself is returned, and a line is logged.
    """
    try:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side), torch.inference_mode():
            for _ in range(_WARM):
                run()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph), torch.inference_mode():
            made = run()
    except RuntimeError as error:
        _LOGGER.warning("no CUDA graph for the %s (%s): it runs step by step, more slowly", name, error)
        return run

    def replay() -> tuple[torch.Tensor, ...]:
        graph.replay()
        return made

    return replay
