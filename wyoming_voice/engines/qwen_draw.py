"""How Qwen3-TTS's codes are drawn, in a way that a CUDA graph can capture: chance comes from outside."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a code is drawn."""

    sample: bool
    """False: the likeliest one."""
    temperature: float
    top_k: int
    """0: all."""
    top_p: float

    def draw(self, scores: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Draw codes; both of shape (n, codes), the noise of exponential distribution. Returns shape (n,).

        The likeliest of ``probability / noise`` is a fair draw (the race of exponential clocks), and can be captured.
        """
        if not self.sample:
            return scores.argmax(-1)
        scores = scores / self.temperature
        if 0 < self.top_k < scores.shape[-1]:
            scores = scores.masked_fill(scores < scores.topk(self.top_k).values[:, -1:], -torch.inf)
        if self.top_p < 1:
            ordered, order = scores.sort(descending=True)
            before = ordered.softmax(-1).cumsum(-1) - ordered.softmax(-1)
            scores = ordered.masked_fill(before >= self.top_p, -torch.inf).gather(-1, order.argsort(-1))
        return (scores.softmax(-1) / noise).argmax(-1)
