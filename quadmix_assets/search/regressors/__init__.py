"""Regressors from inputs of thetas to losses, behind one interface (`base.Regressor`)."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.regressors.base import (
    MIN_ROWS,
    N_FOLDS,
    Regressor,
    training_part,
)
from quadmix_assets.search.regressors.ensemble import EnsembleRegressor
from quadmix_assets.search.regressors.gaussian_process import GaussianProcessRegressor
from quadmix_assets.search.regressors.lightgbm import LightGBMRegressor
from quadmix_assets.search.regressors.ridge import RidgeLogRegressor
from quadmix_assets.search.regressors.support_vectors import SVRRegressor

__all__ = [
    "KINDS",
    "LABELS",
    "MIN_ROWS",
    "N_FOLDS",
    "EnsembleRegressor",
    "GaussianProcessRegressor",
    "LightGBMRegressor",
    "Regressor",
    "RidgeLogRegressor",
    "SVRRegressor",
    "fit_regressor",
    "regressor_from_json",
]

LABELS = {
    "lightgbm": "LightGBM",
    "svr_linear": "SVR, linear",
    "svr_rbf": "SVR, RBF",
    "ridge_log": "ridge on log-loss",
    "gaussian_process": "Gaussian process",
    "ensemble": "ensemble",
}
KINDS = tuple(LABELS)
_MEMBERS = ("lightgbm", "svr_rbf", "ridge_log", "gaussian_process")


def fit_regressor(
    kind: str, inputs: ArrayLike, losses: ArrayLike, *, seed: int, n_threads: int = 1
) -> Regressor:
    """Fit the regressor of that name to inputs (n, F) and losses (n,), n at least 10.

    Give it the training part only: what is reported must not have chosen anything. All that is to
    be chosen is chosen inside these rows, and the same rows and seed give the same regressor.

    Args:
        kind: one of KINDS.
        inputs, losses: the training part.
        seed: of folds, samples and thresholds.
        n_threads: of LightGBM; they change no result.

    Raises:
        ValueError: an unknown kind, fewer than 10 rows, shapes that disagree, or a value that is
            NaN or infinite.
    """
    inputs, losses = training_part(inputs, losses, least=MIN_ROWS)
    return _fit(kind, inputs, losses, seed=seed, n_threads=n_threads)


def _fit(
    kind: str, inputs: FloatArray, losses: FloatArray, *, seed: int, n_threads: int
) -> Regressor:
    """`fit_regressor` that also takes the few rows of an ensemble's folds."""
    if kind == "lightgbm":
        return LightGBMRegressor.fit(inputs, losses, seed=seed, n_threads=n_threads)
    if kind == "svr_linear":
        return SVRRegressor.fit("linear", inputs, losses, seed=seed)
    if kind == "svr_rbf":
        return SVRRegressor.fit("rbf", inputs, losses, seed=seed)
    if kind == "ridge_log":
        return RidgeLogRegressor.fit(inputs, losses)
    if kind == "gaussian_process":
        return GaussianProcessRegressor.fit(inputs, losses, seed=seed)
    if kind != "ensemble":
        raise ValueError(f"no regressor is named {kind!r}; there are: {', '.join(KINDS)}")

    def member(name: str) -> Any:
        def fit(x: FloatArray, y: FloatArray) -> Regressor:
            return _fit(name, x, y, seed=seed, n_threads=n_threads)

        return fit

    names = [name for name in _MEMBERS if name != "ridge_log" or (losses > 0).all()]
    return EnsembleRegressor.fit([member(name) for name in names], inputs, losses, seed=seed)


def regressor_from_json(values: dict[str, Any]) -> Regressor:
    """The inverse of a regressor's `to_json`; predicts the very same numbers.

    Raises:
        ValueError: the values are not what `to_json` gives.
    """
    try:
        kind = values["kind"]
        if kind == "ensemble":
            return EnsembleRegressor(
                tuple(regressor_from_json(member) for member in values["members"]),
                np.asarray(values["weights"]),
                values["training_mean"],
            )
        classes: dict[str, Any] = {
            "lightgbm": LightGBMRegressor,
            "svr_linear": SVRRegressor,
            "svr_rbf": SVRRegressor,
            "ridge_log": RidgeLogRegressor,
            "gaussian_process": GaussianProcessRegressor,
        }
        found: Regressor = classes[kind].from_json(values)
        return found
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{str(values)[:60]}...: expected what a regressor's to_json gives "
            f"({type(error).__name__}: {error})"
        ) from error
