"""The transformers of Qwen3-TTS, a token of each stream at a time, with keys and values that stay where they are.

The layers are the package's own modules; only the walk through them is ours. It costs no masks, no copies of the cache
and no checks, and on a GPU a step can be captured as a CUDA graph. All three rows of the talker's rotary positions are
the same for speech, so its interleaved rotation is the plain one.
"""

import logging
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention

_LOGGER = logging.getLogger(__name__)

_SHAPES: Final = 64  # for which layers may be compiled: numbers of rows, of two models; torch stops at eight


@dataclass(frozen=True, slots=True)
class Span:
    """Where new tokens go and what they look at."""

    rows: slice
    """The streams they belong to."""
    write: Any
    """Their positions: a slice, the same in every row, or a tensor of shape (rows,), which may change between runs."""
    read: slice
    mask: torch.Tensor | None = None
    """Which of the positions read count, shape (rows, 1, 1, n); None: all, each new token up to itself."""
    row: torch.Tensor | None = None
    """In place of ``rows``: the only one, shape (1,), which may change between runs."""


class Stack:
    """The layers of a transformer of the package, with room for ``capacity`` tokens of each of ``rows`` streams."""

    def __init__(self, model: Any, capacity: int, rows: int = 1) -> None:
        self._model = model
        attention = model.layers[0].self_attn
        weight = attention.k_proj.weight
        heads = weight.shape[0] // attention.head_dim
        shape = (len(model.layers), rows, heads, capacity, attention.head_dim)
        self.keys, self.values = (_room(shape, weight) for _ in range(2))
        self.capacity = capacity
        self._one: Any = _layer
        with torch.inference_mode():
            self._positions = torch.arange(capacity, device=weight.device)
            self._rows = torch.arange(rows, device=weight.device)
            self._cos, self._sin = (
                table.reshape(-1, capacity, attention.head_dim)[0] for table in self._tables(weight)
            )

    def _tables(self, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Have the package compute its rotary embedding of every position."""
        rotary = self._model.rotary_emb
        positions = self._positions[None]
        talks = hasattr(self._model, "text_embedding")
        cos, sin = rotary(weight[:0], positions[None].expand(3, 1, -1) if talks else positions)
        return cos, sin

    def span(self, rows: slice, start: int, length: int = 1) -> Span:
        """Return the span of the next tokens, at the same positions in every row."""
        if length == 1 and self._one is not _layer:  # what is compiled has one shape
            return self.span_at(rows, self._positions[start].repeat(rows.stop - rows.start))
        return Span(rows, slice(start, start + length), slice(0, start + length))

    def span_at(self, rows: slice, positions: torch.Tensor, end: int | None = None) -> Span:
        """Return the span of one token a row, each at the position that a tensor of shape (rows,) tells.

        ``end`` is known to be behind all of them; left out for a captured step, in which they change.
        """
        read = self._positions[:end]
        return Span(rows, positions, slice(0, len(read)), (read <= positions[:, None])[:, None, None])

    def span_of(self, row: torch.Tensor, length: int) -> Span:
        """Return the span of a whole prompt."""
        return Span(slice(None), slice(0, length), slice(0, length), row=row)

    def take(self, cache: Any, row: int) -> None:
        """Copy the keys and values that the package's own prefill left in its cache."""
        for index, layer in enumerate(cache.layers):
            length = layer.keys.shape[2]
            self.keys[index, row, :, :length] = layer.keys[0]
            self.values[index, row, :, :length] = layer.values[0]

    def run(self, hidden: torch.Tensor, span: Span) -> torch.Tensor:
        """Run tokens, shape (rows, n, width), through all layers and the last norm."""
        cos, sin = self._cos[span.write], self._sin[span.write]
        if isinstance(span.write, torch.Tensor):
            cos, sin = cos[:, None, None], sin[:, None, None]
        rows = self._rows[: len(hidden)] if isinstance(span.write, torch.Tensor) else span.row
        write = span.write if rows is None else (rows, span.write)
        step = self._one if hidden.shape[1] == 1 and span.mask is not None else _layer
        for index, layer in enumerate(self._model.layers):
            kept = self.keys[index, span.rows], self.values[index, span.rows]
            hidden = step(layer, hidden, (cos, sin), kept, (write, span.read, span.mask))
        return self._model.norm(hidden)

    def compile(self) -> bool:
        """Have ``torch.compile`` fuse what a layer does with one token; tells whether it could.

        A layer is compiled once, for each number of rows, and run with the weights of all: that takes seconds, where
        the whole stack at once takes minutes. Where it fails (a CPU needs a C++ compiler, a GPU Triton) layers run as
        they are, and a line is logged.
        """
        torch._dynamo.config.recompile_limit = _SHAPES  # noqa: SLF001 - its documented name
        self._one = torch.compile(_layer, dynamic=False)
        weight = self._model.norm.weight
        try:
            with torch.inference_mode():
                self.run(weight.new_zeros(1, 1, len(weight)), self.span(slice(0, 1), 0))
        except RuntimeError as error:
            self._one = _layer
            reason = str(error).strip().partition("\n")[0]  # the rest is a page of the compiler's own state
            _LOGGER.warning("layers cannot be compiled (%s): they run as they are, more slowly", reason)
        return self._one is not _layer


def _layer(
    layer: Any,
    hidden: torch.Tensor,
    turn: tuple[torch.Tensor, torch.Tensor],
    kept: tuple[torch.Tensor, torch.Tensor],
    span: tuple[Any, slice, torch.Tensor | None],
) -> torch.Tensor:
    """Run a layer of the package on tokens, shape (rows, n, width), and keep their keys and values."""
    part, (count, length), (keys, values), (write, read, mask) = layer.self_attn, hidden.shape[:2], kept, span
    normed, shape = layer.input_layernorm(hidden), (count, length, -1, part.head_dim)
    query = _rotated(part.q_norm(part.q_proj(normed).view(shape)).transpose(1, 2), *turn)
    key = _rotated(part.k_norm(part.k_proj(normed).view(shape)).transpose(1, 2), *turn)
    value = part.v_proj(normed).view(shape).transpose(1, 2)
    if not isinstance(write, tuple):
        keys[:, :, write], values[:, :, write] = key, value
    elif isinstance(write[1], slice):
        keys[write[0], :, write[1]], values[write[0], :, write[1]] = key, value
    else:
        keys[write[0], :, write[1]], values[write[0], :, write[1]] = key[:, :, 0], value[:, :, 0]
    if length == 1:
        keys, values = keys[:, :, read], values[:, :, read]
        # The heads that share a key are queries of one head: nothing is repeated, and no kernel has to know.
        query = query.view(count, keys.shape[1], -1, part.head_dim)
        seen = scaled_dot_product_attention(query, keys, values, attn_mask=mask, scale=part.scaling)
    else:
        # Several tokens are the first ones, and see each other only.
        keys, values = (new.repeat_interleave(part.num_key_value_groups, 1) for new in (key, value))
        seen = scaled_dot_product_attention(query, keys, values, is_causal=True, scale=part.scaling).transpose(1, 2)
    hidden = hidden + part.o_proj(seen.reshape(count, length, -1))
    return hidden + layer.mlp(layer.post_attention_layernorm(hidden))


def _room(shape: tuple[int, ...], weight: torch.Tensor) -> torch.Tensor:
    """Return zeros: a mask multiplies by what is there. On a CPU what is never touched takes no memory."""
    if weight.device.type == "cpu" and weight.dtype == torch.float32:
        return torch.from_numpy(np.zeros(shape, np.float32))  # torch's own zeros are written one by one
    return torch.zeros(shape, dtype=weight.dtype, device=weight.device)


def _rotated(heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Turn each pair of a head's numbers by its position; shape (rows, heads, n, width)."""
    low, high = heads.chunk(2, dim=-1)
    return heads * cos + torch.cat([-high, low], dim=-1) * sin
