"""Fits one regressor per target set to the losses of the proxies, and stores it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from quadmix_assets.hashing import Digest
from quadmix_assets.outputs import PROXY_POOL, PROXY_READS, REGRESSOR
from quadmix_assets.proxies.evidence import Evidence
from quadmix_assets.proxies.parameter_sets import read_parameter_sets
from quadmix_assets.proxies.proxy_pool import open_index
from quadmix_assets.sampling import Parameters
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.choice_metrics import out_of_fold
from quadmix_assets.search.metrics import (
    RegressionMetrics,
    evaluate,
    figure_3_regressors,
    learning_curve,
    split_held_out,
)
from quadmix_assets.search.objective import Objective
from quadmix_assets.search.regressor_inputs import (
    MixtureInputs,
    RegressorInputs,
    ThetaInputs,
    read_pool_documents,
)
from quadmix_assets.search.regressors.base import Regressor
from quadmix_assets.search.regressors.fitting import fit_regressor, regressor_from_json
from quadmix_assets.search.reuse import Reused, nothing_reused
from quadmix_assets.search.strategies.base import Predict, Prediction
from quadmix_assets.search.support import Support
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import RegressorSettings, Settings
from quadmix_assets.store import MissingOutputError, Store, carded_file

_METRICS = "metrics.json"


@dataclass(frozen=True)
class TargetFit:
    """The regressor of one target set and its errors on the held-out proxies.

    Attributes:
        settings: of the regressor.
        evaluated: fitted to the training part alone; reported errors are of this one.
        regressor: the same kind fitted to all rows; the search uses this one.
        inputs: (n, F) of all proxies, see `measured_inputs`.
        losses: (n,) losses of all proxies in nats per token.
        train: indices of the training part.
        held_out: indices of the part that is used for evaluation only.
        predicted: (k,) predictions of `evaluated` for the held-out part.
        metrics: errors of `evaluated` on the held-out part.
        others: the same errors of the regressors that it is compared with, by their settings.
        out_of_fold: (n,) predictions for all proxies from the expected inputs of their thetas, each
            by a regressor that was fitted without it; None where there are too few.
    """

    settings: RegressorSettings
    evaluated: Regressor
    regressor: Regressor
    inputs: FloatArray
    losses: FloatArray
    train: np.ndarray
    held_out: np.ndarray
    predicted: FloatArray
    metrics: RegressionMetrics
    others: dict[RegressorSettings, RegressionMetrics]
    out_of_fold: FloatArray | None

    def learning_curve(self, settings: Settings) -> pl.DataFrame:
        """Errors against training size of this regressor and those of the paper's Figure 3."""
        return learning_curve(
            self.inputs,
            self.losses,
            self.train,
            self.held_out,
            seed=derive_seed(settings.seed, "learning_curve") % 2**31,
            regressors=tuple(dict.fromkeys((*figure_3_regressors(), self.settings))),
            n_threads=settings.search.n_threads,
        )

    def rows(self, target: str) -> list[dict[str, Any]]:
        """The errors of all regressors as rows of a table, the one in use first."""
        by_regressor = {self.settings: self.metrics, **self.others}
        return [
            {
                "target": target,
                "regressor": regressor.title,
                "held_out": metrics.n,
                "mae_nats": str(metrics.mae),
                "constant_mae_nats": metrics.constant_mae,
                "spearman": str(metrics.spearman),
                "kendall": str(metrics.kendall),
                f"top_{metrics.top_k}_recall": str(metrics.top_recall),
            }
            for regressor, metrics in by_regressor.items()
        ]


def make_regressor_inputs(store: Store, settings: Settings) -> RegressorInputs:
    """The regressor inputs that the settings choose.

    Raises:
        MissingOutputError: the proxy pool is not there, or is of other criteria or domains.
    """
    criteria, domains = settings.criterion_names, settings.domain_names
    if settings.search.regressor_inputs == "theta":
        return ThetaInputs(criteria, domains, scaled=settings.parameters.scale_max > 1)
    with store.local_folder(store.root / PROXY_POOL) as folder:
        return MixtureInputs.of(open_index(Path(folder), settings), criteria, domains)


