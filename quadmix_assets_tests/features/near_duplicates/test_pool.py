"""Near-duplicates of a pool in the lake: any order of shards, and what is refused."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from upath import UPath

from quadmix_assets.features.near_duplicates.pool import (
    SCHEMA,
    near_duplicates_of,
    read_near_duplicates,
    write_near_duplicates,
)
from quadmix_assets.features.near_duplicates.shard_signatures import sign_shard
from quadmix_assets.outputs import DUPLICATE_SIGNATURES, NEAR_DUPLICATES, SCORED_SHARDS
from quadmix_assets.sampling import hash_ids
from quadmix_assets.settings.near_duplicates import NearDuplicatesSettings
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.features.near_duplicates.texts import random_text, some_pool
from quadmix_assets_tests.lakes import put_raw, put_scored

OPTIONS = NearDuplicatesSettings(enabled=True)
SHARDS = ("a", "b", "c")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three shards: families of near-duplicates lie across them."""
    store = Store(UPath(tmp_path / "lake"))
    rng = np.random.default_rng(0)
    texts = some_pool().gather(rng.permutation(len(some_pool()))).to_list()
    for number, shard in enumerate(SHARDS):
        rows = [
            {"id": f"{shard}{n}", "text": text}
            for n, text in enumerate(texts[number :: len(SHARDS)])
        ]
        put_raw(store, shard, rows, id_column="id")
        put_scored(store, shard, {"q": rng.random(len(rows))}, ["x"] * len(rows), [9] * len(rows))
        assert sign_shard(store, shard, OPTIONS) == len(rows)
    return store


def test_the_order_of_shards_changes_no_byte(store: Store) -> None:
    write_near_duplicates(store, SHARDS, OPTIONS)
    path = store.table_path(NEAR_DUPLICATES)
    first = path.read_bytes()
    found = write_near_duplicates(store, SHARDS[::-1], OPTIONS)
    assert path.read_bytes() == first
    assert read_near_duplicates(store).equals(found)


def test_rows_are_documents_with_company(store: Store) -> None:
    found = near_duplicates_of(store, SHARDS, OPTIONS)
    assert dict(found.schema) == SCHEMA
    assert found.height > 60 and found["id"].is_unique().all()
    assert found["id_hash"].to_list() == hash_ids(found["id"].to_list()).tolist()
    assert (found["shard"] == found["id"].str.slice(0, 1)).all()
    assert found.group_by("cluster").len()["len"].min() == 2
    assert (
        found.group_by("cluster")
        .agg(pl.col("id_hash").min())
        .select((pl.col("cluster") == pl.col("id_hash")).all())
        .item()
    )
    assert found["n_tokens"].unique().to_list() == [9]


def test_a_new_shard_joins_the_clusters_of_the_pool(store: Store) -> None:
    before = near_duplicates_of(store, SHARDS, OPTIONS)
    old = store.read_table(store.table_path("raw_shards", "a"), ["id", "text"])
    alone = old.filter(~pl.col("id").is_in(before["id"].implode())).row(0, named=True)
    rows = [
        {"id": "copy", "text": f"{alone['text']}."},
        {"id": "new", "text": random_text(np.random.default_rng(5), 80)},
    ]
    put_raw(store, "d", rows, id_column="id")
    put_scored(store, "d", {"q": [0.0, 1.0]}, ["x", "x"], [1, 2])
    sign_shard(store, "d", OPTIONS)
    after = near_duplicates_of(store, (*SHARDS, "d"), OPTIONS)
    added = set(after["id"]) - set(before["id"])
    assert added == {"copy", alone["id"]}
    assert after.filter(~pl.col("id").is_in(list(added))).equals(before)


def test_signatures_are_the_same_however_often_they_are_made(store: Store) -> None:
    path = store.table_path(DUPLICATE_SIGNATURES, "a")
    before = path.read_bytes()
    sign_shard(store, "a", OPTIONS)
    assert path.read_bytes() == before


def test_an_empty_shard_has_no_signatures(store: Store) -> None:
    put_raw(store, "e", [], id_column="id")
    put_scored(store, "e", {"q": []}, [], [])
    assert sign_shard(store, "e", OPTIONS) == 0
    with_it = near_duplicates_of(store, (*SHARDS, "e"), OPTIONS)
    assert with_it.equals(near_duplicates_of(store, SHARDS, OPTIONS))


def test_signatures_of_other_settings_are_refused(store: Store) -> None:
    other = NearDuplicatesSettings(enabled=True, n_gram=3)
    with pytest.raises(
        ValueError, match=r"shard 'a'.*'n_gram': 5.*materialise duplicate_signatures"
    ):
        near_duplicates_of(store, SHARDS, other)


def test_signatures_of_other_documents_are_refused(store: Store) -> None:
    path = store.table_path(SCORED_SHARDS, "b")
    store.write_table(path, store.read_table(path).reverse())
    with pytest.raises(ValueError, match="shard 'b' do not hold the same documents"):
        near_duplicates_of(store, SHARDS, OPTIONS)


def test_a_shard_without_signatures_is_named(store: Store) -> None:
    with pytest.raises(MissingOutputError, match="duplicate_signatures"):
        near_duplicates_of(store, (*SHARDS, "z"), OPTIONS)
