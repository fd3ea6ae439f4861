"""A real Piper voice of a few hundred bytes: a tone that lasts as long as its phonemes, higher for each speaker."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RATE = 16_000
PHONEMES = "_^$ abcdefhijklmnopqrstuvwxyzæðøŋɐɑɔəɛɜɡɣɨɪɭɲɵɹɾʃʊʌʒʔʲːˈˌθᵻβχ.,!?;:-'"


def tiny_voice(folder: Path, name: str, *, code: str, espeak: str, speakers: tuple[str, ...] = ()) -> Path:
    """Write ``name.onnx`` and its JSON: input, input_lengths, scales (and sid) as Piper exports them."""
    path = folder / f"{name}.onnx"
    onnx.save(_model(bool(speakers)), path)
    described = {
        "audio": {"sample_rate": RATE, "quality": "x_low"},
        "espeak": {"voice": espeak},
        "phoneme_type": "espeak",
        "num_symbols": len(PHONEMES),
        "num_speakers": max(1, len(speakers)),
        "speaker_id_map": {speaker: number for number, speaker in enumerate(speakers)},
        "inference": {"noise_scale": 0.667, "length_scale": 1.0, "noise_w": 0.8},
        "phoneme_id_map": {phoneme: [number] for number, phoneme in enumerate(PHONEMES)},
        "language": {"code": code, "family": code[:2], "name_native": "Русский", "name_english": "Russian"},
        "dataset": name.split("-")[1],
        "piper_version": "1.0.0",
    }
    path.with_name(f"{name}.onnx.json").write_text(json.dumps(described), encoding="utf-8")
    return path


def _model(speakers: bool) -> onnx.ModelProto:
    # samples = phonemes * 640 (40 ms) * length_scale; audio = 0.5 * sin(0.05 * (1 + sid) * n)
    def constant(name: str, value: object, kind: type[np.generic]) -> onnx.TensorProto:
        return numpy_helper.from_array(np.array(value, kind), name)

    nodes = [
        helper.make_node("Slice", ["scales", "one_1", "two_1"], ["length_scale"]),
        helper.make_node("Cast", ["input_lengths"], ["length_f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["length_f", "per_phoneme"], ["scaled"]),
        helper.make_node("Mul", ["scaled", "length_scale"], ["samples_f"]),
        helper.make_node("Squeeze", ["samples_f"], ["samples"]),
        helper.make_node("Range", ["zero", "samples", "one"], ["n"]),
        helper.make_node("Mul", ["n", "step"], ["phase"]),
        helper.make_node("Cast", ["sid" if speakers else "no_sid"], ["speaker"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["speaker", "one"], ["factor"]),
        helper.make_node("Mul", ["phase", "factor"], ["higher"]),
        helper.make_node("Sin", ["higher"], ["sine"]),
        helper.make_node("Mul", ["sine", "half"], ["quiet"]),
        helper.make_node("Unsqueeze", ["quiet", "front"], ["output"]),
    ]
    constants = [
        constant("one_1", [1], np.int64),
        constant("two_1", [2], np.int64),
        constant("per_phoneme", [640.0], np.float32),
        constant("zero", 0.0, np.float32),
        constant("one", 1.0, np.float32),
        constant("step", 0.05, np.float32),
        constant("no_sid", [0], np.int64),
        constant("half", 0.5, np.float32),
        constant("front", [0, 1], np.int64),
    ]
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, ["batch", "phonemes"]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, ["batch"]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
        *([helper.make_tensor_value_info("sid", TensorProto.INT64, ["batch"])] if speakers else []),
    ]
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", "one", "time"])
    graph = helper.make_graph(nodes, "tiny", inputs, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model
