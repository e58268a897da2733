import statistics
from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from quadmix_assets.features.normalizers import (
    Normalizer,
    NormalizerFit,
    NormalizerKind,
    fit_normalizer,
    rank_correlations,
)
from quadmix_assets.sampling import rank_within_domains, share_summary

KINDS: list[NormalizerKind] = ["rank", "zscore", "minmax"]
scores = st.one_of(st.sampled_from([-0.0, 0.0, 0.5]), st.floats(-1e6, 1e6))
documents = st.lists(st.tuples(scores, st.integers(1, 40)), min_size=1, max_size=40)
Rows = list[tuple[float, int]]


def fit(kind: NormalizerKind, rows: Rows, max_breakpoints: int = 100) -> Normalizer:
    return fit_normalizer(
        kind, [q for q, _ in rows], [t for _, t in rows], max_breakpoints=max_breakpoints
    )


@settings(max_examples=60, deadline=None)
@given(documents, st.lists(scores, max_size=5))
def test_rank_is_the_token_share_that_scores_better_or_equal(rows: Rows, new: list[float]) -> None:
    total = sum(t for _, t in rows)
    best = max(q for q, _ in rows)
    asked = [q for q, _ in rows] + new
    expected = [sum(t for q, t in rows if q >= min(x, best)) / total for x in asked]
    sigma = fit("rank", rows).apply(asked)
    np.testing.assert_allclose(sigma, expected, rtol=1e-14)
    assert (sigma > 0).all()
    assert (sigma <= 1).all()


def test_rank_of_the_pool_is_equation_2_on_negated_scores() -> None:
    rng = np.random.default_rng(0)
    raw, tokens = np.round(rng.normal(size=3_000), 2), rng.integers(0, 900, 3_000)
    sigma = fit_normalizer("rank", raw, tokens, max_breakpoints=5_000).apply(raw)
    expected = rank_within_domains(-raw, np.zeros(3_000, int), tokens)
    np.testing.assert_array_equal(sigma, expected)


@settings(max_examples=60, deadline=None)
@given(documents)
def test_zscore_weights_by_tokens(rows: Rows) -> None:
    repeated = [q for q, t in rows for _ in range(t)]
    mean, standard_deviation = statistics.fmean(repeated), statistics.pstdev(repeated)
    raw = np.array([q for q, _ in rows])
    sigma = fit("zscore", rows).apply(raw)
    if len(set(raw.tolist())) == 1:
        np.testing.assert_array_equal(sigma, 0.0)
    elif standard_deviation > 1e-9 * (1 + abs(mean)):
        np.testing.assert_allclose(sigma, (mean - raw) / standard_deviation, rtol=1e-6, atol=1e-6)


def test_zscore_counts_documents_by_their_tokens() -> None:
    normalizer = fit("zscore", [(0.0, 3), (4.0, 1)])
    np.testing.assert_allclose(normalizer.apply([1.0, 4.0]), [0.0, -3.0 / np.sqrt(3.0)])


@settings(max_examples=60, deadline=None)
@given(documents, st.lists(scores, max_size=5))
def test_minmax_gives_the_best_0_and_the_worst_1(rows: Rows, new: list[float]) -> None:
    raw = [q for q, _ in rows]
    low, high = min(raw), max(raw)
    sigma = fit("minmax", rows).apply(raw + new)
    if low == high:
        np.testing.assert_array_equal(sigma, 0.0)
        return
    expected = [(high - min(max(x, low), high)) / (high - low) for x in raw + new]
    np.testing.assert_allclose(sigma, expected, rtol=1e-12, atol=1e-12)
    assert sigma[np.argmax(raw)] == 0.0
    assert sigma[np.argmin(raw)] == 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_smaller_is_better_for_every_kind(kind: NormalizerKind) -> None:
    raw = np.linspace(-3.0, 5.0, 200)
    sigma = fit_normalizer(kind, raw, np.arange(200), max_breakpoints=50).apply(raw)
    assert (np.diff(sigma) <= 0).all()
    assert sigma[0] > sigma[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_criterion_says_nothing(kind: NormalizerKind) -> None:
    sigma = fit(kind, [(0.1, 3), (0.1, 7), (0.1, 11)]).apply([0.1, 0.1])
    np.testing.assert_array_equal(sigma, 1.0 if kind == "rank" else 0.0)


@settings(max_examples=30, deadline=None)
@given(documents, st.sampled_from(KINDS), st.randoms(use_true_random=False))
def test_order_of_the_pool_changes_no_bit(rows: Rows, kind: NormalizerKind, random: Random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    asked = np.array([q for q, _ in rows])
    one, other = fit(kind, rows, 5).apply(asked), fit(kind, shuffled, 5).apply(asked)
    assert one.tobytes() == other.tobytes()


@settings(max_examples=30, deadline=None)
@given(documents, st.sampled_from(KINDS))
def test_a_stored_normalizer_gives_the_same_sigma(rows: Rows, kind: NormalizerKind) -> None:
    normalizer = fit(kind, rows, 5)
    others = fit("rank", [(9.0, 1)]).to_frame().with_columns(criterion=pl.lit("other"))
    mine = normalizer.to_frame().with_columns(criterion=pl.lit("mine"))
    stored = pl.concat([mine, others]).filter(pl.col("criterion") == "mine")
    asked = np.linspace(-2e6, 2e6, 31)
    again = Normalizer.from_frame(stored)
    assert again.kind == kind
    np.testing.assert_array_equal(again.apply(asked), normalizer.apply(asked))


def test_a_table_of_no_normalizer_is_refused() -> None:
    rank = fit("rank", [(0.1, 1), (0.2, 1)]).to_frame()
    minmax = fit("minmax", [(0.1, 1), (0.2, 1)]).to_frame()
    with pytest.raises(ValueError, match="expected the rows of one normalizer"):
        Normalizer.from_frame(pl.concat([rank, minmax]))
    with pytest.raises(ValueError, match="2 rows of kind"):
        Normalizer.from_frame(pl.concat([minmax, minmax]))
    with pytest.raises(ValueError, match="0 rows of kind"):
        Normalizer.from_frame(rank.clear())
    with pytest.raises(ValueError, match="no column scale"):
        Normalizer.from_frame(rank.drop("scale"))


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_input_is_named(kind: NormalizerKind) -> None:
    with pytest.raises(ValueError, match=r"scores\[1\] is nan"):
        fit(kind, [(0.1, 1), (np.nan, 1)])
    with pytest.raises(ValueError, match=r"tokens\[0\] is -1"):
        fit(kind, [(0.1, -1)])
    with pytest.raises(ValueError, match="0 documents with no tokens"):
        fit(kind, [])
    with pytest.raises(ValueError, match="2 documents with no tokens"):
        fit(kind, [(0.1, 0), (0.2, 0)])
    with pytest.raises(ValueError, match=r"scores\[2\] is inf"):
        fit(kind, [(0.1, 1), (0.2, 1)]).apply([0.1, 0.2, np.inf])


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match="kind is 'log'; expected rank, zscore or minmax"):
        fit_normalizer("log", [0.1], [1], max_breakpoints=2)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["zscore", "minmax"])
