"""What is newer or gone since a mix was made, by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quadmix_assets.mix.made_from import upstream_fingerprints
from quadmix_assets.mix.manifest import (
    changed_tables,
    pinned_fingerprints,
    stale_shards,
    usable_shards,
)
from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    FINAL_MIX,
    PROXY_METRICS,
    RAW_SHARDS,
    SCORED_SHARDS,
)
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store

# Sections and keys of the settings that no result depends on.
_WITHOUT_EFFECT = ("profile", "lake", "owner", "automation", "mix.accept")
_MOST_NAMES = 5
# What a mix needs of every shard.
_PER_SHARD = (RAW_SHARDS, SCORED_SHARDS, DOMAIN_LABELS, FINAL_MIX)


@dataclass(frozen=True)
class Changes:
    """What is newer or gone since a mix was made.

    Attributes:
        by_kind: per kind of change, such as `shards without a mix`, the names of what has changed;
            kinds without a change are left out.
    """

    by_kind: Mapping[str, Sequence[str]]

    def in_words(self) -> str:
        """One line per kind, with the first few names."""
        return "; ".join(
            f"{kind}: {', '.join(names[:_MOST_NAMES])}"
            + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")
            for kind, names in self.by_kind.items()
        )


def changes_since(
    store: Store,
    settings: Settings,
    manifest: Mapping[str, Any],
    registered: Sequence[str],
) -> Changes:
    """Compare a manifest with the lake and the settings as they are now.

    Only footers, JSON files and the hashes of small tables are read.

    Args:
        store: the lake.
        settings: the present ones.
        manifest: of the mix.
        registered: the shards of the pool.

    Raises:
        MissingOutputError: a pinned input of the mix is not there any more.
    """
    in_mix = manifest["shards"]
    there = [shard for shard in in_mix if shard in set(registered)]
    with_mix = [
        shard
        for shard in there
        if all(store.table_path(asset, shard).exists() for asset in _PER_SHARD)
    ]
    stale = stale_shards(store, with_mix)
    pinned = pinned_fingerprints(store)
    tables = changed_tables(store, manifest)
    whole = [
        asset
        for asset, fingerprint in pinned.items()
        if manifest["fingerprints"].get(asset) != fingerprint
        and not any(table.startswith(f"{asset}/") for table in tables)
    ]
    own = {shard: [name for name in names if name not in pinned] for shard, names in stale.items()}
    mixed_again = [
        shard
        for shard in with_mix
        if store.summary(store.table_path(FINAL_MIX, shard))["inputs"] != in_mix[shard]["made_from"]
    ]
    before, now = manifest["calibrated_from"], upstream_fingerprints(store)
    found = {
        "shards that have not been read": sorted(
            shard for shard in registered if not store.table_path(RAW_SHARDS, shard).exists()
        ),
        "shards without a mix": sorted(set(usable_shards(store, registered)) - set(in_mix)),
        "shards that are gone": sorted(set(in_mix) - set(there)),
        "shards of which outputs are gone": sorted(set(there) - set(with_mix)),
        "shards with newer inputs": [
            f"{shard} ({', '.join(names)})" for shard, names in own.items() if names
        ],
        "shards mixed again since": mixed_again,
        "tables that are newer": sorted([*whole, *tables]),
        "made again since theta* was frozen": _differing(
            {asset: value for asset, value in before.items() if asset != PROXY_METRICS},
            {asset: value for asset, value in now.items() if asset != PROXY_METRICS},
        ),
        "proxies that are newer or gone": _differing(before[PROXY_METRICS], now[PROXY_METRICS]),
        "settings that differ": changed_settings(
            manifest["settings"], settings.model_dump(mode="json", exclude={"root"})
        ),
    }
    return Changes({kind: names for kind, names in found.items() if names})


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Names with other values, and what happened to them where they came or went."""
    names = []
    for name in sorted(set(before) | set(now)):
        if name not in now:
            names.append(f"{name} (gone)")
        elif name not in before:
            names.append(f"{name} (new)")
        elif before[name] != now[name]:
            names.append(name)
    return names


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The settings that differ, as `key: before → now`; those without an effect are left out."""
    old, new = _flat(before), _flat(now)
    missing = "not set"
    return [
        f"{key}: {old.get(key, missing)} → {new.get(key, missing)}"
        for key in sorted(set(old) | set(new))
        if old.get(key, missing) != new.get(key, missing)
        and not any(key == name or key.startswith(f"{name}.") for name in _WITHOUT_EFFECT)
    ]


def _flat(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Values by path; entries of lists are numbered."""
    if isinstance(settings, Mapping) and settings:
        parts = {f"{prefix}.{key}" if prefix else key: value for key, value in settings.items()}
    elif isinstance(settings, list) and settings:
        parts = {f"{prefix}[{index}]": value for index, value in enumerate(settings)}
    else:
        return {prefix: settings}
    return {
        path: leaf for part, value in parts.items() for path, leaf in _flat(value, part).items()
    }
