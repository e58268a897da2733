"""Proposes a further round of thetas: near the optima, and where regressors are least certain."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from quadmix_assets.outputs import REFINEMENT
from quadmix_assets.proxies.evidence import read_evidence
from quadmix_assets.sampling import Parameters
from quadmix_assets.search.find import find_optima
from quadmix_assets.search.fit import (
    fit_regressors,
    make_regressor_inputs,
    measured_inputs,
    objective_predictor,
)
from quadmix_assets.search.space import ThetaSpace, make_space
from quadmix_assets.search.strategies.base import Predict
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store

# Candidates for every theta that is chosen.
_CANDIDATES = 40
# Standard deviations of candidates around an optimum, per coordinate of the unit cube.
_RADII = (0.05, 0.1, 0.2)


def propose(
    predicts: Sequence[Predict],
    optima: Parameters,
    space: ThetaSpace,
    *,
    n: int,
    explore: float,
    seed: int,
    start: int,
) -> Parameters:
    """n feasible thetas for further proxies.

    A share `explore` of them are those of many random thetas whose predictions have the largest
    standard deviation. The others are chosen among candidates around the optima by the lowest
    prediction less its standard deviation (lower confidence bound). Both parts are divided evenly
    among the objectives.

    Args:
        predicts: one per objective.
        optima: theta* of each objective, in the same order.
        space: of feasible thetas.
        n: how many.
        explore: share in [0, 1].
        seed: of the candidates.
        start: number of the first random candidate in the search's stream of thetas, past all that
            were drawn before.
    """
    n_explore = round(n * explore)
    n_near = n - n_explore
    rng = np.random.default_rng([seed, start])
    chosen: list[Parameters] = []
    centres = space.to_cube(optima)
    for k, predict in enumerate(predicts):
        wanted = n_near // len(predicts) + (k < n_near % len(predicts))
        if wanted:
            steps = rng.normal(size=(_CANDIDATES * wanted, space.dimension))
            radii = rng.choice(_RADII, size=(len(steps), 1))
            near = space.from_cube(centres[k] + radii * steps)
            found = predict(near)
            best = np.argsort(found.mean - found.standard_deviation, kind="stable")[:wanted]
            chosen.append(near[np.sort(best)])
    for k, predict in enumerate(predicts):
        wanted = n_explore // len(predicts) + (k < n_explore % len(predicts))
        if wanted:
            first = start + k * _CANDIDATES * n
            far = space.draw(_CANDIDATES * wanted, seed=seed, start=first)
            unsure = np.argsort(-predict(far).standard_deviation, kind="stable")[:wanted]
            chosen.append(far[np.sort(unsure)])
    return Parameters.concatenate(chosen)


class Round(NamedTuple):
    """The thetas of a proposed round, and their predicted objectives.

    `predicted` has one row per objective: round, objective, mean_predicted, least_predicted.
    """

    thetas: Parameters
    predicted: pl.DataFrame


def n_thetas_of_round(settings: Settings) -> int:
    """The thetas of a further round."""
    return max(1, round(settings.parameters.n * settings.search.refine.share))


def propose_round(store: Store, settings: Settings, number: int) -> Round:
    """The thetas of a further round, from the losses measured so far.

    Regressors and optima are those that the assets `regressor` and `optimal_params` would give now;
    they are not stored.

    Args:
        store: the lake.
        settings: of regressors, search and refinement.
        number: of the round, from 1.

    Raises:
        MissingOutputError: there is no evidence, or no proxy pool.
        ValueError: there are too few proxies to fit a regressor to.
        InfeasibleError: a theta cannot satisfy the constraints.
    """
    # The number of threads can change the last bits of linear algebra.
    with threadpool_limits(settings.search.n_threads):
        evidence = read_evidence(store, settings)
        inputs_of = make_regressor_inputs(store, settings)
        space = make_space(store, settings)
        measured = measured_inputs(store, settings, evidence, inputs_of)
        regressors = fit_regressors(settings, evidence, measured)
        optima = find_optima(settings, evidence, space, regressors, inputs_of)
        predicts = [
            objective_predictor(optimum.objective, regressors, inputs_of)
            for optimum in optima.values()
        ]
        thetas = propose(
            predicts,
            Parameters.concatenate([optimum.result.theta for optimum in optima.values()]),
            space,
            n=n_thetas_of_round(settings),
            explore=settings.search.refine.explore,
            seed=derive_seed(settings.seed, f"{REFINEMENT}:{number}") % 2**31,
            start=settings.search.n_points,
        )
        means = [predict(thetas).mean for predict in predicts]
    predicted = pl.DataFrame(
        {
            "round": [number] * len(means),
            "objective": list(optima),
            "mean_predicted": [float(mean.mean()) for mean in means],
            "least_predicted": [float(mean.min()) for mean in means],
        }
    )
    return Round(thetas, predicted)
