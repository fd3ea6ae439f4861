"""How fast Qwen3-TTS is on this machine, with random weights of the real size: nothing is downloaded.

data/engines/qwen-tts/bin/python -m bench.qwen --random 0.6b --device cuda

Speed depends on shapes, not on what weights say, so the talker, the predictor and the codec are built from the released
models' configuration. Prints a table: the parts, first audio, the real-time factor (seconds of computing for a second
of audio, smaller is better) for 1, 4 and 16 clients that ask at once, memory, the package's own ``generate``, and
faster-qwen3-tts where it is installed beside it (on a GPU).
"""

import argparse
import logging
import os
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from bench.faster_qwen import FasterQwen, not_compared
from wyoming_voice.engines.qwen_codec import Codec
from wyoming_voice.engines.qwen_talker import CAPACITY, Prompt, Sampling, Talker
from wyoming_voice.engines.torch_audio import import_torchaudio
from wyoming_voice.engines.torch_device import Placement, place

FRAME = 0.08  # seconds
PROMPT = 40  # tokens: a sentence, its roles and its speaker
PACKETS = (1, 2, 4, 8)  # frames of the first packets; then 12
DRAWN = Sampling(True, 0.9, 50, 1.0)

SIZES = {"0.6b": (1024, 3072), "1.7b": (2048, 6144)}
HEADS = {"num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "rope_theta": 1_000_000}
CODES = {
    "bos": 2149,
    "eos_token": 2150,
    "pad": 2148,
    "think": 2154,
    "nothink": 2155,
    "think_bos": 2156,
    "think_eos": 2157,
}
DECODER = {
    "latent_dim": 1024,
    "codebook_dim": 512,
    "codebook_size": 2048,
    "decoder_dim": 1536,
    "hidden_size": 512,
    "intermediate_size": 1024,
    "head_dim": 64,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "num_hidden_layers": 8,
    "num_quantizers": 16,
    "sliding_window": 72,
    "upsample_rates": [8, 5, 4, 3],
    "upsampling_ratios": [2, 2],
}


@dataclass
class Built:
    talker: Any
    decoder: Any
    placement: Placement


def talker_config(size: str) -> dict[str, object]:
    hidden, inner = SIZES[size]
    return {
        **{f"codec_{name}_id": number for name, number in CODES.items()},
        **HEADS,
        "vocab_size": 3072,
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": 28,
        "text_hidden_size": 2048,
        "text_vocab_size": 151_936,
        "num_code_groups": 16,
        "pad_token_id": None,
        "max_position_embeddings": 32_768,
        "rope_scaling": {"interleaved": True, "mrope_section": [24, 20, 20], "rope_type": "default", "type": "default"},
        "codec_language_id": {},
        "spk_id": {},
        "spk_is_dialect": {},
        "code_predictor_config": {
            **HEADS,
            "vocab_size": 2048,
            "hidden_size": 1024,
            "intermediate_size": 3072,
            "num_hidden_layers": 5,
            "num_code_groups": 16,
            "max_position_embeddings": 65_536,
        },
    }


def build(size: str, placement: Placement) -> Built:
    """Build the models on their device, without a copy elsewhere."""
    import_torchaudio()
    from qwen_tts.core import Qwen3TTSTokenizerV2Config  # noqa: PLC0415 - after torchaudio
    from qwen_tts.core.models import Qwen3TTSConfig  # noqa: PLC0415
    from qwen_tts.core.models.modeling_qwen3_tts import Qwen3TTSTalkerForConditionalGeneration  # noqa: PLC0415
    from qwen_tts.core.tokenizer_12hz.modeling_qwen3_tts_tokenizer_v2 import Qwen3TTSTokenizerV2Decoder  # noqa: PLC0415

    talker = Qwen3TTSConfig(talker_config=talker_config(size)).talker_config
    decoder = Qwen3TTSTokenizerV2Config(decoder_config=DECODER).decoder_config
    for config in (talker, talker.code_predictor_config, decoder):
        config._attn_implementation = placement.attention  # noqa: SLF001 - what from_pretrained does
    made = [
        filled(kind._from_config(config, attn_implementation=placement.attention), placement)  # noqa: SLF001
        for kind, config in ((Qwen3TTSTalkerForConditionalGeneration, talker), (Qwen3TTSTokenizerV2Decoder, decoder))
    ]
    return Built(made[0], made[1], placement)


def filled(model: Any, placement: Placement) -> Any:
    """Give a model small random weights on its device."""
    model = model.to(device=placement.device, dtype=placement.dtype).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 or "embedding_sum" in name:
                weight.uniform_(-0.02, 0.02)
    return model


def prompt(built: Built, generator: torch.Generator) -> Prompt:
    width, placement = built.talker.config.hidden_size, built.placement
    embeds = 0.02 * torch.randn(1, PROMPT, width, generator=generator)
    pad = torch.zeros(1, 1, width)
    embeds, pad = (part.to(device=placement.device, dtype=placement.dtype) for part in (embeds, pad))
    return Prompt(embeds, pad, pad, DRAWN, DRAWN, 1.05)


def synchronize(built: Built) -> None:
    if built.placement.on_gpu:
        torch.cuda.synchronize()


def milliseconds(built: Built, run: Callable[[], object], times: int = 5) -> float:
    """Time a part: the median after one run to warm up."""
    taken = []
    for _ in range(times + 1):
        synchronize(built)
        begun = time.perf_counter()
        run()
        synchronize(built)
        taken.append(1000 * (time.perf_counter() - begun))
    return statistics.median(taken[1:])


def packets(built: Built, talker: Talker, codec: Codec, asked: Prompt, frames: int) -> Iterator[int]:
    """Speak as the engine does; yields the samples of each packet."""
    stream, packet, sizes = codec.stream(), [], iter(PACKETS)
    size = next(sizes)
    for _, frame in talker.frames(asked, 0, frames):
        packet.append(frame)
        if len(packet) == size:
            yield len(stream.push(torch.stack(packet)))
            packet, size = [], next(sizes, 12)
    if packet:
        yield len(stream.push(torch.stack(packet)))
    synchronize(built)


def speak(
    built: Built, talker: Talker, codec: Codec, asked: Prompt, *, frames: int, clients: int
) -> tuple[list[float], float]:
    """Let clients ask at once, one turn each; returns the seconds to each one's first audio, and to the end of all."""
    begun, firsts = time.perf_counter(), []
    for _ in range(clients):
        first = None
        for _samples in packets(built, talker, codec, asked, frames):
            first = first or time.perf_counter() - begun
        firsts.append(first or 0.0)
    return firsts, time.perf_counter() - begun


def package(built: Built, asked: Prompt, frames: int) -> float:
    """Speak with the package's own generate and decode; returns the seconds until all of it is there."""
    begun = time.perf_counter()
    drawn = {"do_sample": True, "top_k": 50, "top_p": 1.0, "temperature": 0.9, "repetition_penalty": 1.05}
    subtalker = {
        "subtalker_dosample": True,
        "subtalker_top_k": 50,
        "subtalker_top_p": 1.0,
        "subtalker_temperature": 0.9,
    }
    with torch.inference_mode():
        made = built.talker.generate(
            inputs_embeds=asked.embeds,
            attention_mask=torch.ones(1, PROMPT, dtype=torch.long, device=asked.embeds.device),
            trailing_text_hidden=asked.trailing,
            tts_pad_embed=asked.pad,
            max_new_tokens=frames + 1,
            min_new_tokens=frames + 1,
            eos_token_id=CODES["eos_token"],
            suppress_tokens=list(range(2048, 3072)),
            output_hidden_states=True,
            return_dict_in_generate=True,
            **drawn,
            **subtalker,
        )
        codes = torch.stack([step[-1] for step in made.hidden_states if step[-1] is not None], dim=2)
        built.decoder.chunked_decode(codes)
    synchronize(built)
    return time.perf_counter() - begun


def faster(built: Built, asked: Prompt, frames: int) -> Iterator[tuple[str, str]]:
    """Speak with faster-qwen3-tts: packets of one frame, its earliest first audio, and of 12, its default."""
    rival = FasterQwen(built.talker, room=CAPACITY)
    for size in (1, 12):
        rival.speak(built.decoder, asked, frames=frames, size=size)  # to warm up
        first, whole = rival.speak(built.decoder, asked, frames=frames, size=size)
        said = f"first audio {1000 * first:.0f} ms, RTF {whole / frames / FRAME:.2f}"
        yield f"faster-qwen3-tts, packets of {size} frame{'s' * (size > 1)}", said


def parts(built: Built, talker: Talker, codec: Codec, asked: Prompt) -> Iterator[tuple[str, str]]:
    """Time what a frame is made of."""
    hidden = torch.zeros_like(asked.pad)
    first = torch.zeros(1, dtype=torch.long, device=hidden.device)
    draws = torch.Generator(hidden.device).manual_seed(0)
    with torch.inference_mode():
        yield f"prompt of {PROMPT} tokens", f"{milliseconds(built, lambda: talker._prefill(asked), 3):.1f} ms"  # noqa: SLF001
        yield "talker step", f"{milliseconds(built, lambda: talker._step(hidden, PROMPT)):.1f} ms"  # noqa: SLF001
        step = lambda: talker._complete(hidden, first, DRAWN, draws)  # noqa: SLF001, E731 - it is timed below
        yield "predictor, 15 codes", f"{milliseconds(built, step):.1f} ms"
    stream = codec.stream()
    for frames in (1, 4, 12):
        codes = torch.randint(0, 2048, (frames, 16), device=hidden.device)
        yield f"codec, {frames} frames more", f"{milliseconds(built, lambda codes=codes: stream.push(codes), 3):.1f} ms"


def main() -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--random", choices=SIZES, default="0.6b", help="the size of the model")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1")
    parser.add_argument("--dtype", default="auto", help="float32, bfloat16, float16")
    parser.add_argument("--frames", type=int, default=75, help="of each utterance; 75 are 6 s")
    parser.add_argument("--clients", default="1,4,16", help="how many ask at once")
    parser.add_argument("--eager", action="store_true", help="without CUDA graphs")
    parser.add_argument("--compile", action="store_true", help="with torch.compile, and graphs of what it made")
    arguments = parser.parse_args()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    placement = place({"device": arguments.device, "dtype": arguments.dtype})
    built = build(arguments.random, placement)
    talker = Talker(built.talker, graphs=placement.on_gpu and not arguments.eager, compiles=arguments.compile)
    talker._barred[CODES["eos_token"]] = True  # noqa: SLF001 - random weights would end anywhere
    codec, asked = Codec(built.decoder), prompt(built, torch.Generator().manual_seed(0))
    name = (
        torch.cuda.get_device_name(placement.device) if placement.on_gpu else f"CPU, {torch.get_num_threads()} threads"
    )
    name += f", load {os.getloadavg()[0]:.1f} before"
    print(f"\nQwen3-TTS {arguments.random}, random weights, {placement.dtype}, {name}, torch {torch.__version__}\n")
    print("| | |\n|---|---|")
    for part, took in parts(built, talker, codec, asked):
        print(f"| {part} | {took} |", flush=True)
    audio = arguments.frames * FRAME
    for clients in map(int, arguments.clients.split(",")):
        firsts, whole = speak(built, talker, codec, asked, frames=arguments.frames, clients=clients)
        middle, last = statistics.median(firsts), max(firsts)
        said = f"first audio {1000 * middle:.0f} ms (the last one's {1000 * last:.0f} ms)"
        said += f", RTF {whole / audio / clients:.2f}"
        print(f"| {clients} client{'s' * (clients > 1)}, {audio:.1f} s each | {said} |", flush=True)
    took = package(built, asked, arguments.frames)
    print(f"| the package's own generate | first audio {1000 * took:.0f} ms, RTF {took / audio:.2f} |")
    resident = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = torch.cuda.max_memory_allocated() if placement.on_gpu else resident
    print(f"| memory, at most | {peak / 1e9:.1f} GB |")
    reason = not_compared(on_gpu=placement.on_gpu)
    if reason is None:
        for row, took in faster(built, asked, arguments.frames):
            print(f"| {row} | {took} |", flush=True)
    else:
        print(f"\n{reason}")


if __name__ == "__main__":
    main()
