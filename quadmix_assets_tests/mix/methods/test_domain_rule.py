import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quadmix_assets.mix.documents import Documents
from quadmix_assets.mix.methods.domain_rule import DomainRule
from quadmix_assets.mix.rule import StoredRule
from quadmix_assets.sampling import uniform_of_ids
from quadmix_assets_tests.mix.methods.pools import (
    SEED,
    pool_of,
    random_pool,
    small_pools,
    tokens_of,
)

weights_of_four = st.lists(st.integers(0, 5), min_size=4, max_size=4).map(
    lambda numbers: np.array(numbers, dtype=np.float64)
)


def plainly(pool: Documents, weights: np.ndarray, tokens: int) -> list[int]:
    """Copies by a loop over all passes of all domains, one document after the other."""
    draws = uniform_of_ids(pool.id_hashes, SEED)
    rows = range(len(pool))
    has = [sum(int(pool.n_tokens[d]) for d in rows if pool.domains[d] == m) for m in range(4)]
    given_to = [float(w) if n else 0.0 for w, n in zip(weights, has, strict=True)]
    budgets = [tokens * (w / sum(given_to)) for w in given_to]
    events = []
    for m in range(4):
        if not budgets[m]:
            continue
        mine = sorted((d for d in rows if pool.domains[d] == m), key=lambda d: draws[d])
        used = 0
        for round_ in range(int(tokens // has[m]) + 2):
            for place, d in enumerate(mine):
                used += int(pool.n_tokens[d])
                events.append((used / budgets[m], m, round_, place, d))
    copies, total = [0] * len(pool), 0
    for share, *_, d in sorted(events):
        if total + pool.n_tokens[d] > tokens:
            # An order by shares alone could stop before a domain's own budget by rounding.
            assert share > 1 - 1e-12
            break
        total += int(pool.n_tokens[d])
        copies[d] += 1
    return copies


@given(small_pools, weights_of_four, st.integers(1, 3000))
def test_it_takes_what_a_plain_loop_takes(
    pool: Documents, weights: np.ndarray, tokens: int
) -> None:
    has = np.bincount(pool.domains, weights=pool.n_tokens, minlength=4)
    assume((weights * has).sum() > 0)
    rule = DomainRule.fit(pool, weights, tokens=tokens, seed=SEED)
    copies = rule.decide(pool).copies.tolist()
    full = pool.n_tokens > 0
    expected = np.array(plainly(pool, weights, tokens))
    np.testing.assert_array_equal(np.array(copies)[full], expected[full])
    assert tokens_of(rule, pool) <= tokens


def test_every_domain_gets_its_share_to_a_document() -> None:
    pool = random_pool()
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    tokens = int(pool.n_tokens.sum() * 1.5)
    copies = DomainRule.fit(pool, weights, tokens=tokens, seed=SEED).decide(pool).copies
    taken = np.bincount(pool.domains, weights=copies * pool.n_tokens, minlength=4)
    assert np.abs(taken - tokens * weights).max() <= pool.n_tokens.max()
    assert tokens - taken.sum() < pool.n_tokens.max()
    # Within a domain no document has two copies more than another.
    for m in range(4):
        assert np.ptp(copies[pool.domains == m]) <= 1


def test_order_and_shards_change_nothing() -> None:
    pool = random_pool()
    order = np.random.default_rng(1).permutation(len(pool))
    weights = np.array([1.0, 1.0, 2.0, 0.5])
    rule = DomainRule.fit(pool, weights, tokens=200_000, seed=SEED)
    again = DomainRule.fit(pool.where(order), weights, tokens=200_000, seed=SEED)
    assert again.stored().values == rule.stored().values
    copies = rule.decide(pool).copies
    for part in (slice(0, 700), slice(700, None)):
        shard = pool.where(np.arange(len(pool))[part])
        np.testing.assert_array_equal(rule.decide(shard).copies, copies[part])


def test_comes_back_from_json() -> None:
    pool = random_pool()
    rule = DomainRule.fit(pool, np.ones(4), tokens=100_000, seed=SEED)
    again = DomainRule.restored(StoredRule(json.loads(json.dumps(rule.stored().values))))
    np.testing.assert_array_equal(again.decide(pool).copies, rule.decide(pool).copies)


def test_later_shards_are_taken_at_the_rate_of_the_domain() -> None:
    pool = random_pool(30_000)
    rule = DomainRule.fit(pool, np.ones(4), tokens=400_000, seed=SEED)
    taken = 100_000 / np.bincount(pool.domains, weights=pool.n_tokens)
    np.testing.assert_allclose(rule.rates, taken, rtol=0.1)


def test_the_share_of_empty_domains_goes_to_the_others() -> None:
    pool = pool_of([10] * 40, [0, 1] * 20)
    rule = DomainRule.fit(pool, np.array([1.0, 3.0, 4.0, 0.0]), tokens=200, seed=SEED)
    copies = rule.decide(pool).copies
    assert [copies[pool.domains == m].sum() for m in range(2)] == [5, 15]


def test_a_domain_beyond_its_epochs_is_refused_by_name() -> None:
    pool = pool_of([10] * 40, [0, 1] * 20)
    with pytest.raises(ValueError, match=r"take the domain 'domain1' more than 2 times: lower"):
        DomainRule.fit(pool, np.array([1.0, 9.0, 0, 0]), tokens=500, seed=SEED, max_epochs=2.0)
    rule = DomainRule.fit(pool, np.array([1.0, 8, 0, 0]), tokens=450, seed=SEED, max_epochs=2.0)
    assert set(rule.decide(pool).copies[pool.domains == 1]) == {2}


def test_weights_without_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match="none of the domains with a weight has tokens"):
        DomainRule.fit(pool_of([10], [0]), np.array([0.0, 1, 0, 0]), tokens=5, seed=SEED)


def test_why_names_the_draw_and_the_share() -> None:
    pool = random_pool()
    rule = DomainRule.fit(pool, np.array([1.0, 8.0, 1.0, 0.0]), tokens=100_000, seed=SEED)
    draws = uniform_of_ids(pool.id_hashes, SEED)
    copies = rule.decide(pool).copies
    for d in range(50):
        why = rule.why(pool.where(np.array([d])))
        below = draws[d] < why.numbers["threshold"]
        assert why.numbers["draw"] == pytest.approx(draws[d])
        assert copies[d] == rule.whole[pool.domains[d]] + below
        assert f"is {'below' if below else 'not below'} that" in why.because
        assert why.would_flip[0].startswith("a draw of" if below else "a draw below")
