"""Summaries of values beside the exact shares, computed with whole numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quadmix_assets.sampling import TokenShareTable
from quadmix_assets.sampling.share_summary import ShareSummary, thinned_values

rows = st.lists(
    st.tuples(st.one_of(st.integers(-9, 9).map(float), st.floats(-5, 5)), st.integers(0, 9)),
    max_size=300,
)


def summed(
    values: np.ndarray, tokens: np.ndarray, max_values: int, pieces: list[int]
) -> ShareSummary:
    summary = ShareSummary(max_values)
    for x, t in zip(np.split(values, pieces), np.split(tokens, pieces), strict=True):
        summary.add(x, t)
    return summary


def cumulated(values: np.ndarray, tokens: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Tokens of values at or below each of `at`."""
    order = np.argsort(values)
    up_to = np.concatenate([[0], np.cumsum(tokens[order])])
    return np.asarray(up_to[np.searchsorted(values[order], at, side="right")])


@settings(max_examples=200, deadline=None)
@given(rows, st.integers(4, 12), st.lists(st.integers(0, 300), max_size=8).map(sorted))
def test_off_by_no_more_than_it_says(
    documents: list[tuple[float, int]], max_values: int, pieces: list[int]
) -> None:
    values = np.array([x for x, _ in documents], dtype=np.float64)
    tokens = np.array([t for _, t in documents], dtype=np.int64)
    summary = summed(values, tokens, max_values, pieces)
    kept, n_tokens = summary.tokens_per_value()
    assert summary.n_tokens == n_tokens.sum() == tokens.sum()
    assert (np.diff(kept) > 0).all()
    assert set(kept) <= set(values)
    at = np.concatenate([values, values - 1e-9, [-99.0, 99.0]])
    off = np.abs(cumulated(values, tokens, at) - cumulated(kept, n_tokens, at)).max()
    if tokens.any():
        assert off / tokens.sum() <= summary.max_error + 1e-12
    if summary.is_exact:
        assert off == 0
    if len(values):
        assert (kept[0], kept[-1]) == (values.min(), values.max())


@settings(max_examples=200, deadline=None)
@given(rows, st.integers(4, 12), st.integers(0, 99))
def test_thinned_values_are_off_by_no_more_than_they_say(
    documents: list[tuple[float, int]], max_values: int, seed: int
) -> None:
    values = np.array([x for x, _ in documents], dtype=np.float64)
    tokens = np.array([t for _, t in documents], dtype=np.int64)
    kept, n_tokens, n_off = thinned_values(values, tokens, max_values)
    assert n_tokens.sum() == tokens.sum()
    assert len(kept) <= max_values and (np.diff(kept) > 0).all()
    at = np.concatenate([values, np.nextafter(values, -np.inf), [-99.0, 99.0]])
    off = np.abs(cumulated(values, tokens, at) - cumulated(kept, n_tokens, at)).max()
    assert off <= n_off <= tokens.sum() / (max_values - 2) + 1
    if len(set(values)) <= max_values:
        assert n_off == 0
    shuffled = np.random.default_rng(seed).permutation(len(values))
    again = thinned_values(values[shuffled], tokens[shuffled], max_values)
    assert again[0].tobytes() == kept.tobytes() and again[2] == n_off
    assert again[1].tolist() == n_tokens.tolist()


def test_thinned_values_need_room_for_both_ends() -> None:
    with pytest.raises(ValueError, match="max_values is 3; expected 4 or more"):
        thinned_values([1.0], [1], 3)


@given(rows, st.integers(0, 99))
def test_few_values_are_kept_exactly_in_any_order(
    documents: list[tuple[float, int]], seed: int
) -> None:
    values = np.array([x for x, _ in documents], dtype=np.float64)
    tokens = np.array([t for _, t in documents], dtype=np.int64)
    order = np.random.default_rng(seed).permutation(len(values))
    summary = summed(values[order], tokens[order], 60, [7, 50, 200])
    assert summary.is_exact
    frame = summary.table(20).to_frame()
    fitted = TokenShareTable.fit(values, tokens, max_breakpoints=20).to_frame()
    assert frame.to_numpy().tobytes() == fitted.to_numpy().tobytes()


def test_many_documents_of_few_values_stay_exact() -> None:
    rng = np.random.default_rng(0)
    values, tokens = rng.integers(0, 200, 50_000).astype(float), rng.integers(0, 9, 50_000)
    summary = summed(values, tokens, 100, list(range(0, 50_000, 333)))
    assert summary.is_exact
    np.testing.assert_array_equal(
        summary.tokens_per_value()[1], np.bincount(values.astype(int), tokens)
    )


def test_the_error_grows_with_the_logarithm() -> None:
    rng = np.random.default_rng(1)
    for n in (10_000, 100_000, 1_000_000):
        values, tokens = rng.normal(size=n), rng.integers(1, 9, n)
        summary = summed(values, tokens, 1_000, list(range(0, n, 777)))
        levels = np.ceil(np.log(n / 5_000) / np.log(5)) + 1
        assert summary.max_error <= levels / (2 * 998) * 1.01
        exact = cumulated(values, tokens, values)
        found = cumulated(*summary.tokens_per_value(), values)
        assert np.abs(exact - found).max() <= summary.max_error * tokens.sum() + 1e-6
        assert len(summary.tokens_per_value()[0]) <= 5_000 * (levels + 1)


def test_a_value_with_many_tokens_keeps_them() -> None:
    """A third of the tokens at one value: it is no part of the groups around it."""
    rng = np.random.default_rng(2)
    values = np.concatenate([rng.normal(size=60_000), np.full(30_000, 0.25)])
    rng.shuffle(values)
    summary = summed(values, np.ones(90_000, int), 500, list(range(0, 90_000, 900)))
    kept, tokens = summary.tokens_per_value()
    at = int(np.flatnonzero(kept == 0.25)[0])
    assert tokens[at] == pytest.approx(30_000, abs=90_000 * 2 * summary.max_error)
    table = summary.table(100)
    below, share = table([np.nextafter(0.25, 0), 0.25])
    assert share - below == pytest.approx(1 / 3, abs=1 / 50)


def test_the_same_pieces_give_the_same_bytes() -> None:
    rng = np.random.default_rng(3)
    values, tokens = rng.normal(size=30_000), rng.integers(0, 9, 30_000)
    pieces = list(range(0, 30_000, 500))
    first, again = (summed(values, tokens, 100, pieces).table(50).to_frame() for _ in range(2))
    assert first.to_numpy().tobytes() == again.to_numpy().tobytes()


def test_without_documents_or_tokens() -> None:
    summary = ShareSummary()
    assert summary.is_exact and summary.max_error == 0.0
    assert summary.table(5)([0.3]).tolist() == [1.0]
    for _ in range(40):
        summary.add(np.arange(7.0), np.zeros(7, int))
    assert summary.table(5)([0.3]).tolist() == [1.0]


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="max_values is 3; expected 4 or more"):
        ShareSummary(3)
    with pytest.raises(ValueError, match=r"values\[1\] is nan"):
        ShareSummary().add([0.0, np.nan], [1, 1])
    with pytest.raises(ValueError, match=r"tokens\[0\] is -1"):
        ShareSummary().add([0.0], [-1])
