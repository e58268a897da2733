import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.features.scored_documents import ScoredDocuments
from quadmix_assets.mix.documents import Documents, Pool
from quadmix_assets.mix.methods import theta_rule
from quadmix_assets.mix.methods.theta_rule import ThetaRule
from quadmix_assets.mix.rule import StoredRule
from quadmix_assets.sampling import Theta, sample_parameters, uniform_of_ids
from quadmix_assets_tests.mix.methods.pools import (
    SEED,
    InPieces,
    random_pool,
    small_pools,
    tokens_of,
)

CRITERIA = ("fine", "coarse")
THETA = sample_parameters(1, 2, 4, seed=3, omega_max=0.5)[0]
# Flat: whole ties are taken at one omega.
FLAT = THETA._replace(eta=np.zeros(4), epsilon=np.zeros(4), alpha=np.tile([0.0, 1.0], (4, 1)))


def fitted(pool: Pool, tokens: int | None, theta: Theta = THETA) -> ThetaRule:
    return ThetaRule.fit(
        pool, theta, criteria=CRITERIA, tokens=tokens, seed=SEED, max_breakpoints=10_000
    )


def plain_copies(pool: Documents, theta: Theta, factor: float) -> list[int]:
    """Equations 1 to 3 and the draw, one document at a time."""
    sigma = [
        [
            sum(int(t) for s, t in zip(column, pool.n_tokens, strict=True) if s >= mine)
            / int(pool.n_tokens.sum())
            for mine in column
        ]
        for column in (pool.score(name) for name in CRITERIA)
    ]
    merged = [
        sum(float(theta.alpha[m, n]) * sigma[n][d] for n in range(2))
        for d, m in enumerate(pool.domains)
    ]
    draws = uniform_of_ids(pool.id_hashes, SEED)
    copies = []
    for d, m in enumerate(pool.domains):
        mine = [e for e in range(len(pool)) if pool.domains[e] == m]
        n_all = sum(int(pool.n_tokens[e]) for e in mine)
        n_better = sum(int(pool.n_tokens[e]) for e in mine if merged[e] <= merged[d])
        rank = n_better / n_all if n_all else 1.0
        omega = min(float(theta.omega[m]) * factor, 1.0)
        value = float(theta.epsilon[m])
        if rank <= omega:
            power = 1 + math.exp(-float(theta.lam[m]) * (omega - rank))
            value += (2 / power) ** float(theta.eta[m])
        copies.append(math.floor(value) + (draws[d] < value - math.floor(value)))
    return copies


@given(small_pools.filter(lambda pool: pool.n_tokens.any()), st.integers(0, 99), st.booleans())
def test_the_tokens_are_met_to_a_document(pool: Documents, percent: int, is_flat: bool) -> None:
    """At the found factors the plain formulas take no more than the tokens, and then too many."""
    theta = FLAT if is_flat else THETA
    most = np.array(plain_copies(pool, theta, 1e9))
    least = np.array(plain_copies(pool, theta, 0.0))
    reach = int(least @ pool.n_tokens), int(most @ pool.n_tokens)
    tokens = reach[0] + percent * (reach[1] - reach[0]) // 100
    if tokens == 0:
        return
    rule = fitted(pool, tokens, theta)
    copies = rule.decide(pool).copies
    taken = int(copies @ pool.n_tokens)
    assert taken <= tokens
    assert rule.scale is not None
    low = np.array(plain_copies(pool, theta, rule.scale.low * (1 - 1e-9)))
    high = np.array(plain_copies(pool, theta, rule.scale.high * (1 + 1e-9)))
    assert (low <= copies).all()
    assert (copies <= high).all()
    # The next of the undecided, by the order of draws, is one too many.
    waiting = np.flatnonzero((copies < high) & (pool.n_tokens > 0)).tolist()
    draws = uniform_of_ids(pool.id_hashes, SEED)
    if waiting:
        following = min(waiting, key=lambda d: draws[d])
        assert taken + (high - copies)[following] * pool.n_tokens[following] > tokens
    else:
        assert taken == tokens == reach[1]


def test_without_tokens_it_is_the_plain_method() -> None:
    pool = random_pool(60)
    assert fitted(pool, None).decide(pool).copies.tolist() == plain_copies(pool, THETA, 1.0)


