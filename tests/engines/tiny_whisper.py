"""A Whisper model of 4 MB with weights set by hand, for the real classes of faster-whisper, CTranslate2 and tokenizers.

Every layer gives zero, so a token's embedding alone decides what comes next, and the chain is: whatever it is given
to hear, it hears "Turn on" until 1.00 s and "the lamp." from 1.02 to 2.00 s, in Russian unless told otherwise. The
attention to the encoder looks where the next word is, as the heads do that faster-whisper takes word times from.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

_WHERE = "faster-whisper is not installed (./run.sh engines install faster-whisper)"
ctranslate2 = pytest.importorskip("ctranslate2", reason=_WHERE)
tokenizers = pytest.importorskip("tokenizers", reason=_WHERE)

WIDTH = 16
TEXT = 50_257
"""The first id that is no text, as in every multilingual Whisper."""
WORDS = {"Turn": (0.0, 0.5), " on": (0.5, 1.0), " the": (1.02, 1.5), " lamp.": (1.5, 2.0)}
"""What it hears, and the seconds at which each token is said."""
CHAIN = {  # token: what it may follow, and how surely; without timestamps (to time words) "the" follows "on"
    "<|ru|>": {"<|startoftranscript|>": 1.0},
    "<|0.00|>": {"<|transcribe|>": 1.0},
    "Turn": {"<|0.00|>": 1.0, "<|notimestamps|>": 1.0},
    " on": {"Turn": 1.0},
    "<|1.00|>": {" on": 1.0},
    "<|1.02|>": {"<|1.00|>": 1.0},
    " the": {"<|1.02|>": 1.0, " on": 0.5},
    " lamp.": {" the": 1.0},
    "<|2.00|>": {" lamp.": 1.0},
    "<|endoftext|>": {"<|2.00|>": 1.0},
}
PLACE = {token: place for place, token in enumerate(dict.fromkeys(token for row in CHAIN.values() for token in row))}
"""Where the embedding of each token that something follows is one; all others are zero."""


def make(folder: Path, languages: tuple[str, ...]) -> Path:
    """Write model.bin, config.json, vocabulary.json and tokenizer.json; ``languages``: Whisper's 99 codes."""
    tokens = vocabulary(languages)
    index = {token: position for position, token in enumerate(tokens)}
    spec = ctranslate2.specs.WhisperSpec(
        num_encoder_layers=1, num_encoder_heads=1, num_decoder_layers=1, num_decoder_heads=1
    )
    _set_weights(spec, index)
    spec.register_vocabulary([token.replace(" ", "Ġ") for token in tokens])
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [index["<|endoftext|>"]]
    spec.config.lang_ids = [index[f"<|{language}|>"] for language in languages]
    spec.config.alignment_heads = [(0, 0)]
    spec.validate()
    spec.optimize(quantization="int8")
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    _write_tokenizer(tokens, folder / "tokenizer.json")
    return folder


def vocabulary(languages: tuple[str, ...]) -> list[str]:
    """Text (bytes, the words, filling), the special tokens in Whisper's order, and 30 s of timestamps."""
    text = [*sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()), *WORDS]
    text += [f"~{number:x}" for number in range(TEXT - len(text) - 1)]
    text.append("")  # CTranslate2 tells a multilingual vocabulary by its empty token
    tasks = ("translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps")
    special = [f"<|{name}|>" for name in ("endoftext", "startoftranscript", *languages, *tasks)]
    return [*text, *special, *(f"<|{step * 0.02:.2f}|>" for step in range(1501))]


def _zeros(*shape: int) -> Any:
    return np.zeros(shape, np.float32)


def _set_weights(spec: Any, index: dict[str, int]) -> None:
    for conv, channels in ((spec.encoder.conv1, 80), (spec.encoder.conv2, WIDTH)):
        conv.weight, conv.bias = _zeros(WIDTH, channels, 3), _zeros(WIDTH)
    embeddings, projection = _zeros(len(index), WIDTH), _zeros(len(index), WIDTH)
    for token, place in PLACE.items():
        embeddings[index[token], place] = 1.0
    for token, before in CHAIN.items():
        for earlier, surely in before.items():
            projection[index[token], PLACE[earlier]] = 10.0 * surely
    spec.decoder.embeddings.weight, spec.decoder.projection.weight = embeddings, projection
    spec.decoder.position_encodings.encodings = _zeros(448, WIDTH)
    _set_times(spec)
    ctranslate2.specs.model_spec.visit_spec(spec, _silence)


def _set_times(spec: Any) -> None:
    """Let the token before a word ask for the word's moment, and each moment say which word's it is."""
    positions, query, key = _zeros(1500, WIDTH), _zeros(WIDTH, WIDTH), _zeros(2 * WIDTH, WIDTH)
    positions[:, -1] = 1.0
    query[-1, PLACE[" lamp."]] = key[-1, -1] = 10.0
    for column, (token, (start, end)) in enumerate(zip(("<|notimestamps|>", *WORDS), WORDS.values(), strict=False)):
        positions[round(start / 0.02) : round(end / 0.02)] = np.eye(WIDTH, dtype=np.float32)[column]
        query[column, PLACE[token]], key[column, column] = 10.0, 1.0
    spec.encoder.position_encodings.encodings = positions
    look = spec.decoder.layer[0].attention.linear
    look[0].weight, look[1].weight = query, key


def _silence(layer: Any, name: str, value: object) -> None:
    """Set what is not set: layer norms that only normalise, and linear layers that give nothing."""
    if value is None:
        kind = name.rpartition("/")[2]
        rows = 3 if "self_attention/linear_0" in name else 1
        shape = (WIDTH,) if kind in ("gamma", "beta") else (rows * WIDTH, WIDTH)
        setattr(layer, kind, np.full(shape, float(kind == "gamma"), np.float32))


def _write_tokenizer(tokens: list[str], path: Path) -> None:
    words = {token.replace(" ", "Ġ"): number for number, token in enumerate(tokens[:TEXT])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(words, []))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens([tokenizers.AddedToken(token, special=True) for token in tokens[TEXT:]])
    tokenizer.save(str(path), pretty=False)
