"""Files for trainers: id and text, each document repeated by its copies."""

import io
from typing import Literal

import orjson
import polars as pl
import pyarrow as pa
import zstandard
from upath import UPath

from quadmix_assets.outputs import EXPORT, FINAL_MIX
from quadmix_assets.store import BATCH_ROWS, ZSTD_LEVEL, Store, carded_file

_SCHEMA = pa.schema([("id", pa.large_string()), ("text", pa.large_string())])


def export_path(store: Store, shard: str, file_format: Literal["parquet", "jsonl.zst"]) -> UPath:
    """The path of the export of a shard."""
    return store.path(EXPORT, f"{shard}.{file_format}")


def export_shard(store: Store, shard: str, file_format: Literal["parquet", "jsonl.zst"]) -> int:
    """Write the export of a shard from its final mix as a stream; returns the rows written.

    Raises:
        MissingOutputError: the shard's final mix is not there.
    """
    n_rows = 0
    source = store.table_path(FINAL_MIX, shard)
    batches = store.iter_table(source, ["id", "text", "copies"], BATCH_ROWS)
    repeated = (
        batch.select(pl.col("id", "text").repeat_by("copies").explode()) for batch in batches
    )
    path = export_path(store, shard, file_format)
    if file_format == "parquet":
        with store.table_writer(path, _SCHEMA) as writer:
            for rows in repeated:
                writer.write(rows.to_arrow().cast(_SCHEMA))
                n_rows += rows.height
        return n_rows
    compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
    with carded_file(path) as file, compressor.stream_writer(file, closefd=False) as stream:
        for rows in repeated:
            lines = io.BytesIO()
            for row in rows.iter_rows(named=True):
                lines.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            stream.write(lines.getvalue())
            n_rows += rows.height
    return n_rows
