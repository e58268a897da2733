"""Fits one regressor per target set to what the proxies showed, and stores them."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from quadmix_assets.outputs import REGRESSOR
from quadmix_assets.proxies.batches import Evidence
from quadmix_assets.search.metrics import RegressionMetrics, evaluate, split_held_out
from quadmix_assets.search.objective import Predictor
from quadmix_assets.search.regressors import LightGBMRegressor, fit_lightgbm, fit_svr
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store, atomic_file


@dataclass(frozen=True)
class TargetFit:
    """The regressor of one target set and how it did on the held-out proxies.

    Attributes:
        regressor: fitted to the rows `train`.
        losses: (n,) losses of all proxies in nats per token.
        train: indices of the training part.
        held_out: indices of the part that chose nothing.
        predicted: (k,) predictions for the held-out part.
        metrics: LightGBM's errors on the held-out part.
        others: the same of the regressors that it is compared with, by name.
    """

    regressor: LightGBMRegressor
    losses: np.ndarray
    train: np.ndarray
    held_out: np.ndarray
    predicted: np.ndarray
    metrics: RegressionMetrics
    others: dict[str, RegressionMetrics]

    def rows(self, target: str) -> list[dict[str, Any]]:
        """The errors of all regressors as rows of a table."""
        everyone = {"LightGBM": self.metrics, **self.others}
        return [{"target": target, "regressor": n, **asdict(m)} for n, m in everyone.items()]


def fit_target_regressors(
    store: Store, settings: Settings, evidence: Evidence
) -> dict[str, TargetFit]:
    """Fit theta -> loss for every target set, judge it on the held-out part, and store it.

    Raises:
        ValueError: there are too few proxies to fit anything to.
    """
    train, held_out = split_held_out(
        len(evidence.features),
        share=settings.search.held_out_share,
        seed=derive_seed(settings.seed, "held_out"),
    )
    x, x_held_out = evidence.features[train], evidence.features[held_out]
    fits = {}
    for target in settings.target_names:
        losses = evidence.losses(target)
        y, y_held_out = losses[train], losses[held_out]
        regressor = fit_lightgbm(
            x,
            y,
            seed=derive_seed(settings.seed, f"{REGRESSOR}:{target}") % 2**31,
            n_threads=settings.search.n_threads,
        )
        fits[target] = TargetFit(
            regressor=regressor,
            losses=losses,
            train=train,
            held_out=held_out,
            predicted=regressor.predict(x_held_out),
            metrics=evaluate(regressor, x_held_out, y_held_out),
            others={
                "SVR, linear": evaluate(fit_svr("linear", x, y), x_held_out, y_held_out),
                "SVR, RBF": evaluate(fit_svr("rbf", x, y), x_held_out, y_held_out),
            },
        )
        with atomic_file(store.path(REGRESSOR, f"{target}.json")) as file:
            file.write(regressor.to_text().encode())
    store.write_json(
        store.path(REGRESSOR, "metrics.json"),
        {target: asdict(fit.metrics) for target, fit in fits.items()},
    )
    return fits


def load_predictors(store: Store, settings: Settings) -> dict[str, Predictor]:
    """The stored regressors as functions from features (n, F) to losses (n,), by target set.

    Raises:
        MissingOutputError: a target set has none.
    """
    return {
        target: LightGBMRegressor.from_text(
            store.require(store.path(REGRESSOR, f"{target}.json")).read_text()
        ).predict
        for target in settings.target_names
    }
