from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from quadmix_assets.features.normalize_pool import drift, fit_normalizers, load_normalizers
from quadmix_assets.features.normalizers import fit_normalizer
from quadmix_assets.features.scored_documents import ScoredDocuments
from quadmix_assets.settings import NormalizerSettings
from quadmix_assets.store import MissingOutputError, Store

documents = st.lists(st.tuples(st.integers(-4, 4), st.integers(1, 30)), min_size=1, max_size=40)


def pool_of(scores: np.ndarray, n_tokens: np.ndarray) -> ScoredDocuments:
    n = len(scores)
    ids = pl.Series([f"d{i}" for i in range(n)], dtype=pl.String)
    return ScoredDocuments(ids, n_tokens, np.zeros(n, np.int32), scores)


def share_at_least(scores: np.ndarray, n_tokens: np.ndarray, value: float) -> float:
    return float(n_tokens[scores >= value].sum() / n_tokens.sum())


def pool_drift(
    fitted: tuple[np.ndarray, ...], now: tuple[np.ndarray, ...], breakpoints: int = 10_000
) -> float:
    """As the check does it: sigma fitted on one pool, applied to the other."""
    normalizer = fit_normalizer("rank", *fitted, max_breakpoints=breakpoints)
    return drift(normalizer.apply(now[0]), -now[0], now[1])


def arrays(rows: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    scores, n_tokens = (np.array(column) for column in zip(*rows, strict=True))
    return scores.astype(float), n_tokens


@given(documents)
def test_no_drift_on_the_pool_itself(rows: list[tuple[int, int]]) -> None:
    assert pool_drift(arrays(rows), arrays(rows)) == 0.0


@given(documents, documents)
def test_drift_is_the_distance_of_kolmogorov_and_smirnov(
    first: list[tuple[int, int]], added: list[tuple[int, int]]
) -> None:
    """The largest gap between the shares of tokens at or above any value, by brute force."""
    best = max(score for score, _ in first)
    old, now = arrays(first), arrays(first + [(min(score, best), n) for score, n in added])
    values = np.arange(-5, 6) + 0.5
    gaps = [abs(share_at_least(*old, value) - share_at_least(*now, value)) for value in values]
    assert pool_drift(old, now) == pytest.approx(max(gaps), abs=1e-12)


@given(documents, documents)
def test_drift_is_how_far_sigma_is_off(
    first: list[tuple[int, int]], added: list[tuple[int, int]]
) -> None:
    """A document that beats all fitted ones has the sigma of the best of them."""
    old, now = arrays(first), arrays(first + added)
    best = old[0].max()
    off = [abs(share_at_least(*old, min(x, best)) - share_at_least(*now, x)) for x in now[0]]
    assert pool_drift(old, now) == pytest.approx(max(off), abs=1e-12)


def test_drift_grows_with_the_share_of_shifted_documents() -> None:
    rng = np.random.default_rng(0)
    scores, n_tokens = rng.normal(size=2_000), rng.integers(1, 500, 2_000)
    shifted = rng.normal(3.0, size=2_000)
    found = []
    for n in (0, 100, 500, 2_000):
        now = np.concatenate([scores, shifted[:n]]), np.concatenate([n_tokens, n_tokens[:n]])
        found.append(pool_drift((scores, n_tokens), now))
    assert found[0] == 0.0
    assert found == sorted(found)
    # Half of the tokens score three standard deviations better: half of erf(1.5 / sqrt 2) = 0.866.
    assert found[-1] == pytest.approx(0.433, abs=0.03)


def test_a_thinned_table_drifts_by_no_more_than_its_error() -> None:
    rng = np.random.default_rng(1)
    pool = rng.normal(size=5_000), rng.integers(1, 500, 5_000)
    assert 0.0 < pool_drift(pool, pool, breakpoints=50) <= 1 / 49


def test_no_documents_have_not_drifted() -> None:
    assert drift(np.empty(0), np.empty(0), np.empty(0, np.int64)) == 0.0


@pytest.mark.parametrize("kind", ["rank", "zscore", "minmax"])
def test_fitted_normalizers_come_back_in_the_order_of_the_criteria(
    tmp_path: Path, kind: str
) -> None:
    store = Store(UPath(tmp_path))
    rng = np.random.default_rng(0)
    pool = pool_of(rng.normal(size=(300, 3)) * [1, 10, 100], rng.integers(0, 90, 300))
    criteria = ("c", "a", "b")
    settings = NormalizerSettings.model_validate({"kind": kind})
    fitted = fit_normalizers(store, pool, criteria, settings)
    sigma = pool.sigma(fitted)
    np.testing.assert_array_equal(pool.sigma(load_normalizers(store, criteria)), sigma)
    swapped = pool.sigma(load_normalizers(store, ("b", "a", "c")))
    assert not np.array_equal(swapped, sigma)
    for n in range(3):
        assert np.corrcoef(sigma[:, n], pool.scores[:, n])[0, 1] < -0.8, "smaller is better"
    if kind == "rank":
        for row in range(0, 300, 29):
            expected = share_at_least(pool.scores[:, 1], pool.n_tokens, pool.scores[row, 1])
            assert sigma[row, 1] == pytest.approx(expected, abs=1e-15)


def test_normalizers_that_are_not_fitted(tmp_path: Path) -> None:
    with pytest.raises(MissingOutputError, match="score_normalizers"):
        load_normalizers(Store(UPath(tmp_path)), ["x"])
