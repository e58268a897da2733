"""Evaluates regressors: the held-out part, errors on it, and errors against training size."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from quadmix_assets.sampling.validation import FloatArray, IntArray, check_floats
from quadmix_assets.search.regressors.base import MIN_ROWS, Regressor
from quadmix_assets.search.regressors.fitting import fit_regressor, regressor_settings
from quadmix_assets.settings.regressor import RegressorSettings

HELD_OUT_SHARE = 1 / 15
MIN_HELD_OUT = 8
ENOUGH_FOR_MIN_HELD_OUT = 40
_FIGURE_3 = ("lightgbm", "svr_linear", "svr_rbf")
_TOP = 10
_RESAMPLES = 1_000

LEARNING_CURVE_SCHEMA = {
    "regressor": pl.String,
    "n_train": pl.Int64,
    "mae_nats": pl.Float64,
    "spearman": pl.Float64,
}


@dataclass(frozen=True)
class Interval:
    """A value and its 90 % interval over bootstrap samples of the rows."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """The value and its interval, for tables and messages."""
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"


@dataclass(frozen=True)
class RegressionMetrics:
    """Errors of a regressor on rows it has not seen.

    Attributes:
        n: rows.
        mae: mean absolute error, in nats.
        spearman, kendall: rank correlations of predicted and true losses; 0 where either is
            constant or there is one row, as there is no order to compare.
        top_recall: share of the `top_k` best rows that are among the `top_k` predicted best.
        top_k: 10, or a fifth of the rows where there are fewer than 50.
        constant_mae: mean absolute error of the constant baseline, which predicts the mean of the
            training part, in nats.
    """

    n: int
    mae: Interval
    spearman: Interval
    kendall: Interval
    top_recall: Interval
    top_k: int
    constant_mae: float


def split_held_out(
    n: int, *, share: float = HELD_OUT_SHARE, seed: int
) -> tuple[IntArray, IntArray]:
    """Indices of the training and of the held-out part, both ascending.

    200 of 3,000 are held out at the paper's share of 1/15. From 40 rows on at least 8 are, because
    an error over fewer rows is too uncertain; below 40 rows at least one is.

    Args:
        n: rows, at least 2.
        share: of the rows that is held out, above 0 and below 1.
        seed: of the choice.

    Raises:
        ValueError: fewer than 2 rows, or a share outside (0, 1).
    """
    if n < 2:
        raise ValueError(f"{n} rows cannot be split: expected 2 or more")
    if not 0.0 < share < 1.0:
        raise ValueError(f"share is {share}; expected above 0 and below 1")
    least = MIN_HELD_OUT if n >= ENOUGH_FOR_MIN_HELD_OUT else 1
    n_held_out = min(max(round(n * share), least), n - 1)
    shuffled = np.random.default_rng(seed).permutation(n)
    return np.sort(shuffled[n_held_out:]), np.sort(shuffled[:n_held_out])


def evaluate(
    regressor: Regressor, inputs: ArrayLike, losses: ArrayLike, *, seed: int = 0
) -> RegressionMetrics:
    """Errors of the regressor on inputs (n, F) with losses (n,), n at least 1.

    `seed` is that of the bootstrap samples.

    Raises:
        ValueError: no rows, shapes that disagree, or a value that is NaN or infinite.
    """
    true = check_floats("losses", losses, (None,))
    matrix = check_floats("inputs", inputs, (len(true), None))
    if not len(true):
        raise ValueError("no rows to evaluate the regressor on: expected 1 or more")
    predicted = regressor.predict(matrix)
    top_k = min(_TOP, max(1, len(true) // 5))

    def interval(measure: Callable[[FloatArray, FloatArray], float]) -> Interval:
        return bootstrap_interval(measure, predicted, true, seed=seed)

    return RegressionMetrics(
        n=len(true),
        mae=interval(lambda p, t: float(np.mean(np.abs(p - t)))),
        spearman=interval(spearman),
        kendall=interval(_kendall),
        top_recall=interval(lambda p, t: _recall(p, t, top_k)),
        top_k=top_k,
        constant_mae=float(np.mean(np.abs(regressor.training_mean - true))),
    )


def bootstrap_interval(
    measure: Callable[[FloatArray, FloatArray], float],
    predicted: FloatArray,
    true: FloatArray,
    *,
    seed: int,
) -> Interval:
    """A measure of predicted and true values (n,), with its 90 % interval over bootstrap samples.

    The same seed and n give the same samples.
    """
    rows = np.random.default_rng(seed).integers(len(true), size=(_RESAMPLES, len(true)))
    sampled = [measure(predicted[chosen], true[chosen]) for chosen in rows]
    low, high = np.quantile(sampled, [0.05, 0.95])
    return Interval(measure(predicted, true), float(low), float(high))


def spearman(predicted: FloatArray, true: FloatArray) -> float:
    """Spearman's rank correlation; 0 where either is constant, as there is no order to compare."""
    from scipy.stats import spearmanr

    ordered = np.ptp(true) > 0 and np.ptp(predicted) > 0
    return float(spearmanr(predicted, true).statistic) if ordered else 0.0


