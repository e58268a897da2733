"""Which files an asset or a partition has in the lake, and which of them are gone.

A record in Dagster's event log says that something was made; only the lake says whether it is still
there. Folders are listed once, so that thousands of partitions are looked for at once.
"""

from collections.abc import Iterable, Iterator, Sequence

from quadmix_assets.outputs import (
    DOCUMENT_IDS,
    FINAL_MIX,
    MIX_EXPORT,
    PLOTS,
    QUARANTINE,
    RAW_SHARDS,
    RULE_MADE_FROM,
    SELECTION_RULE,
    SETTINGS_OF,
    mix_of,
    mix_output,
)
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store, output_names

# The metadata of an asset without partitions that names its files, by their paths in the lake.
FILES_KEY = "files"
# Folders that an asset of a mix without partitions fills besides its own.
_BESIDE = {SELECTION_RULE: (RULE_MADE_FROM,)}


def files_of(store: Store, asset: str) -> list[str]:
    """The files that an asset without partitions has now, by their paths in the lake."""
    found = [f"{SETTINGS_OF}/{asset}.json"]
    folders = [asset]
    if (part := mix_of(asset)) is not None:
        folders += [mix_output(part[0], beside) for beside in _BESIDE.get(part[1], ())]
    for folder in folders:
        found += [f"{folder}/{name}" for name in output_names(store.root / folder)]
    plots, _, last = f"{PLOTS}/{asset}".rpartition("/")
    drawn = store.names_in(store.root / plots)
    found += [f"{plots}/{name}" for name in drawn if name.startswith(f"{last}.")]
    return sorted(found)


def files_gone(store: Store, files: Iterable[str]) -> list[str]:
    """Those of these files, by their paths in the lake, that are not there any more."""
    listed: dict[str, set[str]] = {}
    gone = []
    for file in sorted(files):
        folder, _, name = file.rpartition("/")
        if folder not in listed:
            listed[folder] = store.names_in(store.root / folder)
        if name not in listed[folder]:
            gone.append(file)
    return gone


def partitions_gone(
    store: Store, settings: Settings, asset: str, partitions: Sequence[str]
) -> set[str]:
    """The partitions of an asset of which a file is not in the lake."""
    gone: set[str] = set()
    for places in _partition_files(settings, asset):
        listed = {folder: store.names_in(store.root / folder) for folder, _ in places}
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
    part = mix_of(asset)
    if part is not None and part[1] == FINAL_MIX:
        export = settings.export_of(settings.mix_named(part[0]))
        if export != "none":
            yield [(mix_output(part[0], MIX_EXPORT), f".{export}")]
