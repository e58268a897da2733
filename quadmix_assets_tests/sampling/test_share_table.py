from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quadmix_assets.sampling import TokenShareTable, rank_within_domains

finite = st.floats(allow_nan=False, allow_infinity=False)
values = st.one_of(st.sampled_from([-0.0, 0.0, 0.5, 1.0]), st.floats(-10, 10), finite)
documents = st.lists(st.tuples(values, st.integers(0, 30)), min_size=1, max_size=60)


def true_share(rows: list[tuple[float, int]], x: float) -> float:
    """Share of tokens with that value or a smaller one; below the first, the first one's."""
    total = sum(t for _, t in rows)
    if total == 0:
        return 1.0
    x = max(x, min(v for v, _ in rows))
    return float(Fraction(sum(t for v, t in rows if v <= x), total))


def fit(rows: list[tuple[float, int]], max_breakpoints: int) -> TokenShareTable:
    return TokenShareTable.fit(
        [v for v, _ in rows], [t for _, t in rows], max_breakpoints=max_breakpoints
    )


@settings(max_examples=150, deadline=None)
@given(documents, st.lists(values, max_size=10))
def test_an_exact_table_is_the_share_of_any_value(
    rows: list[tuple[float, int]], others: list[float]
) -> None:
    table = fit(rows, max(2, len(rows)))
    assert table.is_exact
    assert table.max_error == 0.0
    asked = [v for v, _ in rows] + others
    np.testing.assert_array_equal(table(asked), [true_share(rows, x) for x in asked])


@settings(max_examples=150, deadline=None)
@given(documents, st.integers(2, 20), st.lists(values, max_size=10))
def test_a_thinned_table_is_off_by_no_more_than_it_says(
    rows: list[tuple[float, int]], max_breakpoints: int, others: list[float]
) -> None:
    table = fit(rows, max_breakpoints)
    distinct = {v for v, _ in rows}
    assert len(table.value) <= max_breakpoints
    assert (table.value[0], table.value[-1]) == (min(distinct), max(distinct))
    if len(distinct) <= max_breakpoints:
        assert table.is_exact
    asked = np.sort([v for v, _ in rows] + others)
    shares = table(asked)
    error = np.abs(shares - [true_share(rows, float(x)) for x in asked]).max()
    rounding = 1e-12
    assert error <= table.max_error + rounding
    assert table.max_error <= 1 / (max_breakpoints - 1) + rounding
    assert 1 / (max_breakpoints - 1) <= 2 / max_breakpoints
    assert (np.diff(shares) >= 0).all()
    assert (shares >= 0).all()
    assert (shares <= 1).all()


@settings(max_examples=50, deadline=None)
@given(documents, st.integers(2, 20), st.randoms(use_true_random=False))
def test_order_and_shards_of_the_pool_change_no_bit(
    rows: list[tuple[float, int]], max_breakpoints: int, random: Random
) -> None:
    table = fit(rows, max_breakpoints)
    shuffled = list(rows)
    random.shuffle(shuffled)
    again = fit(shuffled, max_breakpoints).to_frame()
    # Bytes, because 0.0 equals -0.0.
    assert again.to_numpy().tobytes() == table.to_frame().to_numpy().tobytes()


@pytest.mark.parametrize("max_breakpoints", [10_000, 500, 7])
def test_agrees_with_the_ranks_of_the_fitted_documents(max_breakpoints: int) -> None:
    rng = np.random.default_rng(1)
    merged = rng.gamma(2.0, size=4_000)
    merged[:1_500] = np.round(merged[:1_500], 1)
    tokens = rng.integers(0, 3_000, 4_000)
    table = TokenShareTable.fit(merged, tokens, max_breakpoints=max_breakpoints)
    ranks = rank_within_domains(merged, np.zeros(4_000, int), tokens)
    if table.is_exact:
        np.testing.assert_array_equal(table(merged), ranks)
    else:
        assert np.abs(table(merged) - ranks).max() <= 2 / max_breakpoints
    assert table.is_exact == (max_breakpoints == 10_000)


