"""Writes Parquet tables piece by piece, with a summary in the footer, and reads them verified.

Every byte of a table is covered by a hash. Between the last column chunk and the footer of the
Parquet file, where readers look for nothing, is a seal: the length and hash of every column chunk,
and a hash of the seal and the footer. So columns can be read and verified without the others, and
whatever pyarrow gets to see of a file has been verified. The pages have the checksums of the
Parquet format besides, for other programs.

The seal, integers in little endian: per range of bytes from the start of the file on, its length
(8 bytes) and its xxh3-64 (8); the number of ranges (4); xxh3-128 of all this and of what follows
the seal (16); eight bytes that mark it.
"""

import io
import json
import struct
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from quadmix_assets.faults import naming
from quadmix_assets.hashing import Digest, Digest64
from quadmix_assets.store.errors import damaged, without_checksum
from quadmix_assets.store.objects import open_object
from quadmix_assets.store.temporaries import is_local

ROW_GROUP_ROWS = 8_192
ZSTD_LEVEL = 3
SUMMARY_KEY = "quadmix"

_PARQUET_MAGIC = b"PAR1"
_SEAL_MAGIC = b"QMSEAL1\n"
_RANGE = struct.Struct("<QQ")
_END = struct.Struct("<I16s8s")
_FOOTER_END = struct.Struct("<I4s")
# What is read of the end of a file at first; as much as pyarrow reads.
_TAIL_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 20


