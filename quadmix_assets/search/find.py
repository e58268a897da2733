"""Searches theta* of every objective with the regressors of its target sets."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quadmix_assets.outputs import OPTIMAL_PARAMS
from quadmix_assets.proxies.evidence import Evidence
from quadmix_assets.sampling import Parameters, Theta, expectation
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.candidates import Candidate, Swarm, make_candidates, paper_of
from quadmix_assets.search.fit import fit_regressors, objective_predictor
from quadmix_assets.search.objective import Objective, objective_losses
from quadmix_assets.search.regressor_inputs import RegressorInputs
from quadmix_assets.search.regressors.base import Regressor
from quadmix_assets.search.space import ThetaSpace
from quadmix_assets.search.strategies.base import SearchResult
from quadmix_assets.search.support import LIMIT, make_support
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


def find_candidates(
    settings: Settings,
    evidence: Evidence,
    space: ThetaSpace,
    regressors: Mapping[str, Regressor],
    inputs_of: RegressorInputs,
    measured: FloatArray,
    optima: Mapping[str, Optimum],
    previous: Mapping[str, Theta],
) -> dict[str, list[Candidate]]:
    """The candidates for theta* of every objective, by name; see `make_candidates`.

    Args:
        settings, evidence, space, regressors, inputs_of: as in `find_optima`.
        measured: (n, F) of `measured_inputs`, which the paper's regressors are fitted to.
        optima: what `find_optima` gives.
        previous: by objective, the theta* that was chosen before, where there is one.

    Raises:
        InfeasibleError: a theta cannot satisfy the constraints.
        ValueError: there are too few proxies to fit a regressor to.
    """
    support = make_support(settings, evidence, inputs_of, space.n_tokens)

    def is_within(thetas: Parameters) -> NDArray[np.bool_]:
        if support is None:
            return np.ones(len(thetas), bool)
        excess = support.excess(inputs_of(thetas), thetas, inputs_of)
        return np.asarray((excess < LIMIT).all(axis=1))

    paper = paper_of(settings)
    papers = optima
    of_paper = regressors
    if paper.search.regressor != settings.search.regressor:
        of_paper = fit_regressors(paper, evidence, measured)
    if any(
        getattr(paper.search, name) != getattr(settings.search, name)
        for name in ("regressor", "strategy", "stay_within_evidence")
    ):
        papers = find_optima(paper, evidence, space, of_paper, inputs_of)
    return {
        name: make_candidates(
            optimum.result,
            papers[name].result,
            Swarm(evidence.theta_ids.tolist(), evidence.parameters, optimum.measured),
            objective_predictor(optimum.objective, regressors, inputs_of),
            objective_predictor(optimum.objective, regressors, inputs_of, support),
            space,
            settings.search.strategy,
            is_within=is_within,
            n=settings.search.verify.candidates,
            n_points=settings.search.n_points,
            top=settings.search.top,
            seed=derive_seed(settings.seed, OPTIMAL_PARAMS),
            previous=previous.get(name),
        )
        for name, optimum in optima.items()
    }


def domain_shares(theta: Theta, n_tokens: FloatArray) -> FloatArray:
    """Expected token share (M,) of every domain in a mix of a pool with n_tokens (M,)."""
    taken = n_tokens * expectation(*theta[1:]).epochs
    return np.asarray(taken / max(taken.sum(), 1.0))
