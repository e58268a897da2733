"""The listing of a folder that is written as a whole: its files, a hash of each, where they lie.

On local disks the files lie where they are looked for. On object storage, where many objects cannot
appear at once, each version of a folder is a folder of its own, `_versions/<version>/`, and the
listing names the present one: one object that is replaced at once. A folder that was copied from
one kind of storage to the other is read as it lies.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from upath import UPath

from quadmix_assets.faults import naming
from quadmix_assets.hashing import hash_file
from quadmix_assets.store.errors import MissingOutputError, asset_name, damaged
from quadmix_assets.store.objects import object_names, read_content
from quadmix_assets.store.sealed_json import sealed_json, unsealed_json
from quadmix_assets.store.temporaries import is_local

LISTING_FILE = "_listing.json"
VERSIONS_FOLDER = "_versions"
_VERSION = "version"


@dataclass(frozen=True)
class Listing:
    """The files of a folder.

    Attributes:
        folder: the folder.
        hashes: xxh3-128 of each file, by its path relative to the folder.
        version: of the folder, by which its files are found; None where they lie in the folder.
    """

    folder: UPath
    hashes: Mapping[str, str]
    version: str | None = None

    def path(self, name: str) -> UPath:
        """Where a file, or a folder in the folder, lies; of the name "" the folder itself."""
        return self.folder / self.place(name)

    def place(self, name: str) -> str:
        """As `path`, relative to the folder."""
        return (
            name if self.version is None else f"{version_folder(self.version)}/{name}".rstrip("/")
        )


def version_folder(version: str) -> str:
    """Where the files of a version lie, relative to the folder."""
    return f"{VERSIONS_FOLDER}/{version}"


def read_listing(folder: UPath) -> Listing | None:
    """The listing of a folder; None if no folder has been written there as a whole.

    Raises:
        MissingOutputError: the folder is being written, or its last writer was interrupted.
        DamagedOutputError: the listing has changed.
    """
    path = folder / LISTING_FILE
    try:
        with naming(path):
            content = read_content(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        value = unsealed_json(content)
    except ValueError as error:
        raise damaged(path, str(error)) from None
    # Folders on object storage were once written in place, and marked until they were complete.
    if not value["complete"]:
        raise MissingOutputError(
            f"{folder} is incomplete: a run is writing it, or was interrupted; wait for that "
            f"run, or materialise the asset {asset_name(folder)!r} again"
        )
    return Listing(folder, value["files"], value.get(_VERSION))


def listing_of(folder: Path, version: str | None = None) -> bytes:
    """The content of the listing of a local folder, without what the system puts there.

    Args:
        folder: with all its files.
        version: under which the files are found; None if they lie in the folder itself.
    """
    return listing_content({name: hash_file(folder / name) for name in outputs_in(folder)}, version)


def listing_content(hashes: Mapping[str, str], version: str | None = None) -> bytes:
    """The content of the listing of files with these hashes."""
    place = {} if version is None else {_VERSION: version}
    return sealed_json({"complete": True, "files": dict(hashes), **place})


def outputs_in(folder: Path) -> list[str]:
    """The files that a step has left in its local folder, without what the system puts there."""
    names = file_names(folder)
    return [name for name in names if not any(part.startswith(".") for part in name.split("/"))]


def file_names(folder: Path | UPath) -> list[str]:
    """All files under `folder`, as paths relative to it, sorted folder by folder.

    Raises:
        OSError: a folder cannot be listed.
    """
    root = UPath(folder)
    names = _local_names(Path(str(root))) if is_local(root) else object_names(root)
    return sorted(names, key=lambda name: name.split("/"))


def without_versions(names: Sequence[str]) -> list[str]:
    """Those of the files under a folder that are in no version of a folder in it."""
    return [name for name in names if not is_in_version(name)]


def is_in_version(name: str) -> bool:
    """Whether a path below a folder is that of a file in a version of a folder."""
    return VERSIONS_FOLDER in name.split("/")


def _local_names(root: Path) -> Iterator[str]:
    """As `rglob`, which takes a folder that may not be listed for one that has no files."""

    def report(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise error

    for folder, _, names in os.walk(root, onerror=report):
        for name in names:
            path = Path(folder, name)
            if path.is_file():
                yield path.relative_to(root).as_posix()
