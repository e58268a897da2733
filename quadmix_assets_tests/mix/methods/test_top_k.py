"""top_k, criteria_mix and dsir against loops over sorted documents."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.mix.documents import Documents
from quadmix_assets.mix.methods.criteria_mix import CriteriaMixRule
from quadmix_assets.mix.methods.dsir import DsirRule, gumbel
from quadmix_assets.mix.methods.top_k import TopKRule
from quadmix_assets.mix.rule import Rule, StoredRule
from quadmix_assets.sampling import draw_bits
from quadmix_assets_tests.mix.methods.pools import (
    SEED,
    pool_of,
    random_pool,
    small_pools,
    tokens_of,
)

CRITERIA = ("fine", "coarse")


def taken_by(rule: Rule, pool: Documents) -> set[int]:
    copies = rule.decide(pool).copies
    assert copies.max(initial=0) <= 1
    return set(np.flatnonzero(copies).tolist())


def best(pool: Documents, name: str) -> list[int]:
    """Documents from the best on, equal ones by their draws."""
    bits = draw_bits(pool.id_hashes, SEED)
    return sorted(range(len(pool)), key=lambda d: (-pool.score(name)[d], bits[d]))


@given(small_pools, st.integers(0, 100))
def test_top_k_takes_the_best_until_the_next_is_too_much(pool: Documents, percent: int) -> None:
    tokens = int(pool.n_tokens.sum()) * percent // 100
    expected, total = set(), 0
    for d in best(pool, "coarse"):
        total += int(pool.n_tokens[d])
        if total > tokens:
            break
        expected.add(d)
    assert taken_by(TopKRule.fit(pool, "coarse", tokens=tokens, seed=SEED), pool) == expected


def union(pool: Documents, k: int) -> set[int]:
    """Documents within the first k tokens by any criterion."""
    found = set()
    for name in CRITERIA:
        used = 0
        for d in best(pool, name):
            used += int(pool.n_tokens[d])
            if used > k:
                break
            found.add(d)
    return found


@given(small_pools, st.integers(0, 100))
def test_criteria_mix_is_the_largest_union_that_the_tokens_allow(
    pool: Documents, percent: int
) -> None:
    n_all = int(pool.n_tokens.sum())
    tokens = n_all * percent // 100

    def size(documents: set[int]) -> int:
        return sum(int(pool.n_tokens[d]) for d in documents)

    k = max(k for k in range(n_all + 1) if size(union(pool, k)) <= tokens)
    taken = taken_by(CriteriaMixRule.fit(pool, CRITERIA, tokens=tokens, seed=SEED), pool)
    assert union(pool, k) <= taken
    assert size(taken) <= tokens
    if k == n_all:
        assert len(taken) == len(pool)
    else:
        # At the next k several documents enter at once; one of them is the next in the order.
        assert taken <= union(pool, k + 1)
        waiting = union(pool, k + 1) - taken
        assert any(size(taken | {d}) > tokens for d in waiting)


@given(small_pools, st.integers(0, 100))
def test_dsir_takes_the_largest_sums_of_weight_and_gumbel_number(
    pool: Documents, percent: int
) -> None:
    bits = [int(b) for b in draw_bits(pool.id_hashes, SEED)]
    noise = [-math.log(-math.log(((b >> 12) + 0.5) / 2**52)) for b in bits]
    np.testing.assert_allclose(gumbel(draw_bits(pool.id_hashes, SEED)), noise, rtol=1e-9)
    tokens = int(pool.n_tokens.sum()) * percent // 100
    expected, total = set(), 0
    for d in sorted(range(len(pool)), key=lambda d: -(pool.score("fine")[d] + noise[d])):
        total += int(pool.n_tokens[d])
        if total > tokens:
            break
        expected.add(d)
    assert taken_by(DsirRule.fit(pool, "fine", tokens=tokens, seed=SEED), pool) == expected


def test_gumbel_numbers_have_their_distribution() -> None:
    found = gumbel(draw_bits([str(i) for i in range(100_000)], SEED))
    assert found.mean() == pytest.approx(np.euler_gamma, abs=0.02)
    assert found.var() == pytest.approx(math.pi**2 / 6, rel=0.03)
    ends = np.array([0, 2**64 - 1], dtype=np.uint64)
    assert np.isfinite(gumbel(ends)).all()


def test_dsir_resamples_by_weight() -> None:
    """Of documents with equal tokens, those with e times the weight are taken about e times as
    often while few are taken.
    """
    pool = pool_of([1] * 40_000, [0] * 40_000, {"fine": np.repeat([0.0, 1.0], 20_000)})
    rule = DsirRule.fit(pool, "fine", tokens=800, seed=SEED)
    made = rule.decide(pool)
    low, high = made.copies[:20_000].sum(), made.copies[20_000:].sum()
    assert high / low == pytest.approx(math.e, rel=0.2)
    assert made.sampling_value.sum() == pytest.approx(800, rel=0.1)


RULES = {
    "top_k": lambda pool, tokens: TopKRule.fit(pool, "coarse", tokens=tokens, seed=SEED),
    "criteria_mix": lambda p, tokens: CriteriaMixRule.fit(p, CRITERIA, tokens=tokens, seed=SEED),
    "dsir": lambda pool, tokens: DsirRule.fit(pool, "fine", tokens=tokens, seed=SEED),
}


@pytest.mark.parametrize("method", RULES)
def test_order_and_shards_change_nothing(method: str) -> None:
    pool = random_pool()
    tokens = int(0.3 * pool.n_tokens.sum())
    rule = RULES[method](pool, tokens)
    assert tokens - pool.n_tokens.max() < tokens_of(rule, pool) <= tokens
    order = np.random.default_rng(1).permutation(len(pool))
    assert RULES[method](pool.where(order), tokens).stored().values == rule.stored().values
    copies = rule.decide(pool).copies
    for part in (np.arange(700), np.arange(700, len(pool))):
        np.testing.assert_array_equal(rule.decide(pool.where(part)).copies, copies[part])
    back = type(rule).restored(StoredRule(json.loads(json.dumps(rule.stored().values))))
    np.testing.assert_array_equal(back.decide(pool).copies, copies)


@pytest.mark.parametrize("method", RULES)
def test_more_tokens_than_there_are_is_refused(method: str) -> None:
    with pytest.raises(ValueError, match=r"takes each once at most: lower `tokens`"):
        RULES[method](random_pool(50), 10**9)


@pytest.mark.parametrize("method", RULES)
def test_why_says_what_was_missed(method: str) -> None:
    pool = random_pool(300)
    rule = RULES[method](pool, int(0.3 * pool.n_tokens.sum()))
    copies = rule.decide(pool).copies
    for d in range(100):
        why = rule.why(pool.where(np.array([d])))
        assert why.because
        assert why.would_flip
        for flip in why.would_flip:
            assert ("below" in flip) == bool(copies[d]), flip


@pytest.mark.parametrize("method", RULES)
def test_no_tokens_take_nothing(method: str) -> None:
    pool = pool_of([5, 6], [0, 1], {"fine": [1.0, 2.0], "coarse": [2.0, 1.0]})
    rule = RULES[method](pool, 4)
    assert not rule.decide(pool).copies.any()
    assert rule.why(pool.where(np.array([0]))).because
