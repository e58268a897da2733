"""Confidence intervals of measurements with several seeds, and comparisons seed by seed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quadmix_assets.sampling.validation import FloatArray

CONFIDENCE = 0.9
"""Of all intervals."""


def finite_or_none(value: float | None) -> float | None:
    """A number for tables and JSON, in which what cannot be told is missing."""
    return float(value) if value is not None and np.isfinite(value) else None


@dataclass(frozen=True)
class Mean:
    """The mean over seeds and its 90 % interval by Student's t.

    Attributes:
        value: the mean; NaN without seeds.
        low, high: the interval; infinite with fewer than two seeds.
        seeds: how many.
    """

    value: float
    low: float
    high: float
    seeds: int

    @classmethod
    def of(cls, values: FloatArray) -> "Mean":
        """The mean of values (n,)."""
        from scipy.stats import t as student

        n = len(values)
        if n < 2:
            return cls(float(values[0]) if n else float("nan"), -np.inf, np.inf, n)
        mean = float(values.mean())
        half = student.ppf((1 + CONFIDENCE) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n)
        return cls(mean, mean - float(half), mean + float(half), n)

    def __str__(self) -> str:
        """The mean and its interval, for tables and messages."""
        if not self.seeds:
            return "none"
        if self.seeds < 2:
            return f"{self.value:.4f}"
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"

    @property
    def brief(self) -> str:
        """The mean and half the width of its interval, for narrow tables."""
        if not self.seeds:
            return "failed"
        if self.seeds < 2:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} ± {self.high - self.value:.3f}"


@dataclass(frozen=True)
class Verdict:
    """Whether one sample has a lower objective than another, seed by seed.

    Attributes:
        gain: by how much it is lower, over the seeds that both were trained with.
        won: in how many of them it is lower.
    """

    gain: Mean
    won: int

    @classmethod
    def of(cls, mine: Mapping[int, float], other: Mapping[int, float]) -> "Verdict":
        """Compare the values of two samples by seed, where smaller is better."""
        gains = np.array([other[seed] - mine[seed] for seed in sorted(mine.keys() & other.keys())])
        return cls(Mean.of(gains), int((gains > 0).sum()))

    @property
    def is_better(self) -> bool:
        """Whether the interval of the gain is above zero."""
        return self.gain.seeds > 1 and self.gain.low > 0

    def in_words(self, other: str, unit: str) -> str:
        """The comparison with `other`, in the objective's unit."""
        gain, n = self.gain, self.gain.seeds
        if n == 0:
            return f"cannot be compared with {other}: trainings failed"
        pairs = f"lower in {self.won} of {n} seeds"
        low, high = (gain.low, gain.high) if gain.value > 0 else (-gain.high, -gain.low)
        amount = f"by {abs(gain.value):.4f} {unit} in the mean"
        if n > 1:
            amount += f" (90 % interval {low:.4f} to {high:.4f})"
        if self.is_better:
            return f"is better than {other}: {pairs}, {amount}"
        if gain.high < 0:
            return f"is worse than {other}: {pairs}, higher {amount}"
        tendency = "lower" if gain.value > 0 else "higher"
        return f"cannot be distinguished from {other}: {pairs}, {tendency} {amount}"