def measured_inputs(
    store: Store, settings: Settings, evidence: Evidence, inputs_of: RegressorInputs
) -> FloatArray:
    """The regressor inputs (n, F) that belong to the measured losses of n proxies.

    Of a mix, the documents that each proxy read; of theta, its entries.

    Raises:
        MissingOutputError: the proxy pool is not there, or the record of what a batch read.
    """
    if not isinstance(inputs_of, MixtureInputs):
        return inputs_of(evidence.parameters)
    documents = read_pool_documents(store, settings)
    table, _ = read_parameter_sets(store, settings)
    samples = evidence.samples.join(table, on="theta_id", maintain_order="left")
    # By batch: the records of a whole swarm can be larger than memory. theta_ids ascend with them.
    parts = [
        inputs_of.realised(
            documents,
            store.read_table(store.table_path(PROXY_READS, of_batch["proxy_batch"][0])),
            of_batch.select("theta_id", "n_tokens_sample"),
        )
        for of_batch in samples.partition_by("proxy_batch", maintain_order=True)
    ]
    return np.concatenate(parts)


def fit_regressors(
    settings: Settings, evidence: Evidence, inputs: FloatArray, reused: Reused | None = None
) -> dict[str, Regressor]:
    """The regressor of every target set, fitted to all proxies.

    Args:
        settings: kind of the regressors, seed, threads.
        evidence: the measured losses of n proxies.
        inputs: (n, F) of `measured_inputs`.
        reused: further rows; None without any.

    Raises:
        ValueError: there are too few proxies to fit a regressor to.
    """
    further = reused or nothing_reused(inputs.shape[1], settings.target_names)
    return {
        target: fit_regressor(
            settings.search.regressor,
            *further.rows(target, inputs, evidence.losses(target)),
            seed=_seed_of(settings, target),
            n_threads=settings.search.n_threads,
        )
        for target in settings.target_names
    }


def _seed_of(settings: Settings, target: str) -> int:
    return derive_seed(settings.seed, f"{REGRESSOR}:{target}") % 2**31


