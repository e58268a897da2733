"""This machine's copies of small tables on object storage, by which a step reads them again.

A pool's scores are read by many steps, and each step asked for the table of each shard. A step now
asks once for the list of a folder, a request for a thousand objects, and reads what this machine
has by the same ETag, which is another one for every other content. The ETag of a copy came with its
bytes, in one answer. A copy that is not what was written is as good as none, and one that cannot be
written is not kept: the table is read as if there were none.

The copies of an asset's tables are one folder among all copies (`copies_folder.py`), one file per
table, which the next content of the table replaces: xxh3-128 of what follows (16 bytes), the length
of the ETag (2), the ETag, the content.
"""

import os
import struct
from contextlib import suppress
from pathlib import Path

from upath import UPath

from quadmix_assets.hashing import Digest, hash_bytes
from quadmix_assets.store.copies_folder import copies_folder, make_room
from quadmix_assets.store.temporaries import write_at_once

_LENGTH = struct.Struct("<H")
_DIGEST_BYTES = 16
# How many objects the folder had when it was listed last.
_N_LISTED = "listed"
# One request lists so many objects.
_LISTED_AT_ONCE = 1_000
# How the client's server is named outside its own options.
_SERVERS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


def n_requests_to_list(folder: UPath) -> int | None:
    """How many requests the listing of a folder will take; None if this machine copied none of it.

    It is judged by the listing before, else by the copies.
    """
    place = _place(folder)
    try:
        n_objects = int((place / _N_LISTED).read_text())
    except (OSError, ValueError):
        try:
            n_objects = len(os.listdir(place))  # noqa: PTH208
        except OSError:
            return None
    return -(-n_objects // _LISTED_AT_ONCE)


def note_listed(folder: UPath, n_objects: int) -> None:
    """Note how many objects a folder has, and that its copies are in use."""
    with suppress(OSError):
        write_at_once(_place(folder) / _N_LISTED, str(n_objects).encode())
        os.utime(_place(folder))


def read_copy(table: UPath, etag: str) -> bytes | None:
    """The content that a table has with this ETag; None where there is no whole copy of it."""
    try:
        stored = _file(table).read_bytes()
    except OSError:
        return None
    digest, rest = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
    if Digest(rest).digest() != digest:
        return None
    (n_etag,) = _LENGTH.unpack_from(rest)
    start = _LENGTH.size + n_etag
    return rest[start:] if rest[_LENGTH.size : start] == etag.encode() else None


def write_copy(table: UPath, etag: str, content: bytes) -> None:
    """Keep the content that a table has with this ETag, if that can be done."""
    rest = _LENGTH.pack(len(etag.encode())) + etag.encode() + content
    file = _file(table)
    with suppress(OSError):  # a full disk, or none that can be written
        file.parent.mkdir(parents=True, exist_ok=True)
        write_at_once(file, Digest(rest).digest() + rest)


def make_room_for_tables() -> None:
    """Delete copies that were not used for the longest time, where all take too much room."""
    with suppress(OSError):
        make_room()


def _file(table: UPath) -> Path:
    return _place(table.parent) / hash_bytes(table.name.encode())


def _place(folder: UPath) -> Path:
    named = (os.environ[name] for name in _SERVERS if os.environ.get(name))
    server = folder.storage_options.get("endpoint_url") or next(named, "")
    name = hash_bytes(f"{server}\0{folder.path}".encode())
    return copies_folder() / f"tables-{name}"
