"""Language models as folders of transformers: written from a stack, and read into one.

The decoder of a stack is a Llama without biases, whose matrices transformers keeps apart: queries,
keys and values, and gate and up.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load, save_file
from tokenizers import Tokenizer
from torch import Tensor

from quadmix_assets.corpus.tokenizer import separator_id
from quadmix_assets.training.architectures import Architecture
from quadmix_assets.training.model import StackedLM

WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "README.md"
_LAYER = "model.layers.{}"


def write_model_folder(
    folder: Path,
    parameters: Mapping[str, Tensor],
    architecture: Architecture,
    tokenizer: Tokenizer,
    *,
    card: str,
) -> None:
    """Write a model as a folder that `AutoModelForCausalLM` and `AutoTokenizer` load.

    Args:
        folder: local, and empty.
        parameters: of one model, by the names of transformers.
        architecture: of the model.
        tokenizer: of the project.
        card: the model card, Markdown with its YAML header.
    """
    # Imported late: only this writes with transformers.
    from transformers import PreTrainedTokenizerFast

    separator = separator_id(tokenizer)
    word = tokenizer.id_to_token(separator)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=word,
        eos_token=word,
        pad_token=word,
        model_max_length=architecture.context,
    )
    fast.save_pretrained(folder)
    config = llama_config(architecture, tokenizer.get_vocab_size(), separator)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    of_generation = dict.fromkeys(("bos_token_id", "eos_token_id"), separator)
    (folder / "generation_config.json").write_text(json.dumps(of_generation, indent=2) + "\n")
    save_file(
        {name: value.contiguous() for name, value in parameters.items()},
        folder / WEIGHTS_FILE,
        metadata={"format": "pt"},
    )
    (folder / CARD_FILE).write_text(card)


def llama_config(architecture: Architecture, vocab_size: int, separator: int) -> dict[str, object]:
    """The configuration of transformers for an architecture."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocab_size,
        "hidden_size": architecture.width,
        "intermediate_size": architecture.mlp_width,
        "num_hidden_layers": architecture.n_layers,
        "num_attention_heads": architecture.n_heads,
        "num_key_value_heads": architecture.n_heads,
        "head_dim": architecture.head_width,
        "hidden_act": "silu",
        "max_position_embeddings": architecture.context,
        "rms_norm_eps": architecture.norm_epsilon,
        "rope_parameters": {"rope_type": "default", "rope_theta": architecture.rotary_base},
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        "bos_token_id": separator,
        "eos_token_id": separator,
        "pad_token_id": separator,
        "dtype": "float32",
    }


def of_transformers(model: StackedLM, k: int) -> dict[str, Tensor]:
    """The k-th model of a stack by the names of transformers, on the CPU."""
    values = {name: value.detach()[k].cpu() for name, value in model.named_parameters()}
    found = {
        "model.embed_tokens.weight": values["embedding"],
        "model.norm.weight": values["final_gain"],
        "lm_head.weight": values["output"],
    }
    for layer in range(model.architecture.n_layers):
        of_layer = _LAYER.format(layer)
        q, key, v = values[f"qkv_{layer}"].chunk(3)
        gate, up = values[f"gate_up_{layer}"].chunk(2)
        found |= {
            f"{of_layer}.input_layernorm.weight": values[f"attention_gain_{layer}"],
            f"{of_layer}.self_attn.q_proj.weight": q,
            f"{of_layer}.self_attn.k_proj.weight": key,
            f"{of_layer}.self_attn.v_proj.weight": v,
            f"{of_layer}.self_attn.o_proj.weight": values[f"out_{layer}"],
            f"{of_layer}.post_attention_layernorm.weight": values[f"mlp_gain_{layer}"],
            f"{of_layer}.mlp.gate_proj.weight": gate,
            f"{of_layer}.mlp.up_proj.weight": up,
            f"{of_layer}.mlp.down_proj.weight": values[f"down_{layer}"],
        }
    return found


def of_stack(parameters: Mapping[str, Tensor], architecture: Architecture) -> dict[str, Tensor]:
    """The parameters of one model by the names of a stack; the inverse of `of_transformers`."""
    found = {
        "embedding": parameters["model.embed_tokens.weight"],
        "final_gain": parameters["model.norm.weight"],
        "output": parameters["lm_head.weight"],
    }
    for layer in range(architecture.n_layers):
        of_layer = _LAYER.format(layer)
        attention = f"{of_layer}.self_attn"
        found |= {
            f"attention_gain_{layer}": parameters[f"{of_layer}.input_layernorm.weight"],
            f"qkv_{layer}": torch.cat(
                [parameters[f"{attention}.{name}_proj.weight"] for name in ("q", "k", "v")]
            ),
            f"out_{layer}": parameters[f"{attention}.o_proj.weight"],
            f"mlp_gain_{layer}": parameters[f"{of_layer}.post_attention_layernorm.weight"],
            f"gate_up_{layer}": torch.cat(
                [parameters[f"{of_layer}.mlp.{name}_proj.weight"] for name in ("gate", "up")]
            ),
            f"down_{layer}": parameters[f"{of_layer}.mlp.down_proj.weight"],
        }
    return found


def stack_of_weights(
    weights: Sequence[bytes], architecture: Architecture, vocab_size: int
) -> StackedLM:
    """Models of one architecture as one stack.

    Args:
        weights: the contents of their `model.safetensors`.
        architecture: of all of them.
        vocab_size: of their tokenizer.
    """
    parameters = [of_stack(load(content), architecture) for content in weights]
    model = StackedLM(architecture, vocab_size, [0] * len(weights))
    model.load_state_dict(
        {name: torch.stack([each[name].float() for each in parameters]) for name in parameters[0]}
    )
    return model
