"""Numbers of domains, against counting by hand."""

import math
from fractions import Fraction
from pathlib import Path
from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from quadmix_assets.features.report.domains import (
    N_CONFIDENCE_BINS,
    confidence_counts,
    mean_of_sums,
    sigma_sums,
    top_domain_shares,
)
from quadmix_assets.outputs import DOMAIN_LABELS
from quadmix_assets.store import Store

Rows = list[tuple[int, int, int]]

# Few scores, so that ties are common: score, tokens, domain of three.
documents = st.lists(
    st.tuples(st.integers(-3, 3), st.integers(0, 20), st.integers(0, 2)), min_size=1, max_size=30
)


def mean_sigma(sigma: np.ndarray, n_tokens: np.ndarray, domains: np.ndarray) -> np.ndarray:
    """(4,) means of three domains and of the pool, from sums of every document by itself."""
    sums = np.zeros((3, 2), dtype=np.int64)
    for value, n, domain in zip(sigma, n_tokens, domains, strict=True):
        sums += sigma_sums(np.array([value]), np.array([n]), np.array([domain]), 3)
    tokens = np.bincount(domains, n_tokens, 3).astype(np.int64)
    return mean_of_sums(sums, tokens)


def columns(rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores, n_tokens, domains = (np.array(column) for column in zip(*rows, strict=True))
    return scores.astype(float), n_tokens, domains


def shares_by_hand(rows: Rows, top: Fraction) -> list[Fraction]:
    """Take level after level of score until the part is full, the last one in part."""
    wanted = top * sum(tokens for _, tokens, _ in rows)
    left, taken = wanted, [Fraction(0)] * 3
    for level in sorted({score for score, _, _ in rows}, reverse=True):
        here = [sum(t for s, t, d in rows if s == level and d == m) for m in range(3)]
        if sum(here):
            part = min(Fraction(1), left / sum(here))
            taken = [a + part * b for a, b in zip(taken, here, strict=True)]
            left -= part * sum(here)
    return [share / wanted if wanted else share for share in taken]


@given(documents, st.sampled_from([Fraction(1, 10), Fraction(1, 4), Fraction(2, 3), Fraction(1)]))
def test_shares_of_the_top_are_those_counted_by_hand(rows: Rows, top: Fraction) -> None:
    scores, n_tokens, domains = columns(rows)
    found = top_domain_shares(scores, n_tokens, domains, n_domains=3, top=float(top))
    assert found == pytest.approx([float(share) for share in shares_by_hand(rows, top)], abs=1e-9)


@given(documents, st.randoms())
def test_order_of_documents_changes_no_bit(rows: Rows, random: Random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    first, second = columns(rows), columns(shuffled)
    for top in (0.1, 0.25):
        one = top_domain_shares(*first, n_domains=3, top=top)
        np.testing.assert_array_equal(one, top_domain_shares(*second, n_domains=3, top=top))


def test_a_criterion_without_levels_prefers_no_domain() -> None:
    n_tokens, domains = np.array([10, 30, 60]), np.array([0, 1, 1])
    shares = top_domain_shares(np.zeros(3), n_tokens, domains, n_domains=3, top=0.1)
    assert shares.tolist() == pytest.approx([0.1, 0.9, 0.0])


def test_top_of_a_pool_without_tokens() -> None:
    nothing = np.empty(0, dtype=np.int64)
    assert not top_domain_shares(np.empty(0), nothing, nothing, n_domains=2, top=0.1).any()
    zero = np.zeros(2, dtype=np.int64)
    assert not top_domain_shares(np.arange(2.0), zero, zero, n_domains=2, top=0.1).any()


@pytest.mark.parametrize("top", [0.0, -0.1, 1.5])
def test_top_that_is_no_share(top: float) -> None:
    one = np.ones(1, dtype=np.int64)
    with pytest.raises(ValueError, match="expected a share above 0"):
        top_domain_shares(np.ones(1), one, one, n_domains=2, top=top)


@given(documents)
def test_mean_sigma_is_the_weighted_mean_of_each_domain(rows: Rows) -> None:
    scores, n_tokens, domains = columns(rows)
    found = mean_sigma(scores, n_tokens, domains)
    for m in range(4):
        members = domains == m if m < 3 else np.ones(len(rows), bool)
        if n_tokens[members].sum():
            assert found[m] == pytest.approx(np.average(scores[members], weights=n_tokens[members]))
        else:
            assert np.isnan(found[m])


def test_sums_of_sigma_keep_nine_digits_in_any_order() -> None:
    rng = np.random.default_rng(0)
    sigma, n_tokens = rng.normal(size=5_000) * 3, rng.integers(0, 10**6, 5_000)
    domains = rng.integers(0, 3, 5_000)
    found = mean_sigma(sigma, n_tokens, domains)
    for m in range(3):
        members = domains == m
        exact = math.fsum(sigma[members] * n_tokens[members]) / n_tokens[members].sum()
        assert found[m] == pytest.approx(exact, rel=1e-9)
    order = rng.permutation(5_000)
    shuffled = mean_sigma(sigma[order], n_tokens[order], domains[order])
    np.testing.assert_array_equal(shuffled, found)
    np.testing.assert_array_equal(
        sigma_sums(sigma, n_tokens, domains, 3),
        sigma_sums(sigma[:99], n_tokens[:99], domains[:99], 3)
        + sigma_sums(sigma[99:], n_tokens[99:], domains[99:], 3),
    )


def test_every_label_is_counted_once(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path))
    rng = np.random.default_rng(0)
    for shard in ("a", "b"):
        values = [*rng.random(100), 0.0, 1.0, 1.0 + 1e-7]
        path = store.table_path(DOMAIN_LABELS, shard)
        store.write_table(path, pl.DataFrame({"confidence": values}))
    counts = confidence_counts(store, ["a", "b"])
    assert len(counts) == N_CONFIDENCE_BINS
    assert counts.sum() == 206
    assert counts[-1] >= 4
