import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quadmix_assets.sampling import Parameters, sampling_value
from quadmix_assets.search.constraints import InfeasibleError
from quadmix_assets.search.feasible import feasible_neighbours
from quadmix_assets_tests.search.limits import NAMES, TOKENS, M, constraints, thetas


def brute_tokens(parameters: Parameters) -> np.ndarray:
    """Expected tokens (n, M), by Equation 3 on ranks 0.00005, 0.00015, ..."""
    ranks = np.tile((np.arange(10_000) + 0.5) / 10_000, M)
    domains = np.repeat(np.arange(M), 10_000)
    values = [sampling_value(ranks, domains, *theta[1:]).reshape(M, -1) for theta in parameters]
    return TOKENS * np.array([v.mean(axis=1) for v in values])


def test_without_constraints_nothing_changes() -> None:
    before = thetas()
    after = feasible_neighbours(constraints(), before)
    np.testing.assert_array_equal(after.as_features(scaled=True), before.as_features(scaled=True))


@pytest.mark.parametrize("budget", [3e5, 1.5e6, 4e6])
@pytest.mark.parametrize("scale_max", [1.0, 4.0])
def test_budget_is_met_and_preferences_are_kept(budget: float, scale_max: float) -> None:
    limits = constraints(budget=budget, scale_max=scale_max)
    before = thetas(scale_max=scale_max)
    after = feasible_neighbours(limits, before)
    tokens = brute_tokens(after)
    np.testing.assert_allclose(tokens.sum(axis=1), budget, rtol=5e-3)
    np.testing.assert_allclose(limits.tokens(after), tokens, rtol=5e-3, atol=TOKENS.max() * 2e-4)
    np.testing.assert_array_equal(after.alpha, before.alpha)
    assert (after.omega <= 0.5).all()
    # Where no domain is at its limit, all are scaled alike.
    free = (after.omega < 0.5)[:, :4].all(axis=1) & (after.epsilon == before.epsilon).all(axis=1)
    ratio = limits.tokens(after)[free, :4] / limits.tokens(before)[free, :4]
    np.testing.assert_allclose(ratio, ratio[:, :1].repeat(4, axis=1), rtol=1e-6)


shares = st.dictionaries(st.sampled_from(NAMES[:4]), st.floats(0.01, 0.6), max_size=3)


@settings(max_examples=80, deadline=None)
@given(
    st.none() | st.floats(1e4, 4e6),
    st.none() | st.floats(1.0, 3.0),
    st.dictionaries(st.sampled_from(NAMES[:4]), st.floats(0.05, 1.5), max_size=3),
    shares,
    shares,
    st.lists(st.sampled_from(NAMES), max_size=2),
    st.booleans(),
    st.integers(0, 1000),
)
def test_whatever_is_feasible_is_satisfied(
    budget: float | None,
    max_copies: float | None,
    max_epochs: dict[str, float],
    min_share: dict[str, float],
    max_share: dict[str, float],
    off: list[str],
    scaled: bool,
    seed: int,
) -> None:
    max_share = {name: max(share, min_share.get(name, 0)) for name, share in max_share.items()}
    before = thetas(6, seed, scale_max=4.0 if scaled else 1.0)
    try:
        limits = constraints(
            budget=budget,
            max_copies=max_copies,
            max_epochs=dict(max_epochs),
            min_share={name: share for name, share in min_share.items() if name not in off},
            max_share=dict(max_share),
            off=off,
            scale_max=4.0 if scaled else 1.0,
        )
        after = feasible_neighbours(limits, before)
    except InfeasibleError:
        assume(False)
    tokens = limits.tokens(after)
    total = tokens.sum(axis=1, keepdims=True)
    assert (total > 0).all()
    if budget is not None:
        np.testing.assert_allclose(total, budget, rtol=1e-5)
    share = tokens / total
    assert (share >= limits.min_share - 1e-5).all()
    assert (share <= limits.max_share + 1e-5).all()
    assert (tokens <= limits.max_epochs * np.maximum(TOKENS, 1) * (1 + 1e-6)).all()
    assert (tokens[:, limits.domains_off] == 0).all()
    assert (after.omega <= 0.5 + 1e-12).all()
    if max_copies is not None:
        scale = after.scale
        largest = np.where(after.omega > 0, scale * 2**after.eta, 0) + after.epsilon
        assert (largest <= max_copies * (1 + 1e-12)).all()
    again = feasible_neighbours(limits, after)
    np.testing.assert_allclose(
        again.as_features(scaled=True), after.as_features(scaled=True), rtol=1e-4, atol=1e-6
    )


def test_criteria_that_are_off_get_no_weight() -> None:
    before = thetas()
    after = feasible_neighbours(constraints(criteria_off=np.array([False, True, False])), before)
    assert (after.alpha[:, :, 1] == 0).all()
    np.testing.assert_allclose(after.alpha.sum(axis=2), 1.0)
    kept = before.alpha[:, :, [0, 2]]
    np.testing.assert_allclose(
        after.alpha[:, :, [0, 2]], kept / kept.sum(axis=2, keepdims=True), rtol=1e-12
    )
    only = Parameters(np.tile([0.0, 1.0, 0.0], (1, M, 1)), *(np.ones((1, M)) * 0.1,) * 4)
    spread = feasible_neighbours(constraints(criteria_off=np.array([False, True, False])), only)
    np.testing.assert_array_equal(spread.alpha[0, 0], [0.5, 0.0, 0.5])


def test_a_theta_that_takes_too_little_is_moved_towards_taking_more() -> None:
    """The budget needs S of nearly 2 everywhere; the thetas drawn have less."""
    most = 0.5 * 2 * TOKENS.sum()
    after = feasible_neighbours(constraints(budget=0.97 * most), thetas())
    np.testing.assert_allclose(brute_tokens(after).sum(axis=1), 0.97 * most, rtol=2e-3)
