"""The best of near-duplicates, against the plain computation."""

import numpy as np
import polars as pl
import pytest

from quadmix_assets.features.scored_documents import ScoredDocuments
from quadmix_assets.mix.documents import Documents
from quadmix_assets.mix.duplicates import drop_duplicates, unknown_duplicates

SCHEMA = {"id_hash": pl.UInt64, "survivor": pl.UInt64}


def pool_of(n: int) -> Documents:
    rng = np.random.default_rng(3)
    scored = ScoredDocuments(
        ids=pl.Series([f"d{i}" for i in range(n)]),
        n_tokens=rng.integers(1, 50, n),
        domains=rng.integers(0, 3, n).astype(np.int32),
        scores=rng.random((n, 1)),
    )
    return Documents(scored, ("q",), ("x", "y", "unknown"), {})


def clusters_of(pool: Documents, rng: np.random.Generator) -> pl.DataFrame:
    """Some documents in clusters, and one that is not in the pool in each of the first five."""
    members = rng.choice(len(pool), len(pool) // 2, replace=False)
    numbers = rng.integers(0, len(pool) // 8, len(members)).astype(np.uint64)
    outside = pl.DataFrame(
        {"id_hash": np.arange(5, dtype=np.uint64), "cluster": np.arange(5, dtype=np.uint64)}
    )
    inside = pl.DataFrame({"id_hash": pool.id_hashes[members], "cluster": numbers})
    return pl.concat([inside, outside]).sample(fraction=1.0, shuffle=True, seed=1)


def plainly(pool: Documents, clusters: pl.DataFrame, quality: np.ndarray) -> dict[int, int]:
    """Per dropped document, by position, the one that is kept."""
    places = {int(value): n for n, value in enumerate(pool.id_hashes)}
    kept: dict[int, int] = {}
    for (_,), group in clusters.group_by("cluster"):
        members = [places[h] for h in group["id_hash"] if h in places]
        if members:
            best = min(members, key=lambda n: (quality[n], int(pool.id_hashes[n])))
            kept |= {n: best for n in members if n != best}
    return kept


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_values", [3, 1_000_000])
def test_the_best_of_every_cluster_is_kept(seed: int, n_values: int) -> None:
    rng = np.random.default_rng(seed)
    pool = pool_of(200)
    clusters, quality = clusters_of(pool, rng), rng.integers(0, n_values, 200).astype(float)
    found = drop_duplicates(pool, clusters, quality)
    assert dict(zip(found.positions.tolist(), found.survivors.tolist(), strict=True)) == plainly(
        pool, clusters, quality
    )


def test_the_order_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    pool, quality = pool_of(200), np.repeat([1.0, 2.0], 100)
    clusters = clusters_of(pool, rng)
    table = drop_duplicates(pool, clusters, quality).table(pool)
    order = rng.permutation(200)
    again = drop_duplicates(pool.where(order), clusters.reverse(), quality[order])
    assert again.table(pool.where(order)).equals(table)


def test_the_table_names_the_survivor_of_every_document() -> None:
    pool = pool_of(4)
    clusters = pl.DataFrame(
        {"id_hash": pool.id_hashes[[0, 2, 3]], "cluster": np.full(3, 7, dtype=np.uint64)}
    )
    table = drop_duplicates(pool, clusters, np.array([3.0, 0.0, 1.0, 2.0])).table(pool)
    expected = pl.DataFrame(
        {
            "id_hash": pool.id_hashes[[0, 3]],
            "survivor": pool.id_hashes[[2, 2]],
            "domain": pool.domains[[0, 3]],
            "n_tokens": pool.n_tokens[[0, 3]],
        }
    ).sort("id_hash")
    assert table.equals(expected)


def test_without_clusters_nothing_is_dropped() -> None:
    pool = pool_of(4)
    none = pl.DataFrame(schema={"id_hash": pl.UInt64, "cluster": pl.UInt64})
    found = drop_duplicates(pool, none, np.zeros(4))
    assert not len(found.positions)
    assert found.table(pool).height == 0


def test_what_a_rule_does_not_know() -> None:
    clusters = pl.DataFrame(
        {
            "id_hash": [1, 2, 3, 10, 11, 20, 21],
            "cluster": [1, 1, 1, 10, 10, 20, 20],
            "id": list("abcdefg"),
            "shard": ["s"] * 7,
        },
        schema_overrides={"id_hash": pl.UInt64, "cluster": pl.UInt64},
    )
    known = pl.DataFrame({"id_hash": [2, 3, 10, 20], "survivor": [1, 1, 11, 21]}, schema=SCHEMA)
    assert unknown_duplicates(clusters, known).is_empty
    # 3 came later; what 20 was dropped for has left; 30 has no near-duplicate any more.
    older = pl.DataFrame({"id_hash": [2, 10, 20, 30], "survivor": [1, 11, 99, 1]}, schema=SCHEMA)
    found = unknown_duplicates(clusters, older)
    assert (found.n_repeated, found.n_orphans) == (1, 2)
    assert found.examples.rows() == [("c", "s", 1)]
    nothing = unknown_duplicates(clusters, known.clear())
    assert (nothing.n_repeated, nothing.n_orphans) == (4, 0)
