"""Small language models: an encoder-decoder like flan-t5, a causal one like Llama 3."""

from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, T5Config, T5ForConditionalGeneration

from quadmix_assets_tests.features import checkpoint_tokenizers as tokenizers
from quadmix_assets_tests.features.checkpoint_files import STANDARD_DEVIATION, change_json, seeded


def save_t5(folder: Path, seed: int = 0) -> None:
    """google/flan-t5-xl: T5 with gated GELU and an output layer of its own."""
    tokenizer = tokenizers.t5()
    architecture: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "d_model": 32,
        "d_kv": 8,
        "d_ff": 64,
        "num_layers": 2,
        "num_heads": 4,
        "feed_forward_proj": "gated-gelu",
        "initializer_factor": 3 * STANDARD_DEVIATION,
        "tie_word_embeddings": False,
        "decoder_start_token_id": 0,
    }
    with seeded(seed):
        model = T5ForConditionalGeneration(T5Config(**architecture))
        # The library ties the two whatever the config says; only a checkpoint can untie them.
        output = torch.empty_like(model.lm_head.weight).normal_(std=STANDARD_DEVIATION)
        model.lm_head.weight = torch.nn.Parameter(output)
        model.save_pretrained(folder)
    change_json(folder / "config.json", tie_word_embeddings=False)
    tokenizer.save_pretrained(folder)


def save_llama(
    folder: Path, seed: int = 0, chat_template: str | None = None, *, split_answers: bool = False
) -> None:
    """A causal model of Llama 3's architecture, its tokenizer with a chat template if given one.

    `split_answers` makes the tokenizer split "yes" and "no" into several tokens.
    """
    tokenizer = tokenizers.llama_3(split_answers=split_answers, chat_template=chat_template)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2_048,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=STANDARD_DEVIATION / 2,
    )
    with seeded(seed):
        LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    change_json(folder / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
