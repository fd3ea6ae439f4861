"""How fast Qwen3-TTS is on this machine, with random weights of the real size: nothing is downloaded.

data/engines/qwen-tts/bin/python -m bench.qwen --random 0.6b --device cuda

Prints two tables. The first: what a frame is made of, by how many streams share a step. The second: first audio, the
real-time factor (seconds of computing for a second of audio, smaller is better) and memory, for one client with what
makes steps faster (CUDA graphs, ``--compile``), for several that ask at once, in turn and in one batch, for the
package's own ``generate``, and for faster-qwen3-tts where it is installed beside it (on a GPU).
"""

import argparse
import logging
import os
import random
import resource
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from bench.faster_qwen import FasterQwen, not_compared
from bench.qwen_models import CODES, PROMPT, SIZES, Built, build, prompt
from wyoming_voice.engines.qwen_codec import Codec
from wyoming_voice.engines.qwen_talker import CAPACITY, Prompt, Talker
from wyoming_voice.engines.torch_device import place

FRAME = 0.08  # seconds
_ROOM = 32  # streams in a batch for requests that come at random
_SECONDS = 30.0  # for which they come
_MANY = 20  # clients, from which on a table has percentiles
PACKETS = (1, 2, 4, 8)  # frames of the first packets; then 12


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


def talker(built: Built, **how: Any) -> Talker:
    """Make a talker that never says its end: random weights would anywhere."""
    made: Talker = Talker(built.talker, **how)
    with torch.inference_mode():
        made._barred[CODES["eos_token"]] = True  # noqa: SLF001 - what is measured has one length
    return made


def packets(built: Built, talker: Talker, codec: Codec, asked: Prompt, frames: int) -> Iterator[int]:
    """Speak as the engine does, which may be left at every frame; yields the samples of each packet, else 0."""
    stream, packet, sizes = codec.stream(), [], iter(PACKETS)
    size = next(sizes)
    for _, frame in talker.frames(asked, 0, frames):
        packet.append(frame)
        if len(packet) < size:
            yield 0
            continue
        yield len(stream.push(torch.stack(packet)))
        packet, size = [], next(sizes, 12)
    if packet:
        yield len(stream.push(torch.stack(packet)))
    synchronize(built)


@dataclass
class Times:
    """Seconds that clients waited for their first audio, and that all of them took."""

    firsts: list[float] = field(default_factory=list)
    whole: float = 0.0

    def __str__(self) -> str:
        ordered = sorted(self.firsts)
        middle, late, last = (1000 * ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.95, 1.0))
        if len(ordered) >= _MANY:
            return f"p50 {middle:.0f} ms, p95 {late:.0f} ms"
        return f"{middle:.0f} ms" if len(ordered) == 1 else f"{middle:.0f} ms, the last {last:.0f} ms"


def speak(
    built: Built, talker: Talker, codec: Codec, asked: Prompt, *, frames: int, arrivals: Sequence[float]
) -> Times:
    """Let clients ask, so many seconds from now each: as many as the batch has room for are stepped in turn.

    That is what a worker does. A first audio counts from when the client asked.
    """
    times, begun = Times(), time.perf_counter()
    waiting, speaking = deque(sorted(arrivals)), dict[Iterator[int], float | None]()
    while waiting or speaking:
        while waiting and len(speaking) < talker.steps.batches[-1] and waiting[0] <= time.perf_counter() - begun:
            speaking[packets(built, talker, codec, asked, frames)] = waiting.popleft()
        for client, came in list(speaking.items()):
            samples = next(client, None)
            if samples is None:
                del speaking[client]
            elif samples and came is not None:
                speaking[client] = None
                times.firsts.append(time.perf_counter() - begun - came)
        if not speaking and waiting:
            time.sleep(max(0.0, waiting[0] - (time.perf_counter() - begun)))
    times.whole = time.perf_counter() - begun
    return times


def at_random(rate: float, seconds: float) -> list[float]:
    """Return when clients ask who come independently of each other, ``rate`` of them a second."""
    chance, moments = random.Random(0), [0.0]
    while moments[-1] < seconds:
        moments.append(moments[-1] + chance.expovariate(rate))
    return moments[1:]


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


def faster(built: Built, asked: Prompt, frames: int) -> Iterator[tuple[str, str, str]]:
    """Speak with faster-qwen3-tts: packets of one frame, its earliest first audio, and of 12, its default."""
    rival = FasterQwen(built.talker, room=CAPACITY)
    for size in (1, 12):
        rival.speak(built.decoder, asked, frames=frames, size=size)  # to warm up
        first, whole = rival.speak(built.decoder, asked, frames=frames, size=size)
        way = f"faster-qwen3-tts, packets of {size} frame{'s' * (size > 1)}"
        yield way, f"{1000 * first:.0f} ms", f"{whole / frames / FRAME:.2f}"


