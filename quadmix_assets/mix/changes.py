"""What is newer or gone since a mix was made, by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quadmix_assets.mix.made_from import upstream_fingerprints
from quadmix_assets.mix.manifest import (
    changed_tables,
    stale_shards,
    usable_shards,
)
from quadmix_assets.mix.pinned import pinned_fingerprints
from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    FINAL_MIX,
    PROXY_METRICS,
    RAW_SHARDS,
    SCORED_SHARDS,
    mix_output,
)
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store, described_tables

# Sections and keys of the settings that no result depends on.
_WITHOUT_EFFECT = (
    "profile",
    "lake",
    "owner",
    "automation",
    "execution",
    "production",
    "mix.accept",
    "mix.export",
)
_MOST_NAMES = 5


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
    in_mix, mix = manifest["shards"], settings.mix_named(manifest["mix"])
    documents = mix_output(mix.name, FINAL_MIX)
    needed = (RAW_SHARDS, SCORED_SHARDS, DOMAIN_LABELS, documents)
    now_registered = set(registered)
    there = [shard for shard in in_mix if shard in now_registered]
    tables_of = {asset: described_tables(store, asset, registered) for asset in needed}
    with_mix = [shard for shard in there if all(shard in found for found in tables_of.values())]
    stale = stale_shards(store, mix, with_mix)
    pinned = pinned_fingerprints(store, mix)
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
        if tables_of[documents][shard].inputs != in_mix[shard]["made_from"]
    ]
    before, now = manifest["made_from"], upstream_fingerprints(store, settings, mix)
    found = {
        "shards that have not been read": sorted(
            shard for shard in registered if shard not in tables_of[RAW_SHARDS]
        ),
        "shards without a mix": sorted(set(usable_shards(store, registered)) - set(in_mix)),
        "shards that are gone": sorted(set(in_mix) - set(there)),
        "shards of which outputs are gone": sorted(set(there) - set(with_mix)),
        "shards with newer inputs": [
            f"{shard} ({', '.join(names)})" for shard, names in own.items() if names
        ],
        "shards mixed again since": mixed_again,
        "tables that are newer": sorted([*whole, *tables]),
        "made again since the rule was fitted": _differing(
            {asset: value for asset, value in before.items() if asset != PROXY_METRICS},
            {asset: value for asset, value in now.items() if asset != PROXY_METRICS},
        ),
        "proxies that are newer or gone": _differing(
            before.get(PROXY_METRICS, {}), now.get(PROXY_METRICS, {})
        ),
        "settings that differ": changed_settings(
            _settings_of(manifest["settings"], mix.name, manifest["export"]),
            _settings_of(
                settings.model_dump(mode="json", exclude={"root"}),
                mix.name,
                settings.export_of(mix),
            ),
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


def _settings_of(settings: Mapping[str, Any], mix: str, export: str) -> dict[str, Any]:
    """The settings without those of other mixes, and with the export that takes effect."""
    own: Mapping[str, Any] = next((each for each in settings["mixes"] if each["name"] == mix), {})
    return {**settings, "mixes": {mix: {**own, "export": export, "follow": None}}}


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
