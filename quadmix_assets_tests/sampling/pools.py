"""Random pools and thetas that the tests of the index and of its draw share."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from quadmix_assets.sampling import (
    Theta,
    draw_copies,
    merge_scores,
    rank_within_domains,
    sampling_value,
)

N_DOMAINS = 4
SIGMAS = st.sampled_from([0.0, -0.0, 0.1, 0.25, 0.3, 1.0])


class Pool(NamedTuple):
    sigma: np.ndarray
    domains: np.ndarray
    tokens: np.ndarray
    hashes: np.ndarray

    def ranked(self, theta: Theta) -> tuple[np.ndarray, np.ndarray]:
        """Merged scores and ranks, by the public functions of Equations 1 and 2."""
        merged = merge_scores(self.sigma, self.domains, theta.alpha)
        return merged, rank_within_domains(merged, self.domains, self.tokens)

    def copies(self, theta: Theta, seed: int) -> np.ndarray:
        """Copies (D,) by the public functions, one after the other."""
        _, ranks = self.ranked(theta)
        return draw_copies(sampling_value(ranks, self.domains, *theta[1:]), self.hashes, seed)


def _pool(rows: list[tuple[int, int, float, float]]) -> Pool:
    domains, tokens, *sigma = (np.array(column) for column in zip(*rows, strict=True))
    hashes = np.arange(len(rows), dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return Pool(np.column_stack(sigma), domains.astype(np.int32), tokens, hashes)


# Few values, so that documents tie; documents without tokens, and domains without documents.
pools = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 4), SIGMAS, SIGMAS), min_size=1, max_size=40
).map(_pool)


def _per_domain(values: list[float]) -> st.SearchStrategy[list[float]]:
    return st.lists(st.sampled_from(values), min_size=N_DOMAINS, max_size=N_DOMAINS)


def _theta(share: list[float], *beta: list[float]) -> Theta:
    alpha = np.array([[s, 1 - s] for s in share])
    return Theta(alpha, *(np.array(values) for values in beta))


thetas = st.builds(
    _theta,
    _per_domain([0.0, 0.3, 0.5, 1.0]),
    _per_domain([0.0, 1.0, 300.0]),
    _per_domain([0.0, 0.2, 0.5, 1.0]),
    _per_domain([0.0, 0.7, 0.95, 1.0]),
    _per_domain([0.0, 0.001, 0.5, 1.0, 2.25]),
    st.just([1.0] * N_DOMAINS) | _per_domain([0.0, 0.5, 3.25]),
)


def large_pool(rng: np.random.Generator, n: int, n_domains: int, *, ties: bool) -> Pool:
    """A pool of several blocks a domain: skewed domains, skewed tokens, correlated scores."""
    quality = rng.normal(size=(n, 1)) + 0.7 * rng.normal(size=(n, 3))
    sigma = 1 / (1 + np.exp(quality))
    if ties:
        sigma = np.round(sigma, 1)
    domains = rng.choice(n_domains, n, p=rng.dirichlet(np.ones(n_domains))).astype(np.int32)
    tokens = np.floor(rng.lognormal(5, 1.5, n)).astype(np.int64)
    return Pool(sigma, domains, tokens, rng.integers(0, 2**63, n).astype(np.uint64))
