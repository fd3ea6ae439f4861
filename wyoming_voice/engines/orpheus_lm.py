"""Orpheus' language model in this process: a step loop over a LLaMA of transformers, one token at a time."""

from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache, StaticCache
from transformers.generation import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from wyoming_voice.errors import BadRequest

from .orpheus_tokens import STOP, Prompt, Sampling
from .torch_device import Placement

ROOM: Final = 8192
"""Tokens of prompt and audio together: what the models were trained on."""
STATIC_ROOM: Final = 4096
"""The same with a static cache, every step of which costs as if it were full."""


class LlamaTokens:
    """Draws tokens as transformers' ``generate`` does, with the same processors, but can be left after each.

    ``compiled`` steps run over a static cache: CUDA graphs by ``torch.compile``, recorded as the model is loaded.
    """

    def __init__(
        self, folder: Path, placement: Placement, sampling: Sampling, *, static: bool = False, compiled: bool = False
    ) -> None:
        self._device = placement.device
        self._tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            str(folder), dtype=placement.dtype, attn_implementation=placement.attention, local_files_only=True
        )
        self._model = model.to(self._device).eval()
        self._sampling = sampling
        self._processors = _processors(sampling)
        self._static = StaticCache(config=self._model.config, max_cache_len=STATIC_ROOM) if static or compiled else None
        self._room = STATIC_ROOM if self._static else ROOM
        self._forward = self._model
        if compiled:
            self._forward = torch.compile(self._model, mode="reduce-overhead", dynamic=False)
            for _ in self.tokens(Prompt("…"), limit=8, seed=0):
                pass

    def tokens(self, prompt: Prompt, limit: int, seed: int) -> Generator[int | None, None, None]:
        """Yield the ids until the speech ends; raises BadRequest for a prompt that leaves no room to speak."""
        ids = prompt.ids(self._encode)
        if len(ids) + limit > self._room:
            raise BadRequest(
                f"The text and its reference recordings take {len(ids)} tokens, which leaves too few of {self._room} "
                "to speak with. Use fewer or shorter recordings."
            )
        generator = torch.Generator(self._device).manual_seed(seed)
        history = torch.zeros((1, len(ids) + limit), dtype=torch.long, device=self._device)
        history[0, : len(ids)] = torch.tensor(ids)
        places = torch.arange(history.shape[1], device=self._device)
        cache = self._cache()
        begin = 0
        for end in range(len(ids), len(ids) + limit):
            forward = self._forward if begin else self._model  # a prompt's length is always another: not compiled
            with torch.inference_mode():
                logits = forward(
                    history[:, begin:end],
                    past_key_values=cache,
                    cache_position=places[begin:end],
                    logits_to_keep=1,
                    use_cache=True,
                ).logits[:, -1]
                history[0, end] = self._draw(history[:, :end], logits, generator)
            token = int(history[0, end])
            if token in STOP:
                return
            yield token
            begin = end

    def _draw(self, history: Any, logits: Any, generator: Any) -> Any:
        """Choose the next id; ``history``: shape (1, n), ``logits``: shape (1, vocabulary)."""
        scores = self._processors(history, logits.to(torch.float32, copy=True))
        if self._sampling.temperature == 0:
            return scores[0].argmax()
        return torch.multinomial(scores[0].softmax(-1), 1, generator=generator)[0]

    def _cache(self) -> Any:
        if self._static is None:
            return DynamicCache()
        with torch.inference_mode():  # as its tensors were made
            self._static.reset()
        return self._static

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text)["input_ids"]
        return ids


def _processors(sampling: Sampling) -> Any:
    """Return transformers' own, in the order in which ``generate`` applies them."""
    found = LogitsProcessorList()
    if sampling.repetition_penalty != 1:
        found.append(RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty))
    if sampling.temperature not in (0, 1):
        found.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.temperature and sampling.top_p < 1:
        found.append(TopPLogitsWarper(sampling.top_p))
    return found
