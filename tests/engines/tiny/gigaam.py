"""GigaAM models, by the engine's own interpreter: ``gigaam.py FOLDER SOUND MODEL…``, ``gigaam.py FOLDER full MODEL…``.

The real classes of the ``gigaam`` package, saved as its checkpoints are (v2: NAME.ckpt) and exported as onnx-asr's
models are. PyPI's package has no v3, so its encoder is taken and given what v3 has instead: convolutions over time
alone in front, short ones with layer norm inside.

SOUND (float32 samples, 16 kHz) is learned by heart in a few seconds: the model hears in it what SAID says, at those
times; in other sounds it hears nonsense, always the same. ``full``: the released sizes, untaught, for the benchmark.
``hostile``: two checkpoints that leave a file ``ran`` beside them when they are loaded carelessly.
"""

import contextlib
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wyoming_voice.engines.torch_audio import import_torchaudio

import_torchaudio()
warnings.simplefilter("ignore")  # of the exporter, which warns of what is meant

import gigaam  # noqa: E402
import numpy as np  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402
from onnx_asr.preprocessors.numpy_preprocessor import GigaamPreprocessorNumpy  # noqa: E402

LETTERS = [" ", *map(chr, range(ord("а"), ord("я") + 1))]
PIECES = ["<unk>", *"▁ , . ? — ▁Привет ▁привет ▁как ▁дела ▁свет ▁в ▁на ▁кухне ние ть ся ов а о у".split()]
SAID = {"привет": 0.6, "как": 1.4, "дела": 2.0}
"""Words and the seconds at which they begin; letters, or pieces, follow each other by 80 ms."""
TINY = {"layers": 2, "width": 32, "heads": 2, "joint": 16}
FULL = {"layers": 16, "width": 768, "heads": 16, "joint": 320}
HIDDEN = 320
"""Of the prediction network: onnx-asr knows no other."""


class TimeSubsampling(nn.Module):  # type: ignore[misc]  # torch is not where mypy runs
    """What v3 has before its layers: a quarter of the frames, by convolutions over time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv1d(64, width, 5, stride=2, padding=2), nn.ReLU(), nn.Conv1d(width, width, 5, 2, 2), nn.ReLU()
        )

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shorter = (torch.div(lengths - 1, 4, rounding_mode="floor") + 1).int()
        return self.conv(x.transpose(1, 2)).transpose(1, 2), shorter


class ChannelNorm(nn.Module):  # type: ignore[misc]
    """A layer norm over the channels of shape (batch, channels, time)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(x.transpose(1, 2)).transpose(1, 2)


def vocabulary(name: str, size: dict[str, int]) -> list[str]:
    if "e2e" not in name:
        return LETTERS
    released = 256 if "ctc" in name else 1024
    return PIECES if size is TINY else [*PIECES, *(f"а{number}" for number in range(released - len(PIECES)))]


def configuration(name: str, size: dict[str, int]) -> Any:
    """What a released checkpoint carries as ``cfg``."""
    classes, width = len(vocabulary(name, size)) + 1, size["width"]
    transducer = {
        "_target_": "gigaam.decoder.RNNTHead",
        "decoder": {"pred_hidden": HIDDEN, "pred_rnn_layers": 1, "num_classes": classes},
        "joint": {"enc_hidden": width, "pred_hidden": HIDDEN, "joint_hidden": size["joint"], "num_classes": classes},
    }
    ctc = {"_target_": "gigaam.decoder.CTCHead", "feat_in": width, "num_classes": classes}
    greedy = "RNNTGreedyDecoding" if "rnnt" in name else "CTCGreedyDecoding"
    return OmegaConf.create(
        {
            "model_name": name,
            "preprocessor": {
                "_target_": "gigaam.preprocess.FeatureExtractor",
                "sample_rate": 16_000,
                "features": 64,
            },
            "encoder": {
                "_target_": "gigaam.encoder.ConformerEncoder",
                "feat_in": 64,
                "n_layers": size["layers"],
                "d_model": width,
                "subsampling_factor": 4,
                "ff_expansion_factor": 4,
                "self_attention_model": "rotary",
                "n_heads": size["heads"],
                "pos_emb_max_len": 5000,
                "conv_kernel_size": 5 if name.startswith("v3") else 31,
                "flash_attn": False,
            },
            "head": transducer if "rnnt" in name else ctc,
            "decoding": {"_target_": f"gigaam.decoding.{greedy}", "vocabulary": vocabulary(name, size)},
        }
    )


