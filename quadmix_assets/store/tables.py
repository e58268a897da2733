"""Writes Parquet tables piece by piece, with a summary in the footer."""

import json
from collections.abc import Mapping
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP_ROWS = 8_192
ZSTD_LEVEL = 3
SUMMARY_KEY = "quadmix"


class TableWriter:
    """Writes Arrow tables of one schema to one zstd Parquet file, each as its own row groups."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(
            file, schema, compression="zstd", compression_level=ZSTD_LEVEL
        )
        self.n_rows = 0

    def write(self, table: pa.Table) -> None:
        """Append the rows of `table`."""
        if table.num_rows:
            self._writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
            self.n_rows += table.num_rows

    def describe(self, summary: Mapping[str, Any]) -> None:
        """Store `summary` in the file's footer, so that the table and its summary are one file."""
        self._writer.add_key_value_metadata({SUMMARY_KEY: json.dumps(summary, sort_keys=True)})

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()
