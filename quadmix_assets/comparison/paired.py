"""Compares two mixes by scores on the same sets, of models with the same seeds.

Scores of two mixes are paired by set and seed: models of one seed share their initial weights and
the order of their data, so that the difference is that of the documents. Seeds and sets are
crossed, not nested: one model is measured on every set, and one set by every model. Differences on
several sets of one model are therefore not independent, and a test that takes each pair of set and
seed for one of its own (a sign test, Wilcoxon's) finds differences where there are none. The
intervals here are those of a random effect for each seed and, where the sets stand for others like
them, one for each set. With two or three seeds a bootstrap over seeds has intervals that are far
too narrow, for which reason they are those of Student's t.
"""

from dataclasses import dataclass

import numpy as np

from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.intervals import CONFIDENCE

SEEDS, SETS, BOTH, NOTHING = "seeds", "sets", "sets and seeds", "nothing"
"""What an interval is over."""


@dataclass(frozen=True)
class PairedGain:
    """By how much one mix is better than another.

    Attributes:
        gain: weighted mean of the differences, above zero where the first mix is better; NaN
            without a pair.
        low, high: its 90 % interval; infinite where nothing can be told.
        p: two-sided, that there is no difference; 1 where nothing can be told.
        win_rate: share of the pairs of set and seed in which it is better, ties count half.
        n_sets, n_seeds: what was paired.
        interval_over: what varies in the interval: SEEDS, SETS, BOTH or NOTHING.
    """

    gain: float
    low: float
    high: float
    p: float
    win_rate: float
    n_sets: int
    n_seeds: int
    interval_over: str

    @property
    def is_better(self) -> bool:
        """Whether the interval lies above zero."""
        return bool(self.low > 0)

    @property
    def is_worse(self) -> bool:
        """Whether the interval lies below zero."""
        return bool(self.high < 0)

    @property
    def brief(self) -> str:
        """The gain and half the width of its interval, for tables."""
        if np.isnan(self.gain):
            return "none"
        half = f" ± {self.high - self.gain:.3f}" if np.isfinite(self.high) else ""
        return f"{self.gain:+.3f}{half}"


def paired_gain(
    differences: FloatArray, weights: FloatArray | None = None, *, sets_are_drawn: bool
) -> PairedGain:
    """The mean difference of two mixes with its interval.

    Seeds that lack a set, because a training failed, are left out.

    Args:
        differences: (S, K) of S sets and K seeds, above zero where the first is better; NaN where
            one of the two has no score.
        weights: (S,) of the sets; None weighs them alike.
        sets_are_drawn: whether the sets stand for others like them, so that the interval is for
            such sets; otherwise it is for these sets alone, and other seeds.
    """
    from scipy.stats import t as student

    weight = np.ones(len(differences)) if weights is None else np.asarray(weights, dtype=np.float64)
    paired = differences[:, ~np.isnan(differences).any(axis=0)]
    n_sets, n_seeds = paired.shape
    if not paired.size:
        nothing = float("nan")
        return PairedGain(nothing, -np.inf, np.inf, 1.0, nothing, n_sets, n_seeds, NOTHING)
    gain = float(np.average(paired.mean(axis=1), weights=weight))
    wins = float(((paired > 0) + 0.5 * (paired == 0)).mean())
    variance, freedom, over = _variance(paired, weight, sets_are_drawn)
    low, high, p = -np.inf, np.inf, 1.0
    if freedom > 0:
        error = float(np.sqrt(variance))
        half = float(student.ppf((1 + CONFIDENCE) / 2, freedom)) * error
        low, high = gain - half, gain + half
        # Equal differences throughout leave no doubt, except when there are none at all.
        p = 2 * float(student.sf(abs(gain) / error, freedom)) if error else float(gain == 0)
    return PairedGain(gain, low, high, p, wins, n_sets, n_seeds, over)


def _variance(
    paired: FloatArray, weights: FloatArray, sets_are_drawn: bool
) -> tuple[float, float, str]:
    """Variance of the mean (S, K), its degrees of freedom, and what it is over.

    Of drawn sets by the mean squares of the two-way layout with random effects of sets and seeds;
    an effect whose estimate is negative counts as none (Satterthwaite's degrees of freedom).
    """
    n_sets, n_seeds = paired.shape
    if not sets_are_drawn or n_sets == 1:
        means = np.average(paired, axis=0, weights=weights)
        if n_seeds == 1:
            return 0.0, 0.0, NOTHING
        return float(means.var(ddof=1)) / n_seeds, n_seeds - 1.0, SEEDS
    if n_seeds == 1:
        return float(paired.var(ddof=1)) / n_sets, n_sets - 1.0, SETS
    rows, columns = paired.mean(axis=1), paired.mean(axis=0)
    rest = paired - rows[:, None] - columns[None, :] + paired.mean()
    freedom = np.array([n_sets - 1.0, n_seeds - 1.0, (n_sets - 1.0) * (n_seeds - 1.0)])
    of_sets = n_seeds * float(rows.var(ddof=1))
    of_seeds = n_sets * float(columns.var(ddof=1))
    noise = float((rest**2).sum()) / freedom[2]
    used = np.array([float(of_sets > noise), float(of_seeds > noise), 0.0])
    used[2] = 1.0 - used[0] - used[1]
    squares = np.array([of_sets, of_seeds, noise])
    total = float(used @ squares)
    if total == 0:
        return 0.0, min(n_sets, n_seeds) - 1.0, BOTH
    satterthwaite = 1 / float(((used * squares / total) ** 2 / freedom).sum())
    return total / paired.size, satterthwaite, BOTH


def holm(p: FloatArray) -> FloatArray:
    """Holm's adjusted p (n,) of n comparisons: what is below 0.05 holds for all of them at once."""
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted
