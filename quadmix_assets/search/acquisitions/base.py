"""What acquisitions know of an objective, and the candidates that they choose from."""

from dataclasses import dataclass

import numpy as np

from quadmix_assets.sampling import Parameters
from quadmix_assets.sampling.validation import FloatArray, IntArray
from quadmix_assets.search.regressor_inputs import RegressorInputs
from quadmix_assets.search.regressors.gaussian_process import GaussianProcessRegressor
from quadmix_assets.search.space import ThetaSpace
from quadmix_assets.search.strategies.base import Predict

# Candidates for every theta that is chosen.
CANDIDATES = 40
# Standard deviations of candidates around a theta, per coordinate of the unit cube.
_RADII = (0.05, 0.1, 0.2)
# How many of the best measured thetas candidates are made around, besides the optimum.
_BEST = 10
# Joint samples of a process are drawn at so many candidates at most: their cost grows with its
# cube.
_MAX_JOINT = 600


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of an objective when a round is proposed.

    Attributes:
        predict: thetas -> predicted objective, by the regressors of the settings.
        optimum: one row, theta* by `predict`.
        trained: the n thetas that were trained.
        inputs: (n, F) what regressors were fitted to for them.
        measured: (n,) their measured objective.
        inputs_of: what regressors see of any theta.
    """

    predict: Predict
    optimum: Parameters
    trained: Parameters
    inputs: FloatArray
    measured: FloatArray
    inputs_of: RegressorInputs

    def process(self, seed: int) -> GaussianProcessRegressor:
        """A Gaussian process of the objective itself, for joint samples.

        Raises:
            ValueError: too few proxies to fit it to.
        """
        return GaussianProcessRegressor.fit(self.inputs, self.measured, seed=seed)


def near(centres: FloatArray, space: ThetaSpace, *, n: int, rng: np.random.Generator) -> Parameters:
    """n thetas around points (k, dimension) of the unit cube, evenly divided among them."""
    steps = rng.normal(size=(n, space.dimension))
    radii = rng.choice(_RADII, size=(n, 1))
    return space.from_cube(np.resize(centres, (n, space.dimension)) + radii * steps)


def joint_candidates(
    known: Known, space: ThetaSpace, *, n: int, rng: np.random.Generator
) -> Parameters:
    """Candidates around the optimum and the best measured thetas, and random ones.

    Only the most promising by the lower confidence bound of `predict` are left, so few that a
    process can be sampled jointly at all of them, and at least n.
    """
    wanted = CANDIDATES * n // 4
    best = np.argsort(known.measured, kind="stable")[:_BEST]
    found = Parameters.concatenate(
        [
            near(space.to_cube(known.optimum), space, n=2 * wanted, rng=rng),
            near(space.to_cube(known.trained[best]), space, n=wanted, rng=rng),
            space.draw(wanted, seed=int(rng.integers(2**31))),
        ]
    )
    bound = lower_bounds(known, found)
    kept = np.argsort(bound, kind="stable")[: max(_MAX_JOINT, n)]
    return found[np.sort(kept)]


def lower_bounds(known: Known, thetas: Parameters) -> FloatArray:
    """The predictions (n,) less their standard deviations."""
    found = known.predict(thetas)
    return np.asarray(found.mean - found.standard_deviation)


def lowest(values: FloatArray, n: int) -> IntArray:
    """Indices of the n lowest values, ascending; of equal ones the first."""
    return np.sort(np.argsort(values, kind="stable")[:n])
