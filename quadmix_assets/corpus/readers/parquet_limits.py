"""How many rows of a Parquet row group may be read at once, by the sizes of its pages.

The footer's sizes are what the writer says; what is unpacked is what the page headers say.
"""

from collections.abc import Sequence
from typing import BinaryIO

from upath import UPath

from quadmix_assets.corpus.readers.errors import UnreadableShardError
from quadmix_assets.corpus.readers.limits import MAX_BATCH_BYTES, MAX_PAGE_BYTES
from quadmix_assets.corpus.readers.parquet_layout import Chunk, Pages, RowGroup, read_pages
from quadmix_assets.store import is_local

# Remote chunks above this are not read twice for the sake of their page headers.
_MAX_REMOTE_BYTES = 8 << 20
# Values in lists that any chunk may have, and how many more for each of its bytes.
_LIST_VALUES, _LIST_VALUES_PER_BYTE = 2_000_000, 4
# A list whose values come from a dictionary may be as long as all of them are together.
_MAX_LIST_BYTES = 1 << 30


def rows_at_once(
    path: UPath, stream: BinaryIO, group: RowGroup, columns: Sequence[str] | None
) -> int:
    """The number of rows, at least one, whose columns together take a bounded amount of memory.

    Args:
        path: the file, for messages.
        stream: its content.
        group: the row group.
        columns: names of columns, or fields a.b of them; None for all.

    Raises:
        UnreadableShardError: a page or a list is too large to be unpacked.
        LayoutError: a page header is damaged.
    """
    n_unpacked = row_bytes = 0
    for chunk in group.chunks:
        if columns is None or any(_is_part_of(chunk.path, name) for name in columns):
            pages = _pages(path, stream, chunk)
            n_unpacked += pages.dictionary + pages.largest
            if chunk.is_repeated:
                _require_short_lists(path, chunk, pages)
            row_bytes += pages.widest * max(1, -(-pages.n_values // max(group.n_rows, 1)))
    if n_unpacked > MAX_PAGE_BYTES:
        raise UnreadableShardError(
            path,
            f"its pages unpack to {n_unpacked >> 20} MiB at a time, over the limit of "
            f"{MAX_PAGE_BYTES >> 20} MiB.",
            "Write it again with pages of about a megabyte, as writers of Parquet do by default.",
        )
    return max(1, MAX_BATCH_BYTES // max(row_bytes, 1))


def _is_part_of(path: str, name: str) -> bool:
    return path == name or path.startswith(f"{name}.")


def _pages(path: UPath, stream: BinaryIO, chunk: Chunk) -> Pages:
    if is_local(path) or chunk.n_bytes <= _MAX_REMOTE_BYTES:
        return read_pages(stream, chunk)
    mean = -(-chunk.n_unpacked // max(chunk.n_values, 1))
    return Pages(chunk.n_values, widest=max(chunk.width or 0, mean))


def _require_short_lists(path: UPath, chunk: Chunk, pages: Pages) -> None:
    limit = _LIST_VALUES + _LIST_VALUES_PER_BYTE * chunk.n_bytes
    n_bytes = pages.widest * pages.n_values
    if pages.n_values > limit:
        problem = f"{pages.n_values:,} values in {chunk.n_bytes:,} bytes"
    elif pages.dictionary and n_bytes > max(_MAX_LIST_BYTES, 64 * chunk.n_bytes):
        problem = f"{pages.n_values:,} values of up to {pages.widest:,} bytes"
    else:
        return
    raise UnreadableShardError(
        path,
        f"its column {chunk.path!r} holds lists of {problem}, which may be too much to unpack.",
        "Leave the column out, or write it in smaller row groups and without a dictionary.",
    )
