"""Streams the lines of a plain, gzip or zstd file in bounded memory, however long a line is."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple, Protocol

import zstandard
from upath import UPath

from quadmix_assets.corpus.readers.errors import UnreadableShardError
from quadmix_assets.corpus.readers.files import open_input
from quadmix_assets.corpus.readers.limits import with_few_bytes
from quadmix_assets.faults import naming

_BLOCK_BYTES = 1 << 20
# Compressed input is fed in small pieces, because one piece may unpack to a thousand times its size
# with gzip, and to thirty thousand times with zstd.
_GZIP_PIECE_BYTES = 32 << 10
_ZSTD_PIECE_BYTES = 2 << 10
# Bytes that are kept of a line over the length limit.
_KEPT_BYTES = 1024
# zstd refuses windows over 128 MiB unless told; `zstd --long=31` writes windows of 2 GiB.
_MAX_ZSTD_WINDOW = 1 << 31

_UTF16_REMEDY = "Convert it: iconv -f {encoding} -t UTF-8 {name} > utf8-{name}"
_MISNAMED = {
    b"\x1f\x8b": ("gzip data", ".gz"),
    b"\x28\xb5\x2f\xfd": ("zstd data", ".zst"),
    b"PAR1": ("a Parquet file", ".parquet"),
}


class Line(NamedTuple):
    """A line of a file.

    Attributes:
        row: line number, from 1.
        content: the line without its line feed; only the start of one over the length limit.
        n_bytes: the length of the whole line.
    """

    row: int
    content: bytes
    n_bytes: int

    @property
    def is_cut(self) -> bool:
        """Whether `content` is only the start of the line."""
        return self.n_bytes > len(self.content)


def read_lines(path: UPath, *, max_line_bytes: int) -> Iterator[Line]:
    r"""Lines of the file, counted from 1; only "\n" ends a line.

    Of a line longer than `max_line_bytes`, just the start is kept. All members of a gzip file and
    all frames of a zstd file are read.

    Raises:
        UnreadableShardError: the file does not exist, is in another encoding or format by its
            first bytes, holds cut or damaged compressed data, or unpacks to far more than text does
            (raised after the lines before the damage).
    """
    row = 0
    try:
        with naming(path), open_input(path) as stream:
            blocks = _checked_start(path, _blocks(path, stream))
            for content, n_bytes in _split(blocks, max_line_bytes):
                row += 1
                yield Line(row, content, n_bytes)
    except (FileNotFoundError, PermissionError) as error:
        raise UnreadableShardError(
            path, f"the file cannot be opened ({error}).", "Put it back or make it readable."
        ) from error
    except EOFError as error:
        raise UnreadableShardError(
            path,
            f"the compressed data ends in the middle, after {row} whole lines.",
            "The file was cut, as by an interrupted copy: upload it again.",
        ) from error
    except (zlib.error, zstandard.ZstdError) as error:
        raise UnreadableShardError(
            path,
            f"the compressed data is damaged after {row} whole lines ({error}).",
            "Check it with `gzip -t` or `zstd -t`, and upload it again.",
        ) from error


def _blocks(path: UPath, stream: BinaryIO) -> Iterator[bytes]:
    suffix = path.suffix.lower()
    raw = iter(lambda: stream.read(_BLOCK_BYTES), b"")
    if suffix == ".gz":
        unpacked = _decompress(
            raw, lambda: zlib.decompressobj(wbits=31), _GZIP_PIECE_BYTES, padding=b"\0"
        )
        return with_few_bytes(path, unpacked)
    if suffix == ".zst":
        decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_ZSTD_WINDOW)
        unpacked = _decompress(raw, decompressor.decompressobj, _ZSTD_PIECE_BYTES, padding=b"")
        return with_few_bytes(path, unpacked)
    return raw


class _Member(Protocol):
    """One gzip member or zstd frame, as both libraries have it."""

    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes, /) -> bytes: ...


def _decompress(
    blocks: Iterable[bytes], new_member: Callable[[], Any], piece_bytes: int, *, padding: bytes
) -> Iterator[bytes]:
    """Decompress members one after another.

    Raises:
        EOFError: the last member is incomplete.
    """
    member: _Member | None = None
    n_members = 0
    for block in blocks:
        for start in range(0, len(block), piece_bytes):
            piece = block[start : start + piece_bytes]
            while piece:
                if member is None:
                    # gzip files may be padded with NUL bytes, to the block size of a tape.
                    piece = piece.lstrip(padding) if padding and n_members else piece
                    if not piece:
                        break
                    member = new_member()
                    n_members += 1
                unpacked = member.decompress(piece)
                for first in range(0, len(unpacked), _BLOCK_BYTES):
                    yield unpacked[first : first + _BLOCK_BYTES]
                piece = b""
                if member.eof:
                    piece = member.unused_data
                    member = None
    if member is not None or n_members == 0:
        raise EOFError


def _checked_start(path: UPath, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same blocks, after a check of the first bytes.

    Raises:
        UnreadableShardError: they are UTF-16, UTF-32, compressed data or Parquet.
    """
    start = b""
    for block in blocks:
        start += block
        if len(start) >= 4:
            break
    encoding = _wide_encoding(start)
    if encoding is not None:
        raise UnreadableShardError(
            path,
            f"the text is {encoding}, not UTF-8.",
            _UTF16_REMEDY.format(encoding=encoding, name=path.name),
        )
    for magic, (content, suffix) in _MISNAMED.items():
        if start.startswith(magic):
            raise UnreadableShardError(
                path,
                f"it holds {content} where lines of JSON were expected.",
                f"Rename it so that it ends in {suffix}, or unpack it.",
            )
    yield start
    yield from blocks


def _wide_encoding(start: bytes) -> str | None:
    # UTF-32's byte order mark begins with UTF-16's. Without a mark, the first "{" has zero bytes
    # next to it.
    if start.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff", b"{\0\0\0", b"\0\0\0{")):
        return "UTF-32"
    if start.startswith((b"\xff\xfe", b"\xfe\xff", b"{\0", b"\0{")):
        return "UTF-16"
    return None


def _split(blocks: Iterable[bytes], max_line_bytes: int) -> Iterator[tuple[bytes, int]]:
    """Lines as (content, length); a longer one than `max_line_bytes` is cut to its start."""
    pending: list[bytes] = []
    n_pending = 0
    for block in blocks:
        *ends, rest = block.split(b"\n")
        for end in ends:
            n_bytes = n_pending + len(end)
            if n_bytes > max_line_bytes:
                yield b"".join([*pending, end[:_KEPT_BYTES]])[:_KEPT_BYTES], n_bytes
            elif pending:
                yield b"".join([*pending, end]), n_bytes
            else:
                yield end, n_bytes
            pending, n_pending = [], 0
        if rest:
            n_pending += len(rest)
            if n_pending > max_line_bytes:
                pending = [b"".join([*pending, rest])[:_KEPT_BYTES]]
            else:
                pending.append(rest)
    if n_pending > max_line_bytes:
        yield b"".join(pending)[:_KEPT_BYTES], n_pending
    elif pending:
        yield b"".join(pending), n_pending
