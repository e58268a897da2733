"""How much of an input file is in memory at once, and what is refused because it would be more.

A small file can hold a lot: compression, dictionaries and repetition make gigabytes of kilobytes.
The limits bound the memory of reading any file; no writer of text comes near them by itself.
"""

from collections.abc import Iterator
from typing import Protocol, TypeVar

from upath import UPath

from quadmix_assets.corpus.readers.errors import UnreadableShardError

MAX_TEXT_BYTES = 64 << 20
"""The longest text (UTF-8) of inputs other than shards, for which the settings have a limit."""

MAX_BATCH_BYTES = 32 << 20
"""A batch ends at its number of rows or at about this much input, whichever comes first."""

MAX_LINE_BYTES = 128 << 20
"""The longest line of JSON that is read, however long texts may be."""

MAX_LINE_OBJECTS, MAX_LINE_VALUES = 1_000_000, 8_000_000
"""The most lists and objects in a line of JSON, and the most commas: in memory an object takes up
to 250 bytes, and any value up to 60."""

MAX_PAGE_BYTES = 192 << 20
"""The most that the pages take which are unpacked at the same time, one for each column read."""

# Rows and unpacked bytes that any file may have, and how many more for each of its bytes.
_ROWS, _ROWS_PER_BYTE = 1_000_000, 1
_UNPACKED_BYTES, _UNPACKED_PER_BYTE = 128 << 20, 256


class Rows(Protocol):
    """A batch of rows of any reader."""

    @property
    def n_rows(self) -> int:
        """Usable and rejected rows."""


_Batch = TypeVar("_Batch", bound=Rows)


def with_few_rows(path: UPath, batches: Iterator[_Batch]) -> Iterator[_Batch]:
    """The same batches.

    Raises:
        UnreadableShardError: there are far more rows than a file of this size has documents. Their
            ids are in memory while a shard is read.
    """
    n_rows, limit = 0, _Limit(path, _ROWS, _ROWS_PER_BYTE)
    for batch in batches:
        n_rows += batch.n_rows
        if limit.is_passed(n_rows):
            raise UnreadableShardError(
                path,
                f"it has over {limit.value:,} rows, more than one for each byte of the file.",
                "Such rows are no documents: remove the file, or what repeats in it.",
            )
        yield batch


def with_few_bytes(path: UPath, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same blocks of unpacked data.

    Raises:
        UnreadableShardError: they are far more than text is compressed to a file of this size.
    """
    n_bytes, limit = 0, _Limit(path, _UNPACKED_BYTES, _UNPACKED_PER_BYTE)
    for block in blocks:
        n_bytes += len(block)
        if limit.is_passed(n_bytes):
            raise UnreadableShardError(
                path,
                f"it unpacks to over {limit.value:,} bytes, {_UNPACKED_PER_BYTE} times its size.",
                "If the content is right, store it unpacked.",
            )
        yield block


class _Limit:
    """A limit that grows with the size of the file, which is asked for only when it matters."""

    def __init__(self, path: UPath, base: int, per_byte: int) -> None:
        self.value = base
        self._path, self._per_byte = path, per_byte

    def is_passed(self, amount: int) -> bool:
        if amount > self.value and self._per_byte:
            self.value += self._per_byte * self._path.stat().st_size
            self._per_byte = 0
        return amount > self.value
