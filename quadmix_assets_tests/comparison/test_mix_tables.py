from collections import Counter
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from upath import UPath

from quadmix_assets.comparison.mix_tables import (
    MixComparison,
    compare_mixes,
    finished_mixes,
    read_comparison,
    write_comparison,
)
from quadmix_assets.mix.selections import read_mix
from quadmix_assets.outputs import NEAR_DUPLICATES, SCORED_SHARDS, TARGET_OVERLAP
from quadmix_assets.sampling import hash_ids
from quadmix_assets.settings import Settings, load_settings
from quadmix_assets.store import Store
from quadmix_assets_tests.conftest import write_profile
from quadmix_assets_tests.finished_mixes import DOMAINS, SCORES, Row, put_mix, rows_of

RNG = np.random.default_rng(1)
POOL = {shard: rows_of(shard, RNG) for shard in ("a", "b", "c")}
NAMES = ("one", "two", "three")
# `two` was made before the shard c came, `three` has documents in no other mix.
MIXES: dict[str, dict[str, list[Row]]] = {
    "one": POOL,
    "two": {shard: [r._replace(copies=1 + i % 3) for i, r in enumerate(POOL[shard][::2])]
            for shard in "ab"},
    "three": {"a": POOL["a"][1::2], "c": rows_of("x", RNG, 60)},
}  # fmt: skip


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    mixes = [{"method": "quadmix", "name": name} for name in (*NAMES, "unfinished")]
    folder = tmp_path_factory.mktemp("profile")
    return load_settings(write_profile(folder, mixes=mixes, production="two"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(UPath(tmp_path / "lake"))
    for name, shards in MIXES.items():
        put_mix(store, name, shards)
    for shard, rows in POOL.items():
        scored = pl.DataFrame(
            {name: [getattr(row, name) for row in rows] for name in ("id", "n_tokens", *SCORES)}
        )
        store.write_table(store.table_path(SCORED_SHARDS, shard), scored)
    return store


def compared(store: Store, settings: Settings) -> MixComparison:
    return compare_mixes(store, settings, finished_mixes(store, settings))


def rows(name: str) -> list[Row]:
    return [row for each in MIXES[name].values() for row in each]


def tokens(found: list[Row]) -> int:
    return sum(row.n_tokens * row.copies for row in found)


def test_sizes_are_those_of_a_plain_loop(store: Store, settings: Settings) -> None:
    table = compared(store, settings).mixes
    assert table["mix"].to_list() == list(NAMES)
    for row in table.iter_rows(named=True):
        found = rows(row["mix"])
        assert row["n_documents"] == len(found)
        assert row["n_copies"] == sum(each.copies for each in found)
        assert row["n_tokens"] == tokens(found)
        assert row["max_copies"] == max(each.copies for each in found)
        assert row["epochs"] == pytest.approx(tokens(found) / 30_000)
        assert row["tokens_per_document"] == pytest.approx(row["n_tokens"] / row["n_copies"])
        assert row["version"] == read_mix(store, row["mix"]).version
        assert row["is_production"] == (row["mix"] == "two")
        assert row["n_duplicates"] is row["n_target_documents"] is None


def test_domains_are_those_of_a_plain_loop(store: Store, settings: Settings) -> None:
    table = compared(store, settings).domains
    assert table.select("mix", "domain").rows() == list(product(NAMES, DOMAINS))
    pool = dict(zip(DOMAINS, (20_000, 10_000, 0), strict=True))
    for row in table.iter_rows(named=True):
        found = [each for each in rows(row["mix"]) if each.domain == row["domain"]]
        assert row["n_documents"] == len(found)
        assert row["n_tokens"] == tokens(found)
        assert row["share"] == pytest.approx(tokens(found) / tokens(rows(row["mix"])))
        assert row["share_pool"] == pytest.approx(pool[row["domain"]] / 30_000)


def test_mean_scores_are_weighted_by_tokens_with_copies(store: Store, settings: Settings) -> None:
    table = compared(store, settings).criteria
    assert table.select("mix", "criterion").rows() == list(product(NAMES, SCORES))
    everything = [row for each in POOL.values() for row in each]
    for row in table.iter_rows(named=True):
        found, name = rows(row["mix"]), row["criterion"]
        values, weights = (
            [getattr(each, name) for each in found],
            [each.n_tokens * each.copies for each in found],
        )
        assert row["mean"] == pytest.approx(np.average(values, weights=weights))
        pool, lengths = [getattr(e, name) for e in everything], [e.n_tokens for e in everything]
        mean = np.average(pool, weights=lengths)
        assert row["mean_pool"] == pytest.approx(mean)
        spread = np.average((np.array(pool) - mean) ** 2, weights=lengths)
        assert row["deviation_pool"] == pytest.approx(np.sqrt(spread))


def test_overlaps_are_those_of_sets_of_ids(store: Store, settings: Settings) -> None:
    table = compared(store, settings).overlaps
    assert table.select("mix", "other").rows() == list(product(NAMES, NAMES))
    for row in table.iter_rows(named=True):
        lengths = [{each.id: each.n_tokens for each in rows(row[k])} for k in ("mix", "other")]
        both = sum(n for name, n in lengths[0].items() if name in lengths[1])
        either = sum((lengths[1] | lengths[0]).values())
        assert row["n_tokens_shared"] == both
        assert row["share_shared"] == pytest.approx(both / sum(lengths[0].values()))
        assert row["jaccard"] == pytest.approx(both / either)


def test_duplicates_are_documents_whose_cluster_has_another_one_in_the_mix(
    store: Store, settings: Settings
) -> None:
    ids = sorted({row.id for name in NAMES for row in rows(name)})
    clusters = {name: number // 3 for number, name in enumerate(ids) if number % 7}
    table = pl.DataFrame(
        {
            "id_hash": hash_ids(list(clusters)),
            "cluster": hash_ids([f"cluster {number}" for number in clusters.values()]),
        }
    )
    store.write_table(store.table_path(NEAR_DUPLICATES), table)
    for row in compared(store, settings).mixes.iter_rows(named=True):
        held = Counter(clusters[r.id] for r in rows(row["mix"]) if r.id in clusters)
        assert row["n_duplicates"] == sum(count for count in held.values() if count > 1) > 0


def test_target_documents_are_counted_once(store: Store, settings: Settings) -> None:
    found = [("t", "1", "a-1"), ("t", "1", "a-2"), ("t", "2", "a-3"), ("u", "1", "a-1")]
    found += [("u", "9", "nowhere"), *(("t", f"of {r.id}", r.id) for r in POOL["a"])]
    table = pl.DataFrame(found, schema=["target", "target_id", "id"], orient="row")
    store.write_table(store.table_path(TARGET_OVERLAP, "a"), table)
    for row in compared(store, settings).mixes.iter_rows(named=True):
        ids = {each.id for each in rows(row["mix"])}
        expected = {(target, number) for target, number, name in found if name in ids}
        assert row["n_target_documents"] == len(expected) > 0


def test_order_of_shards_and_of_rows_changes_nothing(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    other = Store(UPath(tmp_path / "other"))
    for name, shards in MIXES.items():
        put_mix(other, name, {key: shards[key][::-1] for key in sorted(shards, reverse=True)})
    made, again = compared(store, settings), compared(other, settings)
    assert made.overlaps.equals(again.overlaps)
    assert made.domains.equals(again.domains)
    assert made.mixes.drop("version").equals(again.mixes.drop("version"))


def test_tables_are_read_as_they_were_written(store: Store, settings: Settings) -> None:
    made = compared(store, settings)
    write_comparison(store, made)
    found = read_comparison(store)
    for name in ("mixes", "domains", "criteria", "overlaps"):
        assert getattr(found, name).equals(getattr(made, name))


def test_without_finished_mixes_there_is_nothing_to_compare(
    settings: Settings, tmp_path: Path
) -> None:
    store = Store(UPath(tmp_path / "empty"))
    assert finished_mixes(store, settings) == []
    with pytest.raises(ValueError, match="no mix is finished: materialise the mix_manifest"):
        compare_mixes(store, settings, [])


def test_a_mix_without_documents_is_compared(settings: Settings, tmp_path: Path) -> None:
    store = Store(UPath(tmp_path / "empty"))
    put_mix(store, "one", {"a": []})
    made = compared(store, settings)
    assert made.mixes["n_tokens"].to_list() == [0]
    assert made.overlaps["jaccard"].to_list() == [0.0]
    assert made.criteria["mean"].to_list() == [None, None]
