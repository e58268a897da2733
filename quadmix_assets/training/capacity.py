"""How many proxies are trained at once, and how many of their windows pass through at a time."""

import torch

from quadmix_assets.device import free_memory
from quadmix_assets.settings import TrainingSettings
from quadmix_assets.training.architectures import Architecture
from quadmix_assets.training.cross_entropy import block_logits

# Tokens of all proxies in one forward and backward pass. On a CPU few enough for the cache of a
# core, and fixed: they decide the sizes of arrays, and those the last bits of a sum.
_PASS_TOKENS_CPU = 1 << 12
_PASS_TOKENS_GPU = 1 << 18
_MOST_AT_ONCE_CPU = 8
# Share of the free memory that is planned with; the rest is for what the allocator wastes.
_USABLE_SHARE = 0.8
# Weights, gradients and two moments in float32, a second gradient on its way into the first, and
# the weights in bfloat16.
_BYTES_PER_PARAMETER = 4 * 5 + 2


def stack_size(
    architecture: Architecture,
    recipe: TrainingSettings,
    vocab_size: int,
    device: torch.device,
    *,
    most: int,
) -> int:
    """How many proxies one process should train at once, at least 1 and no more than `most`.

    On a CPU as many as fill a pass with their steps. On a GPU as many as fit the memory that is
    free.
    """
    if device.type == "cpu":
        step_tokens = recipe.batch_windows * architecture.context
        return max(1, min(most, _MOST_AT_ONCE_CPU, _PASS_TOKENS_CPU // step_tokens))
    room = _USABLE_SHARE * free_memory(device) - _pass_bytes(architecture, device)
    per_proxy = _BYTES_PER_PARAMETER * architecture.n_parameters(vocab_size)
    return max(1, min(most, int(room // per_proxy)))


def windows_per_pass(
    architecture: Architecture, recipe: TrainingSettings, n_proxies: int, device: torch.device
) -> int:
    """Windows of each proxy that pass through the model at a time, at least 1."""
    tokens = _PASS_TOKENS_CPU if device.type == "cpu" else _PASS_TOKENS_GPU
    return max(1, min(recipe.batch_windows, tokens // (n_proxies * architecture.context)))


def _pass_bytes(architecture: Architecture, device: torch.device) -> int:
    """What a pass keeps for its backward half, and the block of logits with its copy."""
    per_layer = 14 * architecture.width + 5 * architecture.mlp_width
    per_token = 2 * (architecture.n_layers * per_layer + 8 * architecture.width)
    return _PASS_TOKENS_GPU * per_token + 2 * 2 * block_logits(device)
