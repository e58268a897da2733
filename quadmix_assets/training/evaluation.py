"""Measure the loss of every proxy of a stack on target sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from quadmix_assets.corpus.target_sets import n_evaluated
from quadmix_assets.device import precision_dtype
from quadmix_assets.training.loop import TrainedStack
from quadmix_assets.training.model import StackedLM

_NO_TARGET = -1
# Tokens of all proxies in one forward pass; few enough for a core's cache.
_PASS_TOKENS_CPU = 1 << 13
_PASS_TOKENS_GPU = 1 << 18


@dataclass(frozen=True)
class TargetWindows:
    """A target set cut to windows: `inputs` and `targets` (n, context) int64.

    Where a window is longer than its text, targets are -1 and do not count. Windows are ordered by
    length, so that a batch of short ones need not be computed at full length.
    """

    inputs: np.ndarray
    targets: np.ndarray
    n_documents: int
    n_tokens: int
    n_bytes: int


@dataclass(frozen=True)
class TargetLoss:
    """Losses of K proxies on one target set; failed proxies have NaN.

    `loss_nats` (K,) is the mean over tokens, `bits_per_byte` (K,) the total in bits over the bytes
    of the text, which does not depend on the tokenizer.
    """

    loss_nats: np.ndarray
    bits_per_byte: np.ndarray
    n_tokens: int


def pack_target(
    documents: Sequence[np.ndarray | Sequence[int]],
    n_bytes: Sequence[int] | np.ndarray,
    *,
    context: int,
    separator_id: int,
    max_tokens: int | None = None,
) -> TargetWindows:
    """Cut whole documents to windows in which every token is predicted exactly once.

    A document is read as separator, then its tokens, exactly as in training, so that its first
    token is predicted from the separator. A document longer than the context goes on in another
    window, whose first input is the last token of the window before.

    Args:
        documents: token ids of each document, in the order in which they are to be taken.
        n_bytes: UTF-8 bytes of each document.
        context: tokens a window predicts.
        separator_id: the token before every document.
        max_tokens: documents are taken while they fit in this many tokens; the first always is.

    Raises ValueError where there is no token to predict, or lengths differ.
    """
    if len(documents) != len(n_bytes):
        raise ValueError(f"{len(documents)} documents but {len(n_bytes)} byte counts")
    lengths = np.fromiter((len(d) for d in documents), np.int64, len(documents))
    n_taken = n_evaluated(lengths, max_tokens)
    if not lengths[:n_taken].sum():
        raise ValueError("a target set holds no tokens; give it documents with text")
    rows = []
    for document in documents[:n_taken]:
        text = np.concatenate([[separator_id], np.asarray(document, np.int64)])
        rows += [text[start : start + context + 1] for start in range(0, len(text) - 1, context)]
    rows.sort(key=len)
    inputs = np.full((len(rows), context), separator_id, np.int64)
    targets = np.full((len(rows), context), _NO_TARGET, np.int64)
    for row, text in enumerate(rows):
        inputs[row, : len(text) - 1] = text[:-1]
        targets[row, : len(text) - 1] = text[1:]
    return TargetWindows(
        inputs=inputs,
        targets=targets,
        n_documents=n_taken,
        n_tokens=int(lengths[:n_taken].sum()),
        n_bytes=int(np.sum(n_bytes[:n_taken])),
    )


def evaluate_stack(
    stack: TrainedStack, targets: Mapping[str, TargetWindows], *, precision: str | None = None
) -> dict[str, TargetLoss]:
    """The loss of every proxy on every target set, all proxies at once.

    `precision` is that of training unless given. Raises ValueError where a target is cut for a
    longer context than the proxies have.
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
    device = model.turns.device
    room = _PASS_TOKENS_CPU if device.type == "cpu" else _PASS_TOKENS_GPU
    n_windows = max(1, room // (model.n_proxies * target.inputs.shape[1]))
    total = np.zeros(model.n_proxies)
    for start in range(0, len(target.inputs), n_windows):
        rows = slice(start, start + n_windows)
        counts = target.targets[rows] != _NO_TARGET
        longest = int(counts.sum(1).max())
        inputs = torch.from_numpy(target.inputs[rows, :longest]).to(device)
        wanted = torch.from_numpy(target.targets[rows, :longest]).to(device)
        losses = model.token_losses(inputs, wanted.clamp_min(0), dtype)
        losses = losses.double() * (wanted != _NO_TARGET)
        total += losses.sum((1, 2)).cpu().numpy()
    return total
