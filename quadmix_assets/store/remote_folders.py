"""A folder on object storage: uploaded as a new version, which one object then makes the present.

An upload that fails or is killed leaves the present version as it was. Readers that have opened the
version before go on reading it: it is deleted by a later writer, at the earliest `GRACE_SECONDS`
after it was replaced, as is what killed writers have left.
"""

import datetime as dt
import logging
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from upath import UPath

from quadmix_assets.store.errors import DamagedOutputError, MissingOutputError
from quadmix_assets.store.listings import (
    LISTING_FILE,
    VERSIONS_FOLDER,
    Listing,
    listing_of,
    outputs_in,
    read_listing,
    version_folder,
)
from quadmix_assets.store.objects import forget, objects_below, upload

# A folder of gigabytes is fetched in minutes.
GRACE_SECONDS = 3_600.0

_LOGGER = logging.getLogger(__name__)
# What the file systems call the time of an object's upload.
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")


def upload_folder(source: Path, target: UPath) -> None:
    """Upload all files of a local folder as a new version of the folder `target`.

    Raises:
        OSError: the storage fails; the folder is then what it was.
    """
    version = uuid.uuid4().hex
    place = target / version_folder(version)
    before, objects = _present(target), objects_below(target)
    names = outputs_in(source)
    try:
        for name in names:
            upload(source / name, place / name)
    except Exception:
        _delete(place, names, "of a failed upload")
        raise
    # If this one fails, nobody knows whether the storage has it: the version stays.
    listing = source / LISTING_FILE
    listing.write_bytes(listing_of(source, version))
    upload(listing, target / LISTING_FILE)
    _delete(target, _outlived(objects, before, dt.datetime.now(dt.UTC)), "of earlier versions")


def _present(folder: UPath) -> Listing | None:
    forget(folder / LISTING_FILE)
    try:
        return read_listing(folder)
    except (MissingOutputError, DamagedOutputError):  # What is replaced need not be whole.
        return None


def _outlived(
    objects: Mapping[str, Mapping[str, Any]], before: Listing | None, now: dt.datetime
) -> list[str]:
    """The objects that go when a version takes the place of the listing `before`.

    Versions before that one were replaced when it became the present one; or are of an upload that
    was killed, or is going on. Files that lie in the folder itself, as on local disks, go at once:
    who looks for a file there has to find the new one.
    """
    present = before.version if before is not None else None
    in_place = [name for name in objects if name != LISTING_FILE and _version_of(name) is None]
    if before is not None and not _is_old(_time(objects.get(LISTING_FILE, {})), now):
        return in_place
    young = {_version_of(name) for name in objects if not _is_old(_time(objects[name]), now)}
    kept = {None, present, *young}
    return in_place + [name for name in objects if _version_of(name) not in kept]


def _is_old(time: dt.datetime | None, now: dt.datetime) -> bool:
    return time is not None and (now - time).total_seconds() >= GRACE_SECONDS


def _version_of(name: str) -> str | None:
    """The version that a file of the folder is of; None for one that lies in the folder itself."""
    parts = name.split("/")
    return parts[1] if parts[0] == VERSIONS_FOLDER else None


def _time(about: Mapping[str, Any]) -> dt.datetime | None:
    """When an object was uploaded, in UTC; None where the storage does not say."""
    value = next((about[key] for key in _TIMES if about.get(key) is not None), None)
    if isinstance(value, int | float):
        return dt.datetime.fromtimestamp(value, dt.UTC)
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    if not isinstance(value, dt.datetime):
        return None
    return value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)


def _delete(folder: UPath, names: list[str], what: str) -> None:
    """Delete objects of a folder, if that can be done: the folder is whole with them too."""
    if not names:
        return
    try:
        folder.fs.rm([(folder / name).path for name in names])
    except Exception as error:
        _LOGGER.warning("%s: %d files %s could not be deleted: %s", folder, len(names), what, error)