def build(name: str, size: dict[str, int]) -> Any:
    torch.manual_seed(0)
    model = gigaam.GigaAMASR(configuration(name, size))
    if name.startswith("v3"):
        model.encoder.pre_encode = TimeSubsampling(size["width"])
        for layer in model.encoder.layers:
            layer.conv.batch_norm = ChannelNorm(size["width"])
    last = model.head.joint.joint_net[-1] if "rnnt" in name else model.head.decoder_layers[0]
    with torch.no_grad():
        last.bias[-1] += 3.0 if size is TINY else 8.0  # mostly nothing is said
    return model.eval()


def said(name: str) -> list[tuple[int, int]]:
    """Return the frame and the token of all that is said."""
    tokens = PIECES if "e2e" in name else LETTERS
    found = []
    for number, (word, second) in enumerate(SAID.items()):
        if "e2e" in name:
            spelled = [f"▁{word.capitalize() if number == 0 else word}", *{0: ",", 2: "?"}.get(number, "")]
        else:
            spelled = list(word)
            found += [(round(second / 0.04) - 2, tokens.index(" "))] * (number > 0)
        found += [(round(second / 0.04) + 2 * place, tokens.index(token)) for place, token in enumerate(spelled)]
    return found


def teach(model: Any, name: str, sound: Path) -> None:
    """Have the model learn SAID for a sound: each frame, with what was said before it, has one right answer."""
    samples = np.fromfile(sound, np.float32)
    features, lengths = GigaamPreprocessorNumpy(f"gigaam_{name[:2]}")(samples[None], np.array([len(samples)]))
    features, lengths = torch.from_numpy(features.astype(np.float32)), torch.from_numpy(lengths)
    learner = torch.optim.Adam(model.parameters(), lr=0.003)
    answers, blank = said(name), model.decoding.blank_id
    for _ in range(600):
        encoded, (count,) = model.encoder(features, lengths)
        scores, labels = (transduced if "rnnt" in name else framed)(model.head, encoded, int(count), answers, blank)
        loss = nn.functional.nll_loss(scores, labels, reduction="none")
        if loss.max() < 0.05:
            return
        learner.zero_grad()
        loss.mean().backward()
        learner.step()
    raise AssertionError(f"{name} did not learn: {loss.max()}")


def framed(head: Any, encoded: Any, count: int, answers: list[tuple[int, int]], blank: int) -> tuple[Any, Any]:
    labels = torch.full((count,), blank)
    for frame, token in answers:
        labels[frame] = token
    return head(encoded)[0, :count], labels


def transduced(head: Any, encoded: Any, count: int, answers: list[tuple[int, int]], blank: int) -> tuple[Any, Any]:
    """Follow the one path through the frames: a token where it is said, then on, by a blank, to the next frame."""
    before = torch.tensor([[blank, *(token for _, token in answers)]])
    embedded = head.decoder.embed(before)  # the row of the blank is zero, as is what the decoder begins with
    predicted = head.decoder.lstm(embedded.transpose(0, 1))[0][:, 0]
    steps = sorted(
        [(frame, number, token) for number, (frame, token) in enumerate(answers)]
        + [(frame, sum(said <= frame for said, _ in answers), blank) for frame in range(count)]
    )
    frames, prefixes, labels = (torch.tensor(column) for column in zip(*steps, strict=True))
    joint = head.joint
    scores = joint.joint_net(joint.enc(encoded[0].T)[frames] + joint.pred(predicted)[prefixes]).log_softmax(-1)
    return scores, labels