def fit_target_regressors(
    store: Store,
    settings: Settings,
    evidence: Evidence,
    inputs_of: RegressorInputs,
    reused: Reused | None = None,
) -> dict[str, TargetFit]:
    """Fit a regressor per target set, evaluate it on the held-out proxies, and store it.

    The stored one is fitted to all proxies, those of the held-out part included.

    Args:
        store: the lake.
        settings: kinds of regressors, held-out part, seed, threads.
        evidence: the measured losses.
        inputs_of: what regressors see of a theta.
        reused: further rows to fit to, never to evaluate on; None without any.

    Raises:
        ValueError: there are too few proxies to fit a regressor to.
    """
    inputs = measured_inputs(store, settings, evidence, inputs_of)
    # What the search asks about, whatever the proxies of these thetas happened to read.
    expected = inputs_of(evidence.parameters)
    further = reused or nothing_reused(inputs.shape[1], settings.target_names)
    in_use = fit_regressors(settings, evidence, inputs, further)
    train, held_out = split_held_out(
        len(inputs),
        share=settings.search.held_out_share,
        seed=derive_seed(settings.seed, "held_out"),
    )
    chosen = settings.search.regressor
    fits = {}
    for target in settings.target_names:
        losses = evidence.losses(target)
        seed = _seed_of(settings, target)

        def fit(
            regressor: RegressorSettings,
            rows: np.ndarray,
            target: str = target,
            y: FloatArray = losses,
            seed: int = seed,
        ) -> Regressor:
            learnt, known = further.rows(target, inputs[rows], y[rows])
            n_threads = settings.search.n_threads
            return fit_regressor(regressor, learnt, known, seed=seed, n_threads=n_threads)

        def errors(regressor: Regressor, y: FloatArray = losses) -> RegressionMetrics:
            return evaluate(regressor, inputs[held_out], y[held_out])

        evaluated = fit(chosen, train)
        fits[target] = TargetFit(
            settings=chosen,
            evaluated=evaluated,
            regressor=in_use[target],
            inputs=inputs,
            losses=losses,
            train=train,
            held_out=held_out,
            predicted=evaluated.predict(inputs[held_out]),
            metrics=errors(evaluated),
            others={
                other: errors(fit(other, train))
                for other in dict.fromkeys(settings.search.compared)
                if other != chosen
            },
            out_of_fold=out_of_fold(
                chosen,
                inputs,
                expected,
                losses,
                further=(further.inputs, further.losses[target]),
                seed=seed,
                n_threads=settings.search.n_threads,
            ),
        )
        with carded_file(store.path(REGRESSOR, f"{target}.json")) as file:
            file.write(json.dumps(fits[target].regressor.to_json()).encode())
    store.write_json(
        store.path(REGRESSOR, _METRICS),
        {
            **_fitted_to(store, settings, evidence, further),
            "n_proxies": len(inputs),
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


def poor_regressors(metrics: Mapping[str, Any], targets: Sequence[str]) -> list[str]:
    """Of the target sets those whose regressor predicts held-out losses no better than a constant.

    Args:
        metrics: as `read_metrics` gives them.
        targets: names of target sets.
    """
    # Written so that an error that is not a number counts as poor.
    return [
        target
        for target in targets
        if not metrics[target]["mae"]["value"] < metrics[target]["constant_mae"]
    ]


def _fitted_to(
    store: Store, settings: Settings, evidence: Evidence, reused: Reused
) -> dict[str, Any]:
    """A record of the inputs that determine the regressors."""
    return {
        **_inputs_version(store, settings),
        "regressor": settings.search.regressor.model_dump(mode="json"),
        "evidence": _evidence_hash(evidence, reused),
        "n_reused": len(reused),
    }


def _inputs_version(store: Store, settings: Settings) -> dict[str, Any]:
    """What determines the regressor inputs of a theta."""
    return {
        "regressor_inputs": settings.search.regressor_inputs,
        "proxy_pool": store.fingerprint(store.root / PROXY_POOL),
    }


def _evidence_hash(evidence: Evidence, reused: Reused) -> str:
    """A hash of the thetas that were trained, of their losses, and of the rows that are reused."""
    digest = Digest()
    digest.update(evidence.parameters.as_features(scaled=True).tobytes())
    losses = evidence.metrics.select("theta_id", "target", "status", "loss_nats")
    digest.update(losses.sort("theta_id", "target").write_csv().encode())
    for rows in (reused.inputs, *reused.losses.values()):
        digest.update(rows.tobytes())
    return digest.hexdigest()


def load_regressors(store: Store, settings: Settings) -> dict[str, Regressor]:
    """The stored regressors by target set.

    Raises:
        MissingOutputError: a target set has none, or they belong to other regressor inputs
            or another proxy pool than there are now.
    """
    stored = store.read_json(store.path(REGRESSOR, _METRICS))
    current = _inputs_version(store, settings)
    changed = [key for key, value in current.items() if stored.get(key) != value]
    if changed:
        raise MissingOutputError(
            f"the regressors were fitted with other {' and '.join(changed)} than there are "
            "now: materialise the asset 'regressor' again"
        )
    return {
        target: regressor_from_json(store.read_json(store.path(REGRESSOR, f"{target}.json")))
        for target in settings.target_names
    }


def objective_predictor(
    objective: Objective,
    regressors: Mapping[str, Regressor],
    inputs_of: RegressorInputs,
    support: Support | None = None,
) -> Predict:
    """A function that predicts an objective of thetas with the regressors of its target sets.

    Args:
        objective: fitted to the proxies.
        regressors: by target set.
        inputs_of: what they see of a theta.
        support: where there is evidence: thetas outside are predicted as worse than the regressors
            say. None: what the regressors say, everywhere.
    """

    def predict(thetas: Parameters) -> Prediction:
        inputs = inputs_of(thetas)
        used = {target: regressors[target] for target in objective.factors}
        losses = {target: r.predict(inputs) for target, r in used.items()}
        errors = {target: r.standard_deviation(inputs) for target, r in used.items()}
        mean = objective.value(losses)
        if support is not None:
            mean = mean + support.penalty(objective, support.excess(inputs, thetas, inputs_of))
        return Prediction(mean, objective.standard_deviation(errors))

    return predict
