"""Files for trainers: id and text, each document repeated by its copies."""

import io
import os
from collections.abc import Iterator
from typing import Literal

import numpy as np
import orjson
import pyarrow as pa
import zstandard
from upath import UPath

from quadmix_assets.mix.final_mix import stale
from quadmix_assets.outputs import FINAL_MIX, MIX_EXPORT, RAW_SHARDS, SCORED_SHARDS, mix_output
from quadmix_assets.store import BATCH_ROWS, ZSTD_LEVEL, Store, carded_file

# More would hold as many batches of text in memory, and wait for the disk.
_MOST_AT_ONCE = 4
_SCHEMA = pa.schema([("id", pa.large_string()), ("text", pa.large_string())])
FileFormat = Literal["parquet", "jsonl.zst"]


def export_path(store: Store, shard: str, mix: str, file_format: FileFormat) -> UPath:
    """The path of the export of a shard."""
    return store.path(mix_output(mix, MIX_EXPORT), f"{shard}.{file_format}")


def export_shard(store: Store, shard: str, mix: str, file_format: FileFormat) -> int:
    """Write the export of a shard: texts beside what the mix takes of it, as a stream.

    Returns:
        The rows written.

    Raises:
        MissingOutputError: the shard's documents of the mix, or its texts, are not there.
        ValueError: the mix was made from another version of the shard.
    """
    n_rows = 0
    repeated = _repeated(store, shard, mix)
    path = export_path(store, shard, mix, file_format)
    if file_format == "parquet":
        with store.table_writer(path, _SCHEMA) as writer:
            for rows in repeated:
                writer.write(rows)
                n_rows += rows.num_rows
        return n_rows
    compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
    with carded_file(path) as file, compressor.stream_writer(file, closefd=False) as stream:
        for rows in repeated:
            lines = io.BytesIO()
            for row in rows.to_pylist():
                lines.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            stream.write(lines.getvalue())
            n_rows += rows.num_rows
    return n_rows


def n_shards_at_once() -> int:
    """Shards to decide on and export at once: unpacking and packing text fills one core each."""
    return min(_MOST_AT_ONCE, os.cpu_count() or 1)


def _repeated(store: Store, shard: str, mix: str) -> Iterator[pa.Table]:
    """Id and text of the documents that the mix takes, once per copy, in the order of the shard."""
    taken = store.read_table(store.table_path(mix_output(mix, FINAL_MIX), shard), ["id", "copies"])
    raw = store.table_path(RAW_SHARDS, shard)
    ids = store.read_table(raw, ["id"]).with_row_index("row")
    found = ids.join(taken, on="id", how="inner", maintain_order="left")
    if found.height != taken.height:
        raise stale(shard, SCORED_SHARDS)
    copies = found["copies"].to_numpy()
    rows = np.repeat(found["row"].to_numpy().astype(np.int64), copies)
    taken_ids = found["id"].gather(np.repeat(np.arange(len(copies)), copies)).to_arrow()
    first = 0
    with store.open_table(raw) as parquet:
        # Arrow's rows are taken as they are, which saves converting texts that are not taken.
        for batch in parquet.iter_batches(batch_size=BATCH_ROWS, columns=["text"]):
            start, end = np.searchsorted(rows, [first, first + batch.num_rows])
            if end > start:
                texts = batch.column(0).take(pa.array(rows[start:end] - first))
                columns = [taken_ids.slice(start, end - start), texts]
                yield pa.table(columns, names=_SCHEMA.names).cast(_SCHEMA)
            first += batch.num_rows