class TableWriter:
    """Writes Arrow tables of one schema to one zstd Parquet file, each as its own row groups."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        """Begin a table in a file that is open for writing and reading."""
        self._file = file
        self._writer = pq.ParquetWriter(
            file,
            schema,
            compression="zstd",
            compression_level=ZSTD_LEVEL,
            write_page_checksum=True,
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
        """Write the footer and the seal."""
        self._writer.close()
        _seal(self._file)

    def abandon(self) -> None:
        """Free what writing holds; the file is of no use."""
        self._writer.close()


@contextmanager
def open_table(path: UPath) -> Iterator[pq.ParquetFile]:
    """Open a table; all that is read of it is verified.

    Raises:
        DamagedOutputError: what is read is not what was written; also later, by the reads.
    """
    with naming(path), _opened(path) as raw:
        file = _VerifiedFile(path, raw)
        if is_local(path):  # Elsewhere it would be a request more, for bytes that hold no data.
            file.read(len(_PARQUET_MAGIC))
        # Given the footer, pyarrow does not read the end of the file, where columns may be.
        footer = pq.read_metadata(pa.BufferReader(file.end))
        # Without pre-buffering, which reads what lies between the wanted column chunks.
        with pq.ParquetFile(
            file, metadata=footer, page_checksum_verification=True, pre_buffer=False
        ) as parquet:
            yield parquet


def verified_table_hash(path: UPath) -> str:
    """xxh3-128 of all bytes of a table, each of them verified.

    Raises:
        DamagedOutputError: the file is not what was written.
    """
    digest = Digest()
    with naming(path), _opened(path) as raw:
        seal = _read_seal(path, raw)
        raw.seek(0)
        for number in range(len(seal.hashes)):
            for block in _checked_blocks(path, raw, seal, number):
                digest.update(block)
        digest.update(seal.tail)
    return digest.hexdigest()


def _opened(path: UPath) -> BinaryIO:
    return path.open("rb") if is_local(path) else open_object(path)


@dataclass(frozen=True)
class Footer:
    """What the end of a table says of it.

    Attributes:
        seal: 32 hexadecimal digits that identify the content: a hash of the lengths and hashes of
            all column chunks, and of the footer.
        n_rows: number of rows.
        columns: their names.
        summary: JSON that `TableWriter.describe` stored; `{}` without one.
    """

    seal: str
    n_rows: int
    columns: tuple[str, ...]
    summary: str


def read_footer(path: UPath) -> Footer:
    """Read the end of a table, and verify it; of its rows nothing is read.

    Raises:
        DamagedOutputError: seal or footer are not what was written.
    """
    with naming(path), _opened(path) as raw:
        seal = _read_seal(path, raw)
    metadata = pq.read_metadata(pa.BufferReader(seal.tail))
    schema = metadata.schema.to_arrow_schema()
    names = tuple(schema.names)
    return Footer(seal.digest.hex(), metadata.num_rows, names, summary_of(metadata))


def summary_of(metadata: pq.FileMetaData) -> str:
    """The JSON that `TableWriter.describe` stored in a footer; `{}` without one."""
    return cast(bytes, (metadata.metadata or {}).get(SUMMARY_KEY.encode(), b"{}")).decode()


@dataclass(frozen=True)
class _Seal:
    """Attributes:
    starts: first byte of every range, and the end of the last one, which is the seal's start.
    hashes: xxh3-64 of the ranges.
    digest: xxh3-128 of the ranges' lengths and hashes and of the footer.
    tail: all bytes after the ranges: seal and footer.
    """

    starts: Sequence[int]
    hashes: Sequence[int]
    digest: bytes
    tail: bytes


class _VerifiedFile(io.RawIOBase):
    """A sealed Parquet file; ranges are read whole and verified before anything of them is given.

    pyarrow reads a column chunk, which is a range, at once.
    """

    def __init__(self, path: UPath, raw: BinaryIO) -> None:
        self._path = path
        self._raw = raw
        self._seal = _read_seal(path, raw)
        self._size = self._seal.starts[-1] + len(self._seal.tail)
        self._position = 0
        # The last range, for readers that take it in parts.
        self._number, self._range = -1, b""

    @property
    def end(self) -> bytes:
        """All bytes after the column chunks, the footer at their end."""
        return self._seal.tail

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._position + size, self._size)
        parts = []
        while self._position < end:
            start, content = self._around(self._position)
            parts.append(content[self._position - start : end - start])
            self._position += len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _around(self, position: int) -> tuple[int, bytes]:
        """The verified range that holds a position, and its start; the tail after the last one."""
        starts = self._seal.starts
        if position >= starts[-1]:
            return starts[-1], self._seal.tail
        number = bisect_right(starts, position) - 1
        if number != self._number:
            self._raw.seek(starts[number])
            self._range = b"".join(_checked_blocks(self._path, self._raw, self._seal, number))
            self._number = number
        return starts[number], self._range


def _checked_blocks(path: UPath, raw: BinaryIO, seal: _Seal, number: int) -> Iterator[bytes]:
    """The bytes of a range, at whose start `raw` is; the error comes after the last block."""
    left = seal.starts[number + 1] - seal.starts[number]
    digest = Digest64()
    while left and (block := raw.read(min(left, _BLOCK_BYTES))):
        digest.update(block)
        left -= len(block)
        yield block
    if left or digest.intdigest() != seal.hashes[number]:
        start, end = seal.starts[number], seal.starts[number + 1]
        raise damaged(path, f"its bytes {start} to {end} are not those that were written")


def _seal(file: BinaryIO) -> None:
    """Put the seal before the footer of a complete Parquet file that is open for both ways."""
    size = file.seek(0, io.SEEK_END)
    file.seek(size - _FOOTER_END.size)
    n_footer, _ = _FOOTER_END.unpack(file.read(_FOOTER_END.size))
    body = size - _FOOTER_END.size - n_footer
    file.seek(body)
    footer = file.read()
    # The first range is the magic number; every other one is a column chunk.
    starts = [0, *(_chunk_starts(footer) or [len(_PARQUET_MAGIC)]), body]
    file.seek(0)
    ranges = b"".join(
        _RANGE.pack(end - start, _hash_of_next(file, end - start))
        for start, end in pairwise(starts)
    )
    file.seek(body)
    file.write(_sealed(ranges, footer))
    file.write(footer)


def _chunk_starts(footer: bytes) -> list[int]:
    metadata = pq.read_metadata(pa.BufferReader(footer))
    chunks = (
        metadata.row_group(group).column(column)
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    )
    return sorted(
        chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
        for chunk in chunks
    )


def _hash_of_next(file: BinaryIO, n_bytes: int) -> int:
    digest = Digest64()
    while n_bytes:
        block = file.read(min(n_bytes, _BLOCK_BYTES))
        digest.update(block)
        n_bytes -= len(block)
    return digest.intdigest()


def _sealed(ranges: bytes, footer: bytes) -> bytes:
    """The seal of these ranges, which goes before the footer."""
    n_ranges = len(ranges) // _RANGE.size
    digest = Digest()
    for part in (ranges, struct.pack("<I", n_ranges), footer):
        digest.update(part)
    return ranges + _END.pack(n_ranges, digest.digest(), _SEAL_MAGIC)


def _read_seal(path: UPath, raw: BinaryIO) -> _Seal:
    """Read and verify the seal and the footer.

    Raises:
        DamagedOutputError: they are not what was written, or there is no seal.
    """
    size = raw.seek(0, io.SEEK_END)
    tail = _last_bytes(raw, size, min(size, _TAIL_BYTES))
    if tail[-4:] != _PARQUET_MAGIC or size < _FOOTER_END.size:
        raise damaged(path, "it does not end like a table: it was cut, or its end has changed")
    n_footer = _FOOTER_END.size + _FOOTER_END.unpack(tail[-_FOOTER_END.size :])[0]
    if n_footer + len(_PARQUET_MAGIC) > size:
        raise damaged(path, "its footer has changed: it would be longer than the file")
    tail = _last_bytes(raw, size, min(n_footer + _END.size, size), tail)
    if tail[:-n_footer][-len(_SEAL_MAGIC) :] != _SEAL_MAGIC:
        raise without_checksum(path, "it has no seal before its footer")
    footer = tail[-n_footer:]
    n_ranges, digest, _ = _END.unpack(tail[-n_footer - _END.size : -n_footer])
    n_seal = n_ranges * _RANGE.size + _END.size
    if n_seal + n_footer > size:
        raise damaged(path, "its seal has changed: it would be longer than the file")
    tail = _last_bytes(raw, size, n_seal + n_footer, tail)
    ranges = tail[: n_ranges * _RANGE.size]
    found = list(_RANGE.iter_unpack(ranges))
    starts = list(accumulate((length for length, _ in found), initial=0))
    if _sealed(ranges, footer) != tail[:n_seal] or starts[-1] != size - n_seal - n_footer:
        raise damaged(path, "its footer or seal has changed, or a part of it is gone")
    return _Seal(starts, [number for _, number in found], digest, tail)


def _last_bytes(raw: BinaryIO, size: int, n_bytes: int, known: bytes = b"") -> bytes:
    """The last bytes of a file, of which some may be known already."""
    if n_bytes <= len(known):
        return known[len(known) - n_bytes :]
    raw.seek(size - n_bytes)
    return raw.read(n_bytes)
