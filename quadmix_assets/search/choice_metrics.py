"""How well predictions choose: errors per round and near the optimum, from predictions out of fold.

Errors over all proxies of several rounds flatter a regressor: rounds differ in their mean, and most
thetas are far from the optimum. What counts is whether it finds the best of those that are good.
"""

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from quadmix_assets.sampling.validation import FloatArray, IntArray, check_floats
from quadmix_assets.search.metrics import Interval, bootstrap_interval, spearman
from quadmix_assets.search.regressors.base import MIN_ROWS, N_FOLDS, folds_of, others
from quadmix_assets.search.regressors.fitting import fit_regressor
from quadmix_assets.settings.regressor import RegressorSettings

NEAR_OPTIMUM = "near the optimum"
_NEAR_SHARE = 0.25
# Fewer rows have no order worth a number.
_LEAST = 4
_CHOSEN = 5

Measure = Callable[[FloatArray, FloatArray], float]


def out_of_fold(
    regressor: RegressorSettings,
    learnt: FloatArray,
    asked: FloatArray,
    losses: FloatArray,
    *,
    seed: int,
    n_threads: int,
    further: tuple[FloatArray, FloatArray] | None = None,
) -> FloatArray | None:
    """Predictions (n,) for all rows, each by a regressor fitted to four fifths without that row.

    Args:
        regressor: its settings.
        learnt: (n, F) inputs that regressors are fitted to.
        asked: (n, F) inputs of the same rows that predictions are made for.
        losses: (n,).
        seed: of the folds and the regressors.
        n_threads: of LightGBM.
        further: inputs (r, F) and losses (r,) of rows that every fold is fitted to as well.

    Returns:
        The predictions; None where four fifths are fewer rows than a regressor needs.
    """
    folds = folds_of(len(losses), seed)
    if len(losses) - max(map(len, folds)) < max(MIN_ROWS, N_FOLDS):
        return None
    more_inputs, more_losses = further or (learnt[:0], losses[:0])
    predicted = np.empty(len(losses))
    for fold in folds:
        rows = others(len(losses), fold)
        fitted = fit_regressor(
            regressor,
            np.concatenate([learnt[rows], more_inputs]),
            np.concatenate([losses[rows], more_losses]),
            seed=seed,
            n_threads=n_threads,
        )
        predicted[fold] = fitted.predict(asked[fold])
    return predicted


def regret(predicted: FloatArray, true: FloatArray, k: int) -> float:
    """By how much the best of the k rows that are predicted best is worse than the best row."""
    chosen = np.argsort(predicted, kind="stable")[:k]
    return float(true[chosen].min() - true.min())


def optimism(predicted: FloatArray, true: FloatArray, k: int) -> float:
    """Predicted less true, mean over the k rows that are predicted best: below 0 if too good."""
    chosen = np.argsort(predicted, kind="stable")[:k]
    return float((predicted[chosen] - true[chosen]).mean())


MEASURES: Mapping[str, Measure] = {
    "mae": lambda p, t: float(np.mean(np.abs(p - t))),
    "spearman": spearman,
    "regret_at_1": lambda p, t: regret(p, t, 1),
    "regret_at_5": lambda p, t: regret(p, t, _CHOSEN),
    "optimism_of_5": lambda p, t: optimism(p, t, _CHOSEN),
}
"""By name, of predicted and true values (n,): all but `spearman` in the unit of the losses."""


def choice_metrics(
    predicted: ArrayLike, true: ArrayLike, rounds: IntArray, *, seed: int = 0
) -> dict[str, dict[str, Interval]]:
    """How well predictions choose, within every round and near the optimum.

    Near the optimum is the quarter of all rows with the best predictions. Parts of fewer than 4
    rows are left out.

    Args:
        predicted: (n,) out of fold.
        true: (n,) measured.
        rounds: (n,) the round of each row.
        seed: of the bootstrap samples.

    Returns:
        By part (`round 0`, ..., NEAR_OPTIMUM) and name of MEASURES, the value with its 90 %
        interval over bootstrap samples of the part's rows.

    Raises:
        ValueError: shapes that disagree, or a value that is NaN or infinite.
    """
    measured = check_floats("true", true, (None,))
    guessed = check_floats("predicted", predicted, (len(measured),))
    n_near = max(_LEAST, round(_NEAR_SHARE * len(measured)))
    parts = {f"round {number}": np.flatnonzero(rounds == number) for number in np.unique(rounds)}
    parts[NEAR_OPTIMUM] = np.argsort(guessed, kind="stable")[:n_near]
    return {
        part: {
            name: bootstrap_interval(measure, guessed[rows], measured[rows], seed=seed)
            for name, measure in MEASURES.items()
        }
        for part, rows in parts.items()
        if len(rows) >= _LEAST
    }


def table_of_choice(
    found: Mapping[str, Mapping[str, Mapping[str, Interval]]], unit: str
) -> pl.DataFrame:
    """One row per name and part, for reading; intervals are written out.

    Args:
        found: by name of a target set or objective, what `choice_metrics` gives.
        unit: of the losses, for the names of the columns.
    """
    return pl.DataFrame(
        [
            {
                "of": name,
                "part": part,
                **{
                    measure if measure == "spearman" else f"{measure}_{unit}": str(value)
                    for measure, value in measures.items()
                },
            }
            for name, parts in found.items()
            for part, measures in parts.items()
        ]
    )
