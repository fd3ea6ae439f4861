"""Make tiny Qwen3-TTS models with the package's own classes: random weights, and every file that a released model has.

python tiny/qwen_tts.py FOLDER [KIND…]     makes FOLDER/base, FOLDER/custom_voice, FOLDER/voice_design, 1.5 MB each

The package saves what it cannot load again in two places; both are marked.
"""

import json
import sys
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import EncodecFeatureExtractor, Qwen2TokenizerFast

from wyoming_voice.engines.torch_audio import import_torchaudio

import_torchaudio()
from qwen_tts.core import Qwen3TTSTokenizerV2Config, Qwen3TTSTokenizerV2Model  # noqa: E402 - it imports torchaudio
from qwen_tts.core.models import Qwen3TTSConfig, Qwen3TTSForConditionalGeneration, Qwen3TTSProcessor  # noqa: E402

KINDS = ("base", "custom_voice", "voice_design")
CODES = 64  # a released model has 2048; its special codes follow them in the same order
SHIFT = CODES - 2048
# fmt: off
LANGUAGES = {
    "chinese": 2055, "english": 2050, "german": 2053, "italian": 2070, "portuguese": 2071, "spanish": 2054,
    "japanese": 2058, "korean": 2064, "french": 2061, "russian": 2069, "beijing_dialect": 2074,
    "sichuan_dialect": 2062,
}
SPEAKERS = {
    "serena": 3066, "vivian": 3065, "uncle_fu": 3010, "ryan": 3061, "aiden": 2861, "ono_anna": 2873, "sohee": 2864,
    "eric": 2875, "dylan": 2878,
}
SPECIAL_CODES = {
    "bos": 2149, "eos_token": 2150, "pad": 2148, "think": 2154, "nothink": 2155, "think_bos": 2156, "think_eos": 2157,
}
# fmt: on
DIALECTS = {"eric": "sichuan_dialect", "dylan": "beijing_dialect"}
SPECIAL = ["<|im_start|>", "<|im_end|>", "<tts_pad>", "<tts_text_bos>", "<tts_text_eod>"]
SAMPLING = {
    "do_sample": True,
    "repetition_penalty": 1.05,
    "temperature": 0.9,
    "top_p": 1.0,
    "top_k": 50,
    "subtalker_dosample": True,
    "subtalker_temperature": 0.9,
    "subtalker_top_p": 1.0,
    "subtalker_top_k": 50,
    "max_new_tokens": 8192,
}
"""As in a released generation_config.json."""
# Qwen2's splitting of text into words.
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEXT = ["Привет, как дела? Сегодня хорошая погода.", "The quick brown fox jumps over the lazy dog."]
ROLES = ["assistant\n", "user\n", "system\n"]  # each of a role and a newline must be a single token


def shifted(ids: dict[str, int]) -> dict[str, int]:
    return {name: number + SHIFT for name, number in ids.items()}


