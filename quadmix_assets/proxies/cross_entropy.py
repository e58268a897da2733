"""The output projection and its cross-entropy, without ever holding all the logits.

For a small model most of the work lies here: vocabulary x width dwarfs the layers. Logits are
made block by block, a block small enough to stay in the processor's cache, and in training the
gradients are taken while the block is there.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

# Logits of one block: about the second-level cache of two cores, and a fraction of a GPU's memory.
_BLOCK_CPU = 1 << 20
_BLOCK_GPU = 1 << 28


def _blocks(targets: Tensor, vocab_size: int) -> Iterator[tuple[slice, slice]]:
    """Slices (proxies, tokens) that cover targets (K, T), each within the block size."""
    n_proxies, n_tokens = targets.shape
    on_cpu = targets.device.type == "cpu"
    room = max(1, (_BLOCK_CPU if on_cpu else _BLOCK_GPU) // vocab_size)
    # One proxy at a time on a CPU: a plain product is faster there than a batched one.
    proxies = 1 if on_cpu else max(1, min(n_proxies, room // n_tokens))
    tokens = min(n_tokens, room)
    for k in range(0, n_proxies, proxies):
        for start in range(0, n_tokens, tokens):
            yield slice(k, k + proxies), slice(start, start + tokens)


def _product(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    if len(a) > 1:
        return torch.bmm(a, b, out=out)
    return torch.mm(a[0], b[0], out=None if out is None else out[0])[None]


def _probabilities(hidden: Tensor, weight: Tensor) -> Tensor:
    logits = _product(hidden, weight.transpose(1, 2))
    return torch.softmax(logits, -1, out=logits)


def _flat_places(targets: Tensor, vocab_size: int) -> Tensor:
    rows = torch.arange(targets.numel(), device=targets.device).view(targets.shape)
    return rows * vocab_size + targets


def _nats(chosen: Tensor) -> Tensor:
    # The floor keeps an utterly wrong but finite prediction finite: 87 nats.
    return -chosen.float().clamp_min(torch.finfo(torch.float32).tiny).log_()


def token_losses(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Loss of every token in nats, (K, T) float32, without gradients.

    hidden (K, T, width) and weight (K, vocabulary, width) of one dtype, targets (K, T) integers.
    """
    out = hidden.new_empty(targets.shape, dtype=torch.float32)
    for ks, ts in _blocks(targets, weight.shape[1]):
        probabilities = _probabilities(hidden[ks, ts], weight[ks])
        places = _flat_places(targets[ks, ts], weight.shape[1])
        out[ks, ts] = _nats(probabilities.view(-1)[places])
    return out


class _MeanLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        cast = weight.to(hidden.dtype)
        losses = hidden.new_zeros(len(hidden), dtype=torch.float32)
        grad_hidden, grad_weight = torch.empty_like(hidden), torch.empty_like(weight)
        n_tokens, vocab_size = targets.shape[1], weight.shape[1]
        share = hidden / n_tokens  # the mean is taken here, where arrays are small
        for ks, ts in _blocks(targets, vocab_size):
            block, wanted = hidden[ks, ts], targets[ks, ts]
            errors = _probabilities(block, cast[ks])
            places = _flat_places(wanted, vocab_size)
            chosen = errors.view(-1)[places]
            losses[ks] += _nats(chosen).sum(1)
            errors.view(-1)[places] = chosen - 1
            grad_hidden[ks, ts] = _product(errors, cast[ks])
            part = _product(errors.transpose(1, 2), share[ks, ts])
            if ts.start == 0:
                grad_weight[ks] = part
            else:
                grad_weight[ks] += part
        ctx.save_for_backward(grad_hidden.div_(n_tokens), grad_weight)
        return losses / n_tokens

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        grad_hidden, grad_weight = ctx.saved_tensors
        if bool((grad == 1).all()):  # a sum of losses, as in training: spare the passes
            return grad_hidden, grad_weight, None
        scale = grad[:, None, None]
        return grad_hidden * scale.to(grad_hidden.dtype), grad_weight * scale, None


def mean_loss(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Mean loss of each proxy's tokens in nats, (K,) float32, with gradients.

    hidden (K, T, width) in the dtype of the products, weight (K, vocabulary, width) float32,
    targets (K, T) integers. The gradients are computed on the way forward, block by block.
    """
    return _MeanLoss.apply(hidden, weight, targets)
