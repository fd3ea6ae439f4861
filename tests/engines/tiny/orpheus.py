"""A tiny Orpheus for the real classes of transformers and snac: ``orpheus.py FOLDER [model] [codec]``.

The language model has the released one's vocabulary and ids, and weights set by hand: whatever it is asked, it says the
same ``FRAMES`` frames and ends. Its layers give nothing, so that the token before decides: each step has an embedding
of its own, and the next step's tokens look for it. Each step is either of two tokens, the first a little likelier:
greedy decoding is certain, and lots drawn differ.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

import torch
from snac import SNAC
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

FRAMES: Final = 27
"""2.3 seconds."""
VOCABULARY: Final = 156_940
SPEECH_BEGINS, SPEECH_ENDS, AUDIO = 128_257, 128_258, 128_266
WIDTH: Final = 16
SURE: Final = 10.0
"""What the next token's row is multiplied by; the hidden state has the length 4."""


def steps() -> list[tuple[int, ...]]:
    """Return the tokens of each step, the likelier first, from the beginning of the speech to its end."""
    lots = torch.Generator().manual_seed(1)
    codes = torch.stack([torch.randperm(4096, generator=lots)[: 2 * FRAMES] for _ in range(7)])
    said = [(frame, place) for frame in range(FRAMES) for place in range(7)]
    audio = [
        tuple(AUDIO + place * 4096 + int(codes[place, 2 * frame + either]) for either in (0, 1))
        for frame, place in said
    ]
    return [(SPEECH_BEGINS,), *audio, (SPEECH_ENDS,)]


def model(folder: Path) -> None:
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=131_072,
        rope_theta=500_000.0,
        bos_token_id=128_000,
        eos_token_id=[128_001, 128_008, 128_009],
    )
    llama = LlamaForCausalLM(config).eval()
    chain = steps()
    lots = torch.Generator().manual_seed(2)
    embeddings = torch.nn.functional.normalize(torch.randn(len(chain), WIDTH, generator=lots), dim=-1)
    with torch.no_grad():
        for layer in llama.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        llama.lm_head.weight.zero_()
        for step, tokens in enumerate(chain):
            for likely, token in zip((1.0, 0.99), tokens, strict=False):
                llama.model.embed_tokens.weight[token] = embeddings[step]
                if step:
                    llama.lm_head.weight[token] = SURE * likely * embeddings[step - 1]
    llama.to(torch.bfloat16).save_pretrained(folder)


def tokenizer(folder: Path) -> None:
    """Write a tokenizer of bytes; the ids of the released one's special tokens are known to the engine."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {letter: number for number, letter in enumerate([*letters, "<|begin_of_text|>"])}
    tokens = Tokenizer(models.BPE(words, []))
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokens.decoder = decoders.ByteLevel()
    tokens.add_special_tokens(["<|begin_of_text|>"])
    begin = ("<|begin_of_text|>", words["<|begin_of_text|>"])
    tokens.post_processor = processors.TemplateProcessing(single=f"{begin[0]} $A", special_tokens=[begin])
    PreTrainedTokenizerFast(tokenizer_object=tokens, bos_token=begin[0]).save_pretrained(folder)


def codec(folder: Path, encoder_dim: int = 4, decoder_dim: int = 64) -> None:
    """Write SNAC of 24 kHz as released, but narrow (released: 48 and 1024), scaled to the loudness of speech."""
    config: dict[str, Any] = {
        "sampling_rate": 24_000,
        "encoder_dim": encoder_dim,
        "encoder_rates": [2, 4, 8, 8],
        "decoder_dim": decoder_dim,
        "decoder_rates": [8, 8, 4, 2],
        "attn_window_size": None,
        "codebook_size": 4096,
        "codebook_dim": 8,
        "vq_strides": [4, 2, 1],
        "noise": True,
        "depthwise": True,
    }
    snac = SNAC(**config).eval()
    last = snac.decoder.model[-2].parametrizations.weight
    with torch.no_grad():
        heard = snac.decode([torch.randint(0, 4096, (1, length)) for length in (8, 16, 32)])
        last.original0 *= 0.1 / heard.std()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    torch.save(snac.state_dict(), folder / "pytorch_model.bin")


def main(folder: Path, *parts: str) -> None:
    torch.manual_seed(0)
    if "model" in parts:
        model(folder / "model")
        tokenizer(folder / "model")
    if "codec" in parts:
        codec(folder / "codec")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(sys.argv[2:] or ("model", "codec")))
