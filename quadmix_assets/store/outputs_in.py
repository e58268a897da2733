"""Which files of a folder are outputs, and their verified hashes.

Outputs are tables, files with a card, and the files of a listing. Whatever else lies in a folder
(`.DS_Store`, backups of editors, left-over temporaries) is passed over.
"""

from upath import UPath

from quadmix_assets.hashing import hash_bytes
from quadmix_assets.store.cards import carded_hash, carded_name, check_hash, file_hash
from quadmix_assets.store.errors import (
    DamagedOutputError,
    MissingOutputError,
    asset_name,
    damaged,
    without_checksum,
)
from quadmix_assets.store.file_state import once_per_state
from quadmix_assets.store.listings import (
    LISTING_FILE,
    Listing,
    file_names,
    read_listing,
    without_versions,
)
from quadmix_assets.store.objects import forget
from quadmix_assets.store.tables import verified_table_hash

TABLE_SUFFIX = ".parquet"
# What outputs are called, so that one without a checksum is told from a stranger.
_SUFFIXES = (
    *(TABLE_SUFFIX, ".json", ".npy", ".bin", ".txt", ".zst", ".png", ".svg", ".html", ".duckdb"),
    ".state",
)


def looks_like_output(name: str) -> bool:
    """Whether a file is called as outputs are; hidden files are not."""
    last = name.rsplit("/", 1)[-1]
    return last.endswith(_SUFFIXES) and not last.startswith((".", "~", "#"))


def output_hash(path: UPath) -> str:
    """xxh3-128 of a table or of a file with a card.

    Raises:
        DamagedOutputError: it is not what was written.
    """
    if path.name.endswith(TABLE_SUFFIX):
        return once_per_state(path, verified_table_hash)
    found = once_per_state(path, file_hash)
    try:
        check_hash(path, found)
    except DamagedOutputError:
        return carded_hash(path)  # It may have been replaced meanwhile.
    return found


def named_hashes(folder: UPath) -> dict[str, str]:
    """xxh3-128 of the outputs in a folder without listing, by name.

    Raises:
        MissingOutputError: a file is gone whose card is there.
        DamagedOutputError: a file is not what was written, or none has a checksum.
    """
    names = without_versions(file_names(folder))
    outputs = named_outputs(names)
    gone = sorted(outputs.difference(names))
    if gone:
        raise MissingOutputError(
            f"{folder / gone[0]} is gone: materialise the asset {asset_name(folder)!r} again"
        )
    suspicious = [name for name in names if looks_like_output(name)]
    if suspicious and not outputs:
        raise without_checksum(folder / suspicious[0], "neither it nor its folder has a card")
    return {name: output_hash(folder / name) for name in sorted(outputs)}


def output_names(folder: UPath) -> list[str]:
    """The outputs in a folder, gone or not, relative to it; none if the folder is not there.

    Raises:
        MissingOutputError: the folder, or one in it, is on object storage, and incomplete.
        DamagedOutputError: a listing has changed.
    """
    listing = read_listing(folder)
    if listing is not None:
        return sorted(listing.hashes)
    names = without_versions(file_names(folder))
    found = named_outputs(names)
    for name in names:
        inner, _, last = name.rpartition("/")
        if last == LISTING_FILE and (listing := read_listing(folder / inner)) is not None:
            found |= {f"{inner}/{each}" for each in listing.hashes}
    return sorted(found)


def named_outputs(names: list[str]) -> set[str]:
    """The outputs among the files of a folder: tables, and what has a card, gone or not."""
    outputs = {name for name in names if name.endswith(TABLE_SUFFIX) and looks_like_output(name)}
    for name in names:
        folder, slash, last = name.rpartition("/")
        carded = carded_name(last)
        if carded is not None:
            outputs.add(f"{folder}{slash}{carded}")
    return outputs


def listed_hash(listing: Listing, name: str, content: bytes | None = None) -> str:
    """xxh3-128 of a file of a folder with a listing.

    Args:
        listing: of the folder.
        name: of the file, relative to the folder.
        content: of the file, if it was read; None reads it.

    Raises:
        MissingOutputError: the folder was replaced meanwhile.
        DamagedOutputError: the file is gone, is not what was written, or is not in the listing.
    """
    try:
        found = (
            once_per_state(listing.path(name), file_hash)
            if content is None
            else hash_bytes(content)
        )
    except FileNotFoundError:
        found = None
    return checked_listed(listing, name, found)


def checked_listed(listing: Listing, name: str, found: str | None) -> str:
    """The hash that was found of a file of a folder with a listing, if it is the one it names.

    Args:
        listing: of the folder.
        name: of the file, relative to the folder.
        found: xxh3-128 of its bytes; None if it is not there.

    Raises:
        MissingOutputError: the folder was replaced meanwhile.
        DamagedOutputError: the file is gone, is not what was written, or is not in the listing.
    """
    expected = listing.hashes.get(name)
    if found is not None and found == expected:
        return found
    forget(listing.folder)
    if read_listing(listing.folder) != listing:
        raise MissingOutputError(f"{listing.folder} was replaced while it was read: try again")
    what = (
        "it is gone"
        if found is None
        else "the listing of its folder does not name it"
        if expected is None
        else "its content is not that of its folder's listing"
    )
    raise damaged(listing.path(name), what, asset=asset_name(listing.folder))
