"""The output projection and its cross-entropy, without ever holding all the logits.

For a small model most of the work is here, since vocabulary x width is much larger than the layers.
Logits are computed in blocks that fit the processor's cache, and in training the gradients are
computed from the same block. So memory does not grow with proxies x tokens x vocabulary.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

# Logits of one block: about the second-level cache of two cores, and a fraction of a GPU's memory.
_BLOCK_CPU = 1 << 20
_BLOCK_GPU = 1 << 28


def block_logits(device: torch.device) -> int:
    """Number of logits that are held at once on a device of that type."""
    return _BLOCK_CPU if device.type == "cpu" else _BLOCK_GPU


def _blocks(targets: Tensor, vocab_size: int) -> Iterator[tuple[slice, slice]]:
    """Pairs of slices (proxies, tokens) that cover targets (K, T) block by block."""
    n_proxies, n_tokens = targets.shape
    max_rows = max(1, block_logits(targets.device) // vocab_size)
    # One proxy at a time on a CPU: a plain product is faster there than a batched one.
    on_cpu = targets.device.type == "cpu"
    proxies = 1 if on_cpu else max(1, min(n_proxies, max_rows // n_tokens))
    tokens = min(n_tokens, max_rows)
    for k in range(0, n_proxies, proxies):
        for start in range(0, n_tokens, tokens):
            yield slice(k, k + proxies), slice(start, start + tokens)


def _product(a: Tensor, b: Tensor) -> Tensor:
    return torch.bmm(a, b) if len(a) > 1 else torch.mm(a[0], b[0])[None]


def _probabilities(hidden: Tensor, weight: Tensor) -> Tensor:
    logits = _product(hidden, weight.transpose(1, 2))
    return torch.softmax(logits, -1, out=logits)


def _flat_indices(targets: Tensor, vocab_size: int) -> Tensor:
    rows = torch.arange(targets.numel(), device=targets.device).view(targets.shape)
    return rows * vocab_size + targets


def _nats(chosen: Tensor) -> Tensor:
    # A probability that underflows to 0 becomes the smallest normal float: a loss of 87 nats.
    return -chosen.float().clamp_min(torch.finfo(torch.float32).tiny).log_()


def token_losses(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Loss of every token in nats, (K, T) float32, without gradients.

    Args:
        hidden: (K, T, width).
        weight: (K, vocabulary, width) in the same dtype.
        targets: (K, T) integers.
    """
    out = hidden.new_empty(targets.shape, dtype=torch.float32)
    for ks, ts in _blocks(targets, weight.shape[1]):
        probabilities = _probabilities(hidden[ks, ts], weight[ks])
        indices = _flat_indices(targets[ks, ts], weight.shape[1])
        out[ks, ts] = _nats(probabilities.view(-1)[indices])
    return out


@torch.no_grad()
def summed_loss(
    hidden: Tensor, weight: Tensor, targets: Tensor, *, divisor: int, weight_grad: Tensor
) -> tuple[Tensor, Tensor]:
    """Each proxy's summed loss and its gradients, all divided by `divisor`.

    Args:
        hidden: (K, T, width) in the dtype of the products.
        weight: (K, vocabulary, width) in the same dtype.
        targets: (K, T) integers.
        divisor: number of tokens of the mean, those of other passes of the step included.
        weight_grad: (K, vocabulary, width) float32; the gradient of `weight` is added to it.

    Returns:
        (K,) float32, summed loss in nats / `divisor`, and the gradient of `hidden`.
    """
    losses = hidden.new_zeros(len(hidden), dtype=torch.float32)
    hidden_grad = torch.empty_like(hidden)
    vocab_size = weight.shape[1]
    scaled_hidden = hidden / divisor  # divided here, because `hidden` is smaller than the logits
    for ks, ts in _blocks(targets, vocab_size):
        wanted = targets[ks, ts]
        errors = _probabilities(hidden[ks, ts], weight[ks])
        indices = _flat_indices(wanted, vocab_size)
        chosen = errors.view(-1)[indices]
        losses[ks] += _nats(chosen).sum(1)
        errors.view(-1)[indices] = chosen - 1
        hidden_grad[ks, ts] = _product(errors, weight[ks])
        weight_grad[ks] += _product(errors.transpose(1, 2), scaled_hidden[ks, ts])
    return losses / divisor, hidden_grad.div_(divisor)
