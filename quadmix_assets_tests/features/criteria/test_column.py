"""Scores that come with the input."""

import numpy as np
import polars as pl
import pytest

from quadmix_assets.features.criteria.column import ColumnCriterion, ColumnCriterionSettings


def _criterion(larger_is_better: bool = True) -> ColumnCriterion:
    return ColumnCriterion(
        ColumnCriterionSettings(
            kind="column", name="edu", column="score", larger_is_better=larger_is_better
        )
    )


def _frame(values: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"id": [f"d{k}" for k in range(len(values))], "score": values})


@pytest.mark.parametrize("dtype", [pl.Float64, pl.Float32, pl.Int64, pl.UInt8])
def test_values_keep_their_scale(dtype: type[pl.DataType]) -> None:
    scores = _criterion().score(_frame(pl.Series([3, 0, 5], dtype=dtype)))
    assert scores.dtype == np.float64
    assert scores.tolist() == [3.0, 0.0, 5.0]


def test_perplexity_is_turned_round() -> None:
    scores = _criterion(larger_is_better=False).score(_frame(pl.Series([900.0, 20.5, 0.0])))
    assert scores.tolist() == [-900.0, -20.5, 0.0]
    assert not np.signbit(scores[2])


def test_it_reads_its_column_only() -> None:
    assert _criterion().settings.columns_read == ("score",)
    assert _criterion().settings.target_learned_from is None


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf")])
def test_unusable_values_are_named(bad: float | None) -> None:
    values = pl.Series([1.0, bad, 2.0, bad], dtype=pl.Float64)
    with pytest.raises(
        ValueError, match=r"'score' has no usable score in 2 of 4 rows \('d1': .*'d3'"
    ):
        _criterion().score(_frame(values))


def test_text_is_no_score() -> None:
    with pytest.raises(ValueError, match=r"column 'score' holds String, not numbers"):
        _criterion().score(_frame(pl.Series(["high", "low"])))
