"""K small decoders as one batched model, a stack.

Every parameter has a leading proxy axis, so that K small matrix products become one batched product
and the overhead of an operation is paid once for all. The proxies share nothing: what one computes
never depends on the others.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from quadmix_assets.training.architectures import Architecture
from quadmix_assets.training.cross_entropy import summed_loss, token_losses
from quadmix_assets.training.layers import (
    causal_attention,
    rms_norm,
    rotations,
    split_heads,
    swiglu,
)

# Longest window whose attention weights are computed as an array on a CPU (see layers).
_EXPLICIT_CONTEXT = {torch.float32: 64, torch.bfloat16: 512}


class StackedLM(nn.Module):
    """K Llama-style decoders of one architecture; parameters are float32 with a leading axis of K.

    A proxy's initial weights depend on its seed alone, not on its place in the stack. Gains start
    at 1; matrices are drawn from normal distributions (see `_initial_standard_deviation`).
    """

    def __init__(self, architecture: Architecture, vocab_size: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.architecture = architecture
        self.vocab_size = vocab_size
        self.n_proxies = len(seeds)
        for name, values in _draw(architecture, vocab_size, seeds).items():
            self.register_parameter(name, nn.Parameter(values))
        self.rotary: Tensor
        rotary = rotations(architecture.context, architecture.head_width, architecture.rotary_base)
        self.register_buffer("rotary", rotary, persistent=False)
        # None rather than `self.hidden`: a reference to itself would keep the model and its memory
        # alive until the cyclic garbage collector runs.
        self._compiled_hidden: Callable[[Tensor, torch.dtype], Tensor] | None = None

    def compile_training(self) -> None:
        """Let torch.compile fuse the forward and backward pass of training, at its first use."""
        self._compiled_hidden = torch.compile(self.hidden, dynamic=False)

    def hidden(self, ids: Tensor, dtype: torch.dtype) -> Tensor:
        """Last hidden states (K, B*C, width) in `dtype` for token ids (K, B, C), C <= context."""
        K, B, C = ids.shape
        explicit = ids.device.type == "cpu" and _EXPLICIT_CONTEXT[dtype] >= C
        x = self._embed(ids)
        for layer in range(self.architecture.n_layers):
            h = self._norm(x, f"attention_gain_{layer}", dtype)
            qkv = torch.bmm(h, self._cast(f"qkv_{layer}", dtype))
            heads = split_heads(
                qkv.view(K * B, C, -1), self.rotary[:, :C], self.architecture.n_heads
            )
            attended = causal_attention(*heads, explicit=explicit)
            attended = attended.transpose(1, 2).reshape(K, B * C, -1)
            x = x + torch.bmm(attended, self._cast(f"out_{layer}", dtype))
            h = self._norm(x, f"mlp_gain_{layer}", dtype)
            gate_up = torch.bmm(h, self._cast(f"gate_up_{layer}", dtype))
            x = x + torch.bmm(swiglu(gate_up), self._cast(f"down_{layer}", dtype))
        return self._norm(x, "final_gain", dtype)

    def add_gradients(self, windows: Tensor, dtype: torch.dtype, *, divisor: int) -> Tensor:
        """Add the gradient of the loss on some windows to `grad` of all parameters.

        Args:
            windows: (K, B, C + 1) token ids.
            dtype: of the matrix products.
            divisor: tokens over which the loss is averaged; these windows may hold a part of them.

        Returns:
            (K,) summed loss of each proxy on these windows / `divisor`, in nats.
        """
        hidden = (self._compiled_hidden or self.hidden)(windows[..., :-1], dtype)
        matrix = self.get_parameter("output")
        if matrix.grad is None:
            matrix.grad = torch.zeros_like(matrix)
        losses, hidden_grad = summed_loss(
            hidden.detach(),
            matrix.detach().to(dtype),
            windows[..., 1:].flatten(1),
            divisor=divisor,
            weight_grad=matrix.grad,
        )
        hidden.backward(hidden_grad)
        return losses

    @torch.no_grad()
    def token_losses(self, ids: Tensor, targets: Tensor, dtype: torch.dtype) -> Tensor:
        """Loss in nats of every target, (K, B, C); ids and targets (B, C) are shared by all K."""
        K = self.n_proxies
        hidden = self.hidden(ids.expand(K, -1, -1), dtype)
        wanted = targets.flatten().expand(K, -1)
        output = self.get_parameter("output").to(dtype)
        return token_losses(hidden, output, wanted).view(K, *ids.shape)

    def _embed(self, ids: Tensor) -> Tensor:
        K = self.n_proxies
        own_rows = torch.arange(K, device=ids.device)[:, None] * self.vocab_size
        table = self.get_parameter("embedding").flatten(0, 1)
        return F.embedding(ids.flatten(1) + own_rows, table)

    def _cast(self, name: str, dtype: torch.dtype) -> Tensor:
        return self.get_parameter(name).to(dtype).transpose(1, 2)

    def _norm(self, x: Tensor, gain: str, dtype: torch.dtype) -> Tensor:
        return rms_norm(x, self.get_parameter(gain), self.architecture.norm_epsilon, dtype)

    @torch.no_grad()
    def silence(self, k: int) -> None:
        """Set every parameter of proxy k to zero: its predictions are uniform from then on."""
        for parameter in self.parameters():
            parameter[k].zero_()


def _parameter_sizes(architecture: Architecture, vocab_size: int) -> dict[str, tuple[int, ...]]:
    """Shapes of one proxy's parameters, in the order in which their values are drawn."""
    width, mlp = architecture.width, architecture.mlp_width
    sizes: dict[str, tuple[int, ...]] = {"embedding": (vocab_size, width)}
    for layer in range(architecture.n_layers):
        sizes |= {
            f"attention_gain_{layer}": (width,),
            f"qkv_{layer}": (3 * width, width),
            f"out_{layer}": (width, width),
            f"mlp_gain_{layer}": (width,),
            f"gate_up_{layer}": (2 * mlp, width),
            f"down_{layer}": (width, mlp),
        }
    return sizes | {"final_gain": (width,), "output": (vocab_size, width)}


def _initial_standard_deviation(name: str, architecture: Architecture) -> float:
    """Of a matrix, as in GPT-NeoX (Black et al. 2022, section 2.1.2), which RegMix's code follows.

    The deeper the model, the smaller the matrices that write to the residual stream.
    """
    if name == "embedding" and architecture.embedding_standard_deviation is not None:
        return architecture.embedding_standard_deviation
    if name.startswith(("out_", "down_")):
        return 1 / (architecture.n_layers * math.sqrt(architecture.width))
    return math.sqrt(2 / (5 * architecture.width))


def _draw(architecture: Architecture, vocab_size: int, seeds: Sequence[int]) -> dict[str, Tensor]:
    sizes = _parameter_sizes(architecture, vocab_size)
    out = {name: torch.ones(len(seeds), *size) for name, size in sizes.items()}
    for k, seed in enumerate(seeds):
        generator = torch.Generator().manual_seed(seed)
        for name, size in sizes.items():
            if len(size) == 2:
                out[name][k].normal_(
                    0.0, _initial_standard_deviation(name, architecture), generator=generator
                )
    return out
