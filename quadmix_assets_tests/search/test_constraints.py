from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from quadmix_assets.sampling import Parameters, sample_parameters, sampling_value
from quadmix_assets.search.constraints import Constraints, InfeasibleError
from quadmix_assets.search.feasible import feasible_neighbours

N, M = 3, 5
TOKENS = np.array([1e6, 4e6, 2e5, 5e4, 0.0])
NAMES = ("law", "news", "food", "art", "unknown")


def constraints(names: tuple[str, ...] = NAMES, n_criteria: int = N, **changes: Any) -> Constraints:
    """Constraints that allow everything, but for the changes; limits of domains go by name."""
    m = len(names)
    values: dict[str, Any] = {
        "domains": names,
        "n_tokens": TOKENS,
        "omega_max": 0.5,
        "scale_max": 1.0,
        "budget": None,
        "max_copies": None,
        "max_epochs": np.full(m, np.inf),
        "min_share": np.zeros(m),
        "max_share": np.ones(m),
        "domains_off": np.zeros(m, bool),
        "criteria_off": np.zeros(n_criteria, bool),
    }
    for name in ("max_epochs", "min_share", "max_share"):
        for domain, value in changes.pop(name, {}).items():
            values[name][names.index(domain)] = value
    for domain in changes.pop("off", ()):
        values["domains_off"][names.index(domain)] = True
    return Constraints(**(values | changes))


def thetas(n: int = 20, seed: int = 0, **options: Any) -> Parameters:
    return sample_parameters(n, N, M, seed=seed, omega_max=0.5, **options)


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"criteria_off": np.ones(N, bool)}, "all criteria are switched off"),
        ({"off": NAMES}, "no domain is left"),
        ({"min_share": {"law": 0.7, "food": 0.4}}, r"min_share of law, food add up to 1\.1"),
        (
            {"max_share": {"law": 0.1, "news": 0.2, "food": 0.1, "art": 0.1}},
            r"max_share of all domains that can be taken add up to 0\.5, less than 1: raise those "
            "of law, news",
        ),
        (
            {"budget": 9e6},
            r"mix_tokens is 9,000,000, but .* can give 5,250,000 tokens at most\. omega_max 0\.5 "
            r"\(S is 2 at most\) binds in 4 domains",
        ),
        (
            {"budget": 4e6, "max_epochs": {"news": 0.5}},
            r"max_epochs 0\.5 binds in 1 domains \(2,000,000 tokens\)",
        ),
        (
            {"budget": 4e6, "max_copies": 1.2},
            r"omega_max 0\.5 with max_copies 1\.2 binds in 4 domains",
        ),
        (
            {"budget": 2e6, "min_share": {"art": 0.2}},
            r"domain art has min_share 0\.2, which is 400,000 of the budget of 2,000,000 tokens; "
            r"it has 50,000, of which omega_max 0\.5 \(S is 2 at most\) allows 50,000",
        ),
        (
            {"budget": 2e6, "max_share": {"news": 0.1, "law": 0.2}},
            r"max_share 0\.2 binds in 1 domains",
        ),
        (
            {"max_epochs": dict.fromkeys(("law", "news", "food"), 0.0), "max_share": {"art": 0.4}},
            r"that can be taken add up to 0\.4, less than 1: raise those of art",
        ),
        ({"min_share": {"unknown": 0.2}}, "unknown has min_share 0.2, but nothing can be taken"),
    ],
)
def test_what_cannot_be_satisfied_names_what_binds(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InfeasibleError, match=message):
        constraints(**changes)


def largest_total(limits: dict[str, Any]) -> float:
    """The most tokens of any mix within limits of its domains, by linear programming.

    Variables are the tokens of each domain and their total, which is maximised.
    """
    most = np.where(limits["domains_off"], 0.0, TOKENS * np.minimum(limits["max_epochs"], 1.0))
    eye, ones = np.eye(M), np.ones(M)
    shares = np.concatenate(
        [
            np.column_stack([eye, -limits["max_share"]]),
            np.column_stack([-eye, limits["min_share"]]),
        ]
    )
    found = linprog(
        c=[*np.zeros(M), -1.0],
        A_ub=shares,
        b_ub=np.zeros(2 * M),
        A_eq=[[*ones, -1.0]],
        b_eq=[0.0],
        bounds=[*((0.0, end) for end in most), (0.0, None)],
    )
    return float(-found.fun)


def _per_domain(values: list[float]) -> st.SearchStrategy[np.ndarray]:
    return st.lists(st.sampled_from(values), min_size=M, max_size=M).map(np.array)


@given(
    _per_domain([0.0, 0.0, 0.5, np.inf]),
    _per_domain([0.0, 0.0, 0.0, 0.3, 0.6]),
    _per_domain([0.0, 0.25, 0.4, 0.6, 1.0]),
    _per_domain([0.0, 0.0, 0.0, 1.0]).map(lambda values: values > 0),
)
@settings(max_examples=300)
def test_limits_that_leave_only_the_empty_mix_are_infeasible(
    max_epochs: np.ndarray, min_share: np.ndarray, max_share: np.ndarray, off: np.ndarray
) -> None:
    """Without a budget, whatever is combined: refused exactly where nothing at all can be taken."""
    limits = {
        "max_epochs": max_epochs,
        "min_share": min_share,
        "max_share": np.maximum(min_share, max_share),
        "domains_off": off,
    }
    if largest_total(limits) < 1e-3:
        with pytest.raises(InfeasibleError):
            Constraints(**(vars(constraints()) | limits))
    else:
        possible = Constraints(**(vars(constraints()) | limits))
        taken = possible.tokens(feasible_neighbours(possible, thetas(3))).sum(axis=1)
        assert (taken > 0).all()
