"""A swarm whose losses are known: the method itself on a small pool, with a formula for a proxy."""

import numpy as np

from quadmix_assets.sampling import (
    Parameters,
    merge_scores,
    rank_within_domains,
    sample_parameters,
    sampling_value,
)
from quadmix_assets.search.constraints import Constraints
from quadmix_assets.search.space import ThetaSpace
from quadmix_assets_tests.search.limits import constraints
from quadmix_assets_tests.seed import SEED

N_CRITERIA, N_DOMAINS, OMEGA_MAX = 2, 4, 0.3


def space_with_budget(budget: float) -> tuple[Constraints, ThetaSpace]:
    """Constraints that give every mix so many tokens, and the space of thetas under them."""
    limits = constraints(
        names=("a", "b", "c", "d"),
        n_criteria=N_CRITERIA,
        n_tokens=np.array([1e6, 2e6, 5e5, 1e5]),
        omega_max=OMEGA_MAX,
        budget=budget,
    )
    return limits, ThetaSpace(N_CRITERIA, N_DOMAINS, limits.n_tokens, OMEGA_MAX, constraints=limits)


def make_swarm(n: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Regressor inputs (n, F) and losses (n,) of thetas of Algorithm 1."""
    thetas = sample_parameters(n, N_CRITERIA, N_DOMAINS, seed=SEED + seed, omega_max=OMEGA_MAX)
    return thetas.as_features(), true_losses(thetas, seed=seed)


def make_pool(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """sigma (D, N), domains (D,) and tokens (D,) of a small pool."""
    rng = np.random.default_rng(SEED + seed)
    domains, tokens = rng.integers(0, N_DOMAINS, 1_000), rng.integers(50, 800, 1_000)
    return rng.random((1_000, N_CRITERIA)), domains, tokens


def true_losses(thetas: Parameters, *, seed: int = 0) -> np.ndarray:
    """The worthier the sampled tokens, the less loss (n,)."""
    sigma, domains, tokens = make_pool(seed)
    worth = np.array([0.2, 0.6, 1.0, 1.4])[domains] * (1.2 - sigma[:, 0])
    losses = np.empty(len(thetas))
    for i, theta in enumerate(thetas):
        ranks = rank_within_domains(merge_scores(sigma, domains, theta.alpha), domains, tokens)
        taken = sampling_value(ranks, domains, *theta[1:]) * tokens
        losses[i] = 5.0 - 0.5 * (taken @ worth) / taken.sum()
    return losses
