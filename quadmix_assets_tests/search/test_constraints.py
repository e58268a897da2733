from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from quadmix_assets.search.constraints import Constraints, InfeasibleError
from quadmix_assets.search.feasible import feasible_neighbours
from quadmix_assets_tests.search.limits import NAMES, TOKENS, M, N, constraints, thetas


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
            r"the pool has 50,000 of its tokens, and omega_max 0\.5 \(S is 2 at most\) limits the "
            r"mix to 50,000: lower min_share",
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
@settings(max_examples=300, deadline=None)
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
