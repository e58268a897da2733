"""Whether a manifest names every shard, and everything that it names is there as recorded."""

from collections.abc import Mapping, Sequence
from typing import Any

from quadmix_assets.mix.manifest import changed_tables, table_in_lake
from quadmix_assets.outputs import FINAL_MIX, MIX_EXPORT, MIX_MANIFEST, mix_output
from quadmix_assets.store import Store, described_tables, listed_files


def incomplete_entries(
    store: Store, manifest: Mapping[str, Any], usable: Sequence[str]
) -> list[str]:
    """What is missing of a mix, one sentence each; empty for a complete one.

    The documents of shards are compared by their seals, because hashing them would read the whole
    mix; tables and their copies beside the manifest by their bytes.

    Args:
        store: the lake.
        manifest: of the mix.
        usable: the shards whose documents can be in the mix.
    """
    name = manifest["mix"]
    documents, own = mix_output(name, FINAL_MIX), mix_output(name, MIX_MANIFEST)
    problems = [
        f"the shard {shard!r} is not in the manifest: materialise {documents} for it, and "
        f"{own} after it"
        for shard in sorted(set(usable) - set(manifest["shards"]))
    ]
    tables = described_tables(store, documents, manifest["shards"])
    exports = store.root / mix_output(name, MIX_EXPORT)
    exported = listed_files(exports) if manifest["export"] != "none" else {}
    for shard, entry in manifest["shards"].items():
        if shard not in tables:
            path = store.table_path(documents, shard)
            problems.append(f"{path} is gone: materialise {documents} for the shard {shard!r}")
            continue
        if tables[shard].seal != entry["checksum"]:
            problems.append(
                f"{store.table_path(documents, shard)} is not the table that the manifest names: "
                f"materialise {own} again"
            )
        export = f"{shard}.{manifest['export']}"
        if manifest["export"] != "none" and export not in exported:
            problems.append(
                f"{exports}/{export} is gone: materialise {documents} for the shard {shard!r}"
            )
    problems += [
        f"{table_in_lake(store, name, table)} is not the table that the manifest names: "
        f"materialise {documents} and {own} again"
        for table in changed_tables(store, manifest)
    ]
    for table, fingerprint in manifest["tables"].items():
        copy = store.path(own, table)
        if not store.matches(copy, fingerprint):
            problems.append(
                f"{copy}, the manifest's copy, is gone or changed: materialise {own} again"
            )
    return problems
