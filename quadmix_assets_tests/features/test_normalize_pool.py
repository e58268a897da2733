from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from upath import UPath

from quadmix_assets.features.normalize_pool import fit_normalizers, load_normalizers
from quadmix_assets.features.normalizers import Normalizer, NormalizerKind
from quadmix_assets.outputs import SCORE_NORMALIZERS, SCORED_SHARDS
from quadmix_assets.settings import NormalizerSettings
from quadmix_assets.store import MissingOutputError, Store

CRITERIA = ("c", "a", "b")
KINDS: list[NormalizerKind] = ["rank", "zscore", "minmax"]


def share_at_least(scores: np.ndarray, n_tokens: np.ndarray, value: float) -> float:
    return float(n_tokens[scores >= value].sum() / n_tokens.sum())


def scored_lake(tmp_path: Path, scores: np.ndarray, n_tokens: np.ndarray, ends: list[int]) -> Store:
    """Documents of criteria c, a, b in shards s0, s1, ... that end at these rows; no labels."""
    store = Store(UPath(tmp_path))
    for number, rows in enumerate(np.split(np.arange(len(scores)), ends)):
        table = pl.DataFrame(
            {
                "id": [f"d{row}" for row in rows],
                "n_tokens": n_tokens[rows],
                **{name: scores[rows, n] for n, name in enumerate(CRITERIA)},
            }
        )
        store.write_table(store.table_path(SCORED_SHARDS, f"s{number}"), table)
    return store


def sigma_of(normalizers: Sequence[Normalizer], scores: np.ndarray) -> np.ndarray:
    return np.column_stack([each.apply(scores[:, n]) for n, each in enumerate(normalizers)])


@pytest.mark.parametrize("kind", KINDS)
def test_fitted_normalizers_come_back_in_the_order_of_the_criteria(
    tmp_path: Path, kind: NormalizerKind
) -> None:
    rng = np.random.default_rng(0)
    scores, n_tokens = rng.normal(size=(300, 3)) * [1, 10, 100], rng.integers(0, 90, 300)
    store = scored_lake(tmp_path, scores, n_tokens, [40, 40, 250])
    settings = NormalizerSettings(kind=kind)
    fitted = fit_normalizers(store, ["s0", "s1", "s2", "s3"], CRITERIA, settings)
    assert (fitted.n_documents, fitted.n_tokens) == (300, n_tokens.sum())
    sigma = sigma_of(fitted.normalizers, scores)
    np.testing.assert_array_equal(sigma_of(load_normalizers(store, CRITERIA), scores), sigma)
    swapped = sigma_of(load_normalizers(store, ("b", "a", "c")), scores)
    assert not np.array_equal(swapped, sigma)
    for n in range(3):
        assert np.corrcoef(sigma[:, n], scores[:, n])[0, 1] < -0.8, "smaller is better"
    if kind == "rank":
        for row in range(0, 300, 29):
            expected = share_at_least(scores[:, 1], n_tokens, scores[row, 1])
            assert sigma[row, 1] == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_shards_and_their_order_change_no_byte(tmp_path: Path, kind: NormalizerKind) -> None:
    rng = np.random.default_rng(1)
    scores, n_tokens = rng.normal(size=(500, 3)), rng.integers(0, 90, 500)
    settings = NormalizerSettings(kind=kind, max_breakpoints=50)
    tables: list[list[bytes]] = []
    for ends, shards in (([], ["s0"]), ([9, 200], ["s0", "s1", "s2"]), ([250], ["s1", "s0"])):
        store = scored_lake(tmp_path / str(len(tables)), scores, n_tokens, ends)
        fit_normalizers(store, shards, CRITERIA, settings)
        paths = [store.table_path(SCORE_NORMALIZERS, name) for name in CRITERIA]
        tables.append([path.read_bytes() for path in paths])
    assert tables[0] == tables[1] == tables[2]


def test_what_cannot_be_fitted_names_criterion_and_shard(tmp_path: Path) -> None:
    scores = np.ones((6, 3))
    scores[4, 1] = np.nan
    store = scored_lake(tmp_path, scores, np.ones(6, int), [3])
    with pytest.raises(ValueError, match=r"a of the shard 's1': scores\[1\] is nan"):
        fit_normalizers(store, ["s0", "s1"], CRITERIA, NormalizerSettings())
    with pytest.raises(ValueError, match="shard 's0' has no column z"):
        fit_normalizers(store, ["s0"], ["c", "z"], NormalizerSettings())
    with pytest.raises(MissingOutputError, match="scored_shards"):
        fit_normalizers(store, ["s7"], CRITERIA, NormalizerSettings())


def test_normalizers_that_are_not_fitted(tmp_path: Path) -> None:
    with pytest.raises(MissingOutputError, match="score_normalizers"):
        load_normalizers(Store(UPath(tmp_path)), ["x"])
