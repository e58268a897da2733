"""Objects of remote storage: reads by as few requests as possible, uploads and downloads in parts.

fsspec's own `exists` and `open` ask for an object before they read it, each with one request or
two. Here an object is asked for by reading it: what is smaller than a mebibyte, most tables of
scores and all JSON, is one request, and what is not there is one request as well.

Within a step, an object that was read is remembered for some seconds (`one_step`): a step looks at
the summary, the rows and the columns of the same table. Nothing is remembered between steps, nor
that something is missing, so that a step sees all that was written before it began. Small tables
are kept on this machine (`table_copies.py`); a step lists a folder to see which of them are still
so.
"""

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from fsspec.asyn import sync
from upath import UPath

from quadmix_assets.hashing import Digest
from quadmix_assets.in_order import in_order
from quadmix_assets.store.remote import S3
from quadmix_assets.store.step_memory import StepMemory
from quadmix_assets.store.table_copies import (
    make_room_for_tables,
    n_requests_to_list,
    note_listed,
    read_copy,
    write_copy,
)
from quadmix_assets.store.temporaries import is_local

# What is read of an object at first.
_FIRST_BYTES = 1 << 20
# What clients read ahead of a position in a large object.
_AHEAD_BYTES = 8 << 20
# Downloads and uploads hold this many parts of this size in memory, some of them twice.
_PART_BYTES = 8 << 20
_N_PARTS_AT_ONCE = 4
# S3 takes 10,000 parts of an object.
_MAX_PARTS = 9_000
_TABLE = ".parquet"

_Read = TypeVar("_Read")

_REMEMBERED = StepMemory()
# Of several threads that read the tables of a folder, one lists it.
_LISTING_LOCK = threading.Lock()
# Whether this process has copied tables since it last looked at the room that copies take.
_HAS_NEW_COPIES = threading.Event()


@contextmanager
def one_step() -> Iterator[None]:
    """A context in which objects that were read are remembered for some seconds, and the listings
    of local folders for as long as these do not change.
    """
    try:
        with _REMEMBERED.step():
            yield
    finally:
        if _HAS_NEW_COPIES.is_set():
            _HAS_NEW_COPIES.clear()
            make_room_for_tables()


def listings_of_step() -> dict[str, tuple[Any, Any]] | None:
    """By local folder, its state and its listing, to be filled; None outside of steps."""
    return _REMEMBERED.local_listings if _REMEMBERED.is_in_step else None


def forget(path: UPath) -> None:
    """Read an object, or a folder of objects, anew: it has changed."""
    _REMEMBERED.drop(str(path))


def read_content(path: UPath) -> bytes:
    """All bytes of a file of a local disk, or of an object.

    Raises:
        FileNotFoundError: it is not there.
    """
    return path.read_bytes() if is_local(path) else read_object(path)


def read_object(path: UPath) -> bytes:
    """All bytes of an object.

    Raises:
        FileNotFoundError: it is not there.
    """
    start = _start_of(path)
    return start if len(start) < _FIRST_BYTES else _range(path, 0, None)


def object_exists(path: UPath) -> bool:
    """Whether there is an object, by one request; within a step it is what reading it needs too."""
    try:
        if _REMEMBERED.is_in_step:
            _start_of(path)
        else:
            _range(path, 0, 1)
    except FileNotFoundError:
        return False
    return True


def open_object(path: UPath) -> BinaryIO:
    """Open an object for reading at any position.

    Raises:
        FileNotFoundError: it is not there.
    """
    start = _start_of(path)
    if len(start) < _FIRST_BYTES:
        return io.BytesIO(start)
    # The client refuses to read on where the object is replaced meanwhile.
    opened = path.fs.open(path.path, "rb", block_size=_AHEAD_BYTES, cache_type="readahead")
    return cast(BinaryIO, opened)


def object_names(folder: UPath) -> list[str]:
    """All objects below a folder, as paths relative to it, by a request for each thousand."""
    return sorted(objects_below(folder))


def objects_below(folder: UPath) -> dict[str, dict[str, Any]]:
    """What the storage says of each object below a folder, by its path relative to the folder."""
    root = folder.path.rstrip("/")
    parent, _, name = root.rpartition("/")
    if folder.protocol in S3 and parent:
        # Of a folder that is not there, s3fs asks twice more.
        found = folder.fs.find(parent, detail=True, prefix=f"{name}/")
    else:
        found = folder.fs.find(root, detail=True)
    inside = {str(name): about for name, about in found.items() if about["type"] == "file"}
    # Some file systems name paths with a leading slash, and some without.
    start = root.lstrip("/") + "/"
    names = {name: name.lstrip("/") for name in inside}
    return {
        short.removeprefix(start): inside[name]
        for name, short in names.items()
        if short.startswith(start)
    }


