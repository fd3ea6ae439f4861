"""Qwen3-ASR on vLLM, for those who have it: the same prompts, its own kernels and its own cache of what was read."""

import os
from collections.abc import Generator, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wyoming_voice.errors import EngineUnavailable

from .protocol import Options
from .qwen_asr_text import Hears


class VllmRecogniser:
    """vLLM's engine, stepped by us, so that tokens come one by one and a request can be left."""

    def __init__(self, folder: Path, options: Options) -> None:
        """Load the model with the option ``vllm``, vLLM's own arguments; raise EngineUnavailable."""
        # In this process: then the memory is free for certain when it ends.
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        try:
            from vllm import SamplingParams  # noqa: PLC0415 (a worker's library, where there is a GPU)
        except ImportError as error:
            raise EngineUnavailable(
                f"vLLM does not load ({error}). Install qwen-asr[vllm] in the environment of qwen-asr (it needs a GPU "
                "of NVIDIA), or leave out the option backend: then transformers recognises."
            ) from error
        from qwen_asr import Qwen3ASRModel  # noqa: PLC0415

        own = options.get("vllm") or {}
        if not isinstance(own, Mapping):
            raise EngineUnavailable(f"The option vllm of qwen-asr must be vLLM's arguments by name, not {own!r}.")
        try:
            package = Qwen3ASRModel.LLM(str(folder), **{"gpu_memory_utilization": 0.5, "max_model_len": 4096, **own})
        except (OSError, RuntimeError, ValueError, TypeError) as error:  # no GPU, no memory, no such argument
            raise EngineUnavailable(f"Qwen3-ASR cannot load {folder} on vLLM: {error}") from error
        self.processor: Any = package.processor
        self._engine: Any = package.model.llm_engine
        self._sampling = partial(SamplingParams, temperature=0.0, detokenize=False)
        self._ends = frozenset(self.processor.tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"]))
        self._numbers = count()

    def listen(self, samples: NDArray[np.float32]) -> Hears:
        """Take a recording, shape (n,), 16 kHz."""
        return partial(self._tokens, samples)

    def _tokens(self, samples: NDArray[np.float32], prompt: str, most: int) -> Generator[int | None]:
        request = str(next(self._numbers))
        asked = {"prompt": prompt, "multi_modal_data": {"audio": [samples]}}
        self._engine.add_request(request, asked, self._sampling(max_tokens=most, stop_token_ids=list(self._ends)))
        told = 0
        try:
            while self._engine.has_unfinished_requests():
                for state in self._engine.step():
                    tokens = state.outputs[0].token_ids  # all so far
                    yield from (token for token in tokens[told:] if token not in self._ends)
                    told = len(tokens)
        finally:
            self._engine.abort_request([request])