@pytest.mark.parametrize("theta", [THETA, FLAT])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_order_and_shards_change_nothing(theta: Theta, share: float) -> None:
    pool = random_pool()
    tokens = int(share * pool.n_tokens.sum())
    rule = fitted(pool, tokens, theta)
    taken = tokens_of(rule, pool)
    assert tokens - pool.n_tokens.max() < taken <= tokens
    order = np.random.default_rng(1).permutation(len(pool))
    again = fitted(pool.where(order), tokens, theta)
    assert again.stored().values == rule.stored().values
    copies = rule.decide(pool).copies
    for part in (np.arange(700), np.arange(700, len(pool))):
        np.testing.assert_array_equal(rule.decide(pool.where(part)).copies, copies[part])
    values: dict[str, Any] = json.loads(json.dumps(rule.stored().values))
    back = ThetaRule.restored(StoredRule(values, rule.stored().tables))
    np.testing.assert_array_equal(back.decide(pool).copies, copies)


@pytest.mark.parametrize("theta", [THETA, FLAT])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_a_pool_in_pieces_gives_the_same_rule(
    theta: Theta, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The factor is first guessed, so that few documents are held; the guess changes nothing."""
    pool = random_pool()
    tokens = int(share * pool.n_tokens.sum())
    rule = fitted(pool, tokens, theta)
    monkeypatch.setattr(theta_rule, "_HELD_AT_ONCE", 0)
    pieces = InPieces(pool, [0, 700, 701, 2_000])
    again = fitted(pieces, tokens, theta)
    assert again.stored().values == rule.stored().values
    table = rule.stored().tables["calibration"]
    assert again.stored().tables["calibration"].equals(table)
    if theta is THETA:
        assert pieces.n_read == 2, "once for the ranks and once for the tokens"


def test_only_omega_moves_and_by_one_factor() -> None:
    pool = random_pool()
    theta = fitted(pool, int(0.2 * pool.n_tokens.sum())).theta
    for name in ("alpha", "lam", "eta", "epsilon"):
        np.testing.assert_array_equal(getattr(theta, name), getattr(THETA, name))
    factors = (theta.omega / THETA.omega)[theta.omega < 1]
    np.testing.assert_allclose(factors, factors[:1].repeat(len(factors)))


def test_tokens_out_of_reach_are_told() -> None:
    pool = random_pool()
    with pytest.raises(ValueError, match=r"theta takes at most [\d,]+ tokens of the pool"):
        fitted(pool, 3 * int(pool.n_tokens.sum()))
    always = THETA._replace(epsilon=np.ones(4))
    with pytest.raises(ValueError, match=r"epsilon alone takes [\d,]+ tokens of the pool"):
        fitted(pool, 100, always)


def with_score(document: Documents, name: str, score: float) -> Documents:
    scored = document.scored
    scores = scored.scores.copy()
    scores[:, document.score_names.index(name)] = score
    changed = ScoredDocuments(scored.ids, scored.n_tokens, scored.domains, scores)
    return Documents(
        changed, document.score_names, document.domain_names, dict(document.normalizers)
    )


@pytest.mark.parametrize("theta", [THETA, FLAT])
def test_what_would_flip_a_document_flips_it(theta: Theta) -> None:
    pool = random_pool(600)
    rule = fitted(pool, int(0.3 * pool.n_tokens.sum()), theta)
    copies = rule.decide(pool).copies
    n_tried = 0
    for d in range(len(pool)):
        document = pool.where(np.array([d]))
        why = rule.why(document)
        if copies[d]:
            assert "taken" in why.because or "was below" in why.because or "early" in why.because
        for name in CRITERIA:
            key = f"needed {name}"
            if key in why.numbers and not copies[d]:
                changed = with_score(document, name, float(why.numbers[key]))
                assert rule.decide(changed).copies[0] > 0
                n_tried += 1
            elif key in why.numbers:
                changed = with_score(document, name, float(why.numbers[key]) - 100.0)
                assert rule.decide(changed).copies[0] == 0
                n_tried += 1
    assert n_tried > 100


def test_the_sentence_says_rank_omega_and_draw() -> None:
    pool = random_pool(600)
    rule = fitted(pool, None)
    made = rule.decide(pool)
    assert made.rank is not None
    draws = uniform_of_ids(pool.id_hashes, SEED)
    for d in range(200):
        why = rule.why(pool.where(np.array([d])))
        omega = THETA.omega[pool.domains[d]]
        assert why.numbers["omega"] == omega
        assert f"is {'within' if made.rank[d] <= omega else 'beyond'} omega" in why.because
        is_below = draws[d] < made.sampling_value[d] % 1
        assert f"was {'below' if is_below else 'above'}" in why.because
        assert why.curve is not None
        assert why.curve.place == made.rank[d]
