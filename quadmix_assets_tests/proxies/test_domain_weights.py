"""Weights of domains as RegMix draws them, and the samples that have these weights."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.proxies.domain_weights import draw_weights, theta_of_weights, within_epochs
from quadmix_assets.sampling import PoolDraw, PoolIndex, draw_copies
from quadmix_assets.settings.domain_weights import DomainWeightsSettings

TOKENS = np.array([6e6, 3e6, 0.0, 1e6])
OPTIONS = DomainWeightsSettings()


def draw(n: int, size: float = 1e6, seed: int = 3, **options: Any) -> np.ndarray:
    return draw_weights(n, TOKENS, DomainWeightsSettings(**options), size=size, seed=seed)


def test_weights_sum_to_one_and_respect_what_domains_have() -> None:
    weights = draw(500, size=8e6, max_epochs=1.5)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert (weights >= 0).all()
    assert (weights[:, 2] == 0).all(), "a domain without tokens"
    assert (weights * 8e6 <= 1.5 * TOKENS * (1 + 1e-9)).all()
    # A weight below RegMix's least one is left out.
    assert not ((weights > 0) & (weights < 1e-4)).any()


def test_fewer_weightings_are_the_first_of_more() -> None:
    np.testing.assert_array_equal(draw(20), draw(300)[:20])
    assert not np.array_equal(draw(20), draw(20, seed=4))


def test_their_mean_is_the_prior_of_regmix() -> None:
    # The mean of a Dirichlet distribution is its normalized concentration, whatever its strength.
    prior = np.sqrt(TOKENS / TOKENS.sum())
    drawn = draw(30_000, max_epochs=1e9)
    np.testing.assert_allclose(drawn.mean(axis=0), prior / prior.sum(), atol=0.01)


def test_small_strengths_put_nearly_all_weight_on_one_domain() -> None:
    drawn = draw(3_000, max_epochs=1e9).max(axis=1).reshape(-1, 15)
    by_strength = drawn.mean(axis=0)
    assert by_strength[0] > 0.9
    assert by_strength[-1] < 0.75
    assert np.corrcoef(np.arange(15), by_strength)[0, 1] < -0.9


def poured(weights: list[float], most: list[float]) -> list[float]:
    """Fill domains up in small steps, in the ratio of their weights, until they hold 1."""
    ratios = [w / sum(weights) for w in weights]
    found = [0.0] * len(weights)
    left, step = 1.0, 1e-4
    while left > 1e-9:
        free = [m for m, limit in enumerate(most) if found[m] < limit - 1e-12 and ratios[m] > 0]
        by = {m: ratios[m] for m in free}
        if not free:
            by = {m: limit for m, limit in enumerate(most) if found[m] < limit - 1e-12}
        total = sum(by.values())
        poured_now = min(step, left)
        for m, ratio in by.items():
            found[m] += min(poured_now * ratio / total, most[m] - found[m])
        left = 1.0 - sum(found)
    return found


@given(
    weights=st.lists(st.floats(0.05, 1.0), min_size=4, max_size=4),
    limits=st.lists(st.floats(0.1, 1.0), min_size=4, max_size=4),
    off=st.sampled_from([None, 0, 2]),
)
def test_what_a_domain_cannot_give_goes_to_the_others(
    weights: list[float], limits: list[float], off: int | None
) -> None:
    if off is not None:
        weights = [0.0 if m == off else w for m, w in enumerate(weights)]
    scale = max(1.0, 1.05 / sum(limits))
    most = [limit * scale for limit in limits]
    found = within_epochs(np.array([weights]), np.array(most))[0]
    np.testing.assert_allclose(found, poured(weights, most), atol=2e-3)
    assert found.sum() == pytest.approx(1.0)
    assert (found <= np.array(most) + 1e-12).all()


def test_limits_that_no_weights_can_meet_are_refused() -> None:
    with pytest.raises(ValueError, match=r"may have 60\.0% of the tokens.*max_epochs"):
        within_epochs(np.array([[0.5, 0.5]]), np.array([0.4, 0.2]))
    with pytest.raises(ValueError, match="no domain of the pool has tokens"):
        draw_weights(3, np.zeros(2), OPTIONS, size=1.0, seed=0)


def test_a_sample_has_the_weights_and_ignores_scores() -> None:
    rng = np.random.default_rng(0)
    n, size = 20_000, 3_000_000.0
    domains, lengths = rng.choice(4, n, p=[0.6, 0.3, 0.05, 0.05]), rng.integers(50, 300, n)
    tokens = np.bincount(domains, weights=lengths, minlength=4).astype(np.float64)
    weights = np.array([0.2, 0.5, 0.0, 0.3])
    theta = theta_of_weights(weights, tokens, size=size, n_criteria=2)
    assert theta.epsilon[3] > 1, "a small domain is repeated"
    ids = np.arange(n, dtype=np.uint64)
    index = PoolIndex.build(rng.random((n, 2)), domains, lengths, 4)
    taken = PoolDraw(index, ids, 7, max_epsilon=float(theta.epsilon.max())).copies(theta)
    copies = np.zeros(n, np.int64)
    copies[taken.documents] = taken.copies
    np.testing.assert_array_equal(copies, draw_copies(theta.epsilon[domains], ids, 7))
    shares = np.bincount(domains, weights=copies * lengths, minlength=4)
    np.testing.assert_allclose(shares / size, weights, atol=0.01)