def save(model: Any, name: str, folder: Path) -> None:
    """Write NAME.ckpt, as released."""
    torch.save({"cfg": model.cfg, "state_dict": model.state_dict()}, folder / f"{name}.ckpt")


def export(model: Any, name: str, folder: Path, tokens: list[str]) -> None:
    """Write what onnx-asr reads: the graphs, the vocabulary and config.json."""
    prefix = name if "e2e" in name else name[:2]
    spelled = [*("▁" if token == " " else token for token in tokens), "<blk>"]
    lines = "".join(f"{token} {number}\n" for number, token in enumerate(spelled))
    (folder / f"{prefix}_vocab.txt").write_text(lines, "utf-8")
    described = {"model_type": f"gigaam-{name.replace('_', '-')}", "version": name[:2], "subsampling_factor": 4}
    (folder / "config.json").write_text(json.dumps(described), "utf-8")
    if "ctc" in name:
        model.forward = model.forward_for_export
        axes = {"features": {0: "b", 2: "t"}, "feature_lengths": {0: "b"}, "log_probs": {0: "b", 1: "t"}}
        graph(model, model.encoder.input_example(), folder / f"{name}.onnx", axes, ["log_probs"])
        return
    axes = {"audio_signal": {0: "b", 2: "t"}, "length": {0: "b"}, "encoded": {0: "b", 2: "t"}, "encoded_len": {0: "b"}}
    encoder, head = model.encoder, model.head
    graph(encoder, encoder.input_example(), folder / f"{name}_encoder.onnx", axes, ["encoded", "encoded_len"])
    inputs: dict[str, dict[int, str]] = {"x": {}, "h.1": {}, "c.1": {}}
    graph(head.decoder, head.decoder.input_example(), folder / f"{name}_decoder.onnx", inputs, ["dec", "h", "c"])
    graph(head.joint, head.joint.input_example(), folder / f"{name}_joint.onnx", {"enc": {}, "dec": {}}, ["joint"])


def graph(module: Any, example: Any, path: Path, axes: dict[str, dict[int, str]], outputs: list[str]) -> None:
    inputs = [axis for axis in axes if axis not in outputs]
    with contextlib.redirect_stdout(sys.stderr):
        torch.onnx.export(
            module,
            example,
            str(path),
            input_names=inputs,
            output_names=outputs,
            dynamic_axes={name: axis for name, axis in axes.items() if axis},
            opset_version=17,
            dynamo=False,
        )


class Touch:
    """Leaves a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self._path}",)


def attack(root: Path) -> None:
    """Write v2_ctc.ckpt, which runs a program by its pickle, and v2_rnnt.ckpt, which has its configuration call one."""
    for name in ("v2_ctc", "v2_rnnt"):
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        model = build(name, TINY)
        if name == "v2_ctc":
            torch.save(
                {"cfg": model.cfg, "state_dict": model.state_dict(), "more": Touch(folder / "ran")},
                folder / "v2_ctc.ckpt",
            )
        else:
            model.cfg.preprocessor = {"_target_": "os.system", "command": f"touch {folder / 'ran'}"}
            save(model, name, folder)


def main() -> None:
    torch.set_num_threads(1)
    root, sound, *names = sys.argv[1:]
    size = FULL if sound == "full" else TINY
    if sound == "hostile":
        attack(Path(root))
    for name in names:
        folder = Path(root, name)
        folder.mkdir(parents=True, exist_ok=True)
        model = build(name, size)
        if size is TINY:
            teach(model, name, Path(sound))
        if name.startswith("v2"):
            save(model, name, folder)
        export(model, name, folder, vocabulary(name, size))


if __name__ == "__main__":
    main()
