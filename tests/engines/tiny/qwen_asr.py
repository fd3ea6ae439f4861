"""Tiny Qwen3-ASR checkpoints, made with the package's own classes: ``python qwen_asr.py FOLDER TEXT [SIZE]``.

``chain``: its decoder passes each token's embedding on, and its last layer answers with the token that follows in
``language Russian<asr_text>TEXT``: whatever it hears, that is what it writes, after any prompt and any prefix.
``loop``: the same, but its last word is followed by the first.
``random``: nothing means anything, but everything has an effect: to compare ways to compute.
``aligner``: a forced aligner with random weights.

With a SIZE (``0.6b``, ``1.7b``) there is one, called that: a ``chain`` that computes as much as the released model.
"""

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from qwen_asr.core.transformers_backend import (
    Qwen3ASRConfig,
    Qwen3ASRForConditionalGeneration,
    Qwen3ASRProcessor,
)
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import Qwen2TokenizerFast, WhisperFeatureExtractor

HEAD = "language Russian<asr_text>"
# The released template says the same at greater length.
TEMPLATE = (
    "{%- set turn = namespace(system='', sound='') -%}"
    "{%- for message in messages -%}"
    "{%- if message.role == 'system' -%}{%- set turn.system = message.content -%}"
    "{%- else -%}{%- for part in message.content if part.type == 'audio' -%}"
    "{%- set turn.sound = turn.sound + '<|audio_start|><|audio_pad|><|audio_end|>' -%}{%- endfor -%}{%- endif -%}"
    "{%- endfor -%}"
    "{{- '<|im_start|>system\\n' + turn.system + '<|im_end|>\\n<|im_start|>user\\n' + turn.sound + '<|im_end|>\\n' -}}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|audio_start|>", "<|audio_end|>", "<|audio_pad|>")
ADDED = ("<asr_text>", "<timestamp>")
"""Tokens that the released tokenizer has, but does not leave out when it writes text."""
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def make_tokenizer(folder: Path, text: str) -> Qwen2TokenizerFast:
    """Train a byte-level tokenizer of Qwen's kind, whose words are those of a text and of the conversation."""
    tokenizer = Tokenizer(models.BPE())
    words = pre_tokenizers.Split(Regex(_WORDS), behavior="isolated")
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, letters])
    tokenizer.decoder = decoders.ByteLevel()
    rare = "".join(letter for letter in text if letter > "\uffff")  # such a character stays in pieces, as many do
    read = [
        "assistant\n",
        "user\n",
        "system\n",
        "language Russian",
        "language English",
        text.translate(dict.fromkeys(map(ord, rare))),
    ]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(read * 8, trainer)
    tokenizer.model.save(str(folder))
    fast = Qwen2TokenizerFast(
        vocab_file=str(folder / "vocab.json"),
        merges_file=str(folder / "merges.txt"),
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token=None,
        additional_special_tokens=list(SPECIAL[1:]),
        extra_special_tokens={
            "audio_token": "<|audio_pad|>",
            "audio_bos_token": "<|audio_start|>",
            "audio_eos_token": "<|audio_end|>",
        },
    )
    fast.add_tokens([AddedToken(token, special=False, normalized=False) for token in ADDED])
    return fast


