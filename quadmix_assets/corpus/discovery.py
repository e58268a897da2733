"""Find the input shards below a folder, with a partition key and a fingerprint of each."""

import contextlib
import errno
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from fsspec.utils import glob_translate
from upath import UPath

from quadmix_assets.faults import kind_of_file
from quadmix_assets.hashing import hash_number
from quadmix_assets.store import is_local

# A broken link or one in a circle, or a file deleted since the listing.
_NO_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})
# The fingerprint of a file that cannot be looked at.
_UNKNOWN = "unknown"
_UNFINISHED_SUFFIXES = (".tmp", ".part", ".crdownload")
# Longer keys would not fit into a file name (255 bytes on common file systems) with a suffix.
_MAX_KEY_LENGTH = 200
# Fields by which storage systems identify a file's content, the most reliable first.
_TIME_FIELDS = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")
_IDENTITY_FIELDS = (
    "ETag",
    "etag",
    "md5Hash",
    "content_md5",
    "crc32c",
    "blob_id",
    *_TIME_FIELDS,
)


@dataclass(frozen=True)
class InputShard:
    """One input file.

    Attributes:
        key: its partition key, see `shard_key`.
        path: the file.
        fingerprint: a string that changes when the file does: size and modification time of a local
            file, size and ETag (or the storage's equivalent) elsewhere. It is taken from the file
            listing, and may change although the content did not; `hash_file` reads the content.
        modified: when the file was last written, in seconds since the epoch; None where the storage
            does not say.
    """

    key: str
    path: UPath
    fingerprint: str
    modified: float | None = None


@dataclass(frozen=True)
class Discovery:
    """The content of an input folder.

    Attributes:
        shards: the files that match a pattern, sorted by key.
        ignored: sorted relative paths of the other files; of pipes, devices and sockets, which are
            never opened, with what they are.
        unmarked: keys of files that match a pattern and whose done marker is not there (yet).
    """

    shards: list[InputShard]
    ignored: list[str]
    unmarked: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _File:
    """A file of a listing; `kind` is what it is where it cannot be opened, such as a pipe."""

    relative: str
    fingerprint: str
    modified: float | None
    kind: str | None = None


def discover(
    folder: UPath, patterns: Sequence[str], *, done_marker: str | None = None
) -> Discovery:
    """List the files below `folder` that match one of `patterns`.

    A pattern without "/" is matched against file names at any depth ("*.parquet"), one with "/"
    against the path relative to `folder`, where ** stands for any number of folders. Files and
    folders whose name starts with "." or "_", unfinished files (.tmp, .part, .crdownload) and
    README.md are skipped. Symbolic links are followed.

    With a `done_marker`, a suffix such as ".done", a file counts only if there is one of its name
    with that suffix beside it; the markers themselves are neither shards nor ignored.

    Raises:
        FileNotFoundError: `folder` does not exist.
        OSError: a folder in it cannot be listed; the message names it.
        ValueError: two files have the same shard key.
    """
    shards: dict[str, InputShard] = {}
    names: dict[str, str] = {}
    ignored: list[str] = []
    unmarked: set[str] = set()
    files = list(_files(folder))
    marked: set[str] = set()
    if done_marker is not None:
        ends = [file.relative for file in files if file.relative.endswith(done_marker)]
        marked = {name.removesuffix(done_marker) for name in ends}
        files = [file for file in files if not file.relative.endswith(done_marker)]
    for file in files:
        relative = file.relative
        if _is_skipped(relative):
            continue
        if file.kind is not None:
            ignored.append(f"{relative} ({file.kind})")
            continue
        if not any(_matches(relative, pattern) for pattern in patterns):
            ignored.append(relative)
            continue
        key = shard_key(relative)
        if key in shards:
            first, second = sorted((names[key], relative))
            raise ValueError(
                f"{folder}: the files {first!r} and {second!r} both get the shard key {key!r}. "
                "Rename one of them."
            )
        names[key] = relative
        shards[key] = InputShard(key, folder / relative, file.fingerprint, file.modified)
        if done_marker is not None and relative not in marked:
            unmarked.add(key)
    complete = [shards[key] for key in sorted(shards) if key not in unmarked]
    return Discovery(complete, sorted(ignored), frozenset(unmarked))


def present_fingerprint(path: UPath) -> str:
    """A string that changes when the file does, to be compared with that of another moment.

    Raises:
        FileNotFoundError: the file is not there.
        OSError: the storage does not answer, or it is no file but a pipe, a device or a socket.
    """
    if is_local(path):
        stat = Path(path.path).stat()
        kind = kind_of_file(stat.st_mode)
        if kind is not None:
            raise OSError(f"it is {kind}, not a file")
        return _local_fingerprint(stat)
    path.fs.invalidate_cache()
    return _remote_fingerprint(path.fs.info(path.path))


