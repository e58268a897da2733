"""The signatures of one shard in the lake: what its documents are found as near-duplicates by."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from quadmix_assets.features.near_duplicates.minhash import (
    ByteArray,
    band_hashes,
    band_shape,
    compact,
    signatures,
)
from quadmix_assets.features.near_duplicates.shingles import shingles_of
from quadmix_assets.outputs import DUPLICATE_SIGNATURES, RAW_SHARDS
from quadmix_assets.sampling import hash_ids
from quadmix_assets.settings.near_duplicates import NearDuplicatesSettings
from quadmix_assets.splitmix64 import UIntArray
from quadmix_assets.store import BATCH_ROWS, Store

SIGNATURE = "signature"


def band_column(number: int) -> str:
    """The column of a band, numbered from 0."""
    return f"band_{number}"


def shape_of(options: NearDuplicatesSettings) -> tuple[int, int]:
    """Bands, and numbers of a signature in each."""
    return band_shape(options.n_permutations, options.threshold)


def sign_shard(store: Store, shard: str, options: NearDuplicatesSettings) -> int:
    """Write the signatures of a shard, rows in the order of raw_shards, read as a stream.

    Columns: id, id_hash, one hash per band, and the compact signature.

    Returns:
        The number of documents.

    Raises:
        MissingOutputError: raw_shards does not hold the shard.
    """
    raw = store.table_path(RAW_SHARDS, shard)
    shape = shape_of(options)
    schema = _schema(shape[0], options.n_permutations)
    n_documents = 0
    with store.table_writer(store.table_path(DUPLICATE_SIGNATURES, shard), schema) as writer:
        for batch in store.iter_table(raw, ["id", "text"], BATCH_ROWS):
            parts = shingles_of(batch["text"], options.n_gram)
            signed = np.concatenate([signatures(part, options.n_permutations) for part in parts])
            writer.write(_table(batch["id"], signed, shape, schema))
            n_documents += batch.height
        writer.describe(
            {
                "inputs": {"raw_shard": store.summary(raw)["input"]["checksum"]},
                "made_with": _made_with(options),
            }
        )
    return n_documents


def require_signatures(
    store: Store, shards: Sequence[str], options: NearDuplicatesSettings
) -> None:
    """Check that all shards were signed alike.

    Raises:
        MissingOutputError: a shard has no signatures.
        ValueError: those of a shard were made with other settings.
    """
    for shard in shards:
        made_with = store.summary(store.table_path(DUPLICATE_SIGNATURES, shard))["made_with"]
        if made_with != _made_with(options):
            raise ValueError(
                f"{DUPLICATE_SIGNATURES} of the shard {shard!r} were made with {made_with}, the "
                f"settings features.near_duplicates say {_made_with(options)}: materialise "
                f"{DUPLICATE_SIGNATURES} of this shard again"
            )


def read_numbers(store: Store, shards: Sequence[str], column: str) -> UIntArray:
    """id_hash or a band of all documents (D,), shards in the order given."""
    parts = [
        store.read_table(store.table_path(DUPLICATE_SIGNATURES, shard), [column])[column].to_numpy()
        for shard in shards
    ]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint64)


def signature_bytes(column: pl.Series, k: int) -> ByteArray:
    """Compact signatures (n, k) of the column that holds them."""
    return np.frombuffer(b"".join(column.to_list()), dtype=np.uint8).reshape(-1, k)


def _made_with(options: NearDuplicatesSettings) -> dict[str, Any]:
    n_bands, n_rows = shape_of(options)
    return {
        "n_gram": options.n_gram,
        "n_permutations": options.n_permutations,
        "bands": n_bands,
        "numbers_in_a_band": n_rows,
    }


def _schema(n_bands: int, k: int) -> pa.Schema:
    bands = [(band_column(number), pa.uint64()) for number in range(n_bands)]
    return pa.schema(
        [("id", pa.large_string()), ("id_hash", pa.uint64()), *bands, (SIGNATURE, pa.binary(k))]
    )


def _table(
    ids: pl.Series, signed: np.ndarray, shape: tuple[int, int], schema: pa.Schema
) -> pa.Table:
    hashes = band_hashes(signed, shape)
    buffer = pa.py_buffer(compact(signed).tobytes())
    packed = pa.FixedSizeBinaryArray.from_buffers(
        schema.field(SIGNATURE).type, len(ids), [None, buffer]
    )
    columns = [
        ids.to_arrow().cast(pa.large_string()),
        pa.array(hash_ids(ids.to_list())),
        *(pa.array(hashes[:, number]) for number in range(shape[0])),
        packed,
    ]
    return pa.Table.from_arrays(columns, schema=schema)
