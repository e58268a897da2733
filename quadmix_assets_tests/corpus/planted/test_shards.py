import gzip
from collections.abc import Iterator
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from upath import UPath

from quadmix_assets.corpus.planted import shards
from quadmix_assets.corpus.planted.shards import write_jsonl, write_parquet

ROWS = [{"id": f"id-{i}", "text": f'line "{i}"\nÄ 漢'} for i in range(25)]
SCHEMA = pa.schema([("id", pa.string()), ("text", pa.string())])


def failing_rows() -> Iterator[dict[str, str]]:
    yield from ROWS[:3]
    raise RuntimeError("killed")


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_jsonl_can_be_read_by_other_means(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new" / f"rows.jsonl{suffix}"
    write_jsonl(UPath(path), ROWS)
    data = path.read_bytes()
    if suffix == ".gz":
        assert data[4:8] == b"\0\0\0\0"
        data = gzip.decompress(data)
    if suffix == ".zst":
        data = zstandard.ZstdDecompressor().stream_reader(data).read()
    assert [orjson.loads(line) for line in data.splitlines()] == ROWS


def test_parquet_is_written_in_bounded_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "ROWS_PER_GROUP", 10)
    write_parquet(UPath(tmp_path / "rows.parquet"), ROWS, SCHEMA)
    file = pq.ParquetFile(tmp_path / "rows.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(3)] == [10, 10, 5]
    assert file.metadata.row_group(0).column(1).compression == "ZSTD"
    assert file.read().to_pylist() == ROWS


@pytest.mark.parametrize("name", ["rows.parquet", "rows.jsonl", "rows.jsonl.gz", "rows.jsonl.zst"])
def test_an_interrupted_write_leaves_the_old_file_alone(tmp_path: Path, name: str) -> None:
    path = UPath(tmp_path / name)
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="killed"):
        if name.endswith(".parquet"):
            write_parquet(path, failing_rows(), SCHEMA)
        else:
            write_jsonl(path, failing_rows())
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_other_file_systems_take_the_same_bytes(tmp_path: Path) -> None:
    for name in ("rows.jsonl.gz", "rows.jsonl.zst"):
        write_jsonl(UPath(tmp_path / name), ROWS)
        write_jsonl(UPath(f"memory://planted/{name}"), ROWS)
        assert UPath(f"memory://planted/{name}").read_bytes() == (tmp_path / name).read_bytes()
