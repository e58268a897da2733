"""The near-duplicates of the whole pool, from the signatures of its shards."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from quadmix_assets.features.near_duplicates.clusters import find_clusters
from quadmix_assets.features.near_duplicates.minhash import ByteArray
from quadmix_assets.features.near_duplicates.shard_signatures import (
    SIGNATURE,
    band_column,
    read_numbers,
    require_signatures,
    shape_of,
    signature_bytes,
)
from quadmix_assets.outputs import DUPLICATE_SIGNATURES, NEAR_DUPLICATES, SCORED_SHARDS
from quadmix_assets.sampling.validation import IntArray
from quadmix_assets.settings.near_duplicates import NearDuplicatesSettings
from quadmix_assets.store import Store

SCHEMA = {
    "id_hash": pl.UInt64,
    "cluster": pl.UInt64,
    "id": pl.String,
    "shard": pl.String,
    "n_tokens": pl.Int64,
}


def near_duplicates_of(
    store: Store, shards: Sequence[str], options: NearDuplicatesSettings
) -> pl.DataFrame:
    """The documents that have near-duplicates in these shards, each with its cluster.

    Of the whole pool only the hashes of ids and of one band are in memory.

    Returns:
        Columns of SCHEMA, clusters of two or more documents, sorted by cluster and id hash: the
        same in any order of shards. A cluster is named by the least id hash in it.

    Raises:
        MissingOutputError: a shard has no signatures or no scores.
        ValueError: signatures were made with other settings, or a shard's signatures and scores are
            not of the same documents.
    """
    require_signatures(store, shards, options)
    id_hashes = read_numbers(store, shards, "id_hash")
    sizes = [store.n_rows(store.table_path(DUPLICATE_SIGNATURES, shard)) for shard in shards]
    ends = np.cumsum([0, *sizes])
    clusters = find_clusters(
        id_hashes,
        lambda number: read_numbers(store, shards, band_column(number)),
        shape_of(options)[0],
        lambda positions: _signatures(store, shards, ends, positions, options.n_permutations),
        options.threshold,
    )
    _, inverse, counts = np.unique(clusters, return_inverse=True, return_counts=True)
    several = counts[inverse] > 1
    frames = []
    for number, shard in enumerate(shards):
        part = slice(ends[number], ends[number + 1])
        rows = np.flatnonzero(several[part])
        if rows.size:
            frames.append(_rows(store, shard, rows, id_hashes[part][rows], clusters[part][rows]))
    return pl.concat([pl.DataFrame(schema=SCHEMA), *frames]).sort("cluster", "id_hash")


def write_near_duplicates(
    store: Store, shards: Sequence[str], options: NearDuplicatesSettings
) -> pl.DataFrame:
    """Write the table of `near_duplicates_of`, and return it.

    Raises:
        MissingOutputError: a shard has no signatures or no scores.
        ValueError: see `near_duplicates_of`.
    """
    table = near_duplicates_of(store, shards, options)
    store.write_table(store.table_path(NEAR_DUPLICATES), table)
    return table


def read_near_duplicates(store: Store) -> pl.DataFrame:
    """The table of `near_duplicates_of`, as it was last written.

    Raises:
        MissingOutputError: it has not been made.
    """
    return store.read_table(store.table_path(NEAR_DUPLICATES), list(SCHEMA))


def _signatures(
    store: Store, shards: Sequence[str], ends: IntArray, positions: IntArray, k: int
) -> ByteArray:
    """Compact signatures (n, k) of documents by their positions in the pool, shard by shard."""
    found = np.empty((len(positions), k), dtype=np.uint8)
    of_shard = np.searchsorted(ends, positions, side="right") - 1
    for number in np.unique(of_shard):
        chosen = np.flatnonzero(of_shard == number)
        path = store.table_path(DUPLICATE_SIGNATURES, shards[number])
        column = store.read_table(path, [SIGNATURE])[SIGNATURE]
        found[chosen] = signature_bytes(column.gather(positions[chosen] - ends[number]), k)
    return found


def _rows(
    store: Store, shard: str, rows: IntArray, id_hashes: np.ndarray, clusters: np.ndarray
) -> pl.DataFrame:
    ids = store.read_table(store.table_path(DUPLICATE_SIGNATURES, shard), ["id"])["id"]
    scored = store.read_table(store.table_path(SCORED_SHARDS, shard), ["id", "n_tokens"])
    if not scored["id"].equals(ids):
        raise ValueError(
            f"{DUPLICATE_SIGNATURES} and {SCORED_SHARDS} of the shard {shard!r} do not hold the "
            "same documents: materialise both for this shard again"
        )
    columns = {
        "id_hash": id_hashes,
        "cluster": clusters,
        "id": ids.gather(rows),
        "shard": [shard] * len(rows),
        "n_tokens": scored["n_tokens"].gather(rows),
    }
    return pl.DataFrame(columns, schema=SCHEMA)
