"""Which files an asset or a partition has in the lake, and which of them are gone.

A record in Dagster's event log says that something was made; only the lake says whether it is still
there. Folders are listed once, so that thousands of partitions are looked for at once.
"""

from collections.abc import Iterable, Iterator, Sequence

from quadmix_assets.outputs import (
    CALIBRATED_FROM,
    DOCUMENT_IDS,
    EXPORT,
    FINAL_MIX,
    PLOTS,
    QUARANTINE,
    RANK_CALIBRATION,
    RAW_SHARDS,
    SETTINGS_OF,
)
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store, output_names

# The metadata of an asset without partitions that names its files, by their paths in the lake.
FILES_KEY = "files"
# Folders that an asset without partitions fills besides its own.
_BESIDE = {RANK_CALIBRATION: (CALIBRATED_FROM,)}


def files_of(store: Store, asset: str) -> list[str]:
    """The files that an asset without partitions has now, by their paths in the lake."""
    found = [f"{SETTINGS_OF}/{asset}.json"]
    for folder in (asset, *_BESIDE.get(asset, ())):
        found += [f"{folder}/{name}" for name in output_names(store.root / folder)]
    plots = _names(store, PLOTS)
    found += [f"{PLOTS}/{name}" for name in plots if name.startswith(f"{asset}.")]
    return sorted(found)


def files_gone(store: Store, files: Iterable[str]) -> list[str]:
    """Those of these files, by their paths in the lake, that are not there any more."""
    listed: dict[str, set[str]] = {}
    gone = []
    for file in sorted(files):
        folder, _, name = file.rpartition("/")
        if folder not in listed:
            listed[folder] = _names(store, folder)
        if name not in listed[folder]:
            gone.append(file)
    return gone


def partitions_gone(
    store: Store, settings: Settings, asset: str, partitions: Sequence[str]
) -> set[str]:
    """The partitions of an asset of which a file is not in the lake."""
    gone: set[str] = set()
    for places in _partition_files(settings, asset):
        listed = {folder: _names(store, folder) for folder, _ in places}
        gone |= {
            key
            for key in partitions
            if not any(f"{key}{suffix}" in listed[folder] for folder, suffix in places)
        }
    return gone


def _partition_files(settings: Settings, asset: str) -> Iterator[Sequence[tuple[str, str]]]:
    """The files of every partition, each as its folder and suffix; of several, one is there."""
    yield [(asset, ".parquet")]
    if asset == RAW_SHARDS:
        yield [(QUARANTINE, ".parquet")]
        yield [(DOCUMENT_IDS, ".npy"), (DOCUMENT_IDS, ".json")]
    if asset == FINAL_MIX and settings.mix.export.format != "none":
        yield [(EXPORT, f".{settings.mix.export.format}")]


def _names(store: Store, folder: str) -> set[str]:
    try:
        return {path.name for path in (store.root / folder).iterdir()}
    except (FileNotFoundError, NotADirectoryError):  # the latter is what S3 says of no objects
        return set()
