"""Measures the loss of every proxy of a stack on target sets."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from quadmix_assets.device import precision_dtype
from quadmix_assets.training.choices import NO_TARGET, ChoiceWindows
from quadmix_assets.training.loop import TrainedStack
from quadmix_assets.training.model import StackedLM
from quadmix_assets.training.records import Measured
from quadmix_assets.training.targets import TargetWindows

# Tokens of all proxies in one forward pass; few enough for a core's cache.
_PASS_TOKENS_CPU = 1 << 13
_PASS_TOKENS_GPU = 1 << 18


@dataclass(frozen=True)
class TargetLoss:
    """What K proxies reach on one target set, see `Measured`; NaN where that is None.

    Attributes:
        loss_nats, loss_nats_all, bits_per_byte, choice_probability, choice_nats: (K,).
        n_tokens: tokens that were predicted.
    """

    loss_nats: np.ndarray
    loss_nats_all: np.ndarray
    bits_per_byte: np.ndarray
    choice_probability: np.ndarray
    choice_nats: np.ndarray
    n_tokens: int

    def of_proxy(self, k: int) -> Measured:
        """What the k-th proxy reaches."""
        values = (float(getattr(self, name)[k]) for name in Measured._fields)
        return Measured(*(None if math.isnan(value) else value for value in values))


def evaluate_stack(
    stack: TrainedStack, targets: Mapping[str, TargetWindows], *, precision: str | None = None
) -> dict[str, TargetLoss]:
    """The losses of every proxy on every target set, all proxies at once.

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
        counted, everything = _total_losses(stack.model, target, dtype)
        probability = nats = np.full(len(failed), np.nan)
        if target.choices is not None:
            of_questions = choice_nats(stack.model, target.choices, dtype)
            probability, nats = np.exp(-of_questions).mean(0), of_questions.mean(0)
        for values in (counted, everything, probability, nats):
            values[failed] = np.nan
        out[name] = TargetLoss(
            loss_nats=counted / target.n_counted,
            loss_nats_all=everything / target.n_tokens,
            bits_per_byte=counted / np.log(2) / max(1, target.n_bytes),
            choice_probability=probability,
            choice_nats=nats,
            n_tokens=target.n_tokens,
        )
    return out


def _total_losses(
    model: StackedLM, target: TargetWindows, dtype: torch.dtype
) -> tuple[np.ndarray, np.ndarray]:
    """Summed loss in nats of each proxy over the tokens that count and over all, (K,) float64."""
    counted, everything = np.zeros(model.n_proxies), np.zeros(model.n_proxies)
    lengths = (target.targets != NO_TARGET).sum(1)
    for rows, losses in token_losses(model, target.inputs, target.targets, lengths, dtype):
        in_loss = torch.from_numpy(target.counted[rows, : losses.shape[2]]).to(losses.device)
        counted += (losses * in_loss).sum((1, 2)).cpu().numpy()
        everything += losses.sum((1, 2)).cpu().numpy()
    return counted, everything


def choice_nats(model: StackedLM, choices: ChoiceWindows, dtype: torch.dtype) -> np.ndarray:
    """Minus the logarithm of the right choice's share in the probability of all, (n_questions, K).

    Args:
        model: K models.
        choices: of the questions.
        dtype: of the matrix products.
    """
    nats = np.zeros((len(choices.inputs), model.n_proxies))
    for rows, losses in token_losses(
        model, choices.inputs, choices.targets, choices.lengths, dtype
    ):
        nats[rows] = losses.sum(2).cpu().numpy().T
    return nats_of_right(nats, choices)


def nats_of_right(nats: np.ndarray, choices: ChoiceWindows) -> np.ndarray:
    """Minus the logarithm of the right choice's share in the probability of all, (n_questions, K).

    Args:
        nats: (n, K) minus the log-probability of every choice.
        choices: the n choices, in the same order.
    """
    # The most likely choice of a question has the factor 1, so that nothing underflows.
    least = np.full((choices.n_questions, nats.shape[1]), np.inf)
    total, right = np.zeros_like(least), np.zeros_like(least)
    np.minimum.at(least, choices.questions, nats)
    np.add.at(total, choices.questions, np.exp(least[choices.questions] - nats))
    right[choices.questions[choices.is_right]] = nats[choices.is_right]
    of_right: np.ndarray = right - least + np.log(total)
    return of_right


def token_losses(
    model: StackedLM,
    inputs: np.ndarray,
    targets: np.ndarray,
    lengths: np.ndarray,
    dtype: torch.dtype,
) -> Iterator[tuple[slice, Tensor]]:
    """Losses (K, rows, longest) float64 of windows, as many at once as fit; 0 at NO_TARGET.

    Args:
        model: K models.
        inputs, targets: (n, context) token ids, and those to predict.
        lengths: (n,) tokens of each window that are read.
        dtype: of the matrix products.
    """
    device = model.rotary.device
    max_tokens = _PASS_TOKENS_CPU if device.type == "cpu" else _PASS_TOKENS_GPU
    n_windows = max(1, max_tokens // (model.n_proxies * inputs.shape[1]))
    for start in range(0, len(inputs), n_windows):
        rows = slice(start, start + n_windows)
        longest = int(lengths[rows].max())
        read = torch.from_numpy(inputs[rows, :longest]).to(device)
        wanted = torch.from_numpy(targets[rows, :longest]).to(device)
        losses = model.token_losses(read, wanted.clamp_min(0), dtype)
        yield rows, losses.double() * (wanted != NO_TARGET)
