"""What only the engine's own Python can tell of Qwen3-TTS: is our loop the package's, our decoder its decoder.

python probe/qwen_tts.py WHAT MODELS RECORDING    prints one line of JSON; MODELS as made by tiny/qwen_tts.py
"""

import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch._inductor.config
from transformers.generation.logits_process import (
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from wyoming_voice.engines.protocol import Reference, Segment
from wyoming_voice.engines.qwen_draw import Sampling
from wyoming_voice.engines.qwen_model import QwenModel
from wyoming_voice.engines.qwen_talker import Prompt, Talker
from wyoming_voice.engines.qwen_tts import QwenTts
from wyoming_voice.engines.qwen_voice import ClonedVoice
from wyoming_voice.errors import EngineUnavailable

TEXT = "Привет, как дела? The quick brown fox."
GREEDY = {"do_sample": False, "subtalker_dosample": False}
FRAMES = 40


def load(models: Path, kind: str, **options: object) -> QwenModel:
    return QwenModel(models / kind, {"data_dir": tempfile.mkdtemp(), **options})


def cloned(model: QwenModel, references: list[Reference]) -> ClonedVoice:
    steps = model.cloner.voice(references)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            voice: ClonedVoice = done.value
            return voice


def package_frames(model: QwenModel, generate: Callable[[], object]) -> torch.Tensor:
    """Have the package itself generate; returns its frames, shape (n, 16), up to the end."""
    kept: list[torch.Tensor] = []
    decode = model.package.model.speech_tokenizer.decode

    def keep(encoded: list[dict[str, torch.Tensor]]) -> object:
        kept.append(encoded[0]["audio_codes"])
        return decode(encoded)

    hand_over = vars(model.package.model.talker).pop("generate")
    model.package.model.speech_tokenizer.decode = keep
    try:
        generate()
    finally:
        model.package.model.talker.generate = hand_over
        model.package.model.speech_tokenizer.decode = decode
    return kept[0]


@dataclass
class Case:
    """A kind of prompt, laid out by ours, and the package's own way from the same words to sound."""

    model: QwenModel
    prompt: Prompt
    package: Callable[[], Any]
    continued: int = 0
    """Frames of the recording, which the package decodes together with what it made."""

    def ours(self, talker: Talker | None = None) -> torch.Tensor:
        return torch.stack([codes for _, codes in (talker or self.model.talker).frames(self.prompt, 0, FRAMES)])

    def theirs(self) -> torch.Tensor:
        return package_frames(self.model, self.package)[self.continued :]


def cases(models: Path, recording: str) -> dict[str, Case]:
    custom, design, base = (load(models, kind, **GREEDY) for kind in ("custom_voice", "voice_design", "base"))
    known = cloned(base, [Reference(recording, "как дела")])
    heard = cloned(base, [Reference(recording)])
    few = {"max_new_tokens": FRAMES + 1, **GREEDY}
    speak, describe = custom.package.generate_custom_voice, design.package.generate_voice_design
    clone = partial(base.package.generate_voice_clone, text=TEXT, language="russian", ref_audio=recording, **few)
    return {
        "speaker": Case(
            custom,
            custom.writer.speaker(TEXT, "russian", "ryan", None),
            partial(speak, text=TEXT, speaker="ryan", language="russian", **few),
        ),
        "speaker with a style": Case(
            custom,
            custom.writer.speaker(TEXT, "auto", "eric", "loud"),
            partial(speak, text=TEXT, speaker="Eric", instruct="loud", **few),
        ),
        "description": Case(
            design,
            design.writer.designed(TEXT, "english", "an old man"),
            partial(describe, text=TEXT, instruct="an old man", language="English", **few),
        ),
        "recording with its text": Case(
            base,
            base.writer.cloned(TEXT, "russian", known),
            partial(clone, ref_text="как дела"),
            0 if known.codes is None else len(known.codes),
        ),
        "recording without text": Case(
            base, base.writer.cloned(TEXT, "russian", heard), partial(clone, x_vector_only_mode=True)
        ),
    }


def generate(models: Path, recording: str) -> object:
    """Compare the frames of our loop, plain and as graphs capture it, with those of the package."""
    found = {}
    for name, case in cases(models, recording).items():
        case.model.warm()
        theirs = case.theirs()
        masked = Talker(case.model.package.model.talker, masked=True)
        found[name] = {
            "frames": len(theirs),
            "different": len(theirs.unique()),
            "plain": torch.equal(case.ours(), theirs),
            "masked": torch.equal(case.ours(masked), theirs),
            "ended": ended(case),
        }
    return found


def ended(case: Case) -> list[int]:
    """Make the talker say its end sooner; returns how many frames come before it, ours and the package's."""
    talker = case.model.package.model.talker
    head, end = talker.codec_head.weight, talker.config.codec_eos_token_id
    kept = head[end].clone()
    with torch.inference_mode():
        head[end] = 2 * head.std() * torch.randn(head.shape[1], generator=torch.Generator().manual_seed(3))
    lengths = [len(case.ours()), len(case.theirs())]
    with torch.inference_mode():
        head[end] = kept
    return lengths


def graphs(models: Path, _recording: str) -> object:
    """Compare drawn frames with and without CUDA graphs; without a GPU the capture fails, and steps are run instead."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = load(models, "custom_voice", device=device, dtype="float32")
    prompt = model.writer.speaker(TEXT, "russian", "ryan", None)
    talkers = [Talker(model.package.model.talker, graphs=graphs) for graphs in (False, True)]
    plain, replayed = ([codes.tolist() for _, codes in talker.frames(prompt, 5, FRAMES)] for talker in talkers)
    return {"device": device, "frames": len(plain), "equal": plain == replayed}


def batch(models: Path, _recording: str) -> object:
    """Compare drawn frames of streams that share a batch with those of each alone.

    They begin one after another, one asks for a frame at every third turn only, and one leaves early.
    """
    model = load(models, "custom_voice", device="cpu")
    texts = [TEXT, "Да.", "The quick brown fox. " * 4, "Привет! " * 3, TEXT]
    prompts = [model.writer.speaker(text, "russian", "ryan", None) for text in texts]
    package = model.package.model.talker
    alone = [
        [codes.tolist() for _, codes in Talker(package).frames(prompt, seed, 30)] for seed, prompt in enumerate(prompts)
    ]
    found: dict[str, object] = {"frames": list(map(len, alone))}
    for name, masked in (("plain", False), ("masked", True)):
        talker = Talker(package, batch=4, masked=masked)
        steps = counted(talker)
        together: list[list[object]] = [[] for _ in prompts]
        waiting = [(index, talker.frames(prompt, index, 30)) for index, prompt in enumerate(prompts)]
        asking, turn = [waiting.pop(0)], 0
        while asking:
            for index, frames in list(asking):
                if index == 2 and turn % 3:
                    continue
                frame = next(frames, None)
                if frame is not None:
                    together[index].append(frame[1].tolist())
                if frame is None or (index == 3 and len(together[index]) == 5):
                    frames.close()
                    asking.remove((index, frames))
            turn += 1
            if waiting and len(asking) < 4:
                asking.append(waiting.pop(0))
        found[name] = {
            "equal": [some == all_of[: len(some)] for some, all_of in zip(together, alone, strict=True)],
            "said": list(map(len, together)),
            "steps": len(steps),
            "left": len(talker._streams),
        }
    return found


def full(models: Path, _recording: str) -> object:
    """Have one of two streams fill its row to the last place; returns whether both say what each says alone."""
    model = load(models, "custom_voice", device="cpu")
    package, prompt = model.package.model.talker, model.writer.speaker(TEXT, "russian", "ryan", None)
    most = 64 - prompt.embeds.shape[1]

    def talker(**how: Any) -> Talker:
        made = Talker(package, capacity=64, **how)
        with torch.inference_mode():
            made._barred[package.config.codec_eos_token_id] = True
        return made

    alone = [[codes.tolist() for _, codes in talker().frames(prompt, seed, most)] for seed in range(2)]
    found = []
    for masked in (False, True):
        both = talker(batch=2, masked=masked)
        filling, other = (both.frames(prompt, seed, most) for seed in range(2))
        filled = [next(filling)[1].tolist()]
        together = []
        for _, codes in other:  # its last frames are made while the first one's last is taken, but not its end
            together.append(codes.tolist())
            if len(filled) < most:
                filled.append(next(filling)[1].tolist())
        again = [codes.tolist() for _, codes in both.frames(prompt, 1, most)]
        found.append([filled, together] == alone and again == alone[1])
        filling.close()
    return {"most": most, "equal": found}


def broken(models: Path, _recording: str) -> object:
    """Have memory end in the middle of a batch; returns what each stream says then, and one that begins afterwards."""
    model = load(models, "custom_voice", device="cpu")
    prompt = model.writer.speaker(TEXT, "russian", "ryan", None)
    talker = Talker(model.package.model.talker, batch=2)
    both, predict = [talker.frames(prompt, seed, 30) for seed in range(2)], talker.steps.predict

    def fail(*_arguments: object) -> Any:
        raise RuntimeError("out of memory")

    found: list[object] = [[len(next(frames)[1]) for frames in both] for _ in range(2)]
    talker.steps.predict = fail  # type: ignore[method-assign,assignment]
    for frames in both:
        try:
            found.append([len(codes) for _, codes in frames])
        except RuntimeError as error:
            found.append(str(error))
    talker.steps.predict = predict  # type: ignore[method-assign]
    found.append(len(list(talker.frames(prompt, 0, 3))))
    return found


def counted(talker: Talker) -> list[int]:
    """Have a talker note each of its steps."""
    steps: list[int] = []
    step = talker._step

    def note(going: Any) -> None:
        steps.append(len(going))
        step(going)

    talker._step = note  # type: ignore[method-assign]
    return steps


def compiling(models: Path, _recording: str) -> object:
    """Compare likeliest frames with and without ``torch.compile``, and where its C++ compiler is missing."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("wyoming_voice.engines.qwen_stack").addHandler(handler)
    model = load(models, "custom_voice", device="cpu", **GREEDY)
    prompt = model.writer.speaker(TEXT, "russian", "ryan", None)
    plain = [codes.tolist() for _, codes in model.talker.frames(prompt, 0, FRAMES)]
    found: dict[str, object] = {"frames": len(plain)}
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        for name, settings in (("missing", {"cpp.cxx": ("no-such-compiler",)}), ("there", {})):
            said.clear()
            torch._dynamo.reset()
            with torch._inductor.config.patch(settings):
                talker = Talker(model.package.model.talker, compiles=True)
                equal = [codes.tolist() for _, codes in talker.frames(prompt, 0, FRAMES)] == plain
            compiled = torch._dynamo.utils.counters["stats"]["unique_graphs"]
            found[name] = {"equal": equal, "compiled": talker.steps.compiled, "graphs": compiled, "said": list(said)}
    return found


def decode(models: Path, _recording: str) -> object:
    """Decode 200 frames at once and in steps; returns the largest difference of each, and the loudest sample."""
    codec = load(models, "custom_voice").codec
    codes = torch.randint(0, 64, (200, 16), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole = codec.decoder(codes.T[None])[0, 0].numpy()
    found = {"loudest": float(np.abs(whole).max()), "samples": len(whole)}
    for step in (1, 3, 10):
        stream = codec.stream()
        parts = np.concatenate([stream.push(codes[start : start + step]) for start in range(0, 200, step)])
        found[str(step)] = float(np.abs(parts - whole).max())
    begun = codec.stream()
    begun.push(codes[:100])
    branches = [begun.branch().push(codes[100:]) for _ in range(2)]
    found["branch"] = float(max(np.abs(branch - whole[100 * 1920 :]).max() for branch in branches))
    return found


def draw(_models: Path, _recording: str) -> object:
    """Draw with many settings; returns how often a draw differs from one out of transformers' own probabilities."""
    random = torch.Generator().manual_seed(0)
    different, likely = 0, []
    for top_k, top_p, temperature in [(50, 1.0, 0.9), (0, 0.8, 1.0), (5, 0.5, 0.3), (0, 1.0, 2.0), (1, 1.0, 1.0)]:
        sampling = Sampling(True, temperature, top_k, top_p)
        for _ in range(200):
            scores = 3 * torch.randn(1, 100, generator=random)
            noise = torch.empty(1, 100).exponential_(generator=random)
            wanted = TemperatureLogitsWarper(temperature)(None, scores)
            wanted = TopKLogitsWarper(top_k)(None, wanted) if top_k else wanted
            wanted = TopPLogitsWarper(top_p)(None, wanted) if top_p < 1 else wanted
            different += int(sampling.draw(scores, noise)) != int((wanted.softmax(-1) / noise).argmax())
    scores = torch.tensor([[0.0, 1.0, 2.0]])
    for _ in range(3000):
        noise = torch.empty(1, 3).exponential_(generator=random)
        likely.append(int(Sampling(True, 1.0, 0, 1.0).draw(scores, noise)))
    shares = np.bincount(likely, minlength=3) / len(likely)
    return {"different": different, "off": float(np.abs(shares - scores.softmax(-1)[0].numpy()).max())}


def sound(models: Path, recording: str) -> object:
    """Clone with the package and with ours; returns the largest difference of the sound."""
    case = cases(models, recording)["recording with its text"]
    stream = cloned(case.model, [Reference(recording, "как дела")]).decoded.branch()
    ours = np.concatenate([stream.push(frame[None]) for frame in case.ours()])
    found: list[np.ndarray] = []
    package_frames(case.model, lambda: found.append(case.package()[0][0]))
    return {"samples": [len(ours), len(found[0])], "difference": float(np.abs(ours - found[0]).max())}


def spoken(engine: QwenTts, segment: Segment) -> float:
    return sum(len(chunk.audio) for chunk in engine.synthesize(segment)) / 48_000


def trouble(models: Path, _recording: str) -> object:
    """Have models speak that loop, never end, and make no sound; returns seconds, counts and what was logged."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("wyoming_voice.engines.qwen_tts").addHandler(handler)
    found = {}
    for name in ("loop", "endless", "silent"):
        said.clear()
        engine = QwenTts({"model": str(models / "voice_design"), "data_dir": tempfile.mkdtemp()})
        model = engine._model
        with torch.inference_mode():
            model.talker._barred[model.package.model.talker.config.codec_eos_token_id] = True
            if name == "loop":
                model.talker._barred[2:] = True
                model.talker._barred[0] = True
            if name == "silent":
                last = model.codec.decoder.decoder[-1].conv
                last.weight.zero_()
                last.bias.zero_()
        seconds = spoken(engine, Segment(text=TEXT * 3, voice="", description="loud", seed=1))
        found[name] = {"seconds": seconds, "cut": engine.cut, "retried": engine.retried, "said": list(said)}
    return found


def prompts(models: Path, recording: str) -> object:
    """Compare prompts: what a dialect, a style, several recordings and marks of the tokenizer change."""
    model = load(models, "custom_voice")
    base = load(models, "base")
    write = model.writer.speaker

    def same(one: Prompt, other: Prompt) -> bool:
        return bool(one.embeds.shape == other.embeds.shape and torch.allclose(one.embeds, other.embeds))

    styled = [write(TEXT, "auto", "ryan", style) for style in (None, "loud")]
    model.package.model.tts_model_size = "0b6"
    small = [write(TEXT, "auto", "ryan", style) for style in (None, "loud")]
    single = cloned(base, [Reference(recording, "как дела")])
    double = cloned(base, [Reference(recording, "как дела"), Reference(recording, "как дела")])
    mixed = cloned(base, [Reference(recording), Reference(recording, "как дела")])
    seven = cloned(base, [Reference(recording, "как дела")] * 7)
    return {
        "auto is the dialect": same(write(TEXT, "auto", "eric", None), write(TEXT, "chinese", "eric", None)),
        "english is the dialect": same(write(TEXT, "auto", "eric", None), write(TEXT, "english", "eric", None)),
        "a style is nothing": same(*styled),
        "a style is nothing to a small model": same(*small),
        "frames": [0 if voice.codes is None else len(voice.codes) for voice in (single, double, mixed, seven)],
        "texts": [voice.text for voice in (single, double, mixed)],
        "embedding": float((single.embedding - double.embedding).abs().max()),
    }


def options(models: Path, _recording: str) -> object:
    """Load with wrong options and broken weights; returns what is said of each."""
    wrong: list[dict[str, object]] = [
        {"temperature": "hot"},
        {"top_p": 3},
        {"first_frames": 0},
        {"device": "cuda:7"},
        {"dtype": "int3"},
        {"attn_implementation": "best"},
    ]
    broken = Path(tempfile.mkdtemp()) / "broken"
    shutil.copytree(models / "custom_voice", broken)
    (broken / "model.safetensors").write_bytes(b"nothing")
    said = []
    wrong.append({"model": str(broken)})
    for given in wrong:
        try:
            QwenTts({"model": str(models / "custom_voice"), "data_dir": tempfile.mkdtemp(), **given})
        except EngineUnavailable as error:
            said.append(error.text)
    return said


def likeness(model: Path, recording: str) -> object:
    """Clone a recording with real weights; returns how like it the speech is, by the model's speaker encoder."""
    base = QwenModel(model, {"data_dir": tempfile.mkdtemp()})
    voice = cloned(base, [Reference(recording)])
    prompt = base.writer.cloned("The weather is fine today, and we are going to the park.", "english", voice)
    stream = voice.decoded.branch()
    spoken_samples = np.concatenate([stream.push(codes[None]) for _, codes in base.talker.frames(prompt, 1, 100)])
    embedded = base.package.model.extract_speaker_embedding(audio=spoken_samples, sr=24_000)
    return float(torch.cosine_similarity(embedded.float(), voice.embedding.float(), dim=0))


if __name__ == "__main__":
    torch.set_num_threads(1)
    asked = [generate, decode, draw, sound, trouble, prompts, options, graphs, batch, full, broken, compiling, likeness]
    wanted = {function.__name__: function for function in asked}
    print(json.dumps({what: wanted[what](Path(sys.argv[2]), sys.argv[3]) for what in sys.argv[1].split(",")}))
