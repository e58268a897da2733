"""Whether a manifest names every shard, and everything that it names is there as recorded."""

from collections.abc import Mapping, Sequence
from typing import Any

from quadmix_assets.mix.manifest import changed_tables
from quadmix_assets.outputs import EXPORT, FINAL_MIX, MIX_MANIFEST
from quadmix_assets.store import Store


def incomplete_entries(
    store: Store, manifest: Mapping[str, Any], usable: Sequence[str]
) -> list[str]:
    """What is missing of a mix, one sentence each; empty for a complete one.

    The mixes of shards are compared by their footers, because hashing their texts would read the
    whole mix; tables and their copies beside the manifest by their bytes.

    Args:
        store: the lake.
        manifest: of the mix.
        usable: the shards whose documents can be in the mix.
    """
    problems = [
        f"the shard {shard!r} is not in the manifest: materialise final_mix for it, and "
        "mix_manifest after it"
        for shard in sorted(set(usable) - set(manifest["shards"]))
    ]
    export = manifest["settings"]["mix"]["export"]["format"]
    for shard, entry in manifest["shards"].items():
        path = store.table_path(FINAL_MIX, shard)
        if not path.exists():
            problems.append(f"{path} is gone: materialise final_mix for the shard {shard!r}")
            continue
        found = store.summary(path)
        if found.pop("inputs") != entry["made_from"] or found != entry["counts"]:
            problems.append(
                f"{path} is not the table that the manifest names: materialise mix_manifest again"
            )
        exported = store.path(EXPORT, f"{shard}.{export}")
        if export != "none" and not exported.exists():
            problems.append(f"{exported} is gone: materialise final_mix for the shard {shard!r}")
    problems += [
        f"{store.root / name} is not the table that the manifest names: materialise final_mix and "
        "mix_manifest again"
        for name in changed_tables(store, manifest)
    ]
    for name, fingerprint in manifest["tables"].items():
        copy = store.path(MIX_MANIFEST, name)
        if not store.matches(copy, fingerprint):
            problems.append(
                f"{copy}, the manifest's copy, is gone or changed: materialise mix_manifest again"
            )
    return problems
