"""The layers of the stacked decoder, in plain operations that torch.compile can fuse.

Shapes: K proxies, each with T = B windows x C tokens.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812


def rms_norm(x: Tensor, gain: Tensor, epsilon: float, dtype: torch.dtype) -> Tensor:
    """Scale x (K, T, width) to a root mean square of 1, cast it, multiply by gain (K, width)."""
    normed = F.rms_norm(x, (x.shape[-1],), eps=epsilon).to(dtype)
    return normed * gain[:, None].to(dtype)


def swiglu(gate_up: Tensor) -> Tensor:
    """silu(gate) * up, for gate and up concatenated along the last axis (Shazeer 2020)."""
    gate, up = gate_up.chunk(2, -1)
    return F.silu(gate) * up


def rotations(context: int, head_width: int, base: float) -> Tensor:
    """Cosine and sine of the rotary positions (Su et al. 2021), (2, context, head_width).

    The two channels of a pair are half a head apart, as in transformers.
    """
    frequencies = base ** (-torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
    angles = torch.outer(torch.arange(context, dtype=torch.float64), frequencies).repeat(1, 2)
    return torch.stack([angles.cos(), angles.sin()]).float()


def split_heads(qkv: Tensor, rotary: Tensor, n_heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Split (n, C, 3 * width) into rotated queries, rotated keys and values, (n, heads, C, .) each.

    `rotary` are the `rotations` of C positions.
    """
    n, context, _ = qkv.shape
    queries, keys, values = qkv.view(n, context, 3, n_heads, -1).permute(2, 0, 3, 1, 4)
    cos, sin = rotary.to(qkv.dtype)
    return _rotate(queries, cos, sin), _rotate(keys, cos, sin), values


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin


def causal_attention(q: Tensor, k: Tensor, v: Tensor, *, explicit: bool) -> Tensor:
    """Softmax attention to this and earlier positions; all arrays (n, heads, C, head width).

    `explicit` computes the C x C weights as an array. That is faster for short windows on a CPU,
    whose fused kernel has a slow backward pass; elsewhere the fused kernel is used.
    """
    if not explicit:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    n, n_heads, context, head_width = q.shape
    queries, keys, values = (x.flatten(0, 1) for x in (q, k, v))
    later = torch.full((context, context), -math.inf, dtype=q.dtype, device=q.device).triu_(1)
    scores = torch.bmm(queries * head_width**-0.5, keys.transpose(1, 2)) + later
    return torch.bmm(scores.softmax(-1), values).view(n, n_heads, context, head_width)