SIZES: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "tiny": (
        {
            "d_model": 32,
            "encoder_layers": 2,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 64,
            "downsample_hidden_size": 8,
        },
        {
            "hidden_size": 64,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 16,
        },
    ),
    "0.6b": (
        {"d_model": 896, "encoder_layers": 18, "encoder_attention_heads": 14, "encoder_ffn_dim": 3584},
        {"vocab_size": 151936, "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28},
    ),
    "1.7b": (
        {"d_model": 1024, "encoder_layers": 24, "encoder_attention_heads": 16, "encoder_ffn_dim": 4096},
        {"vocab_size": 151936, "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 28},
    ),
}
"""Encoder and decoder, as their configurations say it."""


def make_config(tokenizer: Qwen2TokenizerFast, size: str = "tiny", **top: object) -> Qwen3ASRConfig:
    """Return the released configuration, with layers of a size; the windows are the same in all."""
    encoder, decoder = SIZES[size]
    heads = {"num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128}
    text: dict[str, Any] = {"vocab_size": len(tokenizer), **heads, **decoder}
    sections = [text["head_dim"] // 2 - 2 * (text["head_dim"] * 5 // 32), *[text["head_dim"] * 5 // 32] * 2]
    ids = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in ("audio_pad", "audio_start", "audio_end")}
    thinker = {
        "audio_config": {
            "num_mel_bins": 128,
            "n_window": 50,
            "n_window_infer": 800,
            "conv_chunksize": 500,
            "output_dim": text["hidden_size"],
            "max_source_positions": 1500,
            **encoder,
        },
        "text_config": {
            "max_position_embeddings": 65536,
            "rope_theta": 1_000_000,
            "tie_word_embeddings": False,  # the released ones are tied; a chain cannot be
            "rope_scaling": {
                "interleaved": True,
                "mrope_interleaved": True,
                "mrope_section": sections,
                "rope_type": "default",
                "type": "default",
            },
            **text,
        },
        "audio_token_id": ids["audio_pad"],
        "audio_start_token_id": ids["audio_start"],
        "audio_end_token_id": ids["audio_end"],
        "classify_num": 40,
    }
    return Qwen3ASRConfig(thinker_config=thinker, support_languages=["Chinese", "English", "Russian"], **top)


def shuffle(model: Qwen3ASRForConditionalGeneration) -> None:
    """Give all weights a size that lets everything have an effect."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.3)


def chain(model: Qwen3ASRForConditionalGeneration, tokens: list[int]) -> None:
    """Have each token follow the one before it; a token can be there once."""
    assert len(set(tokens[:-1])) == len(tokens) - 1, "a token that is there twice has two successors"
    thinker = model.thinker
    with torch.no_grad():
        for layer in thinker.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        embeddings = torch.nn.functional.normalize(torch.randn(thinker.model.embed_tokens.weight.shape), dim=-1)
        thinker.model.embed_tokens.weight.copy_(embeddings)
        thinker.lm_head.weight.zero_()
        for before, after in pairwise(tokens):
            thinker.lm_head.weight[after] += embeddings[before]


def save(model: Qwen3ASRForConditionalGeneration, tokenizer: Qwen2TokenizerFast, folder: Path) -> None:
    features = WhisperFeatureExtractor(feature_size=128, sampling_rate=16000, n_fft=400, hop_length=160)
    model.eval().save_pretrained(folder)
    Qwen3ASRProcessor(feature_extractor=features, tokenizer=tokenizer, chat_template=TEMPLATE).save_pretrained(folder)


def main() -> None:
    root, text = Path(sys.argv[1]), sys.argv[2]
    torch.manual_seed(0)
    root.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer(root, text)
    said = tokenizer.encode("\n" + HEAD + text + "<|im_end|>")
    endless = tokenizer.encode("\n" + HEAD + text)
    endless.append(endless[len(tokenizer.encode("\n" + HEAD))])
    if len(sys.argv) > 3:
        model = Qwen3ASRForConditionalGeneration(make_config(tokenizer, sys.argv[3]))
        chain(model, said)
        save(model.to(torch.bfloat16), tokenizer, root / sys.argv[3])
        return
    for name, tokens in (("random", None), ("chain", said), ("loop", endless)):
        model = Qwen3ASRForConditionalGeneration(make_config(tokenizer))
        shuffle(model)
        if tokens:
            chain(model, tokens)
        save(model, tokenizer, root / name)
    make_aligner(tokenizer, root / "aligner")


def make_aligner(tokenizer: Qwen2TokenizerFast, folder: Path) -> None:
    config = make_config(
        tokenizer,
        timestamp_token_id=tokenizer.convert_tokens_to_ids("<timestamp>"),
        timestamp_segment_time=80,
    )
    config.thinker_config.model_type = "qwen3_forced_aligner"
    model = Qwen3ASRForConditionalGeneration(config)
    shuffle(model)
    save(model, tokenizer, folder)
    path = folder / "config.json"  # what is saved is the model_type of the class
    written = json.loads(path.read_text("utf-8"))
    written["thinker_config"]["model_type"] = "qwen3_forced_aligner"
    path.write_text(json.dumps(written), "utf-8")


if __name__ == "__main__":
    main()
