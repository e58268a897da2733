"""Measures the loss of every proxy of a stack on target sets."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from quadmix_assets.device import precision_dtype
from quadmix_assets.training.loop import TrainedStack
from quadmix_assets.training.model import StackedLM
from quadmix_assets.training.targets import NO_TARGET, TargetWindows

# Tokens of all proxies in one forward pass; few enough for a core's cache.
_PASS_TOKENS_CPU = 1 << 13
_PASS_TOKENS_GPU = 1 << 18


@dataclass(frozen=True)
class TargetLoss:
    """Losses of K proxies on one target set; failed proxies have NaN.

    Attributes:
        loss_nats: (K,) mean over tokens.
        bits_per_byte: (K,) summed loss in bits / UTF-8 bytes of the text; unlike loss_nats it can
            be compared between tokenizers.
        n_tokens: tokens that were predicted.
    """

    loss_nats: np.ndarray
    bits_per_byte: np.ndarray
    n_tokens: int


def evaluate_stack(
    stack: TrainedStack, targets: Mapping[str, TargetWindows], *, precision: str | None = None
) -> dict[str, TargetLoss]:
    """The loss of every proxy on every target set, all proxies at once.

    Args:
        stack: the trained proxies.
        targets: target sets by name.
        precision: of the matrix products; None uses that of training.

    Raises:
        ValueError: a target is cut to longer windows than the proxies' context.
    """
    dtype = precision_dtype(precision or stack.recipe.precision)
    context = stack.model.architecture.context
    failed = np.array([proxy.status == "failed" for proxy in stack.proxies])
    out = {}
    for name, target in targets.items():
        if target.inputs.shape[1] > context:
            raise ValueError(
                f"target {name} is cut to windows of {target.inputs.shape[1]} tokens; the proxies' "
                f"context is {context}"
            )
        total = _total_losses(stack.model, target, dtype)
        total[failed] = np.nan
        out[name] = TargetLoss(
            loss_nats=total / target.n_tokens,
            bits_per_byte=total / np.log(2) / max(1, target.n_bytes),
            n_tokens=target.n_tokens,
        )
    return out


def _total_losses(model: StackedLM, target: TargetWindows, dtype: torch.dtype) -> np.ndarray:
    """Summed loss in nats of each proxy, (K,) float64."""
    device = model.rotary.device
    max_tokens = _PASS_TOKENS_CPU if device.type == "cpu" else _PASS_TOKENS_GPU
    n_windows = max(1, max_tokens // (model.n_proxies * target.inputs.shape[1]))
    total = np.zeros(model.n_proxies)
    for start in range(0, len(target.inputs), n_windows):
        rows = slice(start, start + n_windows)
        counts = target.targets[rows] != NO_TARGET
        longest = int(counts.sum(1).max())
        inputs = torch.from_numpy(target.inputs[rows, :longest]).to(device)
        wanted = torch.from_numpy(target.targets[rows, :longest]).to(device)
        losses = model.token_losses(inputs, wanted.clamp_min(0), dtype)
        losses = losses.double() * (wanted != NO_TARGET)
        total += losses.sum((1, 2)).cpu().numpy()
    return total
