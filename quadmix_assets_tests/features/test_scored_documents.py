from pathlib import Path

import numpy as np
import polars as pl
import pytest
from upath import UPath
from xxhash import xxh3_64_intdigest

from quadmix_assets.features.normalizers import fit_normalizer
from quadmix_assets.features.scored_documents import (
    iter_scored,
    iter_scores,
    read_hashed,
    read_scored,
)
from quadmix_assets.outputs import DOMAIN_LABELS
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.lakes import put_raw, put_scored

DOMAINS = ("law", "cooking", "unknown")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(UPath(tmp_path / "lake"))
    for key, n in (("a", 3), ("b", 2), ("empty", 0)):
        put_raw(store, key, [{"id": f"{key}{i}", "text": "words"} for i in range(n)])
    put_scored(store, "a", {"x": [1, 2, 3], "y": [7, 8, 9]}, ["law", "unknown", "law"], [10, 0, 30])
    put_scored(store, "b", {"x": [4, 5], "y": [-1, -2]}, ["cooking", "law"], [40, 50])
    put_scored(store, "empty", {"x": [], "y": []}, [], [])
    return store


def test_columns_are_those_of_the_criteria_and_rows_those_of_the_shards(store: Store) -> None:
    pool = read_scored(store, ["b", "empty", "a"], ["y", "x"], DOMAINS)
    assert pool.ids.to_list() == ["b0", "b1", "a0", "a1", "a2"]
    assert pool.scores.tolist() == [[-1, 4], [-2, 5], [7, 1], [8, 2], [9, 3]]
    assert pool.n_tokens.tolist() == [40, 50, 10, 0, 30]
    assert pool.domains.tolist() == [1, 0, 0, 2, 0]
    assert pool.id_hashes.tolist() == [xxh3_64_intdigest(i.encode()) for i in pool.ids]


def test_pool_of_hashes_is_the_pool_without_ids(store: Store) -> None:
    shards, columns = ["b", "empty", "a"], ["y", "x"]
    pool = read_scored(store, shards, columns, DOMAINS)
    hashed = read_hashed(store, shards, columns, DOMAINS)
    for name in ("id_hashes", "n_tokens", "domains", "scores"):
        mine, expected = getattr(hashed, name), getattr(pool, name)
        np.testing.assert_array_equal(mine, expected)
        assert mine.dtype == expected.dtype
    assert [hashed.id_at(row) for row in range(5)] == pool.ids.to_list()
    assert read_hashed(store, shards, [], DOMAINS).scores.shape == (5, 0)
    assert [pool.id_at(row) for row in range(5)] == pool.ids.to_list()


def test_shards_one_by_one_are_the_pool(store: Store) -> None:
    shards = ["b", "empty", "a"]
    pool = read_scored(store, shards, ["x"], DOMAINS)
    for ids in ("strings", "hashes", "none"):
        parts = list(iter_scored(store, shards, ["x"], DOMAINS, ids=ids))
        assert [len(part) for part in parts] == [2, 0, 3]
        for name in ("n_tokens", "domains", "scores"):
            found = np.concatenate([getattr(part, name) for part in parts])
            np.testing.assert_array_equal(found, getattr(pool, name))
    with pytest.raises(TypeError, match=r"ids\[0\] is None"):
        _ = parts[0].id_hashes
    scores = list(iter_scores(store, shards, ["x"]))
    assert [shard for shard, _, _ in scores] == shards
    np.testing.assert_array_equal(np.concatenate([s for _, _, s in scores]), pool.scores)


def test_labels_of_another_version_are_refused_where_ids_are_not_read(store: Store) -> None:
    path = store.table_path(DOMAIN_LABELS, "a")
    labels = store.read_table(path)
    for wrong, summary in (
        (labels.reverse(), {"inputs": {"raw_shard": "another"}}),
        (labels.reverse(), None),
        (labels.head(2), store.summary(path)),
    ):
        store.write_table(path, wrong, summary)
        with pytest.raises(ValueError, match="shard 'a' do not hold the same documents"):
            list(iter_scored(store, ["a"], ["x"], DOMAINS, ids="none"))


def test_sigma_goes_column_by_column(store: Store) -> None:
    pool = read_scored(store, ["a", "b"], ["x", "y"], DOMAINS)
    normalizers = [
        fit_normalizer("minmax", pool.scores[:, n], pool.n_tokens, max_breakpoints=10)
        for n in range(2)
    ]
    sigma = pool.sigma(normalizers)
    np.testing.assert_allclose(sigma[:, 0], [1, 0.75, 0.5, 0.25, 0])
    np.testing.assert_allclose(sigma[:, 1], (9 - pool.scores[:, 1]) / 11)


def test_pool_of_an_empty_shard(store: Store) -> None:
    pool = read_scored(store, ["empty"], ["x", "y"], DOMAINS)
    assert pool.scores.shape == (0, 2)
    assert len(pool.ids) == len(pool.n_tokens) == len(pool.domains) == len(pool.id_hashes) == 0
    rank = fit_normalizer("rank", [1.0, 2.0], [1, 1], max_breakpoints=10)
    assert pool.sigma([rank, rank]).shape == (0, 2)


def test_scores_and_labels_of_other_documents_are_refused(store: Store) -> None:
    path = store.table_path(DOMAIN_LABELS, "a")
    labels = store.read_table(path)
    for wrong in (labels.head(2), labels.reverse(), labels.with_columns(pl.lit("z").alias("id"))):
        store.write_table(path, wrong)
        with pytest.raises(ValueError, match="shard 'a' do not hold the same documents"):
            read_scored(store, ["b", "a"], ["x"], DOMAINS)


def test_domain_and_criterion_that_the_settings_have_got_meanwhile(store: Store) -> None:
    with pytest.raises(ValueError, match=r"holds \['cooking'\], which the settings do not name"):
        read_scored(store, ["a", "b"], ["x"], ("law", "unknown"))
    with pytest.raises(ValueError, match=r"shard 'a' has no column z: .* materialise fitted_mod"):
        read_scored(store, ["a", "b"], ["x", "z"], DOMAINS)


def test_shard_that_is_not_scored(store: Store) -> None:
    with pytest.raises(MissingOutputError, match="scored_shards"):
        read_scored(store, ["a", "c"], ["x"], DOMAINS)
    store.table_path(DOMAIN_LABELS, "b").unlink()
    with pytest.raises(MissingOutputError, match="domain_labels"):
        read_scored(store, ["a", "b"], ["x"], DOMAINS)
