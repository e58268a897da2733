"""Objects of remote storage: reads by as few requests as possible, uploads and downloads in parts.

fsspec's own `exists` and `open` ask for an object before they read it, each with one request or
two. Here an object is asked for by reading it: what is smaller than a mebibyte, most tables of
scores and all JSON, is one request, and what is not there is one request as well.

Within a step, an object that was read is remembered for some seconds (`one_step`): a step looks at
the summary, the rows and the columns of the same table. Nothing is remembered between steps, nor
that something is missing, so that a step sees all that was written before it began. What a step has
listed of local folders is remembered beside it (`summaries.py`).
"""

import io
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from upath import UPath

from quadmix_assets.hashing import Digest
from quadmix_assets.in_order import in_order
from quadmix_assets.store.remote import S3
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
_REMEMBERED_BYTES = 128 << 20
_REMEMBERED_SECONDS = 30.0


class _Remembered:
    """The starts of objects that the running step has read; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_steps = 0
        self._n_bytes = 0
        self._found: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self.listings: dict[str, tuple[Any, Any]] = {}

    @contextmanager
    def step(self) -> Iterator[None]:
        with self._lock:
            self._n_steps += 1
            self._clear()
        try:
            yield
        finally:
            with self._lock:
                self._n_steps -= 1
                self._clear()

    @property
    def is_in_step(self) -> bool:
        return self._n_steps > 0

    def get(self, path: UPath) -> bytes | None:
        with self._lock:
            since, content = self._found.get(str(path), (0.0, None))
            is_new = time.monotonic() - since < _REMEMBERED_SECONDS
            return content if is_new else None

    def put(self, path: UPath, content: bytes) -> None:
        self.drop(path)
        with self._lock:
            if not self._n_steps:
                return
            self._found[str(path)] = (time.monotonic(), content)
            self._n_bytes += len(content)
            while self._n_bytes > _REMEMBERED_BYTES:
                self._n_bytes -= len(self._found.popitem(last=False)[1][1])

    def drop(self, path: UPath) -> None:
        """Forget an object, or all in a folder."""
        with self._lock:
            below = [key for key in self._found if key == str(path) or key.startswith(f"{path}/")]
            for key in below:
                self._n_bytes -= len(self._found.pop(key)[1])

    def _clear(self) -> None:
        self._found.clear()
        self.listings = {}
        self._n_bytes = 0


_REMEMBERED = _Remembered()


def one_step() -> AbstractContextManager[None]:
    """A context in which objects that were read are remembered for some seconds, and the listings
    of local folders for as long as these do not change.
    """
    return _REMEMBERED.step()


def listings_of_step() -> dict[str, tuple[Any, Any]] | None:
    """By local folder, its state and its listing, to be filled; None outside of steps."""
    return _REMEMBERED.listings if _REMEMBERED.is_in_step else None


def forget(path: UPath) -> None:
    """Read an object, or a folder of objects, anew: it has changed."""
    _REMEMBERED.drop(path)


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


def _start_of(path: UPath) -> bytes:
    """The first bytes of an object; all, if there are fewer than `_FIRST_BYTES`."""
    known = _REMEMBERED.get(path)
    if known is not None:
        return known
    start = _range(path, 0, _FIRST_BYTES)
    _REMEMBERED.put(path, start)
    return start


def _range(path: UPath, start: int, end: int | None) -> bytes:
    try:
        return cast(bytes, path.fs.cat_file(path.path, start=start, end=end))
    except FileNotFoundError:
        raise
    except Exception as error:
        # No range of an empty object can be had.
        if _says_no_such_range(error) and not path.fs.info(path.path)["size"]:
            return b""
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
