"""Qwen3-TTS's two models as a loop that can be left at every frame.

For each frame the talker says the first of 16 codes, and the predictor the 15 others, one after the other. The package
does it inside of transformers' ``generate``, which neither streams nor stops; this is the same, step by step.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import torch

from .qwen_graph import captured, compiled
from .qwen_stack import Stack

CAPACITY: Final = 2048
"""Tokens of a prompt and the frames that follow it: 30 s of a reference, its text, and more than a minute of speech."""
_LEAST: Final = 2  # frames before the end may be said, as in the package


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
        """Draw a code; both of shape (1, codes), the noise of exponential distribution. Returns shape (1,).

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


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the package lays out for the talker, in its own code."""

    embeds: torch.Tensor
    """Shape (1, tokens, width)."""
    trailing: torch.Tensor
    """Text that is still to be fed, a token with each frame; shape (1, n, width)."""
    pad: torch.Tensor
    """What is fed when there is none left; shape (1, 1, width)."""
    first: Sampling
    rest: Sampling
    repetition_penalty: float


class Talker:
    """The two models, with room for one stream of frames at a time."""

    def __init__(
        self,
        package: Any,
        *,
        capacity: int = CAPACITY,
        graphs: bool = False,
        compiles: bool = False,
        masked: bool = False,
    ) -> None:
        """Take the package's ``talker`` over; ``masked`` runs the step that graphs capture without capturing it."""
        masked = masked or graphs or compiles
        self._package = package
        self._config = package.config
        self._head = package.codec_head
        self._predictor = package.code_predictor
        self._talk = Stack(package.model, capacity, cleared=masked)
        self._predict = Stack(package.code_predictor.model, self._config.num_code_groups)
        weight = self._head.weight
        self._codes = self._config.num_code_groups
        vocabulary = self._config.vocab_size
        self._barred = torch.arange(vocabulary, device=weight.device) >= vocabulary - 1024
        self._barred[self._config.codec_eos_token_id] = False
        rest = self._predictor.config.vocab_size
        # What a captured step reads.
        self._noise = torch.ones(1, vocabulary, device=weight.device)
        self._noises = torch.ones(self._codes - 1, 1, rest, device=weight.device)
        self._hidden = torch.zeros(1, 1, weight.shape[1], dtype=weight.dtype, device=weight.device)
        self._first = torch.zeros(1, dtype=torch.long, device=weight.device)
        self._embeds = torch.zeros_like(self._hidden)
        self._position = torch.zeros(1, dtype=torch.long, device=weight.device)
        self._graphs, self._compiles, self._masked = graphs, compiles, masked
        self._replays: dict[object, Any] = {}

    @property
    def capacity(self) -> int:
        """Tokens and frames that one prompt may come to."""
        return self._talk.capacity

    def frames(self, prompt: Prompt, seed: int, most: int) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield frames until the talker says that it has ended, at most ``most``: the first code, and all 16 of them.

        The codes have the shape (16,) and are where the model is; the first one is told apart since it is known here.

        The same prompt and seed give the same frames; closing ends after the frame under way.
        """
        start = prompt.embeds.shape[1]
        assert start + most <= self.capacity, "the caller shortens what does not fit"
        draws = torch.Generator(self._noise.device).manual_seed(seed)
        said = torch.zeros_like(self._barred)
        with torch.inference_mode():
            hidden = self._prefill(prompt)
        for index in range(most):
            with torch.inference_mode():
                first = self._say(hidden, said, prompt, draws, index)
                told = int(first)
                if told == self._config.codec_eos_token_id:
                    return
                said[told] = True
                frame, embeds = self._complete(hidden, first, prompt.rest, draws)
                frame = frame.clone()
                more = prompt.trailing[:, index : index + 1] if index < prompt.trailing.shape[1] else prompt.pad
                fed = embeds + more
            yield told, frame
            if index + 1 < most:
                with torch.inference_mode():
                    hidden = self._step(fed, start + index)

    def _prefill(self, prompt: Prompt) -> torch.Tensor:
        """Have the package read the prompt, with the attention that was asked for."""
        seen = self._package.model(inputs_embeds=prompt.embeds, use_cache=True)
        self._talk.take(seen.past_key_values)
        return seen.last_hidden_state[:, -1:]

    def _say(
        self, hidden: torch.Tensor, said: torch.Tensor, prompt: Prompt, draws: torch.Generator, index: int
    ) -> torch.Tensor:
        """Draw the first code of a frame; the order of the changes to its scores is that of transformers."""
        scores = self._head(hidden)[:, 0].float()
        penalty = prompt.repetition_penalty
        scores = torch.where(said, torch.where(scores < 0, scores * penalty, scores / penalty), scores)
        scores = scores.masked_fill(self._barred, -torch.inf)
        if index < _LEAST:
            scores[:, self._config.codec_eos_token_id] = -torch.inf
        self._noise.exponential_(generator=draws)
        return prompt.first.draw(scores, self._noise)

    def _complete(
        self, hidden: torch.Tensor, first: torch.Tensor, sampling: Sampling, draws: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Have the predictor say the other codes; returns all, shape (16,), and the sum of their embeddings."""
        self._noises.exponential_(generator=draws)
        self._hidden.copy_(hidden)
        self._first.copy_(first)
        frame, embeds = self._run(("predictor", sampling), lambda: self._predict_codes(sampling))
        return frame, embeds

    def _predict_codes(self, sampling: Sampling) -> tuple[torch.Tensor, torch.Tensor]:
        predictor = self._predictor
        embedded = self._package.model.codec_embedding(self._first)[:, None]
        total, codes = embedded, [self._first]
        tokens, position = torch.cat([self._hidden, embedded], dim=1), 0
        for index in range(self._codes - 1):
            span = self._predict.span(position, tokens.shape[1])
            hidden = self._predict.run(predictor.small_to_mtp_projection(tokens), span)
            position += tokens.shape[1]
            scores = predictor.lm_head[index](hidden[:, -1]).float()
            code = sampling.draw(scores, self._noises[index])
            tokens = predictor.model.codec_embedding[index](code)[:, None]
            total = total + tokens
            codes.append(code)
        return torch.cat(codes), total

    def _step(self, embeds: torch.Tensor, position: int) -> torch.Tensor:
        """Feed the talker a frame; returns what it makes of it, shape (1, 1, width)."""
        if not self._masked:
            return self._talk.run(embeds, self._talk.span(position))
        self._embeds.copy_(embeds)
        self._position.fill_(position)
        (hidden,) = self._run("talker", self._talk_step)
        return hidden

    def _talk_step(self) -> tuple[torch.Tensor, ...]:
        return (self._talk.run(self._embeds, self._talk.span_at(self._position)),)

    def _run(self, key: object, step: Any) -> Any:
        """Run a step, or what was made of it when it was first needed, once for each sampling: compiled, captured."""
        if not (self._graphs or self._compiles):
            return step()
        if key not in self._replays:
            name = key if isinstance(key, str) else "predictor"
            made = compiled(name, step) if self._compiles else step
            self._compiles = made is not step  # where one cannot be compiled, the other is not tried
            self._replays[key] = captured(name, made) if self._graphs else made
        return self._replays[key]()
