"""A small Llama in plain PyTorch: the baseline that stacks are compared with."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from quadmix_assets.training.architectures import Architecture


class Block(nn.Module):
    """One layer: attention and a SwiGLU, each behind an RMS norm."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        width, mlp_width = architecture.width, architecture.mlp_width
        self.n_heads = architecture.n_heads
        self.attention_norm = nn.RMSNorm(width, eps=architecture.norm_epsilon)
        self.mlp_norm = nn.RMSNorm(width, eps=architecture.norm_epsilon)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.gate_up = nn.Linear(width, 2 * mlp_width, bias=False)
        self.down = nn.Linear(mlp_width, width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Apply the layer to x (B, C, width)."""
        B, C, width = x.shape
        heads = self.qkv(self.attention_norm(x)).view(B, C, 3, self.n_heads, -1)
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        q, k = (t * cos + torch.cat([-t.chunk(2, -1)[1], t.chunk(2, -1)[0]], -1) * sin
                for t in (q, k))  # fmt: skip
        attended = F.scaled_dot_product_attention(q.to(v.dtype), k.to(v.dtype), v, is_causal=True)
        x = x + self.out(attended.transpose(1, 2).reshape(B, C, width))
        gate, up = self.gate_up(self.mlp_norm(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class PlainLlama(nn.Module):
    """The whole model; `forward` gives the mean loss of windows (B, C + 1)."""

    def __init__(self, architecture: Architecture, vocab_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, architecture.width)
        self.blocks = nn.ModuleList(Block(architecture) for _ in range(architecture.n_layers))
        self.norm = nn.RMSNorm(architecture.width, eps=architecture.norm_epsilon)
        self.head = nn.Linear(architecture.width, vocab_size, bias=False)
        exponents = torch.arange(0, architecture.head_width, 2) / architecture.head_width
        angles = torch.outer(
            torch.arange(architecture.context), architecture.rotary_base**-exponents
        )
        self.register_buffer("cos", angles.repeat(1, 2).cos())
        self.register_buffer("sin", angles.repeat(1, 2).sin())

    def forward(self, windows: Tensor) -> Tensor:
        """Mean loss in nats of windows (B, C + 1)."""
        x = self.embedding(windows[:, :-1])
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        logits = self.head(self.norm(x))
        return F.cross_entropy(logits.flatten(0, 1).float(), windows[:, 1:].flatten())
