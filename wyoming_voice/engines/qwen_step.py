"""Qwen3-TTS's two models, a step at a time, over the rows of a batch; on a GPU each step is captured once.

A captured (or compiled) step cannot change its shape. So it runs from the first row on, over one of a few numbers of
rows, and looks back on one of a few lengths. That does a row no harm which is only passed over: what it writes, it
writes again in the same place when its turn comes.
"""

from collections.abc import Sequence
from typing import Any, Final

import torch

from .qwen_draw import Sampling
from .qwen_graph import Run, captured
from .qwen_stack import Stack

_ENDS: Final = (256, 512, 1024)  # tokens that a fixed step looks back on: it reads them all, said or not
_PROMPTS: Final = (64, 128, 256, 512)  # tokens of a prompt that is read in one fixed step; a longer one is not


class Steps:
    """The steps, and what they read and write: a row for each stream."""

    def __init__(self, package: Any, *, batch: int, capacity: int, graphs: bool, compiles: bool, masked: bool) -> None:
        """Take the package's ``talker`` over, with room for ``capacity`` tokens of each of ``batch`` streams.

        ``masked`` runs the steps that ``graphs`` captures without capturing them.
        """
        self._package = package
        self._predictor = package.code_predictor
        self._codes = package.config.num_code_groups
        self._talk = Stack(package.model, capacity, batch)
        self._predict = Stack(self._predictor.model, self._codes, batch)
        self._asks = package.model.config._attn_implementation != "sdpa"  # noqa: SLF001 - where transformers keeps it
        talks = compiles and self._talk.compile()
        self.compiled = talks and self._predict.compile()
        """Whether the layers of both models run as ``torch.compile`` made them."""
        self.fixed = masked or graphs or talks
        """Whether shapes do not change."""
        self._ends = [capacity] if talks else [*(end for end in _ENDS if end < capacity), capacity]
        self._graphs = graphs
        self._replays: dict[object, Run] = {}
        weight = package.codec_head.weight
        vocabulary, rest = package.config.vocab_size, self._predictor.config.vocab_size
        with torch.inference_mode():
            self.embeds = weight.new_zeros(batch, 1, weight.shape[1])
            """What the talker is fed next."""
            self.position = weight.new_zeros(batch, dtype=torch.long)
            """Where that goes."""
            self.hidden = torch.zeros_like(self.embeds)
            """What the talker made of it."""
            self.first = torch.zeros_like(self.position)
            """The first code that was drawn from that."""
            self.noise = weight.new_ones(batch, vocabulary, dtype=torch.float32)
            """To draw the first code by."""
            self.noises = weight.new_ones(batch, self._codes - 1, rest, dtype=torch.float32)
            """To draw the others by."""
            self._prompt = weight.new_zeros(1, _PROMPTS[-1], weight.shape[1])
            self._row = weight.new_zeros(1, dtype=torch.long)

    @property
    def capacity(self) -> int:
        """Tokens of one stream."""
        return self._talk.capacity

    @property
    def batches(self) -> Sequence[int]:
        """How many rows a fixed step may have: powers of two, and all."""
        most = len(self.position)
        return [*(2**power for power in range((most - 1).bit_length())), most]

    def prepare(self, sampling: Sampling) -> None:
        """Compile and capture every step that there will be; what rows hold is overwritten."""
        if not self.fixed:
            return
        with torch.inference_mode():
            for most in reversed(_PROMPTS):  # the largest first: the others find its memory
                self._read_fixed(most)
            for batch in reversed(self.batches):
                for end in reversed(self._ends):
                    self.talk(slice(0, batch), end)
                self.predict(slice(0, batch), sampling)

    def rows(self, wanted: Sequence[int]) -> slice:
        """Return the rows to run a step on: these, and as few others as may be."""
        if not self.fixed:
            return slice(min(wanted), max(wanted) + 1)
        return slice(0, next(batch for batch in self.batches if batch > max(wanted)))

    def read(self, embeds: torch.Tensor, row: int) -> torch.Tensor:
        """Read a prompt, shape (1, n, width); returns what the talker makes of its last token, shape (1, 1, width)."""
        if self._asks:  # for another attention: the package has them all
            seen = self._package.model(inputs_embeds=embeds, use_cache=True)
            self._talk.take(seen.past_key_values, row)
            return seen.last_hidden_state[:, -1:]
        length = embeds.shape[1]
        self._row.fill_(row)
        if not self.fixed or length > _PROMPTS[-1]:
            return self._talk.run(embeds, self._talk.span_of(self._row, length))[:, -1:]
        # What follows the prompt, up to a length that is fixed, is not looked at, and is overwritten later.
        self._prompt[:, :length] = embeds
        return self._read_fixed(next(most for most in _PROMPTS if most >= length))[:, length - 1 : length]

    def _read_fixed(self, most: int) -> torch.Tensor:
        (seen,) = self._run(("prompt", most), lambda: (self._read_prompt(most),))
        return seen

    def _read_prompt(self, most: int) -> torch.Tensor:
        return self._talk.run(self._prompt[:, :most], self._talk.span_of(self._row, most))

    def talk(self, rows: slice, end: int) -> torch.Tensor:
        """Feed the talker; returns what it makes of it, shape (rows, 1, width). ``end`` is behind all positions."""
        if self.fixed:
            end = next(most for most in self._ends if most >= end)
            (made,) = self._run(("talker", rows.stop, end), lambda: (self._talk_at(rows, end),))
            return made
        if rows.stop - rows.start == 1:
            return self._talk.run(self.embeds[rows], self._talk.span(rows, end - 1))
        return self._talk_at(rows, end)

    def _talk_at(self, rows: slice, end: int) -> torch.Tensor:
        return self._talk.run(self.embeds[rows], self._talk.span_at(rows, self.position[rows], end))

    def predict(self, rows: slice, sampling: Sampling) -> tuple[torch.Tensor, ...]:
        """Have the predictor say the other codes.

        Returns the frames, shape (rows, 16), and the sums of their codes' embeddings, shape (rows, 1, width).
        """
        return self._run(("predictor", rows.stop, sampling), lambda: self._predict_codes(rows, sampling))

    def _predict_codes(self, rows: slice, sampling: Sampling) -> tuple[torch.Tensor, torch.Tensor]:
        predictor, first = self._predictor, self.first[rows]
        embedded = self._package.model.codec_embedding(first)[:, None]
        total, codes = embedded, [first]
        tokens, position = torch.cat([self.hidden[rows], embedded], dim=1), 0
        for index in range(self._codes - 1):
            span = self._predict.span(rows, position, tokens.shape[1])
            hidden = self._predict.run(predictor.small_to_mtp_projection(tokens), span)
            position += tokens.shape[1]
            scores = predictor.lm_head[index](hidden[:, -1]).float()
            code = sampling.draw(scores, self.noises[rows, index])
            tokens = predictor.model.codec_embedding[index](code)[:, None]
            total = total + tokens
            codes.append(code)
        return torch.stack(codes, dim=1), total

    def _run(self, key: object, step: Run) -> tuple[torch.Tensor, ...]:
        """Run a step, or replay the graph that was captured of it when it was first needed."""
        if self._graphs and key not in self._replays:
            made = captured(key, step, self.position.device.index)
            if made is None:
                self._graphs = False
            else:
                self._replays[key] = made
        return self._replays[key]() if self._graphs else step()
