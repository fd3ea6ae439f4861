"""Qwen3-ASR on transformers: an own greedy loop, one token a step, that remembers what it has computed.

What comes before the first token takes seconds on a CPU, so it has steps too: a window of sound, or some of the prompt.

The package's ``generate`` can be neither read from nor stopped in one thread. Its choice is always the likeliest token,
so this loop gives the same (tested). Where a recording has grown, or its context is that of the request before, the
keys and values of the common beginning are kept: the context, and each whole window of sound.
"""

from collections.abc import Generator, Hashable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from wyoming_voice.errors import EngineUnavailable

from .qwen_asr_encoder import Encoder, Window, restore_windows
from .qwen_asr_text import Hears
from .torch_device import Placement

if TYPE_CHECKING:
    from torch import Tensor


_READ: Final = 128
"""Positions of a prompt that are read in a step: 10 s of sound, 1 s of a busy CPU. More at once are hardly faster."""


class TransformersRecogniser:
    """A model on torch; one thread, and one request at a time."""

    def __init__(self, folder: Path, placement: Placement) -> None:
        """Load the model; raise EngineUnavailable when it does not load."""
        try:
            from qwen_asr import Qwen3ASRModel  # noqa: PLC0415 (a worker's library)
            from transformers import DynamicCache  # noqa: PLC0415
        except ImportError as error:
            raise EngineUnavailable(
                f"qwen-asr does not load ({error}). Run: ./run.sh engines install qwen-asr"
            ) from error

        package = load(Qwen3ASRModel, folder, placement)
        self.processor: Any = package.processor
        self._thinker: Any = package.model.eval().thinker
        restore_windows(self._thinker.audio_tower)
        self._encoder = Encoder(self.processor.feature_extractor, self._thinker.audio_tower)
        tokenizer = self.processor.tokenizer
        self._place = int(tokenizer.convert_tokens_to_ids(self.processor.audio_token))
        self._ends = frozenset(tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"]))
        self._cache = DynamicCache()
        self._known: list[Hashable] = []  # what each position of the cache holds: a token, or a moment of a window

    def listen(self, samples: NDArray[np.float32]) -> Hears:
        """Take a recording, shape (n,), 16 kHz."""
        return partial(self._tokens, self._encoder.encode(samples), [])

    def _tokens(self, coming: Iterator[Window], windows: list[Window], prompt: str, most: int) -> Generator[int | None]:
        for window in coming:  # what an earlier prompt has left of them
            windows.append(window)
            yield None
        content, embeddings = self._read(windows, prompt)
        common = _common(self._known, content[:-1])
        self._cache.crop(common)
        del self._known[common:]
        content, embeddings = content[common:], embeddings[:, common:]
        while len(content) > _READ:
            self._step(content[:_READ], embeddings[:, :_READ])
            content, embeddings = content[_READ:], embeddings[:, _READ:]
            yield None
        for _ in range(most):
            token = self._step(content, embeddings)
            if token in self._ends:
                return
            yield token
            content, embeddings = [token], self._embed([token])

    def _read(self, windows: list[Window], prompt: str) -> tuple[list[Hashable], "Tensor"]:
        """Return a prompt with the recording in its place: what each position is, and embeddings (1, n, width)."""
        import torch  # noqa: PLC0415

        tokens = self.processor.tokenizer.encode(prompt, add_special_tokens=False)
        place = tokens.index(self._place)
        before, after = tokens[:place], tokens[place + 1 :]
        moments = [(window.key, number) for window in windows for number in range(len(window.embeddings))]
        sound = torch.cat([window.embeddings for window in windows])
        with torch.inference_mode():
            parts = [self._embed(before), sound[None].to(self._thinker.dtype), self._embed(after)]
            return [*before, *moments, *after], torch.cat(parts, dim=1)

    def _embed(self, tokens: list[int]) -> "Tensor":
        import torch  # noqa: PLC0415

        with torch.inference_mode():
            found: Tensor = self._thinker.get_input_embeddings()(torch.tensor([tokens], device=self._thinker.device))
            return found

    def _step(self, content: list[Hashable], embeddings: "Tensor") -> int:
        """Read on; return the likeliest token. The thinker itself is passed by: it keeps state of its own."""
        import torch  # noqa: PLC0415

        with torch.inference_mode():
            read = self._thinker.model(inputs_embeds=embeddings, past_key_values=self._cache, use_cache=True)
            self._known += content
            return int(self._thinker.lm_head(read.last_hidden_state[:, -1]).argmax())


def load(kind: Any, folder: Path, placement: Placement) -> Any:
    """Load one of the package's models; raises EngineUnavailable."""
    from safetensors import SafetensorError  # noqa: PLC0415

    try:
        return kind.from_pretrained(
            str(folder),
            device_map=str(placement.device),
            dtype=placement.dtype,
            attn_implementation=placement.attention,
        )
    except (OSError, RuntimeError, ValueError, KeyError, SafetensorError) as error:  # no such file, no memory, damaged
        raise EngineUnavailable(f"Qwen3-ASR cannot load {folder} on {placement.device}: {error}") from error


def _common(left: list[Hashable], right: list[Hashable]) -> int:
    """How many positions two contents begin with together."""
    pairs = zip(left, right, strict=False)
    return next((number for number, (one, other) in enumerate(pairs) if one != other), min(len(left), len(right)))
