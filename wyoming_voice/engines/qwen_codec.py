"""Qwen3-TTS's codec, decoded as the frames come: exactly what decoding all of them at once gives.

The 12 Hz decoder looks back only: a transformer with a window of 72 frames, convolutions padded on the left, transposed
convolutions trimmed on the right. So it is enough to keep the transformer's keys and values and, for each convolution,
the few samples that the next ones look back on. (The package's own ``chunked_decode`` decodes the last 25 frames again
for each chunk, and is an approximation.)
"""

import copy
import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


class Codec:
    """The decoder of a loaded model; :meth:`stream` begins a stream of frames."""

    def __init__(self, decoder: Any) -> None:
        self.decoder = decoder
        self.kinds = importlib.import_module(type(decoder).__module__)
        """The module of the package that names the decoder's parts."""
        with torch.inference_mode():
            self._tables = torch.stack(list(_tables(decoder.quantizer)))
        self._books = torch.arange(len(self._tables), device=self._tables.device)

    def look_up(self, codes: torch.Tensor) -> torch.Tensor:
        """Return what the codes of frames stand for, shape (n, 16), as the decoder takes it: (1, width, n)."""
        found = self._tables[self._books, codes]
        return found.sum(1, dtype=torch.float32).to(found.dtype).T[None]

    def stream(self) -> "CodecStream":
        """Begin to decode."""
        return CodecStream(self)


def _tables(quantizer: Any) -> Iterator[torch.Tensor]:
    """Yield each code book, shape (codes, width): the package divides, looks up and projects anew for every frame."""
    for group in (quantizer.rvq_first, quantizer.rvq_rest):
        for layer in group.vq.layers:
            book = layer._codebook  # noqa: SLF001 - it has no other name
            entries = book.embedding_sum / book.cluster_usage.clamp(min=book.epsilon)[:, None]
            yield layer.project_out(entries) @ group.output_proj.weight[:, :, 0].T


class CodecStream:
    """One stream of frames, with all that it looks back on."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._decoder = codec.decoder
        self._kinds = codec.kinds
        self._past: Any = None  # the transformer's keys and values
        self._left: dict[int, torch.Tensor] = {}  # what each convolution looks back on, by the id of its module

    def branch(self) -> "CodecStream":
        """Return a stream that has seen the same frames and goes its own way."""
        other = copy.copy(self)
        other._past, other._left = copy.deepcopy(self._past), dict(self._left)  # noqa: SLF001 - it is one of us
        return other

    def push(self, codes: torch.Tensor) -> NDArray[np.float32]:
        """Decode frames, shape (n, 16); returns n · 1920 samples, 24 kHz, -1.0 … 1.0."""
        with torch.inference_mode():
            decoder = self._decoder
            latent = self._convolve(decoder.pre_conv, self._codec.look_up(codes))
            seen = decoder.pre_transformer(
                inputs_embeds=latent.transpose(1, 2), use_cache=True, past_key_values=self._past
            )
            self._past = seen.past_key_values
            sound = seen.last_hidden_state.transpose(1, 2)
            for part in (part for parts in decoder.upsample for part in parts):
                sound = self._run(part, sound)
            for part in decoder.decoder:
                sound = self._run(part, sound)
            samples: NDArray[np.float32] = sound.clamp(-1, 1)[0, 0].float().cpu().numpy()
        return samples

    def _run(self, part: Any, sound: torch.Tensor) -> torch.Tensor:
        """Run a part of the decoder on the new samples, shape (1, channels, n), as its ``forward`` does on all."""
        kinds = self._kinds
        if isinstance(part, kinds.Qwen3TTSTokenizerV2CausalConvNet):
            return self._convolve(part, sound)
        if isinstance(part, kinds.Qwen3TTSTokenizerV2CausalTransConvNet):
            return self._spread(part, sound)
        if isinstance(part, kinds.Qwen3TTSTokenizerV2ConvNeXtBlock):
            mixed = self._convolve(part.dwconv, sound).transpose(1, 2)
            mixed = part.gamma * part.pwconv2(part.act(part.pwconv1(part.norm(mixed))))
            return sound + mixed.transpose(1, 2)
        if isinstance(part, kinds.Qwen3TTSTokenizerV2DecoderDecoderResidualUnit):
            mixed = self._convolve(part.conv1, part.act1(sound))
            return self._convolve(part.conv2, part.act2(mixed)) + sound
        if isinstance(part, kinds.Qwen3TTSTokenizerV2DecoderDecoderBlock):
            for inner in part.block:
                sound = self._run(inner, sound)
            return sound
        assert isinstance(part, kinds.SnakeBeta), f"{type(part).__name__} is not known to look at one sample only"
        return part(sound)

    def _convolve(self, part: Any, sound: torch.Tensor) -> torch.Tensor:
        """Convolve with what came before in place of the padding."""
        if part.padding:
            before = self._left.get(id(part))
            if before is None:
                before = sound.new_zeros(1, sound.shape[1], part.padding)
            sound = torch.cat([before, sound], dim=-1)
            self._left[id(part)] = sound[..., -part.padding :]
        return part.conv(sound)

    def _spread(self, part: Any, sound: torch.Tensor) -> torch.Tensor:
        """Convolve transposed: an output depends on the input that it stands under, and on the one before."""
        stride = part.conv.stride[0]
        assert part.right_pad in (0, stride), "a kernel of one or two strides looks back on one input at most"
        if not part.right_pad:
            return part.conv(sound)
        before = self._left.get(id(part))
        self._left[id(part)] = sound[..., -1:]
        if before is None:
            return part.conv(sound)[..., : sound.shape[-1] * stride]
        spread = part.conv(torch.cat([before, sound], dim=-1))
        return spread[..., stride : stride + sound.shape[-1] * stride]