def test_a_spread_beyond_all_numbers_is_named(kind: NormalizerKind) -> None:
    largest = float(np.finfo(float).max)
    with pytest.raises(ValueError, match="have a spread that overflows float64"):
        fit(kind, [(-largest, 3), (0.0, 0), (largest, 2)])


@pytest.mark.parametrize("kind", KINDS)
def test_a_pool_beyond_what_is_held_is_fitted_in_pieces(
    kind: NormalizerKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(share_summary, "MAX_VALUES", 1_000)
    rng = np.random.default_rng(7)
    raw, tokens = 40 + rng.gamma(2.0, size=60_000), rng.integers(0, 900, 60_000)
    fit = NormalizerFit(kind, max_breakpoints=200)
    for rows in np.split(np.arange(60_000), range(700, 60_000, 700)):
        fit.add(raw[rows], tokens[rows])
    sigma = fit.normalizer().apply(raw)
    match kind:
        case "rank":
            expected = rank_within_domains(-raw, np.zeros(60_000, int), tokens)
            assert 0 < fit.max_error < 4 / 1_000
            assert np.abs(sigma - expected).max() <= fit.max_error + 1 / 199
        case "minmax":
            np.testing.assert_array_equal(sigma, (raw.max() - raw) / (raw.max() - raw.min()))
        case "zscore":
            mean = np.average(raw, weights=tokens)
            deviation = np.sqrt(np.average((raw - mean) ** 2, weights=tokens))
            np.testing.assert_allclose(sigma, (mean - raw) / deviation, rtol=1e-10, atol=1e-10)


def test_correlations_are_spearmans() -> None:
    rng = np.random.default_rng(3)
    common = rng.normal(size=500)
    columns = {
        "a": common,
        "b": np.exp(common),
        "c": np.round(common + rng.normal(size=500)),
        "d": -common,
    }
    matrix = rank_correlations(pl.DataFrame(columns))
    assert matrix["criterion"].to_list() == list(columns)
    expected = spearmanr(np.column_stack(list(columns.values()))).statistic
    np.testing.assert_allclose(matrix.drop("criterion").to_numpy(), expected, atol=1e-12)


def test_a_constant_criterion_correlates_with_nothing() -> None:
    matrix = rank_correlations(pl.DataFrame({"a": [1.0, 2.0, 3.0], "b": [5, 5, 5]}))
    assert matrix["a"].to_list()[0] == pytest.approx(1.0)
    assert np.isnan(matrix["b"].to_numpy()).all()


def test_a_missing_score_is_named() -> None:
    with pytest.raises(ValueError, match=r"importance\[1\] is nan"):
        rank_correlations(pl.DataFrame({"importance": [0.1, None]}))


@pytest.mark.parametrize("kind", ["rank", "zscore", "minmax"])
@pytest.mark.parametrize("sigma", [0.1, 0.37, 0.9])
def test_score_for_is_the_smallest_score_of_that_sigma(kind: NormalizerKind, sigma: float) -> None:
    scores = np.random.default_rng(0).integers(0, 40, 500) / 7
    normalizer = fit_normalizer(kind, scores, np.ones(500, dtype=np.int64), max_breakpoints=1000)
    found = normalizer.score_for(sigma)
    assert found is not None
    assert normalizer.apply([found])[0] <= sigma + 1e-12
    below = scores[scores < found - 1e-9]
    assert (normalizer.apply(below) > sigma).all()


def test_no_score_has_a_rank_below_that_of_the_best() -> None:
    tokens = np.ones(4, dtype=np.int64)
    rank = fit_normalizer("rank", [1.0, 2.0, 3.0, 4.0], tokens, max_breakpoints=10)
    minmax = fit_normalizer("minmax", [1.0, 2.0, 3.0, 4.0], tokens, max_breakpoints=10)
    assert (rank.score_for(0.24), rank.score_for(0.25)) == (None, 4.0)
    assert (minmax.score_for(-0.1), minmax.score_for(0.0)) == (None, 4.0)
