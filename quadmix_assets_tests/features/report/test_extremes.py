"""The tables of extreme documents."""

from pathlib import Path
from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from quadmix_assets.features.normalizers import fit_normalizer
from quadmix_assets.features.pool_summary import summarize_pool
from quadmix_assets.features.report.extremes import best_rows, extreme_documents, worst_rows
from quadmix_assets.outputs import SCORE_NORMALIZERS
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets.store import tables as tables_module
from quadmix_assets_tests.lakes import put_raw, put_scored

DOMAINS = ("law", "unknown")


def put(store: Store, shard: str, ids: list[str], scores: list[float]) -> None:
    put_raw(store, shard, [{"id": i, "text": f"text of\n\n {i} " + "word " * 99} for i in ids])
    domains = ["law" if float(s).is_integer() else "unknown" for s in scores]
    put_scored(store, shard, {"x": scores, "y": [-s for s in scores]}, domains, [1] * len(ids))


def tables(store: Store, shards: list[str], n: int) -> dict[str, pl.DataFrame]:
    for name in ("x", "y"):
        fitted = fit_normalizer("rank", [0.0, 1.0], [1, 1], max_breakpoints=10).to_frame()
        store.write_table(store.table_path(SCORE_NORMALIZERS, name), fitted)
    pool = summarize_pool(store, shards, ["x", "y"], DOMAINS)
    return extreme_documents(
        store, pool.extremes, pool.n_documents, ["x", "y"], DOMAINS, n=n, excerpt=20
    )


@given(st.lists(st.integers(-2, 2), max_size=25), st.integers(1, 6), st.randoms())
def test_rows_are_the_ends_of_the_order_by_score_then_id(
    levels: list[int], n: int, random: Random
) -> None:
    ids = [f"d{k:02d}" for k in range(len(levels))]
    random.shuffle(ids)
    order = sorted(range(len(ids)), key=lambda row: (-levels[row], ids[row]))
    named, scores = pl.Series(ids, dtype=pl.String), np.array(levels, dtype=float)
    assert best_rows(named, scores, n).tolist() == order[:n]
    assert worst_rows(named, scores, n).tolist() == order[::-1][:n]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    # Several row groups in a shard, as large shards have.
    monkeypatch.setattr(tables_module, "ROW_GROUP_ROWS", 4)
    store = Store(UPath(tmp_path / "lake"))
    put(store, "a", [f"a{k}" for k in range(11)], [k / 2 for k in range(11)])
    put(store, "empty", [], [])
    put(store, "b", [f"b{k}" for k in range(6)], [9.0, -1.0, 2.2, 5.0, 0.0, 2.0])
    return store


def test_documents_come_from_the_whole_pool(store: Store) -> None:
    found = tables(store, ["a", "empty", "b"], 3)
    x = found["x"]
    assert x.columns == ["end", "score", "domain", "id", "shard", "text"]
    assert x["end"].to_list() == ["top"] * 3 + ["bottom"] * 3
    assert x["id"].to_list() == ["b0", "a10", "b3", "a0", "b4", "b1"]
    assert x["score"].to_list() == [9.0, 5.0, 5.0, 0.0, 0.0, -1.0]
    assert x["shard"].to_list() == ["b", "a", "b", "a", "b", "b"]
    assert found["y"]["id"].to_list() == ["b1", "a0", "b4", "a10", "b3", "b0"]
    for row in x.iter_rows(named=True):
        assert row["text"].startswith(f"text of {row['id']} word")
        assert row["text"].endswith("…")
        assert len(row["text"]) <= 20
        assert row["domain"] == "law"


def test_layout_of_shards_changes_only_the_names_of_shards(store: Store) -> None:
    first = tables(store, ["a", "empty", "b"], 4)
    second = tables(store, ["b", "a", "empty"], 4)
    for name in first:
        assert first[name].equals(second[name])


def test_only_row_groups_that_hold_a_document_are_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet as pq

    read: list[int] = []
    plain = pq.ParquetFile.read_row_group

    def counted(self: pq.ParquetFile, group: int, columns: list[str]) -> object:
        read.append(group)
        return plain(self, group, columns)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    tables(store, ["a"], 1)
    assert read == [0, 2], "the best and the worst of 11 rows in groups of 4"


def test_few_documents_stand_once(store: Store) -> None:
    assert sorted(tables(store, ["b"], 10)["x"]["id"]) == [f"b{k}" for k in range(6)]
    assert tables(store, ["empty"], 10)["x"].height == 0


def test_shard_that_has_changed_since_it_was_scored_says_so(store: Store) -> None:
    put_raw(store, "b", [{"id": "b0", "text": "still here"}, {"id": "new", "text": "other"}])
    x = tables(store, ["a", "b"], 3)["x"]
    texts = dict(x.select("id", "text").iter_rows())
    assert texts["b0"] == "still here"
    for stale in ("b1", "b3", "b4"):
        assert "raw_shards has changed" in texts[stale]
    assert texts["a10"].startswith("text of a10")


def test_shard_without_texts(store: Store) -> None:
    store.table_path("raw_shards", "a").unlink()
    with pytest.raises(MissingOutputError, match="raw_shards"):
        tables(store, ["a"], 1)
