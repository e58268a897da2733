"""Fits one regressor per target set to what the proxies showed, and stores it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quadmix_assets.outputs import PROXY_POOL, REGRESSOR
from quadmix_assets.proxies.evidence import Evidence, read_evidence
from quadmix_assets.proxies.proxy_pool import open_index
from quadmix_assets.sampling import Parameters
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.metrics import RegressionMetrics, evaluate, split_held_out
from quadmix_assets.search.objective import Objective
from quadmix_assets.search.regressor_inputs import FeatureMap, MixtureFeatures, ThetaFeatures
from quadmix_assets.search.regressors import (
    LABELS,
    Regressor,
    fit_regressor,
    regressor_from_json,
)
from quadmix_assets.search.strategies import Predict, Prediction
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store, atomic_file

_METRICS = "metrics.json"


@dataclass(frozen=True)
class TargetFit:
    """The regressor of one target set and how it did on the held-out proxies.

    Attributes:
        judged: fitted to the rows `train` alone; what is reported is of this one.
        regressor: the same fitted to all rows; the search uses this one.
        features: (n, F) of all proxies.
        losses: (n,) losses of all proxies in nats per token.
        train: indices of the training part.
        held_out: indices of the part that chose nothing.
        predicted: (k,) predictions of `judged` for the held-out part.
        metrics: its errors there.
        others: the same of the regressors that it is compared with, by kind.
    """

    judged: Regressor
    regressor: Regressor
    features: FloatArray
    losses: FloatArray
    train: np.ndarray
    held_out: np.ndarray
    predicted: FloatArray
    metrics: RegressionMetrics
    others: dict[str, RegressionMetrics]

    def rows(self, target: str) -> list[dict[str, Any]]:
        """The errors of all regressors as rows of a table, the one in use first."""
        everyone = {self.judged.kind: self.metrics, **self.others}
        return [
            {
                "target": target,
                "regressor": LABELS[kind],
                "held_out": metrics.n,
                "mae_nats": str(metrics.mae),
                "constant_mae_nats": metrics.constant_mae,
                "spearman": str(metrics.spearman),
                "kendall": str(metrics.kendall),
                f"top_{metrics.top_k}_recall": str(metrics.top_recall),
            }
            for kind, metrics in everyone.items()
        ]


def make_features(store: Store, settings: Settings) -> FeatureMap:
    """What regressors see of a theta, as the settings say.

    Raises:
        MissingOutputError: the proxy pool is not there, or is of other criteria or domains.
    """
    criteria, domains = settings.criterion_names, settings.domain_names
    if settings.search.features == "theta":
        scaled = settings.parameters.scale_max is not None
        return ThetaFeatures(criteria, domains, scaled)
    with store.local_folder(store.root / PROXY_POOL) as folder:
        return MixtureFeatures.of(open_index(Path(folder), settings), criteria, domains)


def fit_target_regressors(
    store: Store, settings: Settings, evidence: Evidence, feature_map: FeatureMap
) -> dict[str, TargetFit]:
    """Fit features -> loss for every target set, judge it on the held-out part, and store it.

    Raises:
        ValueError: there are too few proxies to fit anything to.
    """
    features = feature_map(evidence.parameters)
    train, held_out = split_held_out(
        len(features),
        share=settings.search.held_out_share,
        seed=derive_seed(settings.seed, "held_out"),
    )
    chosen = settings.search.regressor
    fits = {}
    for target in settings.target_names:
        losses = evidence.losses(target)
        seed = derive_seed(settings.seed, f"{REGRESSOR}:{target}") % 2**31

        def fit(kind: str, rows: np.ndarray, y: FloatArray = losses, seed: int = seed) -> Regressor:
            n_threads = settings.search.n_threads
            return fit_regressor(kind, features[rows], y[rows], seed=seed, n_threads=n_threads)

        def judge(regressor: Regressor, y: FloatArray = losses) -> RegressionMetrics:
            return evaluate(regressor, features[held_out], y[held_out])

        judged = fit(chosen, train)
        fits[target] = TargetFit(
            judged=judged,
            regressor=fit(chosen, np.arange(len(features))),
            features=features,
            losses=losses,
            train=train,
            held_out=held_out,
            predicted=judged.predict(features[held_out]),
            metrics=judge(judged),
            others={
                kind: judge(fit(kind, train))
                for kind in dict.fromkeys(settings.search.compared)
                if kind != chosen
            },
        )
        with atomic_file(store.path(REGRESSOR, f"{target}.json")) as file:
            file.write(json.dumps(fits[target].regressor.to_json()).encode())
    store.write_json(
        store.path(REGRESSOR, _METRICS),
        {
            "features": settings.search.features,
            "regressor": chosen,
            "proxy_pool": store.fingerprint(store.root / PROXY_POOL),
            "n_proxies": len(features),
            "targets": {target: asdict(fit.metrics) for target, fit in fits.items()},
        },
    )
    return fits


def read_metrics(store: Store) -> dict[str, Any]:
    """Errors on the held-out part by target set, as `RegressionMetrics` in JSON.

    Raises:
        MissingOutputError: no regressor has been fitted.
    """
    found: dict[str, Any] = store.read_json(store.path(REGRESSOR, _METRICS))["targets"]
    return found


def regressors_are_up_to_date(store: Store, settings: Settings) -> bool:
    """Whether the stored regressors have learned from all the proxies that count now.

    Raises:
        MissingOutputError: no regressor has been fitted, or no proxy counts.
    """
    stored: int = store.read_json(store.path(REGRESSOR, _METRICS))["n_proxies"]
    return stored == len(read_evidence(store, settings).theta_ids)


def load_regressors(store: Store, settings: Settings) -> dict[str, Regressor]:
    """The stored regressors by target set.

    Raises:
        MissingOutputError: a target set has none, or they belong to other features or another
            proxy pool than there are now.
    """
    stored = store.read_json(store.path(REGRESSOR, _METRICS))
    now = {
        "features": settings.search.features,
        "proxy_pool": store.fingerprint(store.root / PROXY_POOL),
    }
    changed = [key for key, value in now.items() if stored[key] != value]
    if changed:
        raise MissingOutputError(
            f"the regressors were fitted with other {' and '.join(changed)} than there are now: "
            "materialise the asset 'regressor' again"
        )
    return {
        target: regressor_from_json(
            json.loads(store.require(store.path(REGRESSOR, f"{target}.json")).read_bytes())
        )
        for target in settings.target_names
    }


def objective_predictor(
    objective: Objective, regressors: Mapping[str, Regressor], feature_map: FeatureMap
) -> Predict:
    """Predicts an objective of thetas from the regressors of its target sets."""

    def predict(thetas: Parameters) -> Prediction:
        features = feature_map(thetas)
        used = {target: regressors[target] for target in objective.factors}
        return Prediction(
            objective.value({t: r.predict(features) for t, r in used.items()}),
            objective.deviation({t: r.deviation(features) for t, r in used.items()}),
        )

    return predict
