"""The proxies of a stack as transformers' Llama: an independent reading of their parameters."""

import torch
from torch import Tensor

from quadmix_assets.training.model import StackedLM


def llama_state(stack: StackedLM, k: int) -> dict[str, Tensor]:
    """Proxy k's weights under the names and in the layout of LlamaForCausalLM."""
    width = stack.architecture.width
    own = {name: values[k].detach().clone() for name, values in stack.named_parameters()}
    state = {
        "model.embed_tokens.weight": own["embedding"],
        "model.norm.weight": own["final_gain"],
        "lm_head.weight": own["output"],
    }
    for layer in range(stack.architecture.n_layers):
        prefix = f"model.layers.{layer}."
        q, key, v = own[f"qkv_{layer}"].view(3, width, width)
        gate, up = own[f"gate_up_{layer}"].chunk(2)
        state |= {
            prefix + "input_layernorm.weight": own[f"attention_gain_{layer}"],
            prefix + "self_attn.q_proj.weight": q,
            prefix + "self_attn.k_proj.weight": key,
            prefix + "self_attn.v_proj.weight": v,
            prefix + "self_attn.o_proj.weight": own[f"out_{layer}"],
            prefix + "post_attention_layernorm.weight": own[f"mlp_gain_{layer}"],
            prefix + "mlp.gate_proj.weight": gate,
            prefix + "mlp.up_proj.weight": up,
            prefix + "mlp.down_proj.weight": own[f"down_{layer}"],
        }
    return state


@torch.no_grad()
def logits_of(stack: StackedLM, ids: Tensor) -> Tensor:
    """Logits (K, B, C, vocabulary) for token ids (K, B, C)."""
    weight = stack.get_parameter("output").transpose(1, 2)
    return torch.bmm(stack.hidden(ids, torch.float32), weight).view(*ids.shape, stack.vocab_size)
