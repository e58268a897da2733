"""A further round of thetas: some near the optima, some where the regressor is least sure."""

from collections.abc import Sequence

import numpy as np

from quadmix_assets.sampling import Parameters
from quadmix_assets.search.space import ThetaSpace
from quadmix_assets.search.strategies.base import Predict

# Candidates that are predicted for every theta that is chosen.
_CANDIDATES = 40
# How far candidates stray from an optimum, per coordinate of the unit cube.
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
    """n feasible thetas that are worth a proxy.

    The share `explore` of them are the random thetas whose objectives are predicted least surely;
    the others stray from the optima, and of many such those are taken that the regressor allows to
    be best: the lowest prediction less its standard deviation. Objectives take turns.

    Args:
        predicts: one per objective.
        optima: theta* of each objective, in the same order.
        space: what thetas must be like.
        n: how many.
        explore: share in [0, 1].
        seed: of the candidates.
        start: where in the search stream random candidates begin, past all that were drawn before.
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
