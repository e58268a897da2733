"""The steps of the swarm's decoder that torch alone would compute slowly on a CPU.

Each is an `autograd.Function` that keeps as little as its backward pass needs and touches memory
as rarely as it can: for small widths, passes over memory and not arithmetic set the pace.
Arrays hold K proxies of T = B windows x C tokens each.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, epsilon: float, dtype: torch.dtype) -> Tensor:
        mean_square = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_() / x.shape[-1]
        scale = mean_square.add_(epsilon).rsqrt_()
        normed = (x * scale).to(dtype)
        ctx.save_for_backward(normed, scale)
        return normed

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        normed, scale = ctx.saved_tensors
        along = (grad * normed).mean(-1, keepdim=True)
        return torch.addcmul(grad, normed, along, value=-1) * scale, None, None


def rms_norm(x: Tensor, epsilon: float, dtype: torch.dtype) -> Tensor:
    """Scale x (..., width) to a root mean square of 1 and cast it to `dtype`; no gain."""
    return _RMSNorm.apply(x, epsilon, dtype)


class _SwiGLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        ctx.save_for_backward(gate_up)
        gate, up = gate_up.chunk(2, -1)
        return F.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (gate_up,) = ctx.saved_tensors
        gate, up = gate_up.chunk(2, -1)
        out = torch.empty_like(gate_up)
        grad_gate, grad_up = out.chunk(2, -1)
        torch.mul(F.silu(gate), grad, out=grad_up)
        torch.ops.aten.silu_backward.grad_input(grad * up, gate, grad_input=grad_gate)
        return out


def swiglu(gate_up: Tensor) -> Tensor:
    """silu(gate) * up, for gate and up side by side in the last axis (Shazeer 2020)."""
    return _SwiGLU.apply(gate_up)


def rotations(context: int, head_width: int, base: float, device: torch.device) -> Tensor:
    """The rotary positions as unit complex numbers, (context, head_width / 2)."""
    frequencies = base ** (-torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
    angles = torch.outer(torch.arange(context, dtype=torch.float64), frequencies)
    return torch.polar(torch.ones_like(angles), angles).to(device, torch.complex64)


def _rotate(x: Tensor, turns: Tensor) -> Tensor:
    pairs = torch.view_as_complex(x.contiguous().float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * turns).flatten(-2).to(x.dtype)


class _SplitHeads(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, qkv: Tensor, turns: Tensor, n_heads: int) -> tuple[Tensor, ...]:
        ctx.save_for_backward(turns)
        n, context, _ = qkv.shape
        heads = qkv.view(n, context, 3, n_heads, -1).permute(2, 0, 3, 1, 4).contiguous()
        queries_keys = _rotate(heads[:2], turns)
        return queries_keys[0], queries_keys[1], heads[2]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (turns,) = ctx.saved_tensors
        back = turns.conj().resolve_conj()
        n, n_heads, context, head_width = grads[0].shape
        out = grads[0].new_empty(n, context, 3, n_heads, head_width)
        parts = out.permute(2, 0, 3, 1, 4)
        parts[0].copy_(_rotate(grads[0], back))
        parts[1].copy_(_rotate(grads[1], back))
        parts[2].copy_(grads[2])
        return out.view(n, context, -1), None, None


def split_heads(qkv: Tensor, turns: Tensor, n_heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Cut (n, C, 3 * width) into rotated queries, rotated keys and values, (n, heads, C, .) each.

    The two channels of a pair lie side by side (Su et al. 2021); transformers keeps them half a
    head apart, which `SwarmLM.state_of` translates.
    """
    return _SplitHeads.apply(qkv, turns, n_heads)


def causal_attention(q: Tensor, k: Tensor, v: Tensor, *, explicit: bool) -> Tensor:
    """Softmax attention to this and earlier positions; all arrays (n, heads, C, head width).

    `explicit` writes the C x C weights out. It is the faster way for short windows on a CPU,
    whose fused kernel has a slow backward pass; elsewhere the fused kernel is used.
    """
    if not explicit:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    n, n_heads, context, head_width = q.shape
    queries, keys, values = (x.flatten(0, 1) for x in (q, k, v))
    later = torch.full((context, context), -math.inf, dtype=q.dtype, device=q.device).triu_(1)
    scores = torch.bmm(queries * head_width**-0.5, keys.transpose(1, 2)).add_(later)
    return torch.bmm(scores.softmax(-1), values).view(n, n_heads, context, head_width)