def parts(built: Built, batches: list[int], graphs: bool) -> Iterator[tuple[str, ...]]:
    """Time what a frame is made of, by how many streams share a step; milliseconds."""
    yield "streams", "prompt of 40 tokens", "talker's step", "predictor, 15 codes", "codec, 1 frame", "4", "12"
    codec, asked = Codec(built.decoder), prompt(built, torch.Generator().manual_seed(0))
    for batch in batches:
        spoken = talker(built, batch=batch, graphs=graphs)
        with ExitStack() as stack, torch.inference_mode():
            streams = [spoken._begin(asked, seed, 1000) for seed in range(batch)]  # noqa: SLF001 - the parts are timed
            for stream in streams:
                stack.callback(spoken._release, stream)  # noqa: SLF001
            spoken._advance(streams[0])  # noqa: SLF001
            took = [
                milliseconds(built, lambda: spoken.steps.read(asked.embeds, 0), 3),  # noqa: B023 - it is called here
                milliseconds(built, lambda: spoken._step(streams)),  # noqa: SLF001, B023 - it is called here
                milliseconds(built, lambda: spoken._complete(streams)),  # noqa: SLF001, B023
            ]
        took += [decoding(built, codec, frames) for frames in (1, 4, 12)]
        yield str(batch), *(f"{part:.1f}" for part in took)


def decoding(built: Built, codec: Codec, frames: int) -> float:
    """Time a packet in a stream of its own."""
    stream = codec.stream()
    codes = torch.randint(0, 2048, (frames, 16), device=built.placement.device)
    return milliseconds(built, lambda: stream.push(codes), 3)


def ways(
    built: Built, clients: list[int], *, graphs: bool, compiles: bool
) -> Iterator[tuple[str, int, Callable[[], Talker]]]:
    """Name what there is to compare: how many clients ask, and the talker that answers them."""
    yield "one client, step by step", 1, lambda: talker(built)
    if graphs:
        yield "one client, CUDA graphs", 1, lambda: talker(built, graphs=True)
    if compiles:
        yield "one client, compiled", 1, lambda: talker(built, compiles=True)
    if compiles and graphs:
        yield "one client, compiled, CUDA graphs", 1, lambda: talker(built, graphs=True, compiles=True)
    for count in clients:
        yield f"{count} clients, one after another", count, lambda: talker(built, graphs=graphs)
        yield f"{count} clients, a batch", count, partial(talker, built, batch=count, graphs=graphs)


def row(*cells: object) -> None:
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def main() -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--random", choices=SIZES, default="0.6b", help="the size of the model")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1")
    parser.add_argument("--dtype", default="auto", help="float32, bfloat16, float16")
    parser.add_argument("--frames", type=int, default=75, help="of each utterance; 75 are 6 s")
    parser.add_argument("--clients", default="4,16", help="how many ask at once")
    parser.add_argument("--rates", default="", help="requests a second that come at random moments: 10,20")
    parser.add_argument("--eager", action="store_true", help="without CUDA graphs")
    parser.add_argument("--compile", action="store_true", help="with torch.compile too")
    arguments = parser.parse_args()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    torch.manual_seed(0)
    placement = place({"device": arguments.device, "dtype": arguments.dtype})
    built, graphs = build(arguments.random, placement), placement.on_gpu and not arguments.eager
    clients = [int(count) for count in arguments.clients.split(",") if count]
    name = (
        torch.cuda.get_device_name(placement.device) if placement.on_gpu else f"CPU, {torch.get_num_threads()} threads"
    )
    name += f", load {os.getloadavg()[0]:.1f} before"
    print(f"\nQwen3-TTS {arguments.random}, random weights, {placement.dtype}, {name}, torch {torch.__version__}\n")
    head, *rows = parts(built, [1, *clients], graphs)
    for cells in (head, ["---"] * len(head), *rows):
        row(*cells)
    print()
    codec, asked = Codec(built.decoder), prompt(built, torch.Generator().manual_seed(0))
    audio = arguments.frames * FRAME
    row(f"each says {audio:.1f} s", "first audio", "RTF", "load and first run, s")
    row(*["---"] * 4)
    for way, count, make in ways(built, clients, graphs=graphs, compiles=arguments.compile):
        begun = time.perf_counter()
        spoken = make()
        spoken.prepare(asked.rest)
        speak(built, spoken, codec, asked, frames=3, arrivals=[0.0] * count)
        ready = time.perf_counter() - begun
        times = speak(built, spoken, codec, asked, frames=arguments.frames, arrivals=[0.0] * count)
        row(way, times, f"{times.whole / audio / count:.2f}", f"{ready:.1f}")
    for rate in (float(rate) for rate in arguments.rates.split(",") if rate):
        spoken = talker(built, batch=_ROOM, graphs=graphs)
        spoken.prepare(asked.rest)
        times = speak(built, spoken, codec, asked, frames=arguments.frames, arrivals=at_random(rate, _SECONDS))
        way = f"{rate:g} requests a second for {_SECONDS:g} s, a batch of {_ROOM} at most"
        row(way, times, f"{times.whole / audio / len(times.firsts):.2f}", "")
    took = package(built, asked, arguments.frames)
    row("the package's own generate", f"{1000 * took:.0f} ms", f"{took / audio:.2f}", "")
    reason = not_compared(on_gpu=placement.on_gpu)
    if reason is None:
        for way, first, factor in faster(built, asked, arguments.frames):
            row(way, first, factor, "")
    resident = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = torch.cuda.max_memory_allocated() if placement.on_gpu else resident
    print(f"\nMemory, at most: {peak / 1e9:.1f} GB. {reason or ''}")


if __name__ == "__main__":
    main()
