"""The footer and the page headers, as Arrow's own metadata tells of the same files."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from quadmix_assets.corpus.readers import UnreadableShardError, read_sample
from quadmix_assets.corpus.readers.parquet_layout import (
    EncryptedError,
    LayoutError,
    read_layout,
    read_pages,
)
from quadmix_assets.corpus.readers.thrift import ThriftError, decode_struct
from quadmix_assets_tests.corpus.readers.encrypted import write_encrypted
from quadmix_assets_tests.corpus.reading import read

RNG = np.random.default_rng(0)
TABLE = pa.table(
    {
        "text": [f"text {n} " * (n % 40) for n in range(5_000)],
        "number": RNG.normal(size=5_000),
        "flag": [n % 3 == 0 for n in range(5_000)],
        "fixed": pa.array([b"0123456789"] * 5_000, pa.binary(10)),
        "meta": [{"url": f"http://{n}", "tags": ["a"] * (n % 3)} for n in range(5_000)],
    }
)
OPTIONS: list[dict[str, Any]] = [
    {},
    {"compression": "zstd", "row_group_size": 700},
    {"compression": "gzip", "use_dictionary": False, "data_page_size": 4_096},
    {"compression": "none", "data_page_version": "2.0", "row_group_size": 1_999},
    {"compression": "brotli", "write_page_index": True, "write_statistics": False},
    {"compression": "lz4", "dictionary_pagesize_limit": 1_000},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_layout_is_what_arrow_says(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(TABLE, path, **options)
    metadata = pq.read_metadata(path)
    with path.open("rb") as stream:
        layout = read_layout(stream)
        assert layout.n_rows == metadata.num_rows
        assert len(layout.row_groups) == metadata.num_row_groups
        for number, group in enumerate(layout.row_groups):
            expected = metadata.row_group(number)
            assert group.n_rows == expected.num_rows
            assert len(group.chunks) == expected.num_columns
            for place, chunk in enumerate(group.chunks):
                column = expected.column(place)
                assert chunk.path == column.path_in_schema
                assert chunk.n_bytes == column.total_compressed_size
                assert chunk.n_unpacked == column.total_uncompressed_size
                assert chunk.n_values == column.num_values
                assert chunk.is_repeated == ("tags" in chunk.path)
                pages = read_pages(stream, chunk)
                assert pages.n_values == column.num_values
                assert (pages.dictionary > 0) == column.has_dictionary_page
                assert pages.dictionary + pages.largest <= column.total_uncompressed_size
    (_, *_), widths = zip(*[(c.path, c.width) for c in layout.row_groups[0].chunks], strict=True)
    assert widths == (None, 8, 1, 10, None, None)


def test_longest_value_of_a_dictionary(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    texts = ["x" * 20_000, *(f"short {n}" for n in range(1_000))]
    for compression in ("none", "snappy", "gzip", "brotli", "zstd", "lz4"):
        pq.write_table(pa.table({"text": texts * 3}), path, compression=compression)
        with path.open("rb") as stream:
            (group,) = read_layout(stream).row_groups
            assert read_pages(stream, group.chunks[0]).widest == 20_000, compression


@pytest.mark.parametrize("column", ["text", "secret"])
@pytest.mark.parametrize("plain_footer", [True, False])
def test_encrypted_files_are_refused_and_end_nothing(
    tmp_path: Path, column: str, plain_footer: bool
) -> None:
    table = pa.table({"text": ["a", "b"], "secret": ["c", "d"]})
    path = write_encrypted(tmp_path / "a.parquet", table, [column], plain_footer=plain_footer)
    message = f"encrypted columns: '{column}'" if plain_footer else "its footer is encrypted"
    for reading in (lambda: read(path), lambda: read_sample(UPath(path), n_rows=5)):
        with pytest.raises(UnreadableShardError, match=f"{message}.*without encryption"):
            reading()
    with path.open("rb") as stream, pytest.raises(EncryptedError):
        read_layout(stream)


def test_two_columns_of_one_name_are_told(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["a"])] * 3, names=["text", "text", "other"])
    path = tmp_path / "a.parquet"
    pq.write_table(table, path)
    with pytest.raises(UnreadableShardError, match="it has 2 columns named 'text'"):
        read(path)
    assert read(path, text="other", source=None)[0].num_rows == 1


@given(st.binary(max_size=200))
def test_any_bytes_are_a_struct_or_a_named_error(content: bytes) -> None:
    try:
        _, n_bytes = decode_struct(content)
    except (ThriftError, EOFError):
        return
    assert 0 < n_bytes <= len(content)


def test_footers_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(TABLE.slice(0, 10), path)
    whole = path.read_bytes()
    for content in (b"", b"PAR1", whole[:-1], whole[: len(whole) // 2], whole[:-8] + bytes(8)):
        path.write_bytes(content)
        with path.open("rb") as stream, pytest.raises(LayoutError):
            read_layout(stream)
