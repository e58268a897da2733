from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quadmix_assets.sampling import merge_scores, sample_parameters


@settings(max_examples=50, deadline=None)
@given(
    n_documents=st.integers(0, 40),
    n_criteria=st.integers(1, 12),
    n_domains=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_is_the_weighted_sum_of_equation_1(
    n_documents: int, n_criteria: int, n_domains: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    sigma = rng.normal(size=(n_documents, n_criteria))
    domains = rng.integers(0, n_domains, n_documents)
    alpha = sample_parameters(1, n_criteria, n_domains, seed=seed)[0].alpha
    merged = merge_scores(sigma, domains, alpha)
    expected = [
        sum(float(sigma[d, n]) * float(alpha[domains[d], n]) for n in range(n_criteria))
        for d in range(n_documents)
    ]
    np.testing.assert_allclose(merged, np.array(expected), rtol=1e-13, atol=1e-15)
    half = n_documents // 2
    split = [merge_scores(sigma[p], domains[p], alpha) for p in (slice(half), slice(half, None))]
    np.testing.assert_array_equal(np.concatenate(split), merged)


def test_equal_scores_stay_equal_wherever_they_stand() -> None:
    rng = np.random.default_rng(0)
    sigma = np.tile(rng.random(7), (1_003, 1))
    alpha = sample_parameters(1, 7, 1, seed=0)[0].alpha
    for layout in (sigma, np.asfortranarray(sigma), sigma[::2]):
        assert len(np.unique(merge_scores(layout, np.zeros(len(layout), int), alpha))) == 1


def test_a_tiny_deviation_of_the_sum_is_taken() -> None:
    assert merge_scores([[1.0, 1.0]], [0], [[0.5, 0.5 + 5e-7]])[0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("sigma", "domains", "alpha", "message"),
    [
        ([[0.1, np.nan]], [0], [[0.5, 0.5]], r"sigma_scores\[0, 1\] is nan; expected a finite"),
        ([[0.1, 1], [-np.inf, 1]], [0, 0], [[0.5, 0.5]], r"sigma_scores\[1, 0\] is -inf"),
        ([[0.1, 0.2]], [0], [[1.5, -0.5]], r"alpha\[0, 1\] is -0.5; expected at least 0"),
        ([[0.1, 0.2]], [0], [[0.5, 0.5], [0.5, 0.6]], r"sum of alpha\[1\] is 1.1; expected 1"),
        ([[0.1, 0.2]], [0], [[0.5, 0.499998]], r"sum of alpha\[0\] is 0.99999.*; expected 1"),
        ([[0.1, 0.2]], [0], [[0.5, np.nan]], r"alpha\[0, 1\] is nan"),
        ([[0.1, 0.2]], [1], [[0.5, 0.5]], r"domains\[0\] is 1; .* 0 to 0 \(1 domains\)"),
        ([[0.1, 0.2]], [-1], [[0.5, 0.5]], r"domains\[0\] is -1; expected an index from 0"),
        ([[0.1, 0.2, 0.3]], [0], [[0.5, 0.5]], r"sigma_scores has shape \(1, 3\).*\(any, 2\)"),
        ([[0.1, 0.2]], [0, 0], [[0.5, 0.5]], r"domains has shape \(2,\); expected \(1\)"),
        ([[0.1, 0.2]], [0], [0.5, 0.5], r"alpha has shape \(2,\); expected \(any, any\)"),
    ],
)
def test_wrong_input_is_named(sigma: Any, domains: Any, alpha: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        merge_scores(sigma, domains, alpha)


def test_domains_must_be_integers() -> None:
    with pytest.raises(TypeError, match="domains has dtype float64"):
        merge_scores([[0.1]], [0.0], [[1.0]])


def test_the_count_of_wrong_values_is_told() -> None:
    with pytest.raises(ValueError, match=r"sigma_scores\[1, 0\] is nan \(2 more like it\)"):
        merge_scores([[0.0], [np.nan], [np.nan], [np.inf]], [0, 0, 0, 0], [[1.0]])
