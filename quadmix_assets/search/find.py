"""Searches theta* of every objective with the regressors of its target sets."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quadmix_assets.outputs import OPTIMAL_PARAMS
from quadmix_assets.proxies.evidence import Evidence
from quadmix_assets.sampling import Theta, expectation
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.fit import objective_predictor
from quadmix_assets.search.objective import Objective, objective_losses
from quadmix_assets.search.regressor_inputs import RegressorInputs
from quadmix_assets.search.regressors.base import Regressor
from quadmix_assets.search.space import ThetaSpace
from quadmix_assets.search.strategies.base import SearchResult
from quadmix_assets.search.support import make_support
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings


@dataclass(frozen=True)
class Optimum:
    """theta* of an objective.

    Attributes:
        objective: fitted to the proxies.
        result: of the search.
        measured: (n,) the measured objective of every trained proxy.
    """

    objective: Objective
    result: SearchResult
    measured: FloatArray


def find_optima(
    settings: Settings,
    evidence: Evidence,
    space: ThetaSpace,
    regressors: Mapping[str, Regressor],
    inputs_of: RegressorInputs,
) -> dict[str, Optimum]:
    """theta* of every objective, by name.

    Args:
        settings: objectives, strategy, number of thetas.
        evidence: the measured losses.
        space: of feasible thetas.
        regressors: by target set, fitted to `evidence`.
        inputs_of: what they see of a theta.

    Raises:
        InfeasibleError: a theta cannot satisfy the constraints.
    """
    found = {}
    support = make_support(settings, evidence, inputs_of, space.n_tokens)
    for wanted in settings.objectives:
        objective = Objective.of(wanted, evidence.metrics)
        result = settings.search.strategy.search(
            objective_predictor(objective, regressors, inputs_of, support),
            space,
            n_points=settings.search.n_points,
            top=settings.search.top,
            seed=derive_seed(settings.seed, OPTIMAL_PARAMS),
            trained=evidence.parameters,
        )
        measured = objective_losses(evidence.metrics, wanted)
        found[wanted.name] = Optimum(objective, result, measured)
    return found


def domain_shares(theta: Theta, n_tokens: FloatArray) -> FloatArray:
    """Expected token share (M,) of every domain in a mix of a pool with n_tokens (M,)."""
    taken = n_tokens * expectation(*theta[1:]).epochs
    return np.asarray(taken / max(taken.sum(), 1.0))