def _kendall(predicted: FloatArray, true: FloatArray) -> float:
    from scipy.stats import kendalltau

    ordered = np.ptp(true) > 0 and np.ptp(predicted) > 0
    return float(kendalltau(predicted, true).statistic) if ordered else 0.0


def _recall(predicted: FloatArray, true: FloatArray, k: int) -> float:
    best = np.argsort(true, kind="stable")[:k]
    return float(np.isin(np.argsort(predicted, kind="stable")[:k], best).mean())


def learning_curve(
    inputs: ArrayLike,
    losses: ArrayLike,
    train: IntArray,
    held_out: IntArray,
    *,
    seed: int,
    regressors: Sequence[RegressorSettings] | None = None,
    n_threads: int = 1,
    sizes: Sequence[int] | None = None,
) -> pl.DataFrame:
    """Errors on the held-out part against training size, the paper's Figure 3.

    Each size takes the first of the training rows in one shuffled order, so a larger training set
    contains the smaller ones.

    Args:
        inputs: (n, F).
        losses: (n,) in nats.
        train: indices of the training part, as `split_held_out` gives them.
        held_out: indices of the held-out part.
        seed: of the order and of the regressors.
        regressors: which ones; None takes those of the paper's figure.
        n_threads: of LightGBM.
        sizes: how many training rows; None takes `training_sizes(len(train))`.

    Returns:
        Columns regressor, n_train, mae_nats, spearman: all regressors at each size.

    Raises:
        ValueError: a size is below 10 or above the training part, or as in `fit_regressor` and
            `evaluate`.
    """
    y = check_floats("losses", losses, (None,))
    x = check_floats("inputs", inputs, (len(y), None))
    order = np.random.default_rng(seed).permutation(train)
    if regressors is None:
        regressors = figure_3_regressors()
    rows = []
    for size in training_sizes(len(train)) if sizes is None else sizes:
        if not MIN_ROWS <= size <= len(train):
            raise ValueError(
                f"a training size is {size}; expected from {MIN_ROWS} to the {len(train)} rows of "
                "the training part"
            )
        part = np.sort(order[:size])
        for regressor in regressors:
            fitted = fit_regressor(regressor, x[part], y[part], seed=seed, n_threads=n_threads)
            predicted = fitted.predict(x[held_out])
            mae = float(np.mean(np.abs(predicted - y[held_out])))
            rows.append((regressor.title, size, mae, spearman(predicted, y[held_out])))
    return pl.DataFrame(rows, schema=LEARNING_CURVE_SCHEMA, orient="row")


def figure_3_regressors() -> tuple[RegressorSettings, ...]:
    """The regressors that the paper compares in its Figure 3."""
    return tuple(regressor_settings(kind) for kind in _FIGURE_3)


def training_sizes(n: int, *, n_sizes: int = 5) -> list[int]:
    """n, n / 2, n / 4 and so on, ascending: at most `n_sizes`, none below 10 except n itself."""
    return sorted({max(n >> k, 1) for k in range(n_sizes) if k == 0 or n >> k >= MIN_ROWS})
