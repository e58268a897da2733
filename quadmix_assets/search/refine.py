"""Proposes a further round of thetas: by an acquisition, and where regressors are uncertain."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from quadmix_assets.outputs import REFINEMENT
from quadmix_assets.sampling import Parameters
from quadmix_assets.search.acquisitions.base import CANDIDATES, Known, lowest
from quadmix_assets.search.find import find_optima
from quadmix_assets.search.fit import (
    fit_regressors,
    make_regressor_inputs,
    measured_inputs,
    objective_predictor,
)
from quadmix_assets.search.noise import read_weighed
from quadmix_assets.search.reuse import read_reused
from quadmix_assets.search.space import ThetaSpace, make_space
from quadmix_assets.search.support import make_support
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.settings.acquisition import AcquisitionSettings
from quadmix_assets.store import Store


def propose(
    known: Sequence[Known],
    space: ThetaSpace,
    acquisition: AcquisitionSettings,
    *,
    n: int,
    explore: float,
    seed: int,
    start: int,
) -> Parameters:
    """n feasible thetas for further proxies.

    A share `explore` of them are those of many random thetas whose predictions have the largest
    standard deviation; the acquisition chooses the others. Both parts are divided evenly among the
    objectives.

    Args:
        known: what is known of each objective.
        space: of feasible thetas.
        acquisition: chooses thetas for an objective.
        n: how many.
        explore: share in [0, 1].
        seed: of the candidates.
        start: number of the first random candidate in the search's stream of thetas, past all that
            were drawn before.

    Raises:
        InfeasibleError: a theta cannot satisfy the constraints.
        ValueError: there are too few proxies for the acquisition.
    """
    n_explore = round(n * explore)
    rng = np.random.default_rng([seed, start])
    chosen: list[Parameters] = []
    for of_objective, wanted in zip(known, _shares(n - n_explore, len(known)), strict=True):
        if wanted:
            chosen.append(acquisition.choose(of_objective, space, n=wanted, rng=rng))
    for k, wanted in enumerate(_shares(n_explore, len(known))):
        if wanted:
            first = start + k * CANDIDATES * n
            far = space.draw(CANDIDATES * wanted, seed=seed, start=first)
            unsure = known[k].predict(far).standard_deviation
            chosen.append(far[lowest(-unsure, wanted)])
    return Parameters.concatenate(chosen)


def _shares(n: int, k: int) -> list[int]:
    """n divided into k whole numbers, as evenly as possible."""
    return [n // k + (i < n % k) for i in range(k)]


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
        settings, evidence, _ = read_weighed(store, settings)
        inputs_of = make_regressor_inputs(store, settings)
        space = make_space(store, settings)
        inputs = measured_inputs(store, settings, evidence, inputs_of)
        reused = read_reused(store, settings, evidence, inputs_of)
        regressors = fit_regressors(settings, evidence, inputs, reused)
        optima = find_optima(settings, evidence, space, regressors, inputs_of)
        support = make_support(settings, evidence, inputs_of, space.n_tokens)
        known = [
            Known(
                predict=objective_predictor(optimum.objective, regressors, inputs_of, support),
                optimum=optimum.result.theta,
                trained=evidence.parameters,
                inputs=inputs,
                measured=optimum.measured,
                inputs_of=inputs_of,
            )
            for optimum in optima.values()
        ]
        refine = settings.search.refine
        thetas = propose(
            known,
            space,
            refine.acquisition,
            n=n_thetas_of_round(settings),
            explore=refine.explore,
            seed=derive_seed(settings.seed, f"{REFINEMENT}:{number}") % 2**31,
            start=settings.search.n_points,
        )
        means = [of_objective.predict(thetas).mean for of_objective in known]
    predicted = pl.DataFrame(
        {
            "round": [number] * len(means),
            "objective": list(optima),
            "mean_predicted": [float(mean.mean()) for mean in means],
            "least_predicted": [float(mean.min()) for mean in means],
        }
    )
    return Round(thetas, predicted)
