"""Sizes stacks and forward passes to the memory of the device."""

import torch

from quadmix_assets.device import free_memory
from quadmix_assets.settings import TrainingSettings
from quadmix_assets.training.architectures import Architecture
from quadmix_assets.training.cross_entropy import block_logits

# Tokens in one forward and backward pass: of all proxies on a GPU, of each proxy on a CPU, where
# `stack_size` chooses as many proxies as keep to it together, which the cache of a core holds. A
# constant on a CPU, because the sizes of arrays can change the last bits of a sum.
_PASS_TOKENS_CPU = 1 << 12
_PASS_TOKENS_GPU = 1 << 18
_MAX_PROXIES_CPU = 8
# Share of the free memory that is used; the rest is left for fragmentation in the allocator.
_USABLE_SHARE = 0.8
# In float32: weights, gradients, two moments, and a gradient before it is accumulated. In bfloat16:
# a copy of the weights.
_BYTES_PER_PARAMETER = 4 * 5 + 2


def stack_size(
    architecture: Architecture,
    recipe: TrainingSettings,
    vocab_size: int,
    device: torch.device,
    *,
    most: int,
) -> int:
    """Number of proxies that one process trains at once, from 1 to `most`.

    On a CPU as many as fill one forward pass with the windows of one step; on a GPU as many as fit
    its free memory.
    """
    if device.type == "cpu":
        step_tokens = recipe.batch_windows * architecture.context
        return max(1, min(most, _MAX_PROXIES_CPU, _PASS_TOKENS_CPU // step_tokens))
    free = _USABLE_SHARE * free_memory(device) - _pass_bytes(architecture, device)
    per_proxy = _BYTES_PER_PARAMETER * architecture.n_parameters(vocab_size)
    return max(1, min(most, int(free // per_proxy)))


def windows_per_pass(
    architecture: Architecture, recipe: TrainingSettings, n_proxies: int, device: torch.device
) -> int:
    """Windows of each proxy in one forward and backward pass, at least 1.

    On a CPU the number does not depend on `n_proxies`, because it decides in which parts the
    gradient of a step is summed: so a proxy's losses are the same to the bit in stacks of any size.
    """
    tokens = _PASS_TOKENS_CPU if device.type == "cpu" else _PASS_TOKENS_GPU // n_proxies
    return max(1, min(recipe.batch_windows, tokens // architecture.context))


def _pass_bytes(architecture: Architecture, device: torch.device) -> int:
    """Bytes of the activations kept in one pass, and of a block of logits with its copy."""
    per_layer = 14 * architecture.width + 5 * architecture.mlp_width
    per_token = 2 * (architecture.n_layers * per_layer + 8 * architecture.width)
    return _PASS_TOKENS_GPU * per_token + 2 * 2 * block_logits(device)
