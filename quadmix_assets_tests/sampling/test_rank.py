from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quadmix_assets.sampling import rank_within_domains

documents = st.lists(
    st.tuples(
        st.one_of(
            st.sampled_from([-0.0, 0.0, 0.25, 0.5]),
            st.floats(allow_nan=False, allow_infinity=False),
        ),
        st.integers(0, 6),
        st.integers(0, 50),
    ),
    max_size=40,
)


def brute_force(merged: Any, domains: Any, tokens: Any) -> np.ndarray:
    """Equation 2, word for word, in exact fractions."""
    ranks = []
    for score, domain in zip(merged, domains, strict=True):
        members = [d for d in range(len(merged)) if domains[d] == domain]
        total = sum(tokens[d] for d in members)
        up_to = sum(tokens[d] for d in members if merged[d] <= score)
        ranks.append(float(Fraction(up_to, total)) if total else 1.0)
    return np.array(ranks, dtype=float)


@settings(max_examples=150, deadline=None)
@given(documents)
def test_is_equation_2(rows: list[tuple[float, int, int]]) -> None:
    merged, domains, tokens = ([row[i] for row in rows] for i in range(3))
    ranks = rank_within_domains(np.array(merged, float), np.array(domains, int), tokens)
    np.testing.assert_array_equal(ranks, brute_force(merged, domains, tokens))


@settings(max_examples=50, deadline=None)
@given(documents, st.randoms(use_true_random=False))
def test_order_changes_no_bit(rows: list[tuple[float, int, int]], random: Random) -> None:
    shuffled = list(range(len(rows)))
    random.shuffle(shuffled)
    merged, domains, tokens = (np.array([row[i] for row in rows]) for i in range(3))
    if not rows:
        return
    ranks = rank_within_domains(merged, domains, tokens)
    again = rank_within_domains(merged[shuffled], domains[shuffled], tokens[shuffled])
    np.testing.assert_array_equal(again, ranks[shuffled])


def test_counts_tokens_and_not_documents() -> None:
    ranks = rank_within_domains([0.1, 0.2, 0.3], [0, 0, 0], [70, 20, 10])
    np.testing.assert_allclose(ranks, [0.7, 0.9, 1.0])


def test_ties_share_the_rank_of_the_whole_group() -> None:
    ranks = rank_within_domains([0.5, 0.1, 0.5, 0.9], [0, 0, 0, 0], [10, 20, 30, 40])
    np.testing.assert_allclose(ranks, [0.6, 0.2, 0.6, 1.0])


def test_domains_do_not_touch_each_other() -> None:
    ranks = rank_within_domains([0.9, 0.1, 0.1, 0.9], [7, 2, 7, 2], [1, 1, 3, 3])
    np.testing.assert_allclose(ranks, [1.0, 0.25, 0.75, 1.0])


def test_a_single_document_has_rank_1() -> None:
    assert rank_within_domains([0.3], [4], [17]).tolist() == [1.0]


def test_no_documents_no_ranks() -> None:
    assert rank_within_domains([], [], []).shape == (0,)


def test_documents_without_tokens() -> None:
    """In a domain of none all ranks are the worst; elsewhere they count for nothing."""
    ranks = rank_within_domains([0.2, 0.1, 0.1, 0.5, 0.7], [0, 0, 1, 1, 1], [0, 0, 0, 5, 5])
    np.testing.assert_array_equal(ranks, [1.0, 1.0, 0.0, 0.5, 1.0])


@pytest.mark.parametrize("n_domains", [1, 3, 300, 70_000])
def test_many_documents_and_domains_against_sorting(n_domains: int) -> None:
    rng = np.random.default_rng(n_domains)
    n = 20_000
    merged = rng.integers(0, 3_000, n) / 3_000
    domains = rng.integers(0, n_domains, n)
    tokens = rng.integers(0, 5_000, n)
    expected = np.empty(n)
    for domain in np.unique(domains):
        members = np.flatnonzero(domains == domain)
        order = members[np.argsort(merged[members], kind="stable")]
        up_to = np.cumsum(tokens[order])
        last = np.searchsorted(merged[order], merged[order], side="right") - 1
        expected[order] = up_to[last] / up_to[-1] if up_to[-1] else 1.0
    np.testing.assert_array_equal(rank_within_domains(merged, domains, tokens), expected)


@pytest.mark.parametrize(
    ("merged", "domains", "tokens", "message"),
    [
        ([0.1, np.nan], [0, 0], [1, 1], r"merged\[1\] is nan"),
        ([0.1, np.inf], [0, 0], [1, 1], r"merged\[1\] is inf"),
        ([0.1, 0.2], [0, 0], [1, -5], r"tokens\[1\] is -5; expected 0 or more tokens"),
        ([0.1, 0.2], [0, 0], [1, 1.5], r"tokens\[1\] is 1.5; expected a whole number"),
        ([0.1, 0.2], [0, 0], [1, np.nan], r"tokens\[1\] is nan; expected a whole number"),
        ([0.1, 0.2], [0, -2], [1, 1], r"domains\[1\] is -2; expected an index from 0"),
        ([0.1, 0.2], [0], [1, 1], r"domains has shape \(1,\); expected \(2\)"),
        ([0.1, 0.2], [0, 0], [1], r"tokens has shape \(1,\); expected \(2\)"),
        ([[0.1, 0.2]], [0], [1], r"merged has shape \(1, 2\); expected \(any\)"),
    ],
)
def test_wrong_input_is_named(merged: Any, domains: Any, tokens: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rank_within_domains(merged, domains, tokens)


def test_tokens_must_be_numbers() -> None:
    with pytest.raises(TypeError, match="tokens has dtype"):
        rank_within_domains([0.1], [0], ["7"])
