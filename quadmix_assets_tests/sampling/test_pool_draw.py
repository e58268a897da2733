import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quadmix_assets.sampling import (
    Parameters,
    PoolDraw,
    PoolIndex,
    Theta,
    hash_ids,
    sample_parameters,
)
from quadmix_assets_tests.sampling.pools import N_DOMAINS, Pool, large_pool, pools, thetas


def index_of(pool: Pool, n_domains: int) -> PoolIndex:
    return PoolIndex.build(pool.sigma, pool.domains, pool.tokens, n_domains)


def check_copies(pool: Pool, draw: PoolDraw, theta: Theta, seed: int) -> None:
    copies = pool.copies(theta, seed)
    taken = draw.copies(theta)
    np.testing.assert_array_equal(taken.documents, np.flatnonzero(copies))
    np.testing.assert_array_equal(taken.copies, copies[copies > 0])


@settings(max_examples=200, deadline=None)
@given(pools, thetas, st.integers(0, 3))
def test_is_what_the_public_functions_give(pool: Pool, theta: Theta, seed: int) -> None:
    draw = PoolDraw(index_of(pool, N_DOMAINS), pool.hashes, seed, max_epsilon=theta.epsilon.max())
    check_copies(pool, draw, theta, seed)


@pytest.mark.parametrize("ties", [False, True])
def test_one_draw_serves_many_thetas(ties: bool) -> None:
    pool = large_pool(np.random.default_rng(0), 50_000, 5, ties=ties)
    draw = PoolDraw(index_of(pool, 5), pool.hashes, 7, max_epsilon=0.001)
    for seed, theta in enumerate(sample_parameters(10, 3, 5, seed=3, omega_max=0.4)):
        check_copies(pool, draw, theta, 7)
        check_copies(pool, draw.with_seed(seed), theta, seed)


def test_ids_may_be_strings() -> None:
    pool = large_pool(np.random.default_rng(1), 500, 2, ties=False)
    ids = [f"d{n}" for n in range(500)]
    theta = sample_parameters(1, 3, 2, seed=0, omega_max=0.5)[0]
    draw = PoolDraw(index_of(pool, 2), ids, 0, max_epsilon=0.001)
    check_copies(pool._replace(hashes=hash_ids(ids)), draw, theta, 0)


def test_limits_of_use_are_told() -> None:
    pool = large_pool(np.random.default_rng(2), 50, 2, ties=False)
    index = index_of(pool, 2)
    with pytest.raises(ValueError, match="49 ids; the index holds 50 documents"):
        PoolDraw(index, pool.hashes[1:], 0, max_epsilon=0.1)
    draw = PoolDraw(index, pool.hashes, 0, max_epsilon=0.001)
    theta = sample_parameters(1, 3, 2, seed=0)
    large = Parameters(theta.alpha, theta.lam, theta.omega, theta.eta, theta.epsilon + 0.5)[0]
    with pytest.raises(ValueError, match=r"epsilon is 0\.5\d+, above the 0\.001 of this draw"):
        draw.copies(large)
