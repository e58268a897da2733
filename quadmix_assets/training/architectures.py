"""The decoder architectures that can be trained, each with its default recipe.

An architecture is one entry here: its name, its sizes, and the defaults of `proxies.training`.
"""

from dataclasses import dataclass
from typing import Literal

Schedule = Literal["cosine", "linear", "constant"]


@dataclass(frozen=True)
class RecipeDefaults:
    """The defaults of `proxies.training` for one architecture, described there."""

    n_tokens_per_proxy: int
    batch_windows: int
    learning_rate: float
    warmup_steps: int
    schedule: Schedule


# RegMix's recipe (Liu et al. 2024, arXiv:2407.01492), which QuaDMix section 4.1 follows: a billion
# tokens in batches of a million, at a constant rate.
_REGMIX = RecipeDefaults(
    n_tokens_per_proxy=1_000_000_000,
    batch_windows=512,
    learning_rate=4e-4,
    warmup_steps=100,
    schedule="constant",
)


@dataclass(frozen=True)
class Architecture:
    """A Llama-style decoder: RMSNorm, rotary positions, SwiGLU, no biases.

    Attributes:
        context: tokens predicted per window.
        embedding_standard_deviation: of the initial input embedding; None uses the rule of the
            other matrices. With only a few hundred steps a larger one gives lower losses that
            vary less between seeds.
        defaults: its default recipe.
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
    defaults: RecipeDefaults = _REGMIX

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be built.

        Raises:
            ValueError: a size is not positive, or heads do not divide the width evenly.
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
        """All parameters of one model, embeddings included."""
        per_layer = 4 * self.width**2 + 3 * self.width * self.mlp_width + 2 * self.width
        return self.n_layers * per_layer + self.width + 2 * vocab_size * self.width

    def flops_per_token(self, vocab_size: int) -> int:
        """Floating-point operations to train on one token, forward and backward.

        Six per weight of a matrix product, and twelve per channel and attended position. All
        positions of a window count, because masked ones are computed too.
        """
        per_layer = 4 * self.width**2 + 3 * self.width * self.mlp_width
        attention = 2 * self.width * self.context
        return 6 * (self.n_layers * (per_layer + attention) + vocab_size * self.width)


ARCHITECTURES: dict[str, Architecture] = {
    architecture.name: architecture
    for architecture in (
        # For demos and tests: 200 steps take a few seconds on a CPU.
        Architecture(
            "tiny",
            n_layers=2,
            width=64,
            n_heads=2,
            mlp_width=128,
            context=128,
            embedding_standard_deviation=0.3,
            defaults=RecipeDefaults(
                n_tokens_per_proxy=100_000,
                batch_windows=4,
                learning_rate=5e-3,
                warmup_steps=10,
                schedule="cosine",
            ),
        ),
        Architecture(
            "small",
            n_layers=2,
            width=128,
            n_heads=4,
            mlp_width=256,
            context=256,
            defaults=RecipeDefaults(
                n_tokens_per_proxy=1_000_000,
                batch_windows=8,
                learning_rate=3e-3,
                warmup_steps=25,
                schedule="cosine",
            ),
        ),
        # Liu et al. 2024. The 1M of the name leaves out the embeddings.
        Architecture("regmix-1m", n_layers=2, width=256, n_heads=8, mlp_width=512, context=2048),
        # The size of OLMo-core's smallest model: 14M parameters with a vocabulary of 50,000. It
        # is a Llama here, without OLMo 2's norms on queries and keys. The budget is 20 tokens a
        # parameter (Hoffmann et al. 2022).
        Architecture(
            "olmix-14m",
            n_layers=4,
            width=128,
            n_heads=8,
            mlp_width=512,
            context=2048,
            defaults=RecipeDefaults(
                n_tokens_per_proxy=280_000_000,
                batch_windows=64,
                learning_rate=2e-3,
                warmup_steps=100,
                schedule="cosine",
            ),
        ),
        # Sizes for comparing finished mixes. Heads are 64 channels wide and SwiGLU layers 8/3 of
        # the width, as in Llama (Touvron et al. 2023); names count all parameters, with a
        # vocabulary of 8,192 for 10m and of 32,000 for the others. Budgets are 20 tokens a
        # parameter, batches grow and rates fall with the size as in Kaplan et al. 2020.
        Architecture(
            "10m",
            n_layers=8,
            width=256,
            n_heads=4,
            mlp_width=704,
            context=512,
            defaults=RecipeDefaults(
                n_tokens_per_proxy=200_000_000,
                batch_windows=64,
                learning_rate=2e-3,
                warmup_steps=200,
                schedule="cosine",
            ),
        ),
        Architecture(
            "60m",
            n_layers=8,
            width=512,
            n_heads=8,
            mlp_width=1408,
            context=1024,
            defaults=RecipeDefaults(
                n_tokens_per_proxy=1_200_000_000,
                batch_windows=128,
                learning_rate=1.5e-3,
                warmup_steps=300,
                schedule="cosine",
            ),
        ),
        Architecture(
            "160m",
            n_layers=16,
            width=768,
            n_heads=12,
            mlp_width=2048,
            context=2048,
            defaults=RecipeDefaults(
                n_tokens_per_proxy=3_200_000_000,
                batch_windows=128,
                learning_rate=1e-3,
                warmup_steps=500,
                schedule="cosine",
            ),
        ),
        # The paper's models have 530M parameters and read 500B tokens. It says nothing of layers,
        # width, vocabulary or rates: this is a Llama of 529M with a vocabulary of 32,000, whose
        # recipe is a usual one for the size.
        Architecture(
            "quadmix-530m",
            n_layers=22,
            width=1280,
            n_heads=20,
            mlp_width=3584,
            context=2048,
            defaults=RecipeDefaults(
                n_tokens_per_proxy=500_000_000_000,
                batch_windows=512,
                learning_rate=6e-4,
                warmup_steps=2_000,
                schedule="cosine",
            ),
        ),
    )
}


def architecture_named(name: str) -> Architecture:
    """The architecture of that name.

    Raises:
        ValueError: there is none; the message lists the names.
    """
    if name not in ARCHITECTURES:
        raise ValueError(
            f"no architecture is named {name!r}; there are: {', '.join(ARCHITECTURES)}"
        )
    return ARCHITECTURES[name]
