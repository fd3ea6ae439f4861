"""Qwen3-TTS's two models as a loop that several streams share, and each can leave at every frame.

For each frame the talker says the first of 16 codes, and the predictor the 15 others, one after the other. The package
does it inside of transformers' ``generate``, which neither streams nor stops; this is the same, step by step. A step
reads all weights, for one stream as for many: so it is taken for all streams whose last frame was asked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import torch

from .qwen_draw import Sampling
from .qwen_graph import Run, captured
from .qwen_stack import Stack

CAPACITY: Final = 2048
"""Tokens of a prompt and the frames that follow it: 30 s of a reference, its text, and more than a minute of speech."""
_LEAST: Final = 2  # frames before the end may be said, as in the package
_ENDS: Final = (256, 512, 1024)  # tokens that a fixed step looks back on: it reads them all, said or not
_INDICES: Final = 1024  # sets of rows whose numbers are kept where the model is


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


@dataclass(slots=True, eq=False)
class _Stream:
    """A prompt on its way to be said: a row of the batch."""

    prompt: Prompt
    row: int
    position: int
    """Where its next frame goes, behind the prompt and the frames before."""
    draws: torch.Generator
    count: int = 0
    """Frames that were said."""
    frame: tuple[int, torch.Tensor] | None = None
    """The last one, until it is taken."""
    ended: bool = False
    broken: RuntimeError | None = None
    """Why its next frame could not be made."""

    @property
    def likeness(self) -> tuple[Sampling, Sampling, float]:
        """How its codes are drawn: those that draw alike can be drawn together."""
        return self.prompt.first, self.prompt.rest, self.prompt.repetition_penalty

    @property
    def more(self) -> torch.Tensor:
        """What is fed with the frame just said, shape (1, 1, width): the next token of the text."""
        trailing, index = self.prompt.trailing, self.count - 1
        return trailing[:, index : index + 1] if index < trailing.shape[1] else self.prompt.pad


class Talker:
    """The two models, with room for a batch of streams."""

    def __init__(
        self,
        package: Any,
        *,
        batch: int = 1,
        capacity: int = CAPACITY,
        graphs: bool = False,
        compiles: bool = False,
        masked: bool = False,
    ) -> None:
        """Take the package's ``talker`` over; ``masked`` runs the steps that graphs capture without capturing them."""
        self._package = package
        self._config = package.config
        self._head = package.codec_head
        self._predictor = package.code_predictor
        self._talk = Stack(package.model, capacity, batch)
        self._predict = Stack(package.code_predictor.model, self._config.num_code_groups, batch)
        self._fixed = masked or graphs or compiles
        """Whether steps run from the first row on, over all that there is room for: shapes do not change."""
        self._ends = [capacity] if compiles else [*(end for end in _ENDS if end < capacity), capacity]
        self._graphs = graphs
        self._replays: dict[object, Run] = {}
        self._codes = self._config.num_code_groups
        with torch.inference_mode():
            self._make_room(batch)
        self._streams: list[_Stream] = []
        self._free = set(range(batch))
        self._index = lru_cache(_INDICES)(lambda rows: torch.tensor(rows, device=self._head.weight.device))
        self.compiled = compiles and self._talk.compile() and self._predict.compile()
        """Whether layers run as ``torch.compile`` made them."""

    def _make_room(self, batch: int) -> None:
        """Make what steps read and write, a row for each stream; a captured step finds it in the same place."""
        weight, rest = self._head.weight, self._predictor.config.vocab_size
        vocabulary = self._config.vocab_size
        self._hidden = weight.new_zeros(batch, 1, weight.shape[1])
        self._embeds = torch.zeros_like(self._hidden)
        self._position = weight.new_zeros(batch, dtype=torch.long)
        self._first = torch.zeros_like(self._position)
        self._noise = weight.new_ones(batch, vocabulary, dtype=torch.float32)
        self._noises = weight.new_ones(batch, self._codes - 1, rest, dtype=torch.float32)
        self._said = weight.new_zeros(batch, vocabulary, dtype=torch.bool)
        self._barred = torch.arange(vocabulary, device=weight.device) >= vocabulary - 1024
        self._barred[self._config.codec_eos_token_id] = False

    @property
    def batches(self) -> Sequence[int]:
        """How many rows a captured or compiled step may have: powers of two, and all."""
        most = len(self._position)
        return [*(2**power for power in range((most - 1).bit_length())), most]

    @property
    def capacity(self) -> int:
        """Tokens and frames that one prompt may come to."""
        return self._talk.capacity

    def frames(self, prompt: Prompt, seed: int, most: int) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield frames until the talker says that it has ended, at most ``most``: the first code, and all 16 of them.

        The codes have the shape (16,) and are where the model is; the first one is told apart since it is known here.

        The same prompt and seed give the same frames; closing ends after the frame under way. As many such iterators
        may be open at once as the batch has room for. Where several are, asking one for a frame makes those of the
        others too, unless their last one was not asked for: so they are best asked in turn.
        """
        assert prompt.embeds.shape[1] + most <= self.capacity, "the caller shortens what does not fit"
        with torch.inference_mode():
            stream = self._begin(prompt, seed)
        try:
            for _ in range(most):
                if stream.frame is None and not stream.ended and stream.broken is None:
                    with torch.inference_mode():
                        self._advance(stream)
                if stream.broken is not None:
                    raise stream.broken
                if stream.frame is None:
                    return
                frame, stream.frame = stream.frame, None
                yield frame
        finally:
            self._release(stream)

    def prepare(self, sampling: Sampling) -> None:
        """Compile and capture every step that there will be, so that no request waits for it; with no stream open."""
        assert not self._streams, "rows that nobody uses are written to"
        if self._fixed:
            with torch.inference_mode():
                for batch in self.batches:
                    for end in self._ends:
                        self._talk_fixed(slice(0, batch), end)
                    self._predict_fixed(slice(0, batch), sampling)

    def _begin(self, prompt: Prompt, seed: int) -> _Stream:
        """Have the package read the prompt, with the attention that was asked for."""
        seen = self._package.model(inputs_embeds=prompt.embeds, use_cache=True)
        draws = torch.Generator(self._noise.device).manual_seed(seed)
        row = min(self._free)
        self._free.remove(row)
        stream = _Stream(prompt, row, prompt.embeds.shape[1], draws)
        self._talk.take(seen.past_key_values, row)
        self._hidden[row] = seen.last_hidden_state[0, -1:]
        self._said[row] = False
        self._position[row] = stream.position
        self._streams.append(stream)
        self._streams.sort(key=lambda one: one.row)
        return stream

    def _release(self, stream: _Stream) -> None:
        self._streams.remove(stream)
        self._free.add(stream.row)

    def _advance(self, asking: _Stream) -> None:
        """Say the next frame of the stream that is asked for one, and of all whose last frame is taken."""
        due = [one for one in self._streams if one.frame is None and not one.ended and one.broken is None]
        due = [one for one in due if one.likeness == asking.likeness]
        try:
            self._say_frames(due)
        except RuntimeError as error:  # memory is full, say: nobody knows how far each of them came
            for stream in due:
                stream.broken = error

    def _say_frames(self, due: Sequence[_Stream]) -> None:
        if going := [one for one in due if one.count]:
            self._step(going)
        told = self._say(due)
        for stream, code in zip(due, told, strict=True):
            stream.ended = code == self._config.codec_eos_token_id
            stream.count += 1
        if saying := [one for one in due if not one.ended]:
            codes = [code for code in told if code != self._config.codec_eos_token_id]
            for stream, code, frame in zip(saying, codes, self._complete(saying), strict=True):
                stream.frame = code, frame

    def _step(self, going: Sequence[_Stream]) -> None:
        """Feed the talker the frames just said."""
        rows, end = self._rows(going), max(one.position for one in self._streams) + 1
        if self._fixed:
            made = self._talk_fixed(rows, next(most for most in self._ends if most >= end))
        elif len(going) == rows.stop - rows.start == 1:
            made = self._talk.run(self._embeds[rows], self._talk.span(rows, going[0].position))
        else:
            made = self._talk_step(rows, end)
        here, there = self._of(going, rows)
        self._hidden[here] = made[there]
        self._position[here] += 1
        for stream in going:
            stream.position += 1

    def _talk_fixed(self, rows: slice, end: int) -> torch.Tensor:
        (made,) = self._run(("talker", rows.stop, end), lambda: (self._talk_step(rows, end),))
        return made

    def _talk_step(self, rows: slice, end: int) -> torch.Tensor:
        return self._talk.run(self._embeds[rows], self._talk.span_at(rows, self._position[rows], end))

    def _say(self, due: Sequence[_Stream]) -> list[int]:
        """Draw the first code of a frame; the order of the changes to its scores is that of transformers."""
        prompt, rows, end = due[0].prompt, self._rows(due), self._config.codec_eos_token_id
        scores = self._head(self._hidden[rows])[:, 0].float()
        penalty, said = prompt.repetition_penalty, self._said[rows]
        scores = torch.where(said, torch.where(scores < 0, scores * penalty, scores / penalty), scores)
        scores = scores.masked_fill(self._barred, -torch.inf)
        for stream in due:
            self._noise[stream.row].exponential_(generator=stream.draws)
            if stream.count < _LEAST:
                scores[stream.row - rows.start, end] = -torch.inf
        first = prompt.first.draw(scores, self._noise[rows])
        here, there = self._of(due, rows)
        self._first[here] = first[there]
        self._said[here] |= torch.nn.functional.one_hot(first[there], self._said.shape[1]).bool()
        told = first.tolist()
        return [told[stream.row - rows.start] for stream in due]

    def _complete(self, saying: Sequence[_Stream]) -> list[torch.Tensor]:
        """Have the predictor say the other codes; returns all of each stream, shape (16,)."""
        sampling, rows = saying[0].prompt.rest, self._rows(saying)
        for stream in saying:
            self._noises[stream.row].exponential_(generator=stream.draws)
        codes, embeds = self._predict_fixed(rows, sampling)
        here, there = self._of(saying, rows)
        self._embeds[here] = embeds[there] + torch.cat([stream.more for stream in saying])
        return list(codes[there].clone())

    def _predict_fixed(self, rows: slice, sampling: Sampling) -> tuple[torch.Tensor, ...]:
        return self._run(("predictor", rows.stop, sampling), lambda: self._predict_codes(rows, sampling))

    def _predict_codes(self, rows: slice, sampling: Sampling) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the frames, shape (rows, 16), and the sums of their codes' embeddings, shape (rows, 1, width)."""
        predictor, first = self._predictor, self._first[rows]
        embedded = self._package.model.codec_embedding(first)[:, None]
        total, codes = embedded, [first]
        tokens, position = torch.cat([self._hidden[rows], embedded], dim=1), 0
        for index in range(self._codes - 1):
            span = self._predict.span(rows, position, tokens.shape[1])
            hidden = self._predict.run(predictor.small_to_mtp_projection(tokens), span)
            position += tokens.shape[1]
            scores = predictor.lm_head[index](hidden[:, -1]).float()
            code = sampling.draw(scores, self._noises[rows, index])
            tokens = predictor.model.codec_embedding[index](code)[:, None]
            total = total + tokens
            codes.append(code)
        return torch.stack(codes, dim=1), total

    def _rows(self, streams: Sequence[_Stream]) -> slice:
        """Return the rows that a step is run on, for these streams or more of them.

        A stream that is passed over does no harm: it writes what it will write again, in the same place.
        """
        rows = [stream.row for stream in streams]
        if not self._fixed:
            return slice(min(rows), max(rows) + 1)
        return slice(0, next(batch for batch in self.batches if batch > max(rows)))

    def _of(self, streams: Sequence[_Stream], rows: slice) -> tuple[Any, Any]:
        """Return where the streams are among all rows, and where among those that a step was run on."""
        if len(streams) == rows.stop - rows.start:
            return rows, slice(None)
        here = self._index(tuple(stream.row for stream in streams))
        return here, here - rows.start

    def _run(self, key: object, step: Run) -> tuple[torch.Tensor, ...]:
        """Run a step, or replay the graph that was captured of it when it was first needed."""
        if not self._graphs:
            return step()
        if key not in self._replays:
            self._replays[key] = captured(f"step {key}", step)
        return self._replays[key]()
