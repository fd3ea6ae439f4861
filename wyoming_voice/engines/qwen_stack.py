"""The transformers of Qwen3-TTS, one token at a time, with keys and values that stay where they are.

The layers are the package's own modules; only the walk through them is ours. It costs no masks, no copies of the cache
and no checks, and on a GPU a step can be captured as a CUDA graph. All three rows of the talker's rotary positions are
the same for speech, so its interleaved rotation is the plain one.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention


@dataclass(frozen=True, slots=True)
class Span:
    """Where new tokens go and what they look at."""

    write: Any
    """Their positions: a slice, or a tensor of one position that may change between replays."""
    read: slice
    mask: torch.Tensor | None = None
    """Which of the positions read count, shape (1, 1, 1, n); None: all, each new token up to itself."""


class Stack:
    """The layers of a transformer of the package, with room for ``capacity`` tokens."""

    def __init__(self, model: Any, capacity: int, *, cleared: bool = False) -> None:
        self._model = model
        attention = model.layers[0].self_attn
        weight = attention.k_proj.weight
        heads = weight.shape[0] // attention.head_dim
        # Memory that is never touched costs nothing; a mask, however, multiplies by what is there.
        room = torch.zeros if cleared else torch.empty
        shape = (len(model.layers), 1, heads, capacity, attention.head_dim)
        self.keys, self.values = (room(shape, dtype=weight.dtype, device=weight.device) for _ in range(2))
        self.capacity = capacity
        self._positions = torch.arange(capacity, device=weight.device)
        with torch.inference_mode():
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

    def span(self, start: int, length: int = 1) -> Span:
        """Return the span of the next tokens."""
        return Span(slice(start, start + length), slice(0, start + length))

    def span_at(self, position: torch.Tensor) -> Span:
        """Return the span of one token at a position that a tensor of shape (1,) tells, for a captured step."""
        return Span(position, slice(None), (self._positions <= position)[None, None, None])

    def take(self, cache: Any) -> None:
        """Copy the keys and values that the package's own prefill left in its cache."""
        for index, layer in enumerate(cache.layers):
            length = layer.keys.shape[2]
            self.keys[index, :, :, :length] = layer.keys
            self.values[index, :, :, :length] = layer.values

    def run(self, hidden: torch.Tensor, span: Span) -> torch.Tensor:
        """Run tokens, shape (1, n, width), through all layers and the last norm."""
        cos, sin = self._cos[span.write], self._sin[span.write]
        for index, layer in enumerate(self._model.layers):
            seen = self._attend(index, layer.self_attn, layer.input_layernorm(hidden), (cos, sin), span)
            hidden = hidden + seen
            hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
        return self._model.norm(hidden)

    def _attend(
        self, index: int, part: Any, hidden: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor], span: Span
    ) -> torch.Tensor:
        length = hidden.shape[1]
        shape = (1, length, -1, part.head_dim)
        query = _rotated(part.q_norm(part.q_proj(hidden).view(shape)).transpose(1, 2), *turn)
        self.keys[index, :, :, span.write] = _rotated(
            part.k_norm(part.k_proj(hidden).view(shape)).transpose(1, 2), *turn
        )
        self.values[index, :, :, span.write] = part.v_proj(hidden).view(shape).transpose(1, 2)
        keys, values = self.keys[index, :, :, span.read], self.values[index, :, :, span.read]
        if length == 1:
            # The heads that share a key are queries of one head: nothing is repeated, and no kernel has to know.
            query = query.view(1, keys.shape[1], -1, part.head_dim)
            seen = scaled_dot_product_attention(query, keys, values, attn_mask=span.mask, scale=part.scaling)
        else:
            keys, values = (kept.repeat_interleave(part.num_key_value_groups, 1) for kept in (keys, values))
            seen = scaled_dot_product_attention(query, keys, values, is_causal=True, scale=part.scaling).transpose(1, 2)
        return part.o_proj(seen.reshape(1, length, -1))


def _rotated(heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Turn each pair of a head's numbers by its position; shape (1, heads, n, width)."""
    low, high = heads.chunk(2, dim=-1)
    return heads * cos + torch.cat([-high, low], dim=-1) * sin
