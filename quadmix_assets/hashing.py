"""Hashes bytes and files with xxh3: the same on every machine and in every process."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO, TypeAlias

import xxhash
from upath import UPath

# An incremental xxh3-128.
Digest: TypeAlias = xxhash.xxh3_128
# An incremental xxh3-64.
Digest64: TypeAlias = xxhash.xxh3_64

# hash_number(content, seed=0): xxh3-64 as an integer in [0, 2**64); each seed gives another hash
# function. Not wrapped, because it is called for every word of a pool.
hash_number = xxhash.xxh3_64_intdigest

_BLOCK_BYTES = 1 << 20


def hash_bytes(content: bytes | memoryview) -> str:
    """xxh3-128 of `content` as 32 hexadecimal digits."""
    return xxhash.xxh3_128_hexdigest(content)


def hash_file(path: Path | UPath) -> str:
    """xxh3-128 of a file's bytes as 32 hexadecimal digits, read as a stream."""
    digest = Digest()
    with path.open("rb") as stream:
        _add_stream(digest, stream)
    return digest.hexdigest()


def hash_files(folder: Path | UPath, names: Iterable[str]) -> str:
    """xxh3-128 of the names and bytes of files in `folder`, as 32 hexadecimal digits.

    Args:
        folder: the folder of the files.
        names: paths relative to `folder`, in the order in which the files are hashed.
    """
    digest = Digest()
    for name in names:
        digest.update(name.encode())
        with (folder / name).open("rb") as stream:
            _add_stream(digest, stream)
    return digest.hexdigest()


def hash_names(hashes: Mapping[str, str]) -> str:
    """xxh3-128 of the names and hashes of files, in whatever order, as 32 hexadecimal digits.

    Args:
        hashes: of the files' bytes, by path relative to their folder.
    """
    lines = (f"{name}\0{hashes[name]}\n" for name in sorted(hashes))
    return hash_bytes("".join(lines).encode())


def _add_stream(digest: Digest, stream: BinaryIO) -> None:
    while block := stream.read(_BLOCK_BYTES):
        digest.update(block)
