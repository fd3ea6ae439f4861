"""Looks inside Qwen3-ASR, run by the engine's own interpreter: ``python qwen_asr.py FOLDER`` prints JSON.

``windows``: how far the first 8 s of the encoder's output change when a recording grows. ``same``: the package's
``generate`` and our loop, token by token, and our encoder's windows against the whole. ``growth``: what is computed
while a recording grows. ``cancel``: how many steps a request takes that is left after two tokens. ``reading``: what is
computed of one that is left before the first. ``vllm``: what is asked of vLLM, and what its tokens become, with a
stand-in for the package.
"""

import json
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from qwen_asr import Qwen3ASRModel

from wyoming_voice.engines.protocol import HEARD_RATE, Piece
from wyoming_voice.engines.qwen_asr import QwenAsr
from wyoming_voice.engines.qwen_asr_encoder import restore_windows
from wyoming_voice.engines.qwen_asr_text import forced
from wyoming_voice.engines.qwen_asr_transformers import TransformersRecogniser
from wyoming_voice.engines.torch_device import place

Sound = NDArray[np.float32]


def sound(seconds: float, seed: int = 3) -> Sound:
    """Noise whose pitch and loudness wander, the loudest at its beginning: as it grows, what was there stays."""
    random = np.random.default_rng(seed)
    time = np.arange(round(40 * HEARD_RATE)) / HEARD_RATE
    tone = np.sin(2 * np.pi * np.cumsum(200 + 150 * np.sin(time * (1 + seed))) / HEARD_RATE)
    made = tone * (0.3 + 0.2 * np.sin(3 * time)) + random.standard_normal(len(time)) * 0.05
    made[: HEARD_RATE // 2] = np.sin(2 * np.pi * 350 * time[: HEARD_RATE // 2])
    return made[: round(seconds * HEARD_RATE)].astype(np.float32)


def said(tokens: Iterable[int | None]) -> list[int]:
    return [token for token in tokens if token is not None]


def load(folder: str) -> TransformersRecogniser:
    return TransformersRecogniser(Path(folder), place({}))


def windows(folder: str) -> dict[str, Any]:
    found = {}
    frames = torch.randn(1, 128, 2400, generator=torch.Generator().manual_seed(0))
    for attention in ("sdpa", "eager"):
        package = Qwen3ASRModel.from_pretrained(folder, device_map="cpu", attn_implementation=attention)
        thinker = package.model.thinker

        def change(grown: int, thinker: Any = thinker) -> float:
            with torch.no_grad():
                short, long = (
                    thinker.get_audio_features(
                        frames[:, :, :end], feature_attention_mask=torch.ones(1, end, dtype=torch.long)
                    )
                    for end in (800, grown)
                )
            return float((long[: len(short)] - short).abs().max())

        before = [change(grown) for grown in (850, 1600, 2400)]
        restore_windows(thinker.audio_tower)
        found[attention] = {"package": before, "restored": [change(grown) for grown in (850, 1600, 2400)]}
    return found


def same(folder: str) -> dict[str, Any]:
    ours, package = load(folder), Qwen3ASRModel.from_pretrained(folder, device_map="cpu", dtype=torch.float32)
    restore_windows(package.model.thinker.audio_tower)
    ends = package.processor.tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
    pairs, apart = [], []
    asked = [
        (seconds, context, language, prefix)
        for seconds in (1.0, 2.5, 8.0, 8.45, 17.3, 25.0)
        for context, language, prefix in (("", None, ""), ("Алиса, кухня", "Russian", ""), ("x", "English", "Включи"))
    ]
    for number, (seconds, context, language, prefix) in enumerate(asked):
        samples = sound(seconds, seed=number % 5)
        prompt = package._build_text_prompt(context, language) + prefix
        inputs = package.processor(text=[prompt], audio=[samples], return_tensors="pt", padding=True)
        made = package.model.generate(**inputs, max_new_tokens=24, eos_token_id=ends).sequences[0]
        theirs = [token for token in made[inputs["input_ids"].shape[1] :].tolist() if token not in ends]
        pairs.append({"theirs": theirs, "ours": said(ours.listen(samples)(prompt, 24))})
        with torch.no_grad():
            whole = package.model.thinker.get_audio_features(
                inputs["input_features"], feature_attention_mask=inputs["feature_attention_mask"]
            )
        pieces = torch.cat([window.embeddings for window in ours._encoder.encode(samples)])
        apart.append(float((whole - pieces).abs().max()))
    return {"pairs": pairs, "apart": apart, "size": float(whole.abs().max())}


def growth(folder: str) -> list[dict[str, Any]]:
    """Listen to a recording that grows, with a loop that goes on from what it has, and with a new one each time."""
    recogniser = load(folder)
    encoded, read = [], []
    tower, decoder = recogniser._thinker.audio_tower, recogniser._thinker.model
    tower.register_forward_pre_hook(lambda _tower, given: encoded.append(given[0].shape[-1]))
    decoder.register_forward_pre_hook(
        lambda _model, _given, named: read.append(named["inputs_embeds"].shape[1]), with_kwargs=True
    )
    prompt = "<|im_start|>system\nсвет<|im_end|>\n<|im_start|>user\n<|audio_start|><|audio_pad|><|audio_end|>" + forced(
        "Russian"
    )
    steps = []
    for seconds in (8.5, 12.0, 16.5, 20.0, 24.5):
        del encoded[:], read[:]
        tokens = said(recogniser.listen(sound(seconds))(prompt, 12))
        steps.append(
            {
                "encoded": list(encoded),
                "read": sum(size for size in read if size > 1),
                "tokens": tokens,
                "fresh": said(load(folder).listen(sound(seconds))(prompt, 12)),
            }
        )
    return steps


def cancel(folder: str) -> dict[str, Any]:
    recogniser, steps = load(folder), []
    recogniser._thinker.model.register_forward_pre_hook(lambda *_given: steps.append(1))
    prompt = "<|audio_start|><|audio_pad|><|audio_end|>"
    hears = recogniser.listen(sound(3))
    whole = said(hears(prompt, 12))
    del steps[:]
    with closing(hears(prompt, 12)) as tokens:
        first = list(islice(tokens, 2))
    return {"steps": len(steps), "first": first, "whole": whole, "again": said(hears(prompt, 12))}


def reading(folder: str) -> list[dict[str, Any]]:
    """Leave a long recording after each of the steps that come before its first token; then hear it to the end."""
    fresh, recogniser, found = load(folder), load(folder), []
    computed: list[str] = []
    recogniser._thinker.audio_tower.register_forward_pre_hook(lambda *_given: computed.append("window"))
    recogniser._thinker.model.register_forward_pre_hook(lambda *_given: computed.append("prompt"))
    prompt = "<|audio_start|><|audio_pad|><|audio_end|>"
    for number in range(1, 7):
        samples = sound(20, seed=number)
        del computed[:]
        with closing(recogniser.listen(samples)(prompt, 12)) as tokens:
            steps = list(islice(tokens, number))
        found.append(
            {
                "steps": steps,
                "computed": list(computed),
                "whole": said(recogniser.listen(samples)(prompt, 12)),
                "fresh": said(fresh.listen(samples)(prompt, 12)),
            }
        )
    return found


class Vllm:
    """A stand-in with the names of vLLM that are used: it says what the tiny model would, a token a step."""

    def __init__(self, model: str, **named: Any) -> None:
        self.llm_engine = self
        self.loaded = {"model": model, **named}
        self.added: list[dict[str, Any]] = []
        self.aborted: list[str] = []
        self.steps = 0
        self._teller = load(model)
        self._running: dict[str, Iterator[int]] = {}
        self._said: dict[str, list[int]] = {}

    def add_request(self, request: str, asked: dict[str, Any], sampling: dict[str, Any]) -> None:
        (samples,) = asked["multi_modal_data"]["audio"]
        self.added.append({"prompt": asked["prompt"], "samples": len(samples), **sampling})
        told = [*said(self._teller.listen(samples)(asked["prompt"], 99)), sampling["stop_token_ids"][0]]
        self._running[request] = iter(told[: sampling["max_tokens"]])
        self._said[request] = []

    def has_unfinished_requests(self) -> bool:
        return bool(self._running)

    def step(self) -> list[Any]:
        self.steps += 1
        (request,) = self._running
        token = next(self._running[request], None)
        if token is None:
            del self._running[request]
            return []
        self._said[request].append(token)
        return [SimpleNamespace(outputs=[SimpleNamespace(token_ids=list(self._said[request]))])]

    def abort_request(self, requests: list[str]) -> None:
        self.aborted += [request for request in requests if self._running.pop(request, None) is not None]


def vllm(folder: str) -> dict[str, Any]:
    stand_in = ModuleType("vllm")
    vars(stand_in).update({"LLM": Vllm, "SamplingParams": dict})
    sys.modules["vllm"] = stand_in
    engine = QwenAsr({"model": folder, "backend": "vllm", "vllm": {"max_model_len": 2048}})
    engine._gate = Everything()  # type: ignore[assignment]
    told, samples = engine._model._engine, sound(3)  # type: ignore[attr-defined]
    texts = [
        "".join(heard.text for heard in engine.transcribe(Piece(samples, language, prefix=prefix)))
        for language, prefix in ((None, ""), ("en", ""), ("ru", "Включи свет на кухне, пожалуйста"))
    ]
    told.steps = 0
    with closing(engine.transcribe(Piece(samples, "ru"))) as heard:  # type: ignore[type-var]
        next(heard)
    return {"texts": texts, **{name: getattr(told, name) for name in ("loaded", "added", "aborted", "steps")}}


class Everything:
    """A gate that is always open."""

    def speech(self, samples: Sound) -> Any:
        from wyoming_voice.engines.gate import Speech

        return Speech(samples, 0.0)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    torch.set_num_threads(1)
    root = sys.argv[1]
    seen = {look.__name__: look(f"{root}/random") for look in (windows, same, growth, cancel, reading)}
    print(json.dumps({**seen, "vllm": vllm(f"{root}/chain")}))
