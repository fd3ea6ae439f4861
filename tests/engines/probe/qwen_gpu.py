"""What a GPU would say of Qwen3-TTS, asked of a pretended one: do graphs give the frames that steps do, on any GPU.

python probe/qwen_gpu.py MODELS    prints one line of JSON; MODELS as made by tiny/qwen_tts.py
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from tests.engines.probe.pretended_cuda import PretendedCuda, pretended_cuda, why_not
from wyoming_voice.engines.qwen_model import QwenModel
from wyoming_voice.engines.qwen_talker import Prompt, Talker
from wyoming_voice.engines.torch_audio import import_torchaudio

import_torchaudio()
import qwen_tts  # noqa: E402 - it imports torchaudio

LOAD = qwen_tts.Qwen3TTSModel.from_pretrained
TEXTS = ("Да.", "Привет, как дела? " * 6, "The quick brown fox.", "Привет! " * 3, "Да, да.")


def load(folder: str, *, device_map: str, **named: Any) -> Any:
    """Load on the CPU and move, which the library of the files cannot be made to pretend."""
    made = LOAD(folder, device_map="cpu", **named)
    for whole in (made, made.model.speech_tokenizer):
        whole.model.to(device_map)
        whole.device = torch.device(device_map)
    return made


def speak(talker: Talker, prompts: list[Prompt], most: int) -> list[list[list[int]]]:
    """Have streams join, leave early, wait for a slow reader, and fill all seats; returns what each said."""
    said: list[list[list[int]]] = [[] for _ in prompts]
    waiting, turn = [(index, talker.frames(prompt, index, most)) for index, prompt in enumerate(prompts)], 0
    asking = [waiting.pop(0)]
    while asking:
        for index, frames in list(asking):
            if index == 2 and turn % 3:
                continue
            frame = next(frames, None)
            if frame is not None:
                said[index].append(frame[1].tolist())
            if frame is None or (index == 3 and len(said[index]) == 3):
                frames.close()
                asking.remove((index, frames))
        turn += 1
        if waiting and len(asking) < 4 and turn % 2:
            asking.append(waiting.pop(0))
    return said


def compare(gpu: PretendedCuda, folder: Path, device: str) -> dict[str, object]:
    """Say the same with graphs and without."""
    both = []
    for graphs in (False, True):
        given = {"device": device, "cuda_graphs": graphs, "data_dir": tempfile.mkdtemp()}
        model = QwenModel(folder, given)
        prompts = [model.writer.speaker(text, "russian", "ryan", None) for text in TEXTS]
        both.append([speak(model.talker, prompts, 10), speak(model.talker, prompts[2:4], 5)])
    alone = model.talker.frames(prompts[0], 0, 9)
    for _ in range(3):
        next(alone)
    gpu.waits.clear()
    gpu.replays = 0
    next(alone)
    found = {"equal": both[0] == both[1], "frames": sum(map(len, both[0][0])), "waits": gpu.waits[:]}
    return {**found, "replays": gpu.replays, "graphs": len(gpu.graphs)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    if reason := why_not():
        print(json.dumps({"skip": reason}))
        sys.exit()
    qwen_tts.Qwen3TTSModel.from_pretrained = load
    with pretended_cuda(2) as gpu:  # the second: a capture is of the current one, which is the first
        print(json.dumps(compare(gpu, Path(sys.argv[1]) / "custom_voice", "cuda:1")))