def upload(source: Path, target: UPath) -> None:
    """Make a local file an object, in parts where it is large; it appears when it is complete."""
    options: dict[str, Any] = {}
    if target.protocol in S3:
        part = max(_PART_BYTES, -(-source.stat().st_size // _MAX_PARTS))
        at_once = max(1, _N_PARTS_AT_ONCE * _PART_BYTES // part)
        options = {"chunksize": part, "max_concurrency": at_once}
    forget(target)
    try:
        target.fs.put_file(str(source), target.path, **options)
    except FileNotFoundError as error:
        raise _failed_before(error) from error
    finally:
        forget(target)


def _failed_before(error: BaseException) -> BaseException:
    """The error for which a client gave up an upload that the storage no longer knew by then."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError) and not isinstance(found, FileNotFoundError):
            return found
        found = found.__cause__ or found.__context__
    return error


def download(path: UPath, target: Path) -> str:
    """Copy an object to a local file; returns xxh3-128 of what was written.

    Raises:
        FileNotFoundError: it is not there.
    """
    digest = Digest()
    with target.open("wb") as file:
        for part in _parts(path):
            digest.update(part)
            file.write(part)
    return digest.hexdigest()


def hash_object(path: UPath) -> str:
    """xxh3-128 of an object's bytes.

    Raises:
        FileNotFoundError: it is not there.
    """
    digest = Digest()
    for part in _parts(path):
        digest.update(part)
    return digest.hexdigest()


def delete_object(path: UPath) -> None:
    """Delete an object, if it is there, by one request where storage needs no more."""
    forget(path)
    try:
        path.fs.rm_file(path.path)
    except FileNotFoundError:
        pass
    finally:
        forget(path)


def delete_folder(folder: UPath) -> None:
    """Delete all objects below a folder, if there are any."""
    forget(folder)
    try:
        if folder.protocol in S3:
            names = object_names(folder)
            if names:
                folder.fs.rm([(folder / name).path for name in names])
        elif folder.exists():
            folder.fs.rm(folder.path, recursive=True)
    finally:
        forget(folder)


def _start_of(path: UPath) -> bytes:
    """The first bytes of an object; all, if there are fewer than `_FIRST_BYTES`."""
    known = _REMEMBERED.content(str(path))
    if known is not None:
        return known
    has_copies = _REMEMBERED.is_in_step and path.protocol in S3 and path.name.endswith(_TABLE)
    if has_copies and (copy := _copied(path)) is not None:
        return copy
    moment = _REMEMBERED.moment()
    start, etag = _first_bytes(path)
    _REMEMBERED.remember_content(str(path), start, moment)
    if has_copies and etag is not None and len(start) < _FIRST_BYTES:
        _HAS_NEW_COPIES.set()
        write_copy(path, etag, start)
    return start


def _copied(path: UPath) -> bytes | None:
    """A table from this machine's copy, if the listing of its folder says that it is still so."""
    folder = path.parent
    with _LISTING_LOCK:
        if not _REMEMBERED.has_listing(str(folder)):
            if not _REMEMBERED.is_worth_listing(str(folder), lambda: n_requests_to_list(folder)):
                return None
            moment, since = _REMEMBERED.moment(), time.monotonic()
            etags = _etags_in(folder)
            _REMEMBERED.remember_listing(str(folder), etags, moment, since)
            note_listed(folder, len(etags))
    etag = _REMEMBERED.etag(str(folder), path.name)
    return None if etag is None else read_copy(path, etag)


def _etags_in(folder: UPath) -> dict[str, str]:
    """The ETags of the objects in a folder, by name; a request for each thousand."""
    try:
        found = folder.fs.ls(folder.path, detail=True)
    except FileNotFoundError:
        return {}
    return {
        str(each["name"]).rpartition("/")[2]: str(each["ETag"])
        for each in found
        if each["type"] == "file" and each.get("ETag")
    }


def _first_bytes(path: UPath) -> tuple[bytes, str | None]:
    """The first `_FIRST_BYTES` of an object, and on S3 the ETag that came with them."""
    if path.protocol not in S3:
        return _range(path, 0, _FIRST_BYTES), None

    def read() -> tuple[bytes, str | None]:
        return cast(tuple[bytes, str | None], sync(path.fs.loop, _get_start, path.fs, path.path))

    return _or_empty(path, read, cast(tuple[bytes, str | None], (b"", None)))


async def _get_start(fs: Any, path: str) -> tuple[bytes, str | None]:
    """As s3fs's own `_cat_file`, which keeps the ETag to itself."""
    bucket, key, version = fs.split_path(path)
    asked = {} if version is None else {"VersionId": version}

    async def get() -> tuple[bytes, str | None]:
        answer = await fs._call_s3(
            "get_object", Bucket=bucket, Key=key, Range=f"bytes=0-{_FIRST_BYTES - 1}", **asked
        )
        try:
            return await answer["Body"].read(), answer.get("ETag")
        finally:
            answer["Body"].close()

    from s3fs.core import _error_wrapper

    return cast(tuple[bytes, str | None], await _error_wrapper(get, retries=fs.retries))


def _range(path: UPath, start: int, end: int | None) -> bytes:
    return _or_empty(
        path, lambda: cast(bytes, path.fs.cat_file(path.path, start=start, end=end)), b""
    )


def _or_empty(path: UPath, read: Callable[[], _Read], empty: _Read) -> _Read:
    """What `read` gives of a range; `empty` of an empty object, of which no range can be had."""
    try:
        return read()
    except FileNotFoundError:
        raise
    except Exception as error:
        if _says_no_such_range(error) and not path.fs.info(path.path)["size"]:
            return empty
        raise


def _says_no_such_range(error: BaseException) -> bool:
    text = str(error).lower()
    return "range" in text or "416" in text


def _parts(path: UPath) -> Iterator[bytes]:
    """All bytes of an object, in order; several parts are on their way at the same time."""
    first = _start_of(path)
    yield first
    if len(first) < _FIRST_BYTES:
        return
    size = int(path.fs.info(path.path)["size"])
    starts = range(_FIRST_BYTES, size, _PART_BYTES)

    def read(start: int) -> bytes:
        return _range(path, start, start + _PART_BYTES)

    for _, part in in_order(read, starts, _N_PARTS_AT_ONCE):
        yield part()
