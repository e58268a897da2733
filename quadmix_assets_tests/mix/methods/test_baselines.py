"""random, proportional and unimax: what is taken of domains, and that draws alone decide."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.mix.documents import Documents
from quadmix_assets.mix.methods.random_documents import RandomRule
from quadmix_assets.mix.methods.unimax import unimax_budgets
from quadmix_assets.mix.rule import StoredRule
from quadmix_assets.sampling import uniform_of_ids
from quadmix_assets_tests.mix.methods.pools import (
    SEED,
    pool_of,
    random_pool,
    small_pools,
    tokens_of,
)

with_tokens = small_pools.filter(lambda pool: pool.n_tokens.any())


@given(with_tokens, st.integers(1, 2000))
def test_random_takes_documents_in_the_order_of_their_draws(pool: Documents, tokens: int) -> None:
    copies, total = [0] * len(pool), 0
    order = np.argsort(uniform_of_ids(pool.id_hashes, SEED)).tolist()
    is_full = False
    while not is_full:
        for d in order:
            if total + pool.n_tokens[d] > tokens:
                is_full = True
                break
            total += int(pool.n_tokens[d])
            copies[d] += 1
    rule = RandomRule.fit(pool, tokens=tokens, seed=SEED)
    full = pool.n_tokens > 0
    np.testing.assert_array_equal(rule.decide(pool).copies[full], np.array(copies)[full])
    back = RandomRule.restored(StoredRule(json.loads(json.dumps(rule.stored().values))))
    np.testing.assert_array_equal(back.decide(pool).copies, rule.decide(pool).copies)


def test_random_does_not_look_at_domains() -> None:
    pool = random_pool(2_000)
    other = pool_of(pool.n_tokens, (pool.domains + 1) % 4)
    first, second = (RandomRule.fit(p, tokens=50_000, seed=SEED) for p in (pool, other))
    np.testing.assert_array_equal(first.decide(pool).copies, second.decide(other).copies)
    assert "domain" not in first.why(pool.where(np.array([0]))).because


def test_another_seed_is_another_sample() -> None:
    pool = random_pool(2_000)
    taken = [
        set(np.flatnonzero(RandomRule.fit(pool, tokens=50_000, seed=s).decide(pool).copies))
        for s in (1, 2)
    ]
    assert 0 < len(taken[0] & taken[1]) < len(taken[0])


def water_level(n_tokens: np.ndarray, tokens: int, epochs: float) -> np.ndarray:
    """Equal budgets up to each domain's limit: the level is bisected, not filled up in order."""
    low, high = 0.0, epochs * float(n_tokens.max())
    for _ in range(200):
        level = (low + high) / 2
        if np.minimum(epochs * n_tokens, level).sum() < tokens:
            low = level
        else:
            high = level
    return np.minimum(epochs * n_tokens, high)


@given(
    st.lists(st.integers(0, 500), min_size=1, max_size=8).filter(any),
    st.integers(1, 100),
    st.sampled_from([1.0, 1.5, 4.0]),
)
def test_unimax_fills_domains_to_one_level(sizes: list[int], percent: int, epochs: float) -> None:
    n_tokens = np.array(sizes)
    tokens = int(epochs * n_tokens.sum() * percent / 100)
    budgets = unimax_budgets(n_tokens, tokens, epochs)
    assert budgets.sum() == pytest.approx(tokens)
    np.testing.assert_allclose(budgets, water_level(n_tokens, tokens, epochs), atol=1e-6)


def test_unimax_says_what_its_epochs_give() -> None:
    with pytest.raises(ValueError, match=r"2 epochs of all domains are 60: lower `tokens`, or"):
        unimax_budgets(np.array([10, 20]), 61, 2.0)


def test_multiple_epochs_of_random_documents() -> None:
    pool = random_pool(500)
    tokens = int(2.5 * pool.n_tokens.sum())
    rule = RandomRule.fit(pool, tokens=tokens, seed=SEED)
    assert set(rule.decide(pool).copies) == {2, 3}
    assert tokens - pool.n_tokens.max() < tokens_of(rule, pool) <= tokens
