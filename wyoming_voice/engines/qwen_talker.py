"""Qwen3-TTS's two models as a loop that several streams share, and each can leave at every frame.

For each frame the talker says the first of 16 codes, and the predictor the 15 others, one after the other. The package
does it inside of transformers' ``generate``, which neither streams nor stops; this is the same, step by step. A step
reads all weights, for one stream as for many: so it is taken for all streams whose last frame was asked for.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import torch

from .qwen_draw import Sampling
from .qwen_step import Steps

CAPACITY: Final = 2048
"""Tokens of a prompt and the frames that follow it: 30 s of a reference, its text, and more than a minute of speech."""
_LEAST: Final = 2  # frames before the end may be said, as in the package
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
    most: int
    """Frames that it may have."""
    count: int = 0
    """Frames that were said."""
    frame: tuple[int, torch.Tensor] | None = None
    """The last one, until it is taken."""
    ended: bool = False
    broken: RuntimeError | None = None
    """Why its next frame could not be made."""

    @property
    def is_due(self) -> bool:
        """Whether its next frame can be made: there is one, and the last one was asked for."""
        return self.frame is None and not self.ended and self.broken is None and self.count < self.most

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
        """Take the package's ``talker`` over; see :class:`Steps` for what it may do faster."""
        self.steps = Steps(package, batch=batch, capacity=capacity, graphs=graphs, compiles=compiles, masked=masked)
        self._head = package.codec_head
        self._end = package.config.codec_eos_token_id
        self._streams: list[_Stream] = []
        self._free = set(range(batch))
        vocabulary, device = package.config.vocab_size, self._head.weight.device
        with torch.inference_mode():
            self._said = torch.zeros(batch, vocabulary, dtype=torch.bool, device=device)
            self._barred = torch.arange(vocabulary, device=device) >= vocabulary - 1024
            self._barred[self._end] = False
        self._index = lru_cache(_INDICES)(lambda rows: torch.tensor(rows, device=device))

    @property
    def capacity(self) -> int:
        """Tokens and frames that one prompt may come to."""
        return self.steps.capacity

    def frames(self, prompt: Prompt, seed: int, most: int) -> Generator[tuple[int, torch.Tensor], None, None]:
        """Yield frames until the talker says that it has ended, at most ``most``: the first code, and all 16 of them.

        The codes have the shape (16,) and are where the model is; the first one is told apart since it is known here.

        The same prompt and seed give the same frames (in a batch, where the library computes rows alike); closing ends
        after the frame under way. As many such iterators may be open at once as the batch has room for. Where several
        are, asking one for a frame makes those of the others too, unless their last one was not asked for: so they are
        best asked in turn.
        """
        assert prompt.embeds.shape[1] + most <= self.capacity, "the caller shortens what does not fit"
        with torch.inference_mode():
            stream = self._begin(prompt, seed, most)
        try:
            for _ in range(most):
                if stream.is_due:
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
        self.steps.prepare(sampling)

    def _begin(self, prompt: Prompt, seed: int, most: int) -> _Stream:
        row = min(self._free)
        hidden = self.steps.read(prompt.embeds, row)
        draws = torch.Generator(hidden.device).manual_seed(seed)
        stream = _Stream(prompt, row, prompt.embeds.shape[1], draws, most)
        self.steps.hidden[row] = hidden[0]
        self.steps.position[row] = stream.position
        self._said[row] = False
        self._free.remove(row)
        self._streams.append(stream)
        self._streams.sort(key=lambda one: one.row)  # as what a step returns
        return stream

    def _release(self, stream: _Stream) -> None:
        self._streams.remove(stream)
        self._free.add(stream.row)

    def _advance(self, asking: _Stream) -> None:
        """Say the next frame of the stream that is asked for one, and of all whose last frame is taken."""
        due = [one for one in self._streams if one.is_due and one.likeness == asking.likeness]
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
            stream.ended = code == self._end
            stream.count += 1
        if saying := [one for one in due if not one.ended]:
            codes = [code for code in told if code != self._end]
            for stream, code, frame in zip(saying, codes, self._complete(saying), strict=True):
                stream.frame = code, frame

    def _step(self, going: Sequence[_Stream]) -> None:
        """Feed the talker the frames just said."""
        steps, rows = self.steps, self._rows(going)
        made = steps.talk(rows, max(one.position for one in going) + 1)
        here, there = self._of(going, rows)
        steps.hidden[here] = made[there]
        steps.position[here] += 1
        for stream in going:
            stream.position += 1

    def _say(self, due: Sequence[_Stream]) -> list[int]:
        """Draw the first code of a frame; the order of the changes to its scores is that of transformers."""
        steps, prompt, rows = self.steps, due[0].prompt, self._rows(due)
        scores = self._head(steps.hidden[rows])[:, 0].float()
        penalty, said = prompt.repetition_penalty, self._said[rows]
        scores = torch.where(said, torch.where(scores < 0, scores * penalty, scores / penalty), scores)
        scores = scores.masked_fill(self._barred, -torch.inf)
        for stream in due:
            steps.noise[stream.row].exponential_(generator=stream.draws)
            if stream.count < _LEAST:
                scores[stream.row - rows.start, self._end] = -torch.inf
        first = prompt.first.draw(scores, steps.noise[rows])
        here, there = self._of(due, rows)
        steps.first[here] = first[there]
        self._said[here] |= torch.nn.functional.one_hot(first[there], self._said.shape[1]).bool()
        told = first.tolist()
        return [told[stream.row - rows.start] for stream in due]

    def _complete(self, saying: Sequence[_Stream]) -> list[torch.Tensor]:
        """Have the predictor say the other codes; returns all of each stream, shape (16,)."""
        steps, rows = self.steps, self._rows(saying)
        for stream in saying:
            steps.noises[stream.row].exponential_(generator=stream.draws)
        codes, embeds = steps.predict(rows, saying[0].prompt.rest)
        here, there = self._of(saying, rows)
        steps.embeds[here] = embeds[there] + torch.cat([stream.more for stream in saying])
        return list(codes[there].clone())

    def _rows(self, streams: Sequence[_Stream]) -> slice:
        return self.steps.rows([stream.row for stream in streams])

    def _of(self, streams: Sequence[_Stream], rows: slice) -> tuple[Any, Any]:
        """Return where the streams are among all rows, and where among those that a step is run on."""
        if len(streams) == rows.stop - rows.start:
            return rows, slice(None)
        here = self._index(tuple(stream.row for stream in streams))
        return here, here - rows.start
