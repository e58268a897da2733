"""The sizes of decoder that proxies are trained in."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    """A Llama-style decoder: RMSNorm, rotary positions, SwiGLU, no biases.

    `context` counts the tokens one window predicts. `embedding_standard_deviation` is that of the
    initial input embedding; None takes the rule of the other matrices. A few hundred steps learn
    more, and steadier, from a larger one.
    """

    name: str
    n_layers: int
    width: int
    n_heads: int
    mlp_width: int
    context: int
    embedding_standard_deviation: float | None = None
    rotary_base: float = 10_000.0
    norm_epsilon: float = 1e-5

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be built.

        Raises ValueError where a size is not positive or heads do not divide the width evenly.
        """
        sizes = (self.n_layers, self.width, self.n_heads, self.mlp_width, self.context)
        if min(sizes) < 1:
            raise ValueError(
                f"architecture {self.name}: every size must be at least 1, not {sizes}"
            )
        if self.width % (2 * self.n_heads):
            raise ValueError(
                f"architecture {self.name}: width {self.width} must be an even multiple of its "
                f"{self.n_heads} heads (rotary positions turn pairs of channels)"
            )

    @property
    def head_width(self) -> int:
        """Channels of one attention head."""
        return self.width // self.n_heads

    def n_parameters(self, vocab_size: int) -> int:
        """All parameters of one proxy, embeddings included."""
        per_layer = 4 * self.width**2 + 3 * self.width * self.mlp_width + 2 * self.width
        return self.n_layers * per_layer + self.width + 2 * vocab_size * self.width

    def flops_per_token(self, vocab_size: int) -> int:
        """Floating-point operations to train on one token, forward and backward.

        Six per weight of a matrix product, and twelve per channel and attended position (full
        windows: the causal half that is masked is computed too).
        """
        per_layer = 4 * self.width**2 + 3 * self.width * self.mlp_width
        attention = 2 * self.width * self.context
        return 6 * (self.n_layers * (per_layer + attention) + vocab_size * self.width)


ARCHITECTURES: dict[str, Architecture] = {
    architecture.name: architecture
    for architecture in (
        Architecture(
            "tiny",
            n_layers=2,
            width=64,
            n_heads=2,
            mlp_width=128,
            context=128,
            embedding_standard_deviation=0.3,
        ),
        Architecture("small", n_layers=2, width=128, n_heads=4, mlp_width=256, context=256),
        # Liu et al. 2024 (RegMix, arXiv:2407.01492), which QuaDMix section 4.1 follows. The name
        # counts no embeddings.
        Architecture("regmix-1m", n_layers=2, width=256, n_heads=8, mlp_width=512, context=2048),
        # The size of OLMo-core's smallest model: 14M parameters with a vocabulary of 50,000. It
        # is a Llama here, without OLMo 2's norms on queries and keys.
        Architecture("olmix-14m", n_layers=4, width=128, n_heads=8, mlp_width=512, context=2048),
    )
}


def architecture_named(name: str) -> Architecture:
    """The architecture of that name.

    Raises ValueError, with the names there are, for any other.
    """
    if name not in ARCHITECTURES:
        raise ValueError(
            f"no architecture is named {name!r}; there are: {', '.join(ARCHITECTURES)}"
        )
    return ARCHITECTURES[name]
