"""Kept versions of the finished mixes: the manifest of each, its rows, and the tables of its rule.

Whenever the manifest of a mix is written, the mix is kept as a version: `versions/<version>.json`
is the manifest, and `versions/tables/<checksum>.parquet` are the tables that it names: the rows of
every shard, and what the rule consists of. `versions/headers/<version>.json` is the little of the
manifest that lists of versions show. Versions share the tables that they have in common, and on a
local disk a kept table takes no space as long as the mix itself has it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from upath import UPath

from quadmix_assets.hashing import hash_bytes
from quadmix_assets.mix.manifest import manifest_path
from quadmix_assets.outputs import FINAL_MIX, MIX_MANIFEST, MIX_VERSIONS, MIXES, mix_output
from quadmix_assets.store import (
    MissingOutputError,
    Store,
    bytes_freed_with,
    carded_file,
    delete_carded,
    described_tables,
    keep_table,
    listed_files,
    named_outputs,
    output_names,
)

# The first hexadecimal digits of the manifest's hash name the version.
VERSION_DIGITS = 12
_TABLES, _HEADERS = "tables", "headers"
_SUFFIX = ".parquet"


@dataclass(frozen=True)
class Header:
    """What is said of a kept version of a mix without reading its manifest.

    Attributes:
        mix: its name.
        version: first digits of the hash of its manifest.
        method: that made it.
        totals: of its manifest: documents, tokens and copies in and out.
        n_shards: shards that it was made of.
        kept_at: when it was first kept, in UTC.
        is_present: whether it is what the manifest of the mix says now.
    """

    mix: str
    version: str
    method: str
    totals: Mapping[str, int]
    n_shards: int
    kept_at: datetime
    is_present: bool


@dataclass(frozen=True)
class Version(Header):
    """A kept version of a mix.

    Attributes:
        n_bytes_own: what removing it frees: the size of the tables that neither another version
            nor the mix as it is now has.
    """

    n_bytes_own: int


def keep_version(store: Store, mix: str) -> str:
    """Keep the mix as its manifest describes it; returns the version.

    Raises:
        MissingOutputError: there is no manifest, or a table is no longer what it says.
        DamagedOutputError: a table is not what was written.
    """
    content = store.read_bytes(manifest_path(store, mix))
    manifest = json.loads(content)
    documents = mix_output(mix, FINAL_MIX)
    found = described_tables(store, documents, manifest["shards"])
    # Listed once: of an old shard nothing is read, also where a kept table is a copy.
    kept = listed_files(store.root / mix_output(mix, MIX_VERSIONS) / _TABLES)
    for shard, entry in manifest["shards"].items():
        seal, table = entry["checksum"], found.get(shard)
        is_as_recorded = table is not None and table.seal == seal
        there = kept.get(f"{seal}{_SUFFIX}")
        if table is None or there is None or not is_as_recorded or there.n_bytes != table.n_bytes:
            keep_table(store.table_path(documents, shard), kept_table(store, mix, seal), seal)
    # The manifest's folder has copies of the tables of the rule.
    copies = store.root / mix_output(mix, MIX_MANIFEST)
    for name, fingerprint in manifest["tables"].items():
        if name.endswith(_SUFFIX):
            copy = store.located(copies / name)
            keep_table(copy, kept_table(store, mix, fingerprint), store.seal(copy))
    version = _version_of(content)
    path = _kept_path(store, mix, version)
    # Last, so that a version that is listed has its tables; and once, so that its time stays.
    if not path.exists():
        store.write_json(_header_path(store, mix, version), _header_of(manifest))
        with carded_file(path) as file:
            file.write(content)
    return version


def present_version(store: Store, mix: str) -> str:
    """The version that the manifest of a mix is now.

    Raises:
        MissingOutputError: there is no manifest.
    """
    return _version_of(store.read_bytes(manifest_path(store, mix)))


def list_versions(store: Store, mix: str) -> list[Version]:
    """The kept versions of a mix, newest first; none of a mix that was never finished."""
    manifests = _kept_manifests(store, mix)
    return [
        Version(
            **vars(header),
            n_bytes_own=sum(_freed_with(store, mix, manifests, header.version).values()),
        )
        for header in list_headers(store, mix)
    ]


def list_headers(store: Store, mix: str) -> list[Header]:
    """As `list_versions`, without what each would free: as fast for mixes of many shards."""
    present = _present_or_none(store, mix)
    found = []
    for version in _kept_versions(store, mix):
        path = _header_path(store, mix, version)
        # Versions that were kept by version 0.1 have none.
        known = store.read_json(path) if path.exists() else None
        header = known or _header_of(read_version(store, mix, version))
        kept_at = _time_of(_kept_path(store, mix, version))
        found.append(
            Header(
                mix=mix, version=version, kept_at=kept_at, is_present=version == present, **header
            )
        )
    return sorted(found, key=lambda each: (each.kept_at, each.version), reverse=True)


def mixes_with_versions(store: Store) -> list[str]:
    """The names of all mixes that have kept versions, also of those no longer in the settings."""
    folder = store.root / MIXES
    names = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    return [name for name in names if _kept_versions(store, name)]


def find_version(store: Store, mix: str, version: str | None = None) -> str:
    """The full name of a kept version of a mix.

    Args:
        store: the lake.
        mix: its name.
        version: the first digits of a version, as many as tell it from the others; None stands
            for the version that the mix is now.

    Raises:
        MissingOutputError: there is no such version, or there are several.
    """
    kept = _kept_versions(store, mix)
    if version is None:
        version = present_version(store, mix)
    found = [each for each in kept if each.startswith(version)]
    if len(found) == 1:
        return found[0]
    if found:
        raise MissingOutputError(
            f"{version!r} stands for several versions of the mix {mix!r}: {', '.join(found)}; give "
            "more digits"
        )
    raise MissingOutputError(
        f"the mix {mix!r} has no kept version {version!r}; there are: {', '.join(kept) or 'none'}. "
        f"Its asset {mix_output(mix, MIX_MANIFEST)!r} keeps one whenever it is materialised"
    )


def read_version(store: Store, mix: str, version: str) -> dict[str, Any]:
    """The manifest of a kept version.

    Args:
        store: the lake.
        mix: its name.
        version: in full.

    Raises:
        MissingOutputError: there is no such version.
        DamagedOutputError: its file is not what was written.
    """
    return cast(dict[str, Any], store.read_json(_kept_path(store, mix, version)))


def remove_version(store: Store, mix: str, version: str) -> int:
    """Delete a version and the tables that only it has; returns the bytes that were freed.

    Args:
        store: the lake.
        mix: its name.
        version: in full.

    Raises:
        MissingOutputError: there is no such version.
        ValueError: it is what the mix is now.
    """
    manifests = _kept_manifests(store, mix)
    if version not in manifests:
        find_version(store, mix, version)
    if version == _present_or_none(store, mix):
        raise ValueError(
            f"{version} is what the mix {mix!r} is now: it goes when the mix has been made again "
            "otherwise"
        )
    freed = _freed_with(store, mix, manifests, version)
    # First, so that what is listed has its tables also after an interruption.
    delete_carded(_kept_path(store, mix, version))
    delete_carded(_header_path(store, mix, version))
    needed = _tables_of_others(store, mix, manifests, version)
    for name in _kept_names(store, mix):
        folder, _, file = name.rpartition("/")
        if folder == _TABLES and file.removesuffix(_SUFFIX) not in needed:
            store.path(mix_output(mix, MIX_VERSIONS), name).unlink(missing_ok=True)
    return sum(freed.values())


def kept_table(store: Store, mix: str, checksum: str) -> UPath:
    """The path of a kept table of a mix."""
    return store.path(mix_output(mix, MIX_VERSIONS), f"{_TABLES}/{checksum}{_SUFFIX}")


def _freed_with(
    store: Store, mix: str, manifests: Mapping[str, Mapping[str, Any]], version: str
) -> dict[str, int]:
    """Bytes that removing a version frees, by the checksum of the table."""
    own = _checksums(manifests[version]) - _tables_of_others(store, mix, manifests, version)
    paths = {checksum: kept_table(store, mix, checksum) for checksum in own}
    return {checksum: bytes_freed_with(path) for checksum, path in paths.items() if path.exists()}


def _tables_of_others(
    store: Store, mix: str, manifests: Mapping[str, Mapping[str, Any]], version: str
) -> set[str]:
    """The checksums of the tables that the mix as it is now and all other versions consist of."""
    others = [manifest for name, manifest in manifests.items() if name != version]
    if _present_or_none(store, mix) is not None:
        others.append(store.read_json(manifest_path(store, mix)))
    return set().union(*map(_checksums, others))


def _checksums(manifest: Mapping[str, Any]) -> set[str]:
    """The tables that a version consists of."""
    rows = {entry["checksum"] for entry in manifest["shards"].values()}
    return rows | {each for name, each in manifest["tables"].items() if name.endswith(_SUFFIX)}


def _kept_manifests(store: Store, mix: str) -> dict[str, dict[str, Any]]:
    return {version: read_version(store, mix, version) for version in _kept_versions(store, mix)}


def _kept_versions(store: Store, mix: str) -> list[str]:
    # Without the folders of their tables, which are as many as there are shards.
    names = named_outputs(list(listed_files(store.root / mix_output(mix, MIX_VERSIONS))))
    return sorted(name.removesuffix(".json") for name in names)


def _kept_names(store: Store, mix: str) -> list[str]:
    return output_names(store.root / mix_output(mix, MIX_VERSIONS))


def _present_or_none(store: Store, mix: str) -> str | None:
    try:
        return present_version(store, mix)
    except MissingOutputError:
        return None


def _version_of(manifest: bytes) -> str:
    return hash_bytes(manifest)[:VERSION_DIGITS]


def _kept_path(store: Store, mix: str, version: str) -> UPath:
    return store.path(mix_output(mix, MIX_VERSIONS), f"{version}.json")


def _header_path(store: Store, mix: str, version: str) -> UPath:
    return store.path(mix_output(mix, MIX_VERSIONS), f"{_HEADERS}/{version}.json")


def _header_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "method": manifest["method"],
        "totals": manifest["totals"],
        "n_shards": len(manifest["shards"]),
    }


def _time_of(path: UPath) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