def make_tokenizer(folder: Path) -> Qwen2TokenizerFast:
    """Train a byte-level tokenizer on a few words, with Qwen's special tokens."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(WORDS), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TEXT * 4 + ROLES * 50, trainer)
    tokenizer.model.save(str(folder))
    vocabulary = {"vocab_file": str(folder / "vocab.json"), "merges_file": str(folder / "merges.txt")}
    fast = Qwen2TokenizerFast(
        **vocabulary, eos_token="<|im_end|>", pad_token="<|endoftext|>", additional_special_tokens=SPECIAL
    )
    assert all(len(fast(f"<|im_start|>{role}")["input_ids"]) == 3 for role in ROLES), "the package cuts prompts by this"
    Qwen3TTSProcessor(tokenizer=fast).save_pretrained(folder)
    return fast


def talker_config(kind: str, words: int) -> dict[str, object]:
    speakers = shifted(SPEAKERS) if kind == "custom_voice" else {}
    return {
        **{f"codec_{name}_id": number for name, number in shifted(SPECIAL_CODES).items()},
        "codec_language_id": shifted(LANGUAGES),
        "spk_id": speakers,
        "spk_is_dialect": {name: DIALECTS.get(name, False) for name in speakers},
        "vocab_size": CODES + 1024,
        "num_code_groups": 16,
        "pad_token_id": None,
        "text_vocab_size": words,
        "text_hidden_size": 32,
        **layers(hidden=32, head=16),
        "rope_scaling": {"interleaved": True, "mrope_section": [4, 2, 2], "rope_type": "default", "type": "default"},
        "code_predictor_config": {"vocab_size": CODES, "num_code_groups": 16, **layers(hidden=16, head=8)},
    }


def layers(*, hidden: int, head: int) -> dict[str, object]:
    return {
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": head,
        "rope_theta": 1_000_000,
        "max_position_embeddings": 32_768,
    }


def make_model(folder: Path, kind: str) -> None:
    folder.mkdir(parents=True)
    torch.manual_seed(1)
    tokenizer = make_tokenizer(folder)
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIAL}
    speaker_encoder = {
        "enc_dim": 32,
        "enc_channels": [16, 16, 16, 16, 48],
        "enc_attention_channels": 8,
        "enc_se_channels": 8,
        "enc_res2net_scale": 4,
        "sample_rate": 24_000,
    }
    config = Qwen3TTSConfig(
        talker_config=talker_config(kind, len(tokenizer)),
        speaker_encoder_config=speaker_encoder,
        tokenizer_type="qwen3_tts_tokenizer_12hz",
        tts_model_size="1b7",
        tts_model_type=kind,
        im_start_token_id=ids["<|im_start|>"],
        im_end_token_id=ids["<|im_end|>"],
        tts_pad_token_id=ids["<tts_pad>"],
        tts_bos_token_id=ids["<tts_text_bos>"],
        tts_eos_token_id=ids["<tts_text_eod>"],
    )
    model = Qwen3TTSForConditionalGeneration(config).eval()
    with torch.no_grad():
        model.talker.codec_head.weight.mul_(5)  # context counts, and the end is said after some 50 frames
    model.save_pretrained(folder)
    written = json.loads((folder / "config.json").read_text())
    written["speaker_encoder_config"] = speaker_encoder  # saved with fields that its class does not take back
    (folder / "config.json").write_text(json.dumps(written, indent=1))
    (folder / "generation_config.json").write_text(json.dumps(SAMPLING))
    make_codec(folder / "speech_tokenizer")


def make_codec(folder: Path) -> None:
    torch.manual_seed(0)
    encoder = {
        "sampling_rate": 24_000,
        "frame_rate": 12.5,
        "audio_channels": 1,
        "hidden_size": 32,
        "num_filters": 4,
        "num_residual_layers": 1,
        "upsampling_ratios": [8, 6, 5, 4],
        "upsample_groups": 32,
        "codebook_size": CODES,
        "codebook_dim": 16,
        "vector_quantization_hidden_dimension": 16,
        "num_quantizers": 16,
        "num_semantic_quantizers": 1,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "intermediate_size": 64,
        "sliding_window": 250,
    }
    decoder = {
        "codebook_size": CODES,
        "codebook_dim": 32,
        "latent_dim": 32,
        "decoder_dim": 32,
        "num_quantizers": 16,
        "upsample_rates": [8, 5, 4, 3],
        "upsampling_ratios": [2, 2],
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "sliding_window": 72,
        "max_position_embeddings": 8000,
        "layer_scale_initial_scale": 0.5,
    }
    model = Qwen3TTSTokenizerV2Model(Qwen3TTSTokenizerV2Config(encoder_config=encoder, decoder_config=decoder)).eval()
    with torch.no_grad():
        for name, weight in [*model.named_parameters(), *model.named_buffers()]:
            if "embedding_sum" in name or "embed_sum" in name:
                weight.normal_()  # zero at first: all codes would sound alike
            elif name.endswith("gamma"):
                weight.fill_(0.1)
            elif name.startswith("decoder.") and name.endswith("weight") and weight.dim() > 1:
                weight.normal_(0, weight[0].numel() ** -0.5)  # unit gain: at first it is silent
    model.save_pretrained(folder)
    EncodecFeatureExtractor(feature_size=1, sampling_rate=24_000, padding_value=0.0).save_pretrained(folder)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for kind in sys.argv[2:] or KINDS:
        make_model(Path(sys.argv[1]) / kind, kind)
