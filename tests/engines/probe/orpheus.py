"""Looks inside Orpheus, run by the engine's own interpreter; the last line it prints is JSON.

``generate FOLDER``: our step loop beside transformers' ``generate``, greedy and with lots, on each kind of cache.
``windows FOLDER``: frames decoded in windows beside all at once, and the codec's frames encoded again.
``steps FOLDER``: in how many steps a word is spoken, and how many of them have sound.
``cost FOLDER``: what loading, the first sound and speech take.
``codec FOLDER``: what SNAC of the released size takes, with random weights that it writes into the folder.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wyoming_voice.engines.orpheus import Orpheus
from wyoming_voice.engines.orpheus_lm import LlamaTokens
from wyoming_voice.engines.orpheus_tokens import Framer, Prompt, Sampling, audio_ids
from wyoming_voice.engines.protocol import Segment
from wyoming_voice.engines.snac_codec import SnacCodec, WindowDecoder
from wyoming_voice.engines.torch_device import place

torch.set_num_threads(1)
PROMPT = Prompt("Привет, как дела? <laugh> Fine.", "tara")
LIMIT = 60
SEED = 7


def generate(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, sampling in {
        "greedy": Sampling(0.0, 1.0, 1.1),
        "drawn": Sampling(0.9, 0.8, 1.3),
        "plain": Sampling(1.0, 1.0, 1.0),
    }.items():
        ours, static = (LlamaTokens(folder, place({}), sampling, static=static) for static in (False, True))
        _remember(ours)
        _remember(static)
        found[name] = {
            "theirs": _theirs(ours, sampling),
            "ours": list(ours.tokens(PROMPT, LIMIT, SEED)),
            "again": list(ours.tokens(PROMPT, LIMIT, SEED)),
            "static": list(static.tokens(PROMPT, LIMIT, SEED)),
            "static again": list(static.tokens(PROMPT, LIMIT, SEED)),
        }
    return found


def _remember(source: LlamaTokens) -> None:
    """Let the layers, which give nothing in the tiny model, give something: so what is in the cache matters."""
    lots = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in source._model.model.layers.parameters():
            if weight.ndim == 2:
                weight.normal_(0, 0.5, generator=lots)


def _theirs(ours: LlamaTokens, sampling: Sampling) -> list[int]:
    lots = sampling.temperature > 0
    torch.manual_seed(SEED)
    ids = torch.tensor([PROMPT.ids(ours._encode)])
    whole = ours._model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=LIMIT,
        do_sample=lots,
        **({"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0} if lots else {}),
        repetition_penalty=sampling.repetition_penalty,
        eos_token_id=[128_258, 128_262],
        pad_token_id=128_263,
    )
    return [int(token) for token in whole[0, ids.shape[1] :] if int(token) not in (128_258, 128_262)]


def windows(folder: Path) -> dict[str, Any]:
    codec = SnacCodec(folder, "cpu")
    lots = np.random.default_rng(3)
    frames = [tuple(map(int, frame)) for frame in lots.integers(0, 4096, (40, 7))]
    whole = codec.decode(frames)
    found: dict[str, Any] = {"peak": float(np.abs(whole).max()), "samples": len(whole), "packets": {}}
    for largest in (1, 2, 12):
        parts = _packets(WindowDecoder(codec.decode, largest), frames)
        joined = np.concatenate([part for _, part in parts])
        found["packets"][largest] = {
            "frames": [len(part) // 2048 for _, part in parts],
            "after": [after for after, _ in parts],
            "samples": len(joined),
            "error": float(np.abs(joined - whole).max()),
        }
    found["again"] = float(np.abs(codec.decode(frames) - whole).max())
    found["short"] = [
        sum(len(part) for _, part in _packets(WindowDecoder(codec.decode, 12), frames[:count])) for count in range(5)
    ]
    encoded = codec.encode(whole[: 10 * 2048 + 5])
    framer = Framer()
    found["encoded"] = len(encoded)
    found["layout"] = [framer.add(token) for token in audio_ids(encoded)][6::7] == list(encoded)
    found["theirs"] = _encoded_by_the_package(codec, whole[: 10 * 2048 + 5]) == [list(frame) for frame in encoded]
    return found


def _packets(window: WindowDecoder, frames: Sequence[tuple[int, ...]]) -> list[tuple[int, Any]]:
    parts = [(number, window.feed(frame)) for number, frame in enumerate(frames, 1)]
    return [(number, part) for number, part in [*parts, (len(frames), window.finish())] if part is not None]


def _encoded_by_the_package(codec: SnacCodec, samples: Any) -> list[list[int]]:
    with torch.inference_mode():
        one, two, three = (level[0].tolist() for level in codec._model.encode(torch.from_numpy(samples)[None, None]))
    return [
        [one[i], two[2 * i], three[4 * i], three[4 * i + 1], two[2 * i + 1], three[4 * i + 2], three[4 * i + 3]]
        for i in range(len(one))
    ]


def steps(folder: Path) -> dict[str, Any]:
    engine = Orpheus({"model": str(folder / "model"), "codec": str(folder / "codec"), "temperature": 0})
    chunks = list(engine.synthesize(Segment(text="Раз.", voice="tara")))
    return {"steps": len(chunks), "sounding": sum(1 for chunk in chunks if chunk.audio)}


def cost(folder: Path) -> dict[str, Any]:
    import psutil

    begin = time.perf_counter()
    engine = Orpheus({"model": str(folder / "model"), "codec": str(folder / "codec")})
    loaded = time.perf_counter()
    list(engine.synthesize(Segment(text="Раз.", voice="tara")))
    spoke, used = time.perf_counter(), time.process_time()
    first, samples = 0.0, 0
    for chunk in engine.synthesize(Segment(text="Сегодня хорошая погода, мы идём гулять.", voice="tara")):
        samples += len(chunk.audio) // 2
        first = first or (time.perf_counter() - spoke if chunk.audio else 0.0)
    done = time.perf_counter()
    return {
        "load_seconds": loaded - begin,
        "memory_mb": psutil.Process().memory_info().rss / 1e6,
        "first_audio_seconds": first,
        "real_time_factor": (done - spoke) / (samples / 24_000),
        "processor_seconds_per_second": (time.process_time() - used) / (samples / 24_000),
    }


def codec(folder: Path) -> dict[str, Any]:
    from tests.engines.tiny.orpheus import codec as write_codec

    write_codec(folder, encoder_dim=48, decoder_dim=1024)
    snac = SnacCodec(folder, "cpu")
    found = {"million parameters": sum(some.numel() for some in snac._model.parameters()) / 1e6}
    for count in (3, 5, 6, 17):  # windows of 1, 1, 2 and 12 new frames
        frames = [(1, 2, 3, 4, 5, 6, 7)] * count
        snac.decode(frames)
        begin = time.process_time()
        for _ in range(3):
            snac.decode(frames)
        found[f"processor ms for {count} frames"] = (time.process_time() - begin) / 3 * 1000
    return found


if __name__ == "__main__":
    found = {"generate": generate, "windows": windows, "steps": steps, "cost": cost, "codec": codec}[sys.argv[1]](
        Path(sys.argv[2])
    )
    print(json.dumps(found))
