"""A swarm whose losses are known: the method itself on a small pool, with a formula for a proxy."""

import numpy as np

from quadmix_assets.sampling import (
    Parameters,
    merge_scores,
    rank_within_domains,
    sample_parameters,
    sampling_value,
)

N_CRITERIA, N_DOMAINS, OMEGA_MAX = 2, 4, 0.3


def make_swarm(
    n: int, *, seed: int = 0, thetas: Parameters | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, F) and losses (n,) of thetas: the worthier the sampled tokens, the less loss."""
    rng = np.random.default_rng(seed)
    domains, tokens = rng.integers(0, N_DOMAINS, 1_000), rng.integers(50, 800, 1_000)
    sigma = rng.random((1_000, N_CRITERIA))
    worth = np.array([0.2, 0.6, 1.0, 1.4])[domains] * (1.2 - sigma[:, 0])
    thetas = thetas or sample_parameters(n, N_CRITERIA, N_DOMAINS, seed=seed, omega_max=OMEGA_MAX)
    losses = np.empty(n)
    for i, theta in enumerate(thetas):
        ranks = rank_within_domains(merge_scores(sigma, domains, theta.alpha), domains, tokens)
        taken = sampling_value(ranks, domains, *theta[1:]) * tokens
        losses[i] = 5.0 - 0.5 * (taken @ worth) / taken.sum()
    return thetas.as_features(), losses
