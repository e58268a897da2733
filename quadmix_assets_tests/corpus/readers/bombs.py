"""Small files that hold far more than their size says, and how much memory reading one takes.

As a program: reads the files named as arguments, and prints one line of JSON for each.
"""

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from upath import UPath

from quadmix_assets.corpus.normalize import normalize
from quadmix_assets.corpus.readers import UnreadableShardError, read_sample

_MB = 1_000_000


def _parquet(path: Path, column: Any, **options: Any) -> None:
    """A column `text`, without a word of how Arrow held it."""
    pq.write_table(pa.table({"text": column}), path, compression="zstd", **options)


def _positions(n_rows: int, value: str) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n_rows, np.int32)), pa.array([value]))


def _lists(path: Path) -> None:
    values = pa.nulls(30 * _MB, pa.int8())
    lists = pa.ListArray.from_arrays(pa.array([0, 30 * _MB], pa.int32()), values)
    pq.write_table(pa.table({"text": ["a"], "tags": lists}), path)


def _zstd(path: Path, *parts: tuple[bytes, int]) -> None:
    """Parts, each repeated so many times."""
    compressor = zstandard.ZstdCompressor(level=3).compressobj()
    with path.open("wb") as file:
        for part, times in parts:
            block = part * max(1, min(times, _MB // len(part)))
            n_blocks = times // (len(block) // len(part))
            for _ in range(n_blocks):
                file.write(compressor.compress(block))
        file.write(compressor.flush())


def _gzip(path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=9) as file:
        for _ in range(400):
            file.write(b"a" * _MB)


BOMBS: dict[str, Callable[[Path], None]] = {
    "dictionary.parquet": lambda path: _parquet(
        path, _positions(2_000, "x" * _MB), store_schema=False
    ),
    "kept_dictionary.parquet": lambda path: _parquet(path, _positions(2_000, "x" * _MB)),
    "rows.parquet": lambda path: _parquet(path, _positions(2 * _MB, "a"), store_schema=False),
    "page.parquet": lambda path: _parquet(
        path, ["x" * _MB] * 250, use_dictionary=False, data_page_size=1 << 30
    ),
    "prefixes.parquet": lambda path: _parquet(
        path, ["x" * _MB] * 250, use_dictionary=False, column_encoding="DELTA_BYTE_ARRAY"
    ),
    "fixed.parquet": lambda path: _parquet(path, pa.array([None] * 300, pa.binary(_MB))),
    "lists.parquet": _lists,
    "line.jsonl.zst": lambda path: _zstd(path, (b'{"text": "', 1), (b"a" * _MB, 1_200), (b'"}', 1)),
    "lines.jsonl.zst": lambda path: _zstd(path, (b'{"text": "' + b"a" * 3 * _MB + b'"}\n', 400)),
    "blank.jsonl.zst": lambda path: _zstd(path, (b"\n", 20 * _MB)),
    "arrays.jsonl.zst": lambda path: _zstd(
        path, (b'{"text": "a", "x": [', 1), (b"[],", 9 * _MB), (b"[]]}\n", 1)
    ),
    "objects.jsonl.zst": lambda path: _zstd(
        path, (b'{"text": "a", "x": [', 1), (b'{"":0},', 4 * _MB), (b"[]]}\n", 1)
    ),
    "line.jsonl.gz": _gzip,
}
"""By the name of the file, what writes it."""


def _peak_mib() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024


def read_whole(path: Path) -> dict[str, Any]:
    """Read a file as an input shard, and its first rows with all columns; what came of it."""
    Path("/proc/self/clear_refs").write_text("5")  # The peak starts anew.
    before, n_rows, errors = _peak_mib(), 0, []
    try:
        for batch in normalize(
            UPath(path),
            shard_key="shard",
            text_column="text",
            id_column="id",
            source_column="source",
            carried_columns={},
            max_text_bytes=4_000_000,
        ):
            n_rows += len(batch.documents) + len(batch.quarantined)
    except UnreadableShardError as error:
        errors.append(str(error))
    try:
        read_sample(UPath(path), n_rows=100)
    except UnreadableShardError as error:
        errors.append(str(error))
    return {"file": path.name, "mib": _peak_mib() - before, "n_rows": n_rows, "errors": errors}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        sys.stdout.write(json.dumps(read_whole(Path(name))) + "\n")
        sys.stdout.flush()
