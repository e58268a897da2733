"""Directions of criteria: what is turned round is found, and nothing else."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr

from quadmix_assets.features.criteria.column import ColumnCriterionSettings
from quadmix_assets.features.criteria.heuristics import HeuristicsSettings
from quadmix_assets.features.report.directions import (
    Direction,
    describe_directions,
    directions,
)

levels = st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=3, max_size=40)


def related(n_criteria: int, n_documents: int = 2_000, noise: float = 1.0) -> pl.DataFrame:
    rng = np.random.default_rng(n_criteria)
    quality = rng.normal(size=n_documents)
    return pl.DataFrame(
        {f"c{k}": quality + rng.normal(scale=noise, size=n_documents) for k in range(n_criteria)}
    )


def verdicts(scores: pl.DataFrame) -> dict[str, str]:
    return {one.criterion: one.verdict for one in directions(scores)}


@given(levels)
def test_correlation_is_spearmans_with_the_mean_rank_of_the_others(
    rows: list[tuple[int, int, int]],
) -> None:
    scores = np.array(rows, dtype=float)
    found = directions(pl.DataFrame(scores, schema=["a", "b", "c"], orient="row"))
    ordering = [n for n in range(3) if len(set(scores[:, n])) > 1]
    for n, one in enumerate(found):
        others = [k for k in ordering if k != n]
        if n not in ordering or not others:
            assert one.verdict == ("alone" if n in ordering else "constant")
            assert math.isnan(one.correlation)
            continue
        mean_rank = np.mean([rankdata(scores[:, k]) for k in others], axis=0)
        if len(set(mean_rank)) == 1:
            assert math.isnan(one.correlation)
        else:
            expected = spearmanr(scores[:, n], mean_rank).statistic
            assert one.correlation == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("n_criteria", [2, 3, 4, 5])
def test_criteria_of_one_direction_agree(n_criteria: int) -> None:
    assert set(verdicts(related(n_criteria)).values()) == {"agrees"}


@pytest.mark.parametrize("n_criteria", [3, 4, 5])
@pytest.mark.parametrize("turned", [0, 2])
def test_the_one_that_is_turned_round_is_named_and_no_other(n_criteria: int, turned: int) -> None:
    scores = related(n_criteria).with_columns(-pl.col(f"c{turned}"))
    found = verdicts(scores)
    assert [name for name, word in found.items() if word == "upside down?"] == [f"c{turned}"]


def test_two_criteria_can_only_disagree() -> None:
    found = verdicts(related(2).with_columns(-pl.col("c0")))
    assert found == {"c0": "disagrees", "c1": "disagrees"}


def test_two_against_two_names_none() -> None:
    found = verdicts(related(4).with_columns(-pl.col("c0", "c1")))
    assert "upside down?" not in found.values()
    assert "disagrees" in found.values()


def test_unrelated_criteria_are_no_reason_to_warn() -> None:
    rng = np.random.default_rng(0)
    for n_documents in (30, 300, 3_000):
        scores = pl.DataFrame(rng.normal(size=(n_documents, 3)), schema=["a", "b", "c"])
        assert set(verdicts(scores).values()) <= {"unrelated"}, n_documents


@pytest.mark.parametrize("n_documents", [0, 1])
def test_hardly_any_documents(n_documents: int) -> None:
    assert set(verdicts(related(3, n_documents)).values()) == {"constant"}


def test_advice_names_the_setting_to_change() -> None:
    column = ColumnCriterionSettings(kind="column", name="fluency", column="perplexity")
    heuristics = HeuristicsSettings(kind="heuristics")
    fine = Direction("x", 0.4, "agrees")
    plausible, words = describe_directions(
        [Direction("fluency", -0.5, "upside down?"), fine], [column, heuristics]
    )
    assert not plausible
    assert "set larger_is_better: false for fluency" in words
    plausible, words = describe_directions(
        [fine, Direction("heuristics", -0.5, "upside down?")], [column, heuristics]
    )
    assert not plausible
    assert "extremes_heuristics" in words
    assert "larger_is_better" not in words


def test_words_without_a_suspect() -> None:
    settings = [HeuristicsSettings(kind="heuristics", name=name) for name in "ab"]
    against = [Direction(name, -0.5, "disagrees") for name in "ab"]
    plausible, words = describe_directions(against, settings)
    assert not plausible
    assert "a -0.50, b -0.50" in words
    plausible, words = describe_directions([Direction(n, 0.2, "agrees") for n in "ab"], settings)
    assert plausible
    assert "a 0.20, b 0.20" in words
    alone = [Direction("a", math.nan, "alone"), Direction("b", math.nan, "constant")]
    assert describe_directions(alone, settings)[0]
