"""faster-qwen3-tts on the very modules and weights that ours is measured with (read and written against 0.3.2).

Its ``generate_custom_voice_streaming`` wants a folder of released weights; this is the same from where its prompt is
laid out: its two graphs, its loop, and its way to decode.
"""

import importlib.util
import time
from collections.abc import Iterator
from typing import Any, Final

_CONTEXT: Final = 25  # frames that it decodes again before each packet; before there are as many: all of them
_SAMPLES: Final = 1920  # of a frame


def not_compared(*, on_gpu: bool) -> str | None:
    """Say why faster-qwen3-tts cannot be measured here; None: it can."""
    if importlib.util.find_spec("faster_qwen3_tts") is None:
        return (
            "faster-qwen3-tts is not in this environment: not compared. To have it: uv pip install --python "
            "data/engines/qwen-tts/bin/python faster-qwen3-tts==0.3.2 (later ones want transformers 5)."
        )
    return None if on_gpu else "faster-qwen3-tts runs on CUDA only: not compared."


class FasterQwen:
    """Its two graphs, captured."""

    def __init__(self, talker: Any, *, room: int) -> None:
        """Capture the graphs of the package's ``talker``, with room for so many tokens."""
        from faster_qwen3_tts.predictor_graph import PredictorGraph  # noqa: PLC0415 - it need not be there
        from faster_qwen3_tts.talker_graph import TalkerGraph  # noqa: PLC0415

        self._talker = talker
        weight, predictor = talker.codec_head.weight, talker.code_predictor
        where = {"device": str(weight.device), "dtype": weight.dtype}
        drawn = {"do_sample": True, "top_k": 50, "temperature": 0.9}
        self._predict = PredictorGraph(predictor, predictor.model.config, talker.config.hidden_size, **where, **drawn)
        self._talk = TalkerGraph(talker.model, talker.config, max_seq_len=room, **where)
        self._predict.capture(num_warmup=3)
        self._talk.capture(prefill_len=100, num_warmup=3)

    def speak(self, decoder: Any, asked: Any, *, frames: int, size: int) -> tuple[float, float]:
        """Speak a prompt in packets of ``size`` frames; returns the seconds to the first one, and to the last."""
        begun, first = time.perf_counter(), 0.0
        for _samples in self._packets(decoder, asked, frames=frames, size=size):
            first = first or time.perf_counter() - begun
        return first, time.perf_counter() - begun

    def _packets(self, decoder: Any, asked: Any, *, frames: int, size: int) -> Iterator[Any]:
        import torch  # noqa: PLC0415 - what asks for not_compared need not have it
        from faster_qwen3_tts.streaming import fast_generate_streaming  # noqa: PLC0415

        codes = asked.embeds.new_zeros((0, self._talker.config.num_code_groups), dtype=torch.long)
        heard, calibrated = 0, False
        made = fast_generate_streaming(
            talker=self._talker,
            talker_input_embeds=asked.embeds,
            attention_mask=torch.ones(1, asked.embeds.shape[1], dtype=torch.long, device=asked.embeds.device),
            trailing_text_hiddens=asked.trailing,
            tts_pad_embed=asked.pad,
            config=self._talker.config,
            predictor_graph=self._predict,
            talker_graph=self._talk,
            max_new_tokens=frames,
            min_new_tokens=frames + 1,
            chunk_size=size,
        )
        for packet, _times in made:
            codes = torch.cat([codes, packet])
            start = max(0, heard - _CONTEXT) if calibrated else 0
            calibrated = len(codes) >= max(_CONTEXT, size)
            with torch.inference_mode():
                samples = decoder.chunked_decode(codes[start:].T[None])[0, 0]
            yield samples[(heard - start) * _SAMPLES :].float().cpu().numpy()
            heard = len(codes)