def shard_key(relative: str) -> str:
    """Partition key of the file at `relative` (a path with "/" below the input folder).

    "/" becomes "__", and everything outside [A-Za-z0-9._-], such as the comma that a Dagster
    partition key may not hold, is percent-encoded, as are the dots of "...", which Dagster reads
    as a range. Keys over 200 characters are cut and end in a hash of the path.
    """
    key = quote(relative, safe="/", errors="surrogateescape").replace("~", "%7E")
    key = key.replace("/", "__")
    key = re.sub(r"\.{3,}", lambda dots: "%2E" * len(dots[0]), key)
    if len(key) > _MAX_KEY_LENGTH:
        digest = f"{hash_number(relative.encode(errors='surrogateescape')):016x}"
        key = f"{key[: _MAX_KEY_LENGTH - len(digest) - 1]}-{digest}"
    return key


def _is_skipped(relative: str) -> bool:
    parts = PurePosixPath(relative).parts
    return (
        any(part.startswith((".", "_")) for part in parts)
        or parts[-1].endswith(_UNFINISHED_SUFFIXES)
        or parts[-1] == "README.md"
    )


def _matches(relative: str, pattern: str) -> bool:
    if "/" not in pattern:
        return fnmatchcase(PurePosixPath(relative).name, pattern)
    return re.match(glob_translate(pattern), relative) is not None


def _files(folder: UPath) -> Iterator[_File]:
    found = _local_files(Path(folder.path)) if is_local(folder) else _remote_files(folder)
    any_found = False
    for item in found:
        any_found = True
        yield item
    if not any_found and not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: there is no such folder, so no input shards can be found. Create it, or "
            "correct the setting that names the folder of raw shards."
        )


def _local_files(root: Path) -> Iterator[_File]:
    visited: set[tuple[int, int]] = set()
    for folder, subfolders, names in os.walk(root, onerror=_report, followlinks=True):
        try:
            stat = Path(folder).stat()
        except OSError as error:
            _report(error)
            subfolders.clear()
            continue
        if (stat.st_dev, stat.st_ino) in visited:  # a link to a parent folder, or a second link
            subfolders.clear()
            continue
        visited.add((stat.st_dev, stat.st_ino))
        subfolders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            relative = path.relative_to(root).as_posix()
            try:
                stat = path.stat()
            except OSError as error:
                if error.errno in _NO_FILE:
                    continue
                if error.errno in _FORBIDDEN:  # the folder's files may be named, but not used
                    _report(error)
                # The file is reported, so that it is set aside alone.
                yield _File(relative, _UNKNOWN, None)
                continue
            kind = kind_of_file(stat.st_mode)
            yield _File(relative, _local_fingerprint(stat), stat.st_mtime, kind)


def _report(error: OSError) -> None:
    """Raise an error of listing a folder, which `os.walk` would hide, unless it has just gone."""
    if not isinstance(error, FileNotFoundError):
        raise OSError(
            error.errno,
            f"{error.strerror}; its files cannot be told from files that are gone, so nothing is "
            "changed: make it readable, or move it away",
            error.filename,
        ) from error


def _local_fingerprint(stat: os.stat_result) -> str:
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def _remote_files(folder: UPath) -> Iterator[_File]:
    # fsspec caches listings for the life of the process: without this, a sensor would never see a
    # new file.
    folder.fs.invalidate_cache()
    root = folder.path.rstrip("/") + "/"
    for name, info in folder.fs.find(folder.path, detail=True).items():
        if info["type"] == "file" and not name.endswith("/") and name.startswith(root):
            yield _File(name.removeprefix(root), _remote_fingerprint(info), _remote_time(info))


def _remote_time(info: Mapping[str, Any]) -> float | None:
    """When an object was written, where the listing gives it as a time or as seconds."""
    for field in _TIME_FIELDS:
        value = info.get(field)
        if isinstance(value, str):
            with contextlib.suppress(ValueError):
                value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, int | float):
            return float(value)
    return None


def _remote_fingerprint(info: Mapping[str, Any]) -> str:
    identity = next((info[field] for field in _IDENTITY_FIELDS if info.get(field)), "")
    if isinstance(identity, datetime):
        identity = identity.isoformat()
    return f"{info.get('size')}-{str(identity).strip(chr(34))}"
