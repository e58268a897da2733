"""How a proxy is trained: budget, optimiser and learning-rate schedule."""

import math
from dataclasses import dataclass
from typing import Literal

from quadmix_assets.device import precision_dtype

Schedule = Literal["cosine", "linear", "constant"]
SCHEDULES: tuple[str, ...] = ("cosine", "linear", "constant")


@dataclass(frozen=True)
class Recipe:
    """The recipe that every proxy of a study shares; RegMix's, which QuaDMix follows, by default.

    `n_tokens_per_proxy` is what each proxy is trained to predict, rounded up to whole steps of
    `batch_windows` windows. The rate rises linearly over `warmup_steps` and then falls to
    `final_share` of its peak along the schedule. `max_grad_norm` bounds the norm of each proxy's own
    gradient. Weight decay is applied to matrices, not to gains. `precision` is that of the matrix
    products; weights and the optimiser's state are always float32.
    """

    n_tokens_per_proxy: int
    batch_windows: int
    learning_rate: float = 4e-4
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.1
    max_grad_norm: float = 1.0
    warmup_steps: int = 100
    schedule: Schedule = "constant"
    final_share: float = 0.1
    precision: str = "float32"

    def __post_init__(self) -> None:
        """Raise ValueError for a recipe that cannot be followed."""
        precision_dtype(self.precision)
        if self.schedule not in SCHEDULES:
            raise ValueError(
                f"schedule is {self.schedule!r}; expected one of {', '.join(SCHEDULES)}"
            )
        if min(self.n_tokens_per_proxy, self.batch_windows) < 1 or self.warmup_steps < 0:
            raise ValueError(
                "n_tokens_per_proxy and batch_windows must be at least 1 and warmup_steps at least 0, "
                f"not {self.n_tokens_per_proxy}, {self.batch_windows} and {self.warmup_steps}"
            )
        if min(self.learning_rate, self.max_grad_norm) <= 0:
            raise ValueError("learning_rate and max_grad_norm must be positive")

    def n_steps(self, context: int) -> int:
        """Optimiser steps for windows that predict `context` tokens."""
        return math.ceil(self.n_tokens_per_proxy / (self.batch_windows * context))

    def n_tokens_trained(self, context: int) -> int:
        """Tokens that a proxy is trained to predict in those steps."""
        return self.n_steps(context) * self.batch_windows * context

    def rate_at(self, step: int, n_steps: int) -> float:
        """Learning rate of step 0 <= step < n_steps."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / (self.warmup_steps + 1)
        if self.schedule == "constant":
            return self.learning_rate
        progress = (step - self.warmup_steps) / max(1, n_steps - self.warmup_steps)
        remaining = 1 - progress
        if self.schedule == "cosine":
            remaining = (1 + math.cos(math.pi * progress)) / 2
        return self.learning_rate * (self.final_share + (1 - self.final_share) * remaining)
