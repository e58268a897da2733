"""Proposes a further round of thetas: near the optima, and where regressors are least certain."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from quadmix_assets.outputs import REFINEMENT
from quadmix_assets.proxies.evidence import read_evidence
from quadmix_assets.proxies.parameter_sets import n_rounds
from quadmix_assets.sampling import Parameters
from quadmix_assets.search.fit import load_regressors, make_regressor_inputs, objective_predictor
from quadmix_assets.search.objective import Objective
from quadmix_assets.search.optimum import read_optimum
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
    """A proposed round: its number, its thetas, and their predicted objectives.

    `predicted` has one row per objective: objective, mean_predicted, least_predicted.
    """

    number: int
    thetas: Parameters
    predicted: pl.DataFrame


def propose_round(store: Store, settings: Settings) -> Round:
    """The next round of thetas; the last round is replaced if none of its proxies is trained yet.

    Raises:
        MissingOutputError: there is no evidence, no regressor or no theta*.
        InfeasibleError: a theta cannot satisfy the constraints.
    """
    evidence = read_evidence(store, settings)
    regressors = load_regressors(store, settings)
    inputs_of = make_regressor_inputs(store, settings)
    predicts = [
        objective_predictor(Objective.of(wanted, evidence.metrics), regressors, inputs_of)
        for wanted in settings.objectives
    ]
    last = n_rounds(store)
    number = last if last and not (evidence.rounds == last).any() else last + 1
    refine = settings.search.refine
    thetas = propose(
        predicts,
        Parameters.stack([read_optimum(store, settings, o.name)[0] for o in settings.objectives]),
        make_space(store, settings),
        n=max(1, round(settings.parameters.n * refine.share)),
        explore=refine.explore,
        seed=derive_seed(settings.seed, f"{REFINEMENT}:{number}") % 2**31,
        start=settings.search.n_points,
    )
    means = [predict(thetas).mean for predict in predicts]
    predicted = pl.DataFrame(
        {
            "objective": [wanted.name for wanted in settings.objectives],
            "mean_predicted": [float(mean.mean()) for mean in means],
            "least_predicted": [float(mean.min()) for mean in means],
        }
    )
    return Round(number, thetas, predicted)
