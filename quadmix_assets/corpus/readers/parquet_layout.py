"""What a Parquet file says of its row groups, column chunks and pages, without unpacking any.

The numbers of the format are those of its Thrift definition (apache/parquet-format).
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import pyarrow as pa

from quadmix_assets.corpus.readers.limits import MAX_PAGE_BYTES
from quadmix_assets.corpus.readers.thrift import Struct, ThriftError, decode_struct

_MAGIC, _ENCRYPTED_MAGIC = b"PAR1", b"PARE"
_TAIL_BYTES = 8
# Enough for nearly every page header, and the most that one with long statistics may take.
_HEADER_BYTES, _MAX_HEADER_BYTES = 1 << 10, 16 << 20
_DICTIONARY_PAGE = 2
_DELTA_BYTE_ARRAY = 7
_BYTE_ARRAY, _FIXED_LENGTH = 6, 7
_FIXED_WIDTHS = {0: 1, 1: 4, 2: 8, 3: 12, 4: 4, 5: 8}
_REPEATED = 2
_CODECS = {0: None, 1: "snappy", 2: "gzip", 4: "brotli", 6: "zstd", 7: "lz4_raw"}
# Values of smaller dictionaries are short enough, whatever they are.
_SMALL_DICTIONARY_BYTES = 16 << 10
# In a page, the length of a string stands before it.
_LENGTH = struct.Struct("<I")


class LayoutError(ValueError):
    """The footer or a page header is damaged, or is no Parquet."""


class EncryptedError(LayoutError):
    """The file, or a column of it, is encrypted."""


@dataclass(frozen=True)
class Chunk:
    """A column in a row group.

    Attributes:
        path: of the column, levels joined by dots.
        start: the first byte of its first page.
        n_bytes: as it lies on disk.
        n_values, n_unpacked: its values, and their bytes before compression, as the writer says.
        codec: number of its compression.
        width: bytes of a value of a fixed type; None for strings.
        is_repeated: whether a row may have many values.
    """

    path: str
    start: int
    n_bytes: int
    n_values: int
    n_unpacked: int
    codec: int
    width: int | None
    is_repeated: bool


@dataclass(frozen=True)
class RowGroup:
    """A row group: its number of rows and its column chunks."""

    n_rows: int
    chunks: tuple[Chunk, ...]


@dataclass
class Pages:
    """The sizes of a chunk's pages when they are unpacked.

    Attributes:
        n_values: values of all pages.
        largest: bytes of the largest data page.
        dictionary: bytes of the dictionary page.
        widest: what a value takes at most. Of values that lie in a page one after the other, it is
            the mean of the page with the longest ones: a page bounds their sum.
    """

    n_values: int = 0
    largest: int = 0
    dictionary: int = 0
    widest: int = 0


@dataclass(frozen=True)
class Layout:
    """The footer of a file: its number of rows, and its row groups."""

    n_rows: int
    row_groups: list[RowGroup] = field(default_factory=list)


def read_layout(stream: BinaryIO) -> Layout:
    """Read the footer.

    Raises:
        EncryptedError: the footer or a column is encrypted.
        LayoutError: there is no sound footer.
    """
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - _TAIL_BYTES))
    tail = stream.read(_TAIL_BYTES)
    if tail[-4:] == _ENCRYPTED_MAGIC:
        raise EncryptedError("its footer is encrypted")
    n_footer = int.from_bytes(tail[:4], "little")
    if len(tail) < _TAIL_BYTES or tail[-4:] != _MAGIC or n_footer + _TAIL_BYTES > size:
        raise LayoutError("it does not end in a Parquet footer")
    stream.seek(size - _TAIL_BYTES - n_footer)
    try:
        footer, _ = decode_struct(stream.read(n_footer))
        return _layout(footer)
    except (ThriftError, EOFError, LookupError, TypeError, AttributeError) as error:
        raise LayoutError(f"its footer is damaged ({type(error).__name__}: {error})") from error


def read_pages(stream: BinaryIO, chunk: Chunk) -> Pages:
    """Look at the headers of all pages of a chunk.

    Raises:
        LayoutError: a header is damaged.
    """
    pages = Pages(widest=chunk.width or 0)
    position, end = chunk.start, chunk.start + chunk.n_bytes
    while position < end:
        try:
            header, n_header = _header(stream, position)
            unpacked, packed = header[2], header[3]
            if packed < 0 or unpacked < 0:
                raise LayoutError(f"a page of column {chunk.path!r} has a negative size")
            if header[1] == _DICTIONARY_PAGE:
                pages.dictionary = unpacked
                if chunk.width is None:
                    stream.seek(position + n_header)
                    widest = _longest(stream.read(packed), chunk.codec, unpacked)
                    pages.widest = max(pages.widest, widest)
            elif described := header.get(5) or header.get(8):
                _add_data_page(pages, chunk, unpacked, described, is_v2=8 in header)
        except (ThriftError, EOFError, LookupError, TypeError, AttributeError) as error:
            raise LayoutError(f"a page header of column {chunk.path!r} is damaged") from error
        position += n_header + packed
    return pages


def _add_data_page(
    pages: Pages, chunk: Chunk, unpacked: int, described: Struct, *, is_v2: bool
) -> None:
    n_values = described[1]
    pages.n_values += n_values
    pages.largest = max(pages.largest, unpacked)
    if chunk.width is None:
        is_prefixed = described[4 if is_v2 else 2] == _DELTA_BYTE_ARRAY
        widest = unpacked if is_prefixed else -(-unpacked // max(n_values, 1))
        pages.widest = max(pages.widest, widest)


def _header(stream: BinaryIO, position: int) -> tuple[Struct, int]:
    n_bytes = _HEADER_BYTES
    while True:
        stream.seek(position)
        content = stream.read(n_bytes)
        try:
            return decode_struct(content)
        except EOFError:
            if len(content) < n_bytes or n_bytes >= _MAX_HEADER_BYTES:
                raise
            n_bytes *= 16


def _longest(content: bytes, codec: int, n_bytes: int) -> int:
    """The length of the longest string of a dictionary page; at most that of the page."""
    name = _CODECS.get(codec, "")
    if n_bytes <= _SMALL_DICTIONARY_BYTES or name == "" or n_bytes > MAX_PAGE_BYTES:
        return n_bytes
    try:
        unpacked = content if name is None else pa.Codec(name).decompress(content, n_bytes)
    except (pa.ArrowException, OSError):
        return n_bytes
    content, end = bytes(unpacked), len(unpacked) - _LENGTH.size
    longest = position = 0
    while position <= end:
        (length,) = _LENGTH.unpack_from(content, position)
        if length > longest:
            longest = length
        position += _LENGTH.size + length
    return min(longest, n_bytes)


def _layout(footer: Struct) -> Layout:
    columns = list(_leaves(footer[2]))
    if 8 in footer:
        raise EncryptedError(_encrypted(footer, columns))
    groups = []
    for group in footer.get(4, []):
        chunks = []
        for chunk, (path, width, is_repeated) in zip(group[1], columns, strict=False):
            if 8 in chunk or 9 in chunk:
                raise EncryptedError(f"its column {path!r} is encrypted")
            about = chunk[3]
            # Old writers give 0 for a dictionary page that is not there.
            start = about[9]
            if 0 < about.get(11, 0) < start:
                start = about[11]
            chunks.append(
                Chunk(path, start, about[7], about[5], about[6], about[4], width, is_repeated)
            )
        groups.append(RowGroup(group[3], tuple(chunks)))
    return Layout(footer[3], groups)


def _encrypted(footer: Struct, columns: list[tuple[str, int | None, bool]]) -> str:
    group: Struct = next(iter(footer.get(4, [])), {})
    names = [
        repr(path)
        for chunk, (path, _, _) in zip(group.get(1, []), columns, strict=False)
        if 8 in chunk or 9 in chunk
    ]
    if not names:
        return "it is encrypted with a plain footer"
    return f"encrypted columns: {', '.join(names)}"


def _leaves(schema: list[Struct]) -> Iterator[tuple[str, int | None, bool]]:
    """Path, width and repetition of every column, in the order of the chunks."""
    open_groups: list[tuple[str, int, bool]] = []  # path, children to come, repeated
    for element in schema:
        while open_groups and not open_groups[-1][1]:
            open_groups.pop()
        path, is_repeated = element[4].decode(errors="replace"), element.get(3) == _REPEATED
        if open_groups:
            parent, n_left, parent_repeated = open_groups[-1]
            open_groups[-1] = (parent, n_left - 1, parent_repeated)
            path = f"{parent}.{path}" if parent else path
            is_repeated |= parent_repeated
        if element.get(5):
            # The root's name is no part of the paths.
            open_groups.append((path if open_groups else "", element[5], is_repeated))
        elif open_groups:
            kind = element[1]
            width = element[2] if kind == _FIXED_LENGTH else _FIXED_WIDTHS.get(kind)
            yield path, width, is_repeated