def test_a_jump_stays_a_jump_when_thinned() -> None:
    """Half of the tokens on one value: a slightly better score must not get that value's share."""
    ladder = np.linspace(0.0, 1.0, 1_001)
    tokens = np.ones(1_001, int)
    tokens[500] = 1_000
    table = TokenShareTable.fit(ladder, tokens, max_breakpoints=20)
    below, at = table([0.4999, 0.5])
    assert below == pytest.approx(0.25, abs=1 / 19)
    assert at == pytest.approx(0.75, abs=1 / 19)


def test_beyond_the_ends() -> None:
    table = TokenShareTable.fit([1.0, 2.0, 4.0], [2, 1, 1], max_breakpoints=10)
    np.testing.assert_array_equal(table([-9.0, 1.0, 3.0, 4.0, 99.0]), [0.5, 0.5, 0.75, 1.0, 1.0])


def test_values_at_the_ends_of_all_numbers() -> None:
    largest = np.finfo(float).max
    ladder = np.concatenate([[-largest], np.linspace(-1, 1, 50), [largest]])
    table = TokenShareTable.fit(ladder, np.ones(52, int), max_breakpoints=2)
    np.testing.assert_allclose(table([-largest, 0.0, largest]), [1 / 52, 0.5, 1.0])


def test_a_pool_without_documents_or_tokens_gives_the_worst_rank() -> None:
    for table in (
        TokenShareTable.fit([], [], max_breakpoints=5),
        TokenShareTable.fit([0.1, 0.2], [0, 0], max_breakpoints=5),
        TokenShareTable.fit(np.arange(9.0), np.zeros(9, int), max_breakpoints=3),
    ):
        assert table.is_exact
        np.testing.assert_array_equal(table([-1.0, 0.15, 7.0]), [1.0, 1.0, 1.0])
        assert TokenShareTable.from_frame(table.to_frame())([0.0]).tolist() == [1.0]


@settings(max_examples=30, deadline=None)
@given(documents, st.integers(2, 20))
def test_a_stored_table_gives_the_same_shares(
    rows: list[tuple[float, int]], max_breakpoints: int
) -> None:
    table = fit(rows, max_breakpoints)
    frame = table.to_frame()
    assert frame.columns == ["value", "share_below", "share"]
    stored = TokenShareTable.from_frame(frame.with_columns(pl.lit(3).alias("domain")))
    asked = np.linspace(-12, 12, 50)
    np.testing.assert_array_equal(stored(asked), table(asked))
    assert stored.max_error == table.max_error


@pytest.mark.parametrize(
    ("fitted", "tokens", "max_breakpoints", "message"),
    [
        ([0.1, np.nan], [1, 1], 5, r"values\[1\] is nan"),
        ([0.1, 0.2], [1, -1], 5, r"tokens\[1\] is -1"),
        ([0.1, 0.2], [1], 5, r"tokens has shape \(1,\); expected \(2\)"),
        ([0.1, 0.2], [1, 1], 1, "max_breakpoints is 1; expected 2 or more"),
    ],
)
def test_wrong_input_is_named(fitted: Any, tokens: Any, max_breakpoints: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TokenShareTable.fit(fitted, tokens, max_breakpoints=max_breakpoints)


def test_nan_has_no_share() -> None:
    with pytest.raises(ValueError, match=r"values\[0\] is nan"):
        TokenShareTable.fit([0.1], [1], max_breakpoints=2)([np.nan])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"value": [0.1], "share": [1.0]}, "no column share_below"),
        (
            {"value": [0.2, 0.1], "share_below": [0.0, 0.5], "share": [0.5, 1.0]},
            "value is not strictly ascending",
        ),
        (
            {"value": [0.1, 0.2], "share_below": [0.0, 0.4], "share": [0.5, 1.0]},
            "do not rise from 0 or more to 1",
        ),
        ({"value": [0.1], "share_below": [0.0], "share": [0.9]}, "do not rise from 0"),
    ],
)
def test_a_broken_table_is_refused(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TokenShareTable.from_frame(pl.DataFrame(columns))
