"""Qwen3-TTS's models of the released sizes with random weights: speed depends on shapes, not on what weights say."""

from dataclasses import dataclass
from typing import Any

import torch

from wyoming_voice.engines.qwen_draw import Sampling
from wyoming_voice.engines.qwen_talker import Prompt
from wyoming_voice.engines.torch_audio import import_torchaudio
from wyoming_voice.engines.torch_device import Placement

PROMPT = 40
"""Tokens: a sentence, its roles and its speaker."""
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
