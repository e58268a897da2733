"""Searches weights of domains: a predictor from weights to objective, and the best of many drawn.

RegMix (Liu et al. 2024, arXiv:2407.01492) and Nemotron-CLIMB (Diao et al. 2025, arXiv:2504.13161)
share the predictor, LightGBM, and differ in what they draw, train and choose.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from quadmix_assets.proxies.domain_proxies import DomainEvidence
from quadmix_assets.proxies.domain_weights import draw_weights, within_epochs
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.objective import Objective
from quadmix_assets.search.regressors.base import Regressor
from quadmix_assets.search.regressors.fitting import fit_regressor
from quadmix_assets.settings import ObjectiveSettings
from quadmix_assets.settings.domain_weights import DomainWeightsSettings


@dataclass(frozen=True, eq=False)
class FoundWeights:
    """Weights that were found by prediction.

    Attributes:
        weights: (M,) summing to 1.
        predicted: their predicted objective.
        best_measured: the least measured objective of the proxies.
        n_proxies: proxies that the predictor was fitted to.
        unit: of the objective.
    """

    weights: FloatArray
    predicted: float
    best_measured: float
    n_proxies: int
    unit: str


def measured_objective(
    evidence: DomainEvidence, wanted: ObjectiveSettings
) -> tuple[FloatArray, str]:
    """The objective (n,) of every trained proxy, and its unit.

    Its weights are those of the settings: reliabilities (`weigh_by_reliability`) are those of the
    swarm, which proxies of domain weights are no part of.
    """
    trained = evidence.metrics.filter(pl.col("mixture_id").is_in(evidence.mixture_ids.tolist()))
    objective = Objective.of(wanted, trained)
    losses = {
        target: trained.filter(pl.col("target") == target)
        .sort("mixture_id")["loss_nats"]
        .to_numpy()
        for target in wanted.targets
    }
    return objective.value(losses), objective.unit


def fit_predictor(
    weights: FloatArray, measured: FloatArray, *, seed: int, threads: int
) -> Regressor:
    """LightGBM from weights (n, M) to the objective (n,), n at least 10.

    Raises:
        ValueError: fewer than 10 rows, or a value that is NaN or infinite.
    """
    return fit_regressor("lightgbm", weights, measured, seed=seed, n_threads=threads)


def mean_of_best(
    evidence: DomainEvidence,
    wanted: ObjectiveSettings,
    n_tokens: FloatArray,
    options: DomainWeightsSettings,
    *,
    size: float,
    n_points: int,
    top: int,
    seed: int,
    threads: int,
) -> FoundWeights:
    """The mean of the `top` weightings with the best predictions of `n_points` drawn ones.

    With top 1 the best itself. Of equal predictions the one drawn earlier counts as better.

    Args:
        evidence: of the proxies.
        wanted: the objective.
        n_tokens: (M,) tokens of each domain in the pool that the mix is drawn from.
        options: of the distributions that weights are drawn from, and the most epochs of a domain.
        size: tokens of the mix, which epochs follow from.
        n_points: weightings to predict.
        top: how many of the best are averaged.
        seed: of predictor and draws.
        threads: of LightGBM; their number does not change the result.

    Raises:
        ValueError: too few proxies, `top` above `n_points`, or the pool cannot give so many tokens.
    """
    if not 1 <= top <= n_points:
        raise ValueError(f"top is {top}; expected from 1 to n_points, which is {n_points}")
    measured, unit = measured_objective(evidence, wanted)
    predictor = fit_predictor(evidence.weights, measured, seed=seed % 2**31, threads=threads)
    drawn = draw_weights(n_points, n_tokens, options, size=size, seed=seed)
    best = drawn[best_rows(predictor, drawn, top)]
    # The mean of weightings within the limits is within them; this only clears tiny weights.
    mean = within_epochs(best.mean(axis=0, keepdims=True), options.max_epochs * n_tokens / size)
    return FoundWeights(
        mean[0],
        float(predictor.predict(mean)[0]),
        float(measured.min()),
        len(measured),
        unit,
    )


def best_rows(predictor: Regressor, weights: FloatArray, top: int) -> Sequence[int]:
    """The rows of the `top` least predictions, the least first; of equal ones the earlier."""
    order: list[int] = np.argsort(predictor.predict(weights), kind="stable")[:top].tolist()
    return order
